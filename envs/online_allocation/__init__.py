"""Online allocation: items are assigned round after round by values that are learned by asking a few."""

from lawgiver.envs.online_allocation.game import OnlineAllocation
from lawgiver.envs.online_allocation.state import OnlineState

__all__ = ["OnlineAllocation", "OnlineState"]
