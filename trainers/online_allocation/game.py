"""The games that allocators learn to play."""

from __future__ import annotations

from typing import Any

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.online_allocation import OnlineAllocation


def asking_one(game: Game[Any], trainer: str) -> OnlineAllocation:
    """Return the game; raises UnsupportedGameError if it is not one of single questions without payments."""
    what = f"trainer {trainer!r} needs online_allocation with questions=1 and payments=False"
    if not isinstance(game, OnlineAllocation):
        raise UnsupportedGameError(f"{what}, not {game.name}")
    if game.questions != 1:
        raise UnsupportedGameError(f"{what}: questions is {game.questions}")
    if game.payments:
        raise UnsupportedGameError(f"{what}: payments is True")
    return game
