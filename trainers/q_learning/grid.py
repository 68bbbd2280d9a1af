"""A grid of mechanisms over the box, and what participants who have learned under each are worth."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.game import Game
from lawgiver.trainers.q_learning.outcome import objective_reached
from lawgiver.trainers.q_learning.sessions import Sessions
from lawgiver.trainers.statistics.estimate import Estimate

LARGEST_GRID = 4_096
"""Mechanisms of a grid."""
FIRST = 2
"""Number of the grid's first mechanism in the stage: after what was learned, and what that is compared with."""


def grid_of(game: Game[Any], count: int) -> np.ndarray:
    """Lay a grid of ``count`` values of each parameter over the box, (count^D, D); empty for 0.

    Raises:
        ParameterError: if it has too many mechanisms.
    """
    low, high = game.action_bounds("mechanism")
    if count ** len(low) > LARGEST_GRID:
        raise ParameterError(
            f"agents.mechanism.grid is {count}, {count ** len(low):,} mechanisms of {len(low)} parameters, allowed: up"
            f" to {LARGEST_GRID:,}"
        )
    axes = np.linspace(low, high, count) if count > 1 else (low + high)[None] / 2 * np.ones((count, 1))
    return np.array(list(itertools.product(*axes.T))).reshape(-1, len(low))


def reached_on_grid(sessions: Sessions) -> list[Estimate]:
    """Estimate the objective under each mechanism of the grid, from the cycles that greedy play ends in."""
    numbers = range(FIRST, len(sessions.stage.objective))
    reached = objective_reached(sessions)
    return [Estimate.of_samples(reached[sessions.mechanisms == number]) for number in numbers]


def best_of_grid(sessions: Sessions) -> int:
    """Find the number, in the stage, of the grid's mechanism with the largest estimate.

    That estimate is too large on average, as the largest of several noisy ones, the more so the larger the grid: what
    the mechanism is worth has to be estimated from other sessions.
    """
    return FIRST + int(np.argmax([each.mean for each in reached_on_grid(sessions)]))
