"""Feedback: what a mechanism learns of an annotator's rewards, as rewards (..., K) that tell no more than that.

``rewards`` are seen as they are. A ``ranking`` is seen as equally spaced rewards. ``pairs``, the answers of a
Bradley-Terry annotator to which of two replies is better, tell rewards but for a constant: the least is moved to the
bottom of the range. With a finite number of comparisons they tell the rewards that fit the answers best.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, floats, namespace
from lawgiver.envs.solvers.preference_aggregation.bradley_terry import fitted, preferences
from lawgiver.envs.solvers.social_choice.profiles import orders, positions

FEEDBACK = ("rewards", "ranking", "pairs")
LARGEST_MENU = 5
"""Replies up to which all rankings are listed: 5! = 120."""


def read(reports: Array, feedback: str, low: float, high: float) -> Array:
    """Return reports (..., K), from low to high, as the mechanism sees them; see the module."""
    if feedback == "pairs":
        return reports - namespace(reports).min(reports, axis=-1, keepdims=True) + low
    return spaced(positions(reports), low, high, reports) if feedback == "ranking" else reports


def spaced(places: Array, low: float, high: float, like: Array) -> Array:
    """Return equally spaced rewards (..., K): the highest at place 0, the lowest at place K - 1."""
    last = max(places.shape[-1] - 1, 1)
    return high - (high - low) * floats(places, like) / last


@lru_cache
def rankings(replies: int, low: float, high: float) -> np.ndarray:
    """List all rankings as :func:`read` reads them, (K!, K)."""
    return np.asarray(spaced(orders(replies), low, high, np.zeros(0)))


def judged(rewards: Array, draws: Array, sharpness: float, comparisons: int) -> Array:
    """Draw answers of a Bradley-Terry annotator, and fit its rewards to them, (..., K) with the least at 0.

    Every pair is compared ``comparisons`` times. A comparison more, of which either reply wins a half, keeps the fit
    finite.

    Args:
        rewards: (..., K).
        draws: uniform numbers (..., pairs), by which the number of wins of the first of each pair is drawn.
        sharpness: of the annotators, > 0.
        comparisons: of each pair, >= 1.
    """
    if rewards.shape[-1] == 1:
        return 0 * rewards
    xp = namespace(rewards)
    first, second = np.triu_indices(rewards.shape[-1], 1)
    chance = preferences(rewards, sharpness)[..., first, second]
    won = binomial(chance, draws, comparisons)
    wins = xp.zeros((*rewards.shape, rewards.shape[-1]), dtype=rewards.dtype, device=rewards.device)
    wins[..., first, second] = won + 0.5
    wins[..., second, first] = comparisons - won + 0.5
    found = fitted(wins) / sharpness
    return found - xp.min(found, axis=-1, keepdims=True)


def binomial(chance: Array, draws: Array, count: int) -> Array:
    """Return binomial numbers (...) of ``count`` trials for uniform numbers (...), by inverting the distribution."""
    xp = namespace(chance)
    trials = constant(np.arange(count), chance)
    ways = constant(
        np.concatenate([[0.0], np.cumsum(np.log(np.arange(count, 0, -1) / np.arange(1, count + 1)))]), chance
    )
    wins = constant(np.arange(count + 1), chance)
    likely, unlikely = (xp.log(xp.clip(p, 1e-300, 1.0))[..., None] for p in (chance, 1 - chance))
    below = xp.cumulative_sum(xp.exp(ways + wins * likely + (count - wins) * unlikely), axis=-1)
    return xp.sum(floats(below[..., : len(trials)] <= draws[..., None], chance), axis=-1)
