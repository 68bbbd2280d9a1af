"""Distillation: the rule of few numbers whose offers are nearest to those of a planner, on the planner's own games.

The rules are those of the game's family: an equal share of the pool mixed with a share by past returns, the weight of
the former a power of the pool, max(floor, weight (R / capacity)^exponent); see
:mod:`lawgiver.envs.commons_trust.rule_family`. Koster, Pislar et al. 2025 explain their planner by one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from lawgiver.envs.commons_trust.game import SMALLEST_OFFER, CommonsTrust
from lawgiver.envs.commons_trust.rule_family import LAYOUT, family_offers
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.fields import bounds
from lawgiver.trainers.commons.plays import Plays

STARTS = (1.0, 4.0, 20.0)
"""Exponents from which the fit begins; the best end counts."""


@dataclass(frozen=True)
class Distilled:
    """A rule fitted to a planner.

    Attributes:
        parameters: weight, exponent and floor.
        r2: share of the variance of offers that it explains, 1 - SSE / SST about the mean offer.
        rounds: number of rounds with offers that were looked at.
    """

    parameters: tuple[float, ...]
    r2: float
    rounds: int


def distil(game: CommonsTrust, plays: Plays) -> Distilled:
    """Fit weight, exponent and floor to the offers of games by least squares, in points.

    Args:
        game: that was played.
        plays: games under the planner; rounds whose pool holds a point or less are left out, and the first, in which
            every rule of the family offers equal shares.

    Raises:
        UnsupportedGameError: if no round is left.
    """
    pool, offers, returns = plays.pools[:, 1:-1], plays.offers[:, 1:], plays.returns[:, :-1]
    there = (pool > SMALLEST_OFFER) & np.isfinite(offers[..., 0])  # the pool is known after the last offers, too
    pool, offers, returns = pool[there], offers[there], returns[there]
    if not len(pool):
        raise UnsupportedGameError(
            f"no rule can be distilled from {len(plays.pools)} games of {game.name}: none has a second round with more"
            f" than {SMALLEST_OFFER:g} point in the pool"
        )
    low, high = bounds(LAYOUT)

    def missed(parameters: np.ndarray) -> np.ndarray:
        return np.ravel(family_offers(parameters, pool, returns, game.capacity) - offers)

    ends = [least_squares(missed, (0.9, start, 0.05), bounds=(low, high)) for start in STARTS]
    best = min(ends, key=lambda end: end.cost)
    spread = float(((offers - offers.mean()) ** 2).sum())
    return Distilled(tuple(float(x) for x in best.x), 1 - 2 * float(best.cost) / spread, len(pool))
