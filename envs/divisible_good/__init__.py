"""A divisible good over several rounds (the multi-step example of Mguni and Tomczak's dynamic mechanism design)."""

from lawgiver.envs.divisible_good.game import DivisibleGood

__all__ = ["DivisibleGood"]
