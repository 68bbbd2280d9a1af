"""A gridworld in which participants bid for where the mechanism goes (Curry, Thoma et al. 2024, section 5)."""

from lawgiver.envs.gridworld.game import Gridworld

__all__ = ["Gridworld"]
