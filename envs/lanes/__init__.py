"""Multi-lane coordination (Mguni and Tomczak)."""

from lawgiver.envs.lanes.game import Lanes

__all__ = ["Lanes"]
