"""Orbits of profiles of rankings: those that differ by the names of voters and alternatives alone, and what joins them.

A rule that treats voters alike and alternatives alike is known once it is known on one profile of each orbit. There it
gives equal probabilities to alternatives that a renaming exchanges which leaves the profile as it is. A voter who casts
another ballot leads to a profile of some orbit, whose lottery is that of its representative with the names changed.

    >>> found = orbits(7, 3)
    >>> len(found), round(float(found.weights.sum()), 12), found.targets.shape
    (132, 1.0, (462, 6))
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.errors import ParameterError, integer
from lawgiver.envs.solvers.social_choice.enumeration import multisets, rank
from lawgiver.envs.solvers.social_choice.profiles import orders
from lawgiver.envs.solvers.social_choice.regret import mean_objective, mean_regret

MOST = 200_000
"""Anonymous profiles that are listed at most."""


@dataclass(frozen=True)
class Orbits:
    """Representatives of the orbits of profiles, and the deviations of single voters from them.

    A case is a voter of a representative, taken once for all who hold the same ranking. Arrays are read-only.

    Attributes:
        n: number of voters.
        m: number of alternatives.
        counts: voters of a representative who hold each of the T = m! rankings, in the order of
            :func:`~.profiles.orders`, (O, T).
        weights: share of all profiles that an orbit has, (O,): its probability if rankings are independent and uniform.
        alike: the first alternative that is exchangeable with each in the representative, (O, m).
        owners: representative of each case, (S,).
        held: index of the ranking of each case, (S,).
        targets: orbit that each ballot of a case leads to, (S, T).
        names: what each alternative is called in the representative of that orbit, (S, T, m).
    """

    n: int
    m: int
    counts: np.ndarray
    weights: np.ndarray
    alike: np.ndarray
    owners: np.ndarray
    held: np.ndarray
    targets: np.ndarray
    names: np.ndarray

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def places(self) -> np.ndarray:
        """Place of each alternative in each ranking, (T, m)."""
        return orders(self.m)

    @cached_property
    def case_weights(self) -> np.ndarray:
        """Probability that a voter of a profile is one of each case, (S,); they sum to 1."""
        weights: np.ndarray = self.weights[self.owners] * self.counts[self.owners, self.held] / self.n
        return weights

    @cached_property
    def utility(self) -> np.ndarray:
        """Mean over voters of the expected utility of each alternative, (O, m).

        Utilities are independent and uniform on [0, 1]: place j = 1, ..., m has (m + 1 - j) / (m + 1) on average.
        """
        utility: np.ndarray = self.counts @ ((self.m - self.places) / (self.m + 1)) / self.n
        return utility

    @cached_property
    def best(self) -> np.ndarray:
        """Alternatives of the ranking of each case, the best first, (S, m)."""
        best: np.ndarray = np.argsort(self.places, axis=-1)[self.held]
        return best

    @cached_property
    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Cells of lotteries (O, m), row by row, that hold the probabilities of :attr:`best`.

        After the truth (S, m, 1), and after each ballot (S, T, m, 1).
        """
        truth = self.owners[:, None] * self.m + self.best
        renamed = np.take_along_axis(self.names, np.broadcast_to(self.best[:, None], self.names.shape), axis=-1)
        return truth[..., None], (self.targets[..., None] * self.m + renamed)[..., None]

    @cached_property
    def objective(self) -> np.ndarray:
        """Part of the probability of each alternative in :meth:`welfare`, (O, m)."""
        objective: np.ndarray = self.weights[:, None] * self.utility
        return objective

    def welfare(self, lotteries: Array) -> Array:
        """Compute the expected mean utility under a rule, given its lotteries (O, m); see :attr:`utility`."""
        return mean_objective(self, lotteries)

    def regret(self, lotteries: Array) -> Array:
        """Compute the mean regret of a rule, over voters and profiles, given its lotteries (O, m).

        It is that of :func:`~.dominance.fosd_regret`, for the worst of all ballots.
        """
        return mean_regret(self, lotteries)


@lru_cache(maxsize=8)
def orbits(n: int, m: int) -> Orbits:
    """List the orbits of the profiles of n voters over m >= 2 alternatives.

    Raises:
        ParameterError: if there are too many profiles, even without names of voters.
    """
    n, m = integer("n", n, 1), integer("m", m, 2)
    kinds = math.factorial(m)
    profiles = math.comb(kinds + n - 1, n)
    if profiles > MOST:
        raise ParameterError(
            f"n={n} and m={m} make {profiles:,} profiles without names of voters, allowed: {MOST:,} at most"
        )
    places = orders(m)
    renamings = np.argsort(places, axis=-1)  # each also as alternatives, the best first
    renamed = _index(renamings[:, renamings])  # ranking t with each alternative a called g[a], (g, t)
    held = multisets(kinds, n)
    images = np.stack([rank(np.sort(each[held], axis=-1), kinds) for each in renamed])
    first = images.min(axis=0)
    representatives = np.flatnonzero(first == np.arange(profiles))
    orbit = np.searchsorted(representatives, first)
    via = images.argmin(axis=0)
    counts = np.stack([(held == t).sum(axis=-1) for t in range(kinds)], axis=-1)
    factorials = np.array([float(math.factorial(k)) for k in range(n + 1)])
    sizes = factorials[n] / factorials[counts].prod(axis=-1)
    weights = np.bincount(orbit, weights=sizes) / float(kinds) ** n

    kept = images[:, representatives] == representatives
    alike = np.full((len(representatives), m), m)
    for renaming, stays in zip(renamings, kept, strict=True):
        alike[stays] = np.minimum(alike[stays], renaming)

    owners, held_by = np.nonzero(counts[representatives])
    voters = held[representatives[owners]]
    deviator = (voters == held_by[:, None]).argmax(axis=-1)
    targets = np.empty((len(owners), kinds), int)
    names = np.empty((len(owners), kinds, m), int)
    for ballot in range(kinds):
        cast = voters.copy()
        cast[np.arange(len(cast)), deviator] = ballot
        reached = rank(np.sort(cast, axis=-1), kinds)
        targets[:, ballot], names[:, ballot] = orbit[reached], renamings[via[reached]]
    arrays = (counts[representatives], weights, alike, owners, held_by, targets, names)
    for array in arrays:
        array.flags.writeable = False
    return Orbits(n, m, *arrays)


def _index(rankings: np.ndarray) -> np.ndarray:
    """Number rankings (..., m), the best first, in lexicographic order."""
    m = rankings.shape[-1]
    later = np.triu(rankings[..., :, None] > rankings[..., None, :], 1).sum(axis=-1)
    index: np.ndarray = later @ np.array([math.factorial(m - 1 - j) for j in range(m)])
    return index
