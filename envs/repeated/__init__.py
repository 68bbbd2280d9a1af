"""Any reporting game with a menu of reports, such as a vote, round after round."""

from lawgiver.envs.repeated.game import RepeatedGame

__all__ = ["RepeatedGame"]
