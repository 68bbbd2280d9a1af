"""Announcement of a mechanism, for trainers of participants who learn under one rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy


def announcement(game: Game[Any], mechanism: Policy) -> np.ndarray:
    """Return the w (D,) that a mechanism announces in every game alike.

    Raises:
        UnsupportedGameError: if it draws its announcement.
    """
    rng = np.random.default_rng(0)
    seen = game.observe(game.initial_state(1, rng), "mechanism")
    mean, deviation = np.asarray(mechanism.distribution(seen, None, mechanism.initial_state(1, rng))[0], float)[0, 0]
    if deviation.any():
        raise UnsupportedGameError(
            f"participants learn under a rule that is the same in all games, not under {mechanism!r}"
        )
    return np.asarray(np.clip(mean, *game.action_bounds("mechanism")))
