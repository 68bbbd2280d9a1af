"""What a voter has lived through: everything a participant saw and earned in every round of every game."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import Game


def experience_layout(base: Game[Any]) -> Layout:
    """Return the fields of one participant's experience of one round of the base game.

    What the participant saw after the round; ``payoffs``, what each of them earned in it, own first; and ``played``,
    0 where the game had ended before.
    """
    n = base.roles["participant"]
    payoffs = Field("payoffs", n, -float("inf"), float("inf"), "points", "earned in the round, own first")
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
