"""How a mechanism's coefficients are learned: optimisers behind one interface, and the steps that they take."""

from lawgiver.trainers.designers.base import Optimiser
from lawgiver.trainers.designers.optimisers import OptimiserName, make_optimiser
from lawgiver.trainers.designers.schedules import Schedule, Timescale, check_timescales

__all__ = ["Optimiser", "OptimiserName", "Schedule", "Timescale", "check_timescales", "make_optimiser"]
