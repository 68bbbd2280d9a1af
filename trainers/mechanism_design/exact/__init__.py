"""The fast path: mechanisms optimised by exact gradients, in torch, through the rules themselves."""

from lawgiver.trainers.mechanism_design.exact.ascent import reachable
from lawgiver.trainers.mechanism_design.exact.train import train

__all__ = ["reachable", "train"]
