"""Profiles of rankings: places, what voters rank over what, and the Condorcet winner.

A ranking is held as the place of each alternative, 0 for the best: (B, n, m) for B profiles of n voters over m
alternatives. With weights (B, n) a voter counts as several, and a profile may be one row for each of the m! rankings
with the number of voters who hold it. The places are then the same for all profiles, (1, m!, m), and sums over voters
are matrix products.

The support N_ab is the weight of those who rank a over b, where equal places count half; the margin is N_ab - N_ba,
and a Condorcet winner has a margin above 0 over everybody (Condorcet 1785).

Every function runs on NumPy and on torch.

    >>> places = positions(np.array([[[0.9, 0.5, 0.1]] * 2 + [[0.2, 0.8, 0.4]] * 1]))
    >>> places[0].tolist(), margins(places)[0].tolist(), condorcet_winner(places)[0].tolist()
    ([[0, 1, 2], [0, 1, 2], [2, 0, 1]], [[0, 1, 1], [-1, 0, 3], [-1, -3, 0]], [True, False, False])
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import permutations
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.core.errors import ParameterError, counted

LARGEST_BYTE = 127
"""Largest number of an 8-bit integer."""


def positions(utilities: Array) -> Array:
    """Compute the place of each alternative (..., m), 0 for the best, as 64-bit integers.

    Args:
        utilities: (..., m), any numbers; of equal ones the lower index comes first.
    """
    xp = namespace(utilities)
    m = utilities.shape[-1]
    columns = [utilities[..., a] for a in range(m)]
    if type(utilities) is np.ndarray:
        columns = [np.array(column) for column in columns]  # in memory, side by side
    narrow = xp.int8 if m <= LARGEST_BYTE else xp.int64
    places = [xp.full_like(columns[0], 0, dtype=narrow) for _ in range(m)]
    for b in range(m):
        for a in range(b):
            behind = columns[a] < columns[b]
            places[a] = places[a] + xp.astype(behind, narrow)
            places[b] = places[b] + xp.astype(~behind, narrow)
    return xp.astype(xp.stack(places, axis=-1), xp.int64)


@lru_cache(maxsize=16)
def orders(m: int) -> np.ndarray:
    """Compute the places (m!, m) of all rankings, in lexicographic order of the ranking; read-only."""
    ranked = np.array(list(permutations(range(m))))
    places = np.argsort(ranked, axis=1)
    places.flags.writeable = False
    return places


def supports(places: Array, weights: Array | None = None) -> Array:
    """Compute the weight of those who rank a over b, (B, m, m) with rows a, 0 on the diagonal.

    Args:
        places: (B, n, m), or (1, n, m) where all profiles have the same; equal ones count half each.
        weights: (B, n); 1 each unless given.
    """
    profile = Profile.of(places, weights)
    xp = namespace(profile.margins)
    over = (profile.weight + profile.margins) / 2
    m = profile.m
    diagonal = xp.eye(m, dtype=xp.bool, device=over.device)[:, :, None]
    return xp.permute_dims(xp.where(diagonal, xp.zeros_like(over), over), (2, 0, 1))


def margins(places: Array, weights: Array | None = None) -> Array:
    """Compute the weight of those who rank a over b less that of those who rank b over a, (B, m, m).

    Arguments are those of :func:`supports`.
    """
    profile = Profile.of(places, weights)
    return namespace(profile.margins).permute_dims(profile.margins, (2, 0, 1))


def condorcet_winner(places: Array, weights: Array | None = None) -> Array:
    """Compute the mask (B, m) of the Condorcet winner, all false where there is none.

    Arguments are those of :func:`supports`.
    """
    return Profile.of(places, weights).condorcet.T


@dataclass(frozen=True)
class Profile:
    """Profiles as rules read them, with the batch axis last, so that sums over voters are sums of long rows.

    Attributes:
        marks: places or other marks of a ballot, (m, n, B); (m, n, 1) where all profiles have the same.
        weights: (n, B), None for 1 each.
    """

    marks: Array
    weights: Array | None

    @classmethod
    def of(cls, marks: Array, weights: Array | None = None, *, narrow: bool = True) -> Profile:
        """Make it from marks (B, n, m) and weights (B, n).

        Args:
            marks: places, or 1 and 0; other numbers with ``narrow`` false.
            weights: of the voters; 1 each unless given.
            narrow: whether integers are held as 8-bit ones.

        Raises:
            ParameterError: if the shapes do not fit.
        """
        if marks.ndim != 3 or marks.shape[1] < 1 or marks.shape[2] < 1:
            raise ParameterError(
                f"ballots have shape {tuple(marks.shape)}, allowed: (profiles, voters, alternatives), one or more each"
            )
        batch, n, _ = marks.shape
        if weights is not None and (weights.ndim != 2 or weights.shape[1] != n or batch not in (1, weights.shape[0])):
            profiles = "any number of" if batch == 1 else f"{batch:,}"
            raise ParameterError(
                f"weights have shape {tuple(weights.shape)}, allowed: {profiles} profiles, {counted(n, 'voter')}"
            )
        profile = cls(_last(marks, narrow), None)
        if weights is None:
            return profile
        xp = namespace(weights)
        exact = weights if xp.isdtype(weights.dtype, "real floating") else xp.astype(weights, profile.float_type)
        return cls(profile.marks, _last(exact))

    @property
    def m(self) -> int:
        """Return the number of alternatives."""
        return int(self.marks.shape[0])

    @property
    def batch(self) -> int:
        """Return the number of profiles."""
        return int((self.marks if self.weights is None else self.weights).shape[-1])

    def part(self, games: Array) -> Profile:
        """Return some of the profiles."""
        xp = namespace(self.marks)
        marks = self.marks if self.marks.shape[-1] == 1 else xp.take(self.marks, games, axis=-1)
        return Profile(marks, None if self.weights is None else xp.take(self.weights, games, axis=-1))

    @cached_property
    def weight(self) -> Array:
        """Sum of the weights, an integer or (B,)."""
        if self.weights is None:
            return self.marks.shape[1]
        return namespace(self.weights).sum(self.weights, axis=0)

    @cached_property
    def float_type(self) -> Any:
        """Type of a lottery: that of the weights, else of the marks, if they are floats, else the default."""
        for array in (self.weights, self.marks):
            if array is not None and namespace(array).isdtype(array.dtype, "real floating"):
                return array.dtype
        return np.float64 if type(self.marks) is np.ndarray else sys.modules["torch"].get_default_dtype()

    def tally(self, marked: Array) -> Array:
        """Sum the weights of the voters who are marked, (..., n, B) to (..., B); integers without weights."""
        if self.weights is None:
            return _count(marked)
        xp = namespace(marked)
        marked = xp.astype(marked, self.weights.dtype)
        if marked.shape[-1] == 1:
            return marked[..., 0] @ self.weights
        return xp.sum(marked * self.weights, axis=-2)

    @cached_property
    def firsts(self) -> Array:
        """Weight of those who rank each alternative first, (m, B)."""
        return self.tally(self.marks == 0)

    @cached_property
    def margins(self) -> Array:
        """Margin of a over b, (m, m, B)."""
        xp = namespace(self.marks)
        m = self.m
        first, second = (xp.asarray(index, device=self.marks.device) for index in np.triu_indices(m, 1))
        own, other = xp.take(self.marks, first, axis=0), xp.take(self.marks, second, axis=0)
        pairs = self.tally(xp.astype(own < other, xp.int8) - xp.astype(own > other, xp.int8))
        nothing = xp.zeros((1, self.batch), dtype=pairs.dtype, device=pairs.device)
        rows = xp.concat([pairs, -pairs, nothing])
        return xp.reshape(xp.take(rows, xp.asarray(_places_of_pairs(m), device=rows.device), axis=0), (m, m, -1))

    @cached_property
    def condorcet(self) -> Array:
        """Mask (m, B) of the Condorcet winner."""
        xp = namespace(self.margins)
        return xp.sum(xp.astype(self.margins > 0, xp.int8), axis=1, dtype=xp.int16) == self.m - 1


@lru_cache(maxsize=16)
def _places_of_pairs(m: int) -> np.ndarray:
    """Return the place of each entry (m * m) of a matrix among pairs a < b, pairs b < a and zeros."""
    pairs = m * (m - 1) // 2
    index = np.full((m, m), 2 * pairs)
    rows, columns = np.triu_indices(m, 1)
    index[rows, columns] = np.arange(pairs)
    index[columns, rows] = pairs + np.arange(pairs)
    return index.ravel()


def chosen(winners: Array, ties: str, number: Any) -> Array:
    """Return the lottery (m, B), of a float type, over winners (m, B): equal shares, or all to the first."""
    xp = namespace(winners)
    if ties == "first":
        return xp.astype(first(winners), number)
    shares = xp.astype(winners, number)
    return shares / xp.sum(shares, axis=0)


def first(marked: Array) -> Array:
    """Return the first of those who are marked, (m, B), alone."""
    xp = namespace(marked)
    return marked & (xp.cumulative_sum(xp.astype(marked, xp.int64), axis=0) == 1)


def beats(profile: Profile, ties: str) -> Array:
    """Compute the probability (m, m, B) that a majority puts a before b: if tied, a half, or 1 for the lower index.

    On the diagonal it is 0.
    """
    xp, margins, number = namespace(profile.marks), profile.margins, profile.float_type
    lower = np.triu(np.ones((profile.m, profile.m)), 1)
    tied = lower if ties == "first" else (lower + lower.T) / 2
    tied = xp.asarray(tied[:, :, None], dtype=number, device=margins.device)
    return xp.where(margins == 0, tied, xp.astype(margins > 0, number))


def _last(array: Array, narrow: bool = False) -> Array:
    """Return an array with its axes in reverse order, in memory too; integers of places as 8-bit ones."""
    xp = namespace(array)
    axes = tuple(reversed(range(array.ndim)))
    small = narrow and not xp.isdtype(array.dtype, "real floating") and array.shape[-1] < LARGEST_BYTE
    if type(array) is np.ndarray:
        return np.ascontiguousarray(array.transpose(axes), np.int8 if small else None)
    moved = xp.permute_dims(array, axes)
    return (xp.astype(moved, xp.int8) if small else moved).contiguous()


def _count(marked: Array) -> Array:
    """Sum marks of -1, 0 and 1 along the last axis but one, (..., n, B) to (..., B), in the narrowest integers."""
    xp = namespace(marked)
    n = marked.shape[-2]
    narrow = xp.int8 if n <= LARGEST_BYTE else xp.int16 if n < 2**15 else xp.int32
    return xp.astype(xp.sum(xp.astype(marked, xp.int8), axis=-2, dtype=narrow), xp.int32)
