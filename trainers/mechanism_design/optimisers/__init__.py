"""How a mechanism's coefficients are learned: optimisers behind one interface, and the steps that they take."""

from lawgiver.trainers.mechanism_design.optimisers.base import Optimiser
from lawgiver.trainers.mechanism_design.optimisers.optimisers import OptimiserName, make_optimiser
from lawgiver.trainers.mechanism_design.optimisers.schedules import Schedule, Timescale, check_timescales

__all__ = ["Optimiser", "OptimiserName", "Schedule", "Timescale", "check_timescales", "make_optimiser"]
