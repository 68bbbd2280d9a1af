"""The fast path: mechanisms optimised by exact gradients, in torch, through the rules themselves."""

from lawgiver.trainers.differentiable.ascent import reachable
from lawgiver.trainers.differentiable.train import train

__all__ = ["reachable", "train"]
