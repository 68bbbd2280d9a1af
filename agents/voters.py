"""Voters by name: what people who have played a game under each of several mechanisms vote for.

They read ``experience`` (B, n, k, T, f), the fields of :func:`lawgiver.envs.election.experience.experience_layout`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, log_softmax, namespace
from lawgiver.envs.core.errors import number
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.game import Game
from lawgiver.envs.election.experience import Voter, experience_layout

SENSITIVITY = {"low": 2.0, "middle": 6.0, "high": 18.0}
"""Sensitivities to own payoff between which the truth should lie, as no data fix it.

Somebody who earned 1.4 times the endowment under one of two mechanisms and a tenth more under the other votes for the
other with probability 0.57, 0.70 and 0.93: hardly better than a coin, like most people who notice, and nearly always.
"""

FAIRNESS = 4.0
"""Weight of one's share of what the group earned: a share higher by ten points, payoffs equal, brings 0.6 of votes."""


@dataclass(frozen=True)
class ExperienceVoter:
    """Votes by own payoff and by own share of the group's.

    The probability of a vote for mechanism j is the softmax over mechanisms of

        sensitivity R_j / (own endowment over the game) + fairness R_j / (sum of the group's rewards under j)

    with R_j the own total reward under j; in a game without endowments, R_j a round that was played. Where rewards may
    be negative, the sum is of their absolute values. ``sensitivity`` is selfish in
    absolute, ``fairness`` in relative terms: it is the wish not to be left behind. ``payoffs`` (start, stop) and
    ``endowment`` say in which columns of the experience they stand.
    """

    sensitivity: float
    fairness: float
    payoffs: tuple[int, int]
    endowment: int | None

    @property
    def settings(self) -> dict[str, Any]:
        """What the voter was made with."""
        return {"voter": "experience", **asdict(self)}

    def log_probabilities(self, experience: Array) -> Array:
        """Return the log-probability of each vote, (B, n, k), for experience (B, n, k, T, f)."""
        xp = namespace(experience)
        payoffs = xp.sum(experience[..., slice(*self.payoffs)], axis=-2)
        own, group = payoffs[..., 0], xp.sum(xp.abs(payoffs), axis=-1)
        share = own / xp.where(group > 0, group, xp.ones_like(group))
        unit = xp.sum(experience[..., -1 if self.endowment is None else self.endowment], axis=-1)  # last: `played`
        return log_softmax(self.sensitivity * own / unit + self.fairness * share)


@dataclass(frozen=True)
class RandomVoter:
    """Votes for each mechanism with the same probability."""

    @property
    def settings(self) -> dict[str, Any]:
        """Its name, which is all there is."""
        return {"voter": "random"}

    def log_probabilities(self, experience: Array) -> Array:
        """Return -log k for every vote, (B, n, k), for experience (B, n, k, T, f)."""
        return constant(-np.log(experience.shape[2]), experience) + namespace(experience).zeros_like(
            experience[..., 0, 0]
        )


def experience(game: Game[Any], *, sensitivity: float = SENSITIVITY["middle"], fairness: float = FAIRNESS) -> Voter:
    """Return voters who judge by what they earned (see :class:`ExperienceVoter`). Every game has them.

    Args:
        game: that is played under each mechanism.
        sensitivity: to own payoff as a multiple of own endowment, >= 0; see :data:`SENSITIVITY`.
        fairness: weight of the own share of the group's reward, >= 0.

    Raises:
        ParameterError: if one of them is outside its range.
    """
    found = columns(experience_layout(game))
    return ExperienceVoter(
        sensitivity=number("sensitivity", sensitivity, "[0, inf)"),
        fairness=number("fairness", fairness, "[0, inf)"),
        payoffs=(found["payoffs"].start, found["payoffs"].stop),
        endowment=found["own_endowment"].start if "own_endowment" in found else None,
    )


def random(game: Game[Any]) -> Voter:
    """Return voters who vote for each mechanism with the same probability. Every game has them."""
    return RandomVoter()
