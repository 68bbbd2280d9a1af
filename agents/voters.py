"""Voters by name: votes of people who have played a game under each of several mechanisms.

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
"""Plausible range of the sensitivity to own payoff, which no data determine.

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
        """Parameters of the voter."""
        return {"voter": "experience", **asdict(self)}

    def log_probabilities(self, experience: Array) -> Array:
        """Return the log-probability of each vote, (B, n, k), for experience (B, n, k, T, f)."""
        xp = namespace(experience)
        payoffs = xp.sum(experience[..., slice(*self.payoffs)], axis=-2)
        own, group = payoffs[..., 0], xp.sum(xp.abs(payoffs), axis=-1)
        share = own / _or_one(group)
        unit = xp.sum(experience[..., -1 if self.endowment is None else self.endowment], axis=-1)  # last: `played`
        return log_softmax(self.sensitivity * own / unit + self.fairness * share)


ENVY, GUILT = 0.85, 0.315
"""Mean dislikes of having less and of having more: alpha and beta of Fehr and Schmidt 1999, table III."""

SENSITIVITY_TO_UTILITY = 8.0
"""Brings 0.68 of the votes to the one of two mechanisms under which everybody, all alike, earned a tenth more."""

DECAY = 0.8
"""Weight in memory of a round beside the next one: of ten, the last three have 55 % of it, the first three 11 %."""


@dataclass(frozen=True)
class InequityAverseVoter:
    """Votes by how a game is remembered, and remembers late rounds best.

    The probability of a vote for mechanism j is the softmax over mechanisms of ``sensitivity`` U_j. U_j is the mean
    over the rounds that were played under j, a round weighing ``decay`` as much as the one after it, of

        (x_i - envy mean_j max(x_j - x_i, 0) - guilt mean_j max(x_i - x_j, 0)) / m

    with x the payoffs of the round, j running over the others, and m the mean (absolute) payoff of a round of everybody
    in all games. The utility is that of Fehr and Schmidt (1999, QJE 114:817). That the end of an experience outweighs
    its beginning is the peak-end rule (Fredrickson and Kahneman 1993, JPSP 65:45; Redelmeier and Kahneman 1996,
    Pain 66:3) and the recency of choices from experience (Hertwig, Barron, Weber and Erev 2004, Psychol. Sci. 15:534).
    No data fix the numbers. ``payoffs`` (start, stop) and ``played`` say in which columns of the experience they stand.
    """

    sensitivity: float
    decay: float
    envy: float
    guilt: float
    payoffs: tuple[int, int]
    played: int

    @property
    def settings(self) -> dict[str, Any]:
        """Parameters of the voter."""
        return {"voter": "inequity_averse", **asdict(self)}

    def log_probabilities(self, experience: Array) -> Array:
        """Return the log-probability of each vote, (B, n, k), for experience (B, n, k, T, f)."""
        xp = namespace(experience)
        payoffs, played = experience[..., slice(*self.payoffs)], experience[..., self.played]
        own, others = payoffs[..., 0], payoffs[..., 1:]
        behind, ahead = (
            xp.maximum(gap, xp.zeros_like(gap)) for gap in (others - own[..., None], own[..., None] - others)
        )
        peers = max(others.shape[-1], 1)  # alone there is nobody to compare with
        utility = own - (self.envy * xp.sum(behind, axis=-1) + self.guilt * xp.sum(ahead, axis=-1)) / peers
        since = xp.sum(played, axis=-1, keepdims=True) - xp.cumulative_sum(played, axis=-1)
        weights = played * self.decay**since
        remembered = xp.sum(weights * utility, axis=-1) / _or_one(xp.sum(weights, axis=-1))
        earned = xp.sum(played[..., None] * xp.abs(payoffs), axis=(-3, -2, -1))
        unit = earned / _or_one(payoffs.shape[-1] * xp.sum(played, axis=(-2, -1)))
        return log_softmax(self.sensitivity * remembered / _or_one(unit)[..., None])


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
        game: the base game.
        sensitivity: sensitivity to own payoff as a multiple of own endowment, >= 0; see :data:`SENSITIVITY`.
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


def inequity_averse(
    game: Game[Any],
    *,
    sensitivity: float = SENSITIVITY_TO_UTILITY,
    decay: float = DECAY,
    envy: float = ENVY,
    guilt: float = GUILT,
) -> Voter:
    """Return voters who judge by remembered utility (see :class:`InequityAverseVoter`). Every game has them.

    Args:
        game: the base game.
        sensitivity: sensitivity to remembered utility, in mean payoffs of a round, >= 0.
        decay: weight of a round beside the next one, in (0, 1]; 1 for a memory that does not fade.
        envy: dislike of each point that the others have more, on average, >= 0.
        guilt: dislike of each point that they have less, on average, in [0, 1): below 1, as in the source, or people
            would rather earn less.

    Raises:
        ParameterError: if one of them is outside its range.
    """
    found = columns(experience_layout(game))
    return InequityAverseVoter(
        sensitivity=number("sensitivity", sensitivity, "[0, inf)"),
        decay=number("decay", decay, "(0, 1]"),
        envy=number("envy", envy, "[0, inf)"),
        guilt=number("guilt", guilt, "[0, 1)"),
        payoffs=(found["payoffs"].start, found["payoffs"].stop),
        played=found["played"].start,
    )


def random(game: Game[Any]) -> Voter:
    """Return voters who vote for each mechanism with the same probability. Every game has them."""
    return RandomVoter()


def _or_one(x: Array) -> Array:
    """Return x where it is positive, else 1, as a safe divisor."""
    return namespace(x).where(x > 0, x, namespace(x).ones_like(x))
