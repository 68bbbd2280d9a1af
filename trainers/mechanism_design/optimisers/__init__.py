"""Optimisers of a mechanism's coefficients behind one interface, and their step sizes."""

from lawgiver.trainers.mechanism_design.optimisers.base import Optimiser
from lawgiver.trainers.mechanism_design.optimisers.optimisers import OptimiserName, make_optimiser
from lawgiver.trainers.mechanism_design.optimisers.schedules import Schedule, Timescale, check_timescales

__all__ = ["Optimiser", "OptimiserName", "Schedule", "Timescale", "check_timescales", "make_optimiser"]
