"""Orbits of markets with complete lists: those that differ by the names of rows, of columns and of the sides alone.

A rule that treats rows alike, columns alike and both sides alike is known once it is known on one market of each orbit.
There it is a lottery over the n! matchings of everybody, with equal probabilities for matchings that a renaming
exchanges which leaves the market as it is. An agent who reports another complete list leads to a market of some orbit,
whose lottery is that of its representative with the names changed.

    >>> found = orbits(3)
    >>> len(found), round(float(found.weights.sum()), 12), found.lists.shape
    (669, 1.0, (669, 6))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import permutations, product
from math import factorial

import numpy as np

from lawgiver.envs.core.arrays import Array, constant
from lawgiver.envs.core.errors import integer
from lawgiver.envs.solvers.matching.enumeration import profiles
from lawgiver.envs.solvers.matching.measures import blocking_pairs
from lawgiver.envs.solvers.social_choice.regret import mean_objective, mean_regret


@dataclass(frozen=True)
class Orbits:
    """Representatives of the orbits of markets of n rows and n columns, and the deviations of single agents from them.

    A case is an agent of a representative, taken once for all whom renamings exchange that leave it as it is. Agents
    are the rows, and then the columns. Arrays are read-only.

    Attributes:
        n: agents of each side.
        lists: index of the list of each agent of a representative, (O, 2n), in the order of ``permutations``.
        weights: share of all markets that an orbit has, (O,): its probability if lists are independent and uniform.
        alike: the first matching that is exchangeable with each in the representative, (O, L), with L = n!.
        owners: representative of each case, (S,).
        agents: agent of each case, (S,).
        numbers: agents of the representative that each case stands for, (S,).
        targets: orbit that each list of a case leads to, (S, T), with T = n!.
        names: what each matching is called in the representative of that orbit, (S, T, L).
        of: orbit of every market, in the order of :func:`~.enumeration.profiles`, (P,).
        renamed: what each matching of every market is called in the representative of its orbit, (P, L).
    """

    n: int
    lists: np.ndarray
    weights: np.ndarray
    alike: np.ndarray
    owners: np.ndarray
    agents: np.ndarray
    numbers: np.ndarray
    targets: np.ndarray
    names: np.ndarray
    of: np.ndarray
    renamed: np.ndarray

    def __len__(self) -> int:
        return len(self.lists)

    @cached_property
    def matchings(self) -> np.ndarray:
        """Column of each row in all matchings, (L, n)."""
        return np.array(list(permutations(range(self.n))))

    @cached_property
    def representatives(self) -> np.ndarray:
        """Index of the representatives among all markets, (O,)."""
        return np.unique(self.of, return_index=True)[1]

    @cached_property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """Values and priorities (O, n, n) of the representatives."""
        values, priorities = profiles(self.n)
        return values[self.representatives], priorities[self.representatives]

    @cached_property
    def held(self) -> np.ndarray:
        """Index of the list of each case, (S,)."""
        held: np.ndarray = self.lists[self.owners, self.agents]
        return held

    @cached_property
    def case_weights(self) -> np.ndarray:
        """Probability that an agent of a market is one of each case, (S,); they sum to 1."""
        weights: np.ndarray = self.weights[self.owners] * self.numbers / (2 * self.n)
        return weights

    @cached_property
    def blocked(self) -> np.ndarray:
        """Number of pairs that block each matching of a representative, (O, L)."""
        values, priorities = self.sides
        same = (np.broadcast_to(each, values.shape[:2]) for each in self.matchings)
        return np.stack([blocking_pairs(each, values, priorities) for each in same], axis=-1)

    @cached_property
    def objective(self) -> np.ndarray:
        """Part of the probability of each matching in :meth:`blocking`, (O, L)."""
        objective: np.ndarray = self.weights[:, None] * self.blocked
        return objective

    @cached_property
    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Cells of lotteries (O, L), row by row, whose sums are the chances of a case's partners, the best first.

        After the truth (S, n, L / n), and after each list (S, T, n, L / n).
        """
        partner = np.concatenate([self.matchings, np.argsort(self.matchings, axis=-1)], axis=-1)  # (L, 2n)
        with_ = np.argsort(partner, axis=0, kind="stable").T.reshape(2 * self.n, self.n, -1)  # (agent, partner, L / n)
        best = np.argsort(-_values(self.n), axis=-1)[self.held]
        matchings = with_[self.agents[:, None], best]  # (S, n, L / n)
        flat = matchings.reshape(len(matchings), 1, -1)
        names = np.take_along_axis(self.names, np.broadcast_to(flat, (*self.targets.shape, flat.shape[-1])), axis=-1)
        size = len(self.matchings)
        other = self.targets[..., None, None] * size + names.reshape(*self.targets.shape, *matchings.shape[1:])
        return self.owners[:, None, None] * size + matchings, other

    def blocking(self, lotteries: Array) -> Array:
        """Compute the expected number of blocking pairs under a rule, given its lotteries (O, L)."""
        return mean_objective(self, lotteries)

    def regret(self, lotteries: Array) -> Array:
        """Compute the mean FOSD regret of a rule, over agents and markets, given its lotteries (O, L)."""
        return mean_regret(self, lotteries)

    def shared(self, decide: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """Compute the lotteries (O, L) of a rule without chance, the mean over all names of the market.

        Args:
            decide: matchings (P, n) of everybody, by values and priorities (P, n, n).
        """
        chosen = np.asarray(decide(*profiles(self.n)))
        at = (chosen[:, None] == self.matchings).all(-1).argmax(-1)
        lotteries = np.zeros((len(self), len(self.matchings)))
        np.add.at(lotteries, (self.of, np.take_along_axis(self.renamed, at[:, None], axis=-1)[:, 0]), 1.0)
        mixed: np.ndarray = self.mixed(lotteries / lotteries.sum(-1, keepdims=True))
        return mixed

    @cached_property
    def _averages(self) -> np.ndarray:
        """Maps from numbers by matching to their means over the matchings that are alike, (O, L, L)."""
        same = self.alike[:, None] == self.alike[..., None]
        averages: np.ndarray = same / same.sum(-1, keepdims=True)
        return averages

    def mixed(self, lotteries: Array) -> Array:
        """Average lotteries (O, L) over the matchings that are alike."""
        return (constant(self._averages, lotteries) @ lotteries[..., None])[..., 0]

    def everywhere(self, lotteries: np.ndarray) -> np.ndarray:
        """Compute the shares (P, n, n) of a rule in every market, given its lotteries (O, L)."""
        chances = np.take_along_axis(lotteries[self.of], self.renamed, axis=-1)
        shares: np.ndarray = np.einsum("pl,lij->pij", chances, np.eye(self.n)[self.matchings])
        return shares


@lru_cache(maxsize=2)
def orbits(n: int) -> Orbits:
    """List the orbits of the markets of n rows and n columns whose lists are complete, for n of 2 and 3.

    Raises:
        ParameterError: for other numbers.
    """
    n = integer("n", n, 2, 3)
    kinds, markets = factorial(n), len(profiles(n)[0])
    place = kinds ** np.arange(2 * n - 1, -1, -1)  # of each agent's digit in the number of a market
    digits = np.arange(markets)[:, None] // place % kinds
    renamings = list(_renamings(n))
    first, via = np.full(markets, markets), np.zeros(markets, int)
    for at, renaming in enumerate(renamings):
        image = renaming.image(digits) @ place
        via[image < first] = at
        first = np.minimum(first, image)
    representatives, of = np.unique(first, return_inverse=True)
    weights = np.bincount(of) / markets
    moved = np.stack([renaming.matchings for renaming in renamings])

    lists = digits[representatives]
    alike = np.tile(np.arange(kinds), (len(lists), 1))
    same = np.tile(np.arange(2 * n), (len(lists), 1))  # the first agent that is exchangeable with each
    for renaming in renamings:
        stays = renaming.image(lists) @ place == representatives
        alike[stays] = np.minimum(alike[stays], renaming.matchings)
        same[stays] = np.minimum(same[stays], renaming.agents)
    owners, agents = np.nonzero(same == np.arange(2 * n))
    numbers = (same[owners] == agents[:, None]).sum(-1)
    unit = place[agents]
    others = representatives[owners] - lists[owners, agents] * unit
    reached = others[:, None] + np.arange(kinds) * unit[:, None]
    found = (lists, weights, alike, owners, agents, numbers, of[reached], moved[via[reached]], of, moved[via])
    for array in found:
        array.flags.writeable = False
    return Orbits(n, *found)


@dataclass(frozen=True)
class _Renaming:
    """Another naming of rows, of columns and perhaps of the sides.

    Attributes:
        agents: new name of each agent, (2n,).
        lists: what each list of each agent becomes, (2n, T).
        matchings: what each matching becomes, (L,).
    """

    agents: np.ndarray
    lists: np.ndarray
    matchings: np.ndarray

    def image(self, digits: np.ndarray) -> np.ndarray:
        """Rename markets, given the list of each agent, (P, 2n)."""
        image = np.empty_like(digits)
        image[:, self.agents] = self.lists[np.arange(len(self.agents)), digits]
        return image


def _renamings(n: int) -> Iterator[_Renaming]:
    """Yield all renamings: n! of rows by n! of columns by two of the sides."""
    orders = [np.array(order) for order in permutations(range(n))]
    index = {tuple(order): at for at, order in enumerate(orders)}
    values = list(permutations(range(n)))

    def of_lists(partners: np.ndarray) -> list[int]:
        # Values in the order of partners' new names; the index is the same as that of lists of values 1, ..., n.
        return [index[tuple(np.array(each)[np.argsort(partners)])] for each in values]

    for rows, columns, swap in product(orders, orders, (False, True)):
        agents = np.concatenate([rows + n, columns] if swap else [rows, columns + n])
        lists = np.array([of_lists(columns)] * n + [of_lists(rows)] * n)
        matched = (columns[each[np.argsort(rows)]] for each in orders)
        matchings = np.array([index[tuple(np.argsort(each) if swap else each)] for each in matched])
        yield _Renaming(agents, lists, matchings)


def _values(n: int) -> np.ndarray:
    """List the values of all complete lists, (T, n)."""
    return np.array(list(permutations(range(1, n + 1))))
