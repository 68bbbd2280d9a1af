"""Equilibrium, dominance and ties of the mechanisms of a round robin, with their uncertainty by the bootstrap.

The equilibrium and the winners of an estimated matrix of vote shares vary with the sample of elections. Everything is
therefore computed for matrices of resampled groups: whole groups are drawn with replacement, as the votes of one group
are not independent, and the same ones for all pairs, as all pairs are judged by the same people. Every condition keeps
its number of groups, which the design fixes. A statement is made only where it holds in ``LEVEL`` of the matrices;
otherwise two mechanisms count as tied. A matrix that is known exactly is its own only sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.trainers.elections.meta_game import SYMMETRY, nash_of_many
from lawgiver.trainers.statistics.bootstrap import widening
from lawgiver.trainers.statistics.estimate import LEVEL

DRAWS = 1_000
"""Matrices that are drawn."""
UNANIMOUS = np.array([0.0, 0.0, 1.0, 1.0])
"""Groups that are added where all have voted the same, which is not certainty (Agresti and Coull 1998)."""

Dominance = Literal["strict", "weak", "none", "open"]
"""Of a mechanism over all others: ``open`` where the elections do not tell."""


def resampled(groups: np.ndarray, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """Draw matrices of vote shares as other groups of the same people might have made them.

    Few groups spread less than those they come from; their deviations are widened, see
    :func:`lawgiver.trainers.statistics.bootstrap.widening`.

    Args:
        groups: share of the votes of the first mechanism of each pair, P = s (s - 1) / 2 pairs in the order of
            ``itertools.combinations``, in each of E >= 2 elections of each of C conditions, (P, C, E).
        rng: draws the groups.
        draws: number of matrices D.

    Returns:
        Shares (D, s, s), in [0, 1], 1/2 on the diagonal, two of a pair adding up to 1.
    """
    pairs, _, each = groups.shape
    size = round((1 + np.sqrt(1 + 8 * pairs)) / 2)
    if size * (size - 1) // 2 != pairs or not pairs or each < 2:
        raise ParameterError(f"groups have shape {groups.shape}, allowed: (s (s - 1) / 2, C, E), E at least 2")
    flat, alike, means = groups.reshape(pairs, -1), unanimous(groups), np.empty((draws, pairs))
    means[:, ~alike] = _means(groups[~alike], rng, draws)
    for pair in np.flatnonzero(alike):
        means[:, pair] = _means(np.concatenate([flat[pair], UNANIMOUS])[None, None], rng, draws)[:, 0]
    first, second = np.triu_indices(size, 1)
    drawn = np.full((draws, size, size), 0.5)
    drawn[:, first, second] = np.clip(means, 0.0, 1.0)
    drawn[:, second, first] = 1 - drawn[:, first, second]
    return drawn


def unanimous(groups: np.ndarray) -> np.ndarray:
    """Find the pairs (P,) whose groups (P, C, E) all voted the same within each condition."""
    return np.asarray((np.ptp(groups, axis=2) == 0).all(axis=1))


def _means(groups: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """Draw bootstrap means (D, P) of groups (P, C, E), resampled within each condition, with widened deviations."""
    pairs, conditions, each = groups.shape
    total = np.zeros((draws, pairs))
    block = max(1, 2_000_000 // each)
    for condition in range(conditions):
        values = groups[:, condition].T
        for start in range(0, draws, block):
            rows = min(block, draws - start)
            drawn = rng.integers(each, size=(rows, each)) + each * np.arange(rows)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=rows * each).reshape(rows, each)
            total[start : start + rows] += counts @ values / (each * conditions)
    centre = groups.mean(axis=(1, 2))
    return np.asarray(centre + widening(each, conditions * (each - 1)) * (total - centre))


@dataclass(frozen=True, eq=False)
class Standings:
    """Statements about mechanisms that hold in most of D matrices of vote shares.

    Attributes:
        drawn: the matrices, (D, s, s), as :func:`resampled` returns them.
    """

    drawn: np.ndarray

    @cached_property
    def beats(self) -> np.ndarray:
        """Who surely wins more than half the votes against whom, bool (s, s)."""
        return np.asarray(ends(self.drawn)[0] - 0.5 > SYMMETRY)

    @cached_property
    def mixtures(self) -> np.ndarray:
        """An equilibrium of each matrix, (D, s)."""
        return nash_of_many(self.drawn)

    @property
    def ties(self) -> tuple[tuple[int, int], ...]:
        """Pairs of which neither surely wins."""
        known = self.beats | self.beats.T
        return tuple((int(i), int(j)) for i, j in np.argwhere(np.triu(~known, 1)))

    def dominance(self, index: int) -> Dominance:
        """Classify a mechanism's dominance: whether it does as well as any other against every mechanism.

        ``strict`` if against every mechanism it wins more votes than any other one does; ``weak`` if never fewer, and
        more than each other one against some; ``none`` if against some mechanism another one wins more than it does.
        """
        ahead = self.drawn[:, index, None, :] - np.delete(self.drawn, index, axis=1)
        low, _ = ends(ahead)
        if (low > SYMMETRY).all():
            return "strict"
        if (_below(ahead) < -SYMMETRY).any():
            return "none"
        return "weak" if (low >= -SYMMETRY).all() and (low > SYMMETRY).any(axis=1).all() else "open"


def ends(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the ends (...) of the central interval that holds ``LEVEL`` of values (D, ...)."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def _below(values: np.ndarray) -> np.ndarray:
    """Compute simultaneous upper ends (...) of values (D, ...).

    The lowest of many values may be low by chance. All ends are therefore the same number of standard deviations above
    the means, such that they cover the largest deviation of a draw.
    """
    centre, spread = values.mean(axis=0), values.std(axis=0)
    away = (values - centre) / np.where(spread > SYMMETRY, spread, 1.0)
    reach = np.quantile(away.reshape(len(values), -1).max(axis=1), (1 + LEVEL) / 2)
    return np.asarray(centre + reach * spread)
