"""Payment-free allocation round after round, with a menu of misreports to choose from."""

from lawgiver.envs.repeated_allocation.game import RepeatedAllocation

__all__ = ["RepeatedAllocation"]
