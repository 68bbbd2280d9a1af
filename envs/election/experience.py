"""A voter's experience: a participant's observations and payoffs in every round of every game."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace, where_games
from lawgiver.envs.core.errors import ActionError
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import Game


def experience_layout(base: Game[Any]) -> Layout:
    """Return the fields of one participant's experience of one round of the base game.

    What the participant saw after the round; ``payoffs``, what each of them earned in it, own first; and ``played``,
    0 where the game had ended before.
    """
    n = base.roles["participant"]
    payoffs = Field(
        "payoffs", n, -float("inf"), float("inf"), "points", "earned in the round, own first", own_first=True
    )
    played = Field("played", 1, 0, 1, "flag", "whether the round was played")
    return (*base.observation_layout("participant"), payoffs, played)


@runtime_checkable
class Voter(Protocol):
    """Votes for every participant of B elections at once."""

    def log_probabilities(self, experience: Array) -> Array:
        """Return the log-probability of voting for each of k mechanisms, (B, n, k).

        ``experience`` is (B, n, k, T, f): of each participant, under each mechanism, in each of T rounds, the fields
        of :func:`experience_layout`. Rounds that were not played, because the game had ended, are zeros.
        """


def by_mechanism(experience: Sequence[Array], order: Array, rounds: int) -> Array:
    """Arrange experiences by mechanism as voters see them, (B, n, k, T, f).

    Args:
        experience: round by round, of one game after the other, k T times (B, n, f).
        order: the mechanism that ruled first, second and so on, (B, k).
        rounds: T.
    """
    xp, k = namespace(experience[0]), order.shape[1]
    games = [xp.stack(tuple(experience[at * rounds : (at + 1) * rounds]), axis=2) for at in range(k)]
    by_seat = []
    for seat in range(k):
        own = games[0]
        for at in range(1, k):
            own = where_games(order[:, at] == seat, games[at], own)
        by_seat.append(own)
    return xp.stack(by_seat, axis=2)


def require_probabilities(whose: str, logs: Array, shape: tuple[int, ...]) -> None:
    """Raise ActionError unless ``logs`` are log-probabilities of this shape (NumPy; NaN would count as a choice)."""
    if logs.shape != shape:
        raise ActionError(f"the {whose} give log-probabilities {tuple(logs.shape)}, allowed: {shape}")
    if isinstance(logs, np.ndarray) and (np.isnan(logs).any() or not (logs.max(axis=-1) > -np.inf).all()):
        raise ActionError(f"the {whose} give log-probabilities that are NaN, or rule everything out")
