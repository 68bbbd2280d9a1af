"""Announcement of a mechanism, for trainers of participants who learn under one rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.solvers.equilibrium.one_round import inexact, mean_outcome


def announcement(game: Game[Any], mechanism: Policy) -> np.ndarray:
    """Return the w (D,) that a mechanism announces in every game alike.

    Raises:
        UnsupportedGameError: if it remembers, or draws its announcement.
    """
    state = game.initial_state(1, np.random.default_rng(0))
    if inexact(game, mechanism, state):
        raise UnsupportedGameError(
            f"participants learn under a rule that is the same in all games, not under {mechanism!r}"
        )
    announced: np.ndarray = np.asarray(mean_outcome(game, mechanism, state), float)[0]
    return announced
