"""Learning rules of participants, each in a module of its own."""

from lawgiver.trainers.mechanism_design.two_timescale.learning.base import Learners, play
from lawgiver.trainers.mechanism_design.two_timescale.learning.dual_averaging import DualAveraging
from lawgiver.trainers.mechanism_design.two_timescale.learning.equilibrium import InEquilibrium
from lawgiver.trainers.mechanism_design.two_timescale.learning.fictitious_play import FictitiousPlay
from lawgiver.trainers.mechanism_design.two_timescale.learning.relaxed_logits import RelaxedLogits

__all__ = ["DualAveraging", "FictitiousPlay", "InEquilibrium", "Learners", "RelaxedLogits", "play"]
