r"""Which bundles of items can be sold together, and which of them are sold.

Every bidder names some bundles and wins at most one. An allocation is a set of bundles of different bidders that have
no item in common; all of them are listed once, when the game is made. Winners are found by adding up bids in each and
taking the largest sum, so that an auction costs as much as there are allocations:

    >>> listed = feasible(((frozenset({0}),), (frozenset({1}),), (frozenset({0, 1}),)))
    >>> [members[members < 3].tolist() for members in listed.members]  # nobody, a local, both, the other, the global
    [[], [0], [0, 1], [1], [2]]

Allocations that tie for the largest sum share: each is chosen with the same chance. Bundles whose bid adds nothing are
sold nevertheless, as who bids just the reserve is to win: an allocation that another extends at no cost is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, floats, namespace
from lawgiver.envs.core.errors import ParameterError

LARGEST_LIST = 10_000
"""Feasible allocations that are listed."""

Bundles = Sequence[Sequence[frozenset[int]]]
"""The bundles of each bidder, each a set of items."""


@dataclass(frozen=True, eq=False)
class Feasible:
    """All feasible allocations f = 1..F of M bundles, n bidders with M / n places each, some of which are not used.

    Attributes:
        members: the bundles in each allocation, in rising order, and M in the places that are left, (F, d).
        holds: 1 where an allocation holds a bundle, (M, F).
        extends: 1 where an allocation would be feasible with one more bundle, (F, M).
        without: the allocations in which each bidder wins nothing, n arrays of indices.
    """

    members: np.ndarray
    holds: np.ndarray
    extends: np.ndarray
    without: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        """Return their number F."""
        return len(self.members)

    def worth(self, bids: Array) -> Array:
        """Add up bids (M, B) in each allocation, (F, B)."""
        xp = namespace(bids)
        padded = xp.concat([bids, xp.zeros_like(bids[:1])])
        added = _rows(padded, self.members[:, 0])
        for place in self.members.T[1:]:  # so many as win at most; one row after the other is the fastest layout
            added = added + _rows(padded, place)
        return added

    def shares(self, bids: Array, worth: Array) -> tuple[Array, Array]:
        """Compute the chance of each bundle to be sold, (M, B), and the largest worth, (B,).

        Args:
            bids: (M, B); below 0 for bundles that are not to be sold.
            worth: of the allocations, (F, B).
        """
        xp = namespace(bids)
        best = xp.max(worth, axis=0)
        chosen = worth == best
        free = floats(bids == 0, bids)
        if xp.any(free != 0):
            chosen = chosen & (constant(self.extends, bids) @ free == 0)
        chosen = floats(chosen, bids)
        return constant(self.holds, bids) @ chosen / xp.sum(chosen, axis=0), best

    def best_without(self, worth: Array) -> Array:
        """Compute the largest worth of the allocations in which each bidder wins nothing, (n, B)."""
        xp = namespace(worth)
        return xp.stack([xp.max(_rows(worth, rows), axis=0) for rows in self.without])


def feasible(bundles: Bundles) -> Feasible:
    """List the feasible allocations.

    Raises:
        ParameterError: if there are more than ``LARGEST_LIST``.
    """
    places = max(len(own) for own in bundles)
    size = len(bundles) * places
    found = []
    for allocation in _allocations(bundles, places):
        found.append(allocation)
        if len(found) > LARGEST_LIST:
            raise ParameterError(
                f"bundles has more than {LARGEST_LIST:,} feasible allocations, allowed: up to that many; take fewer "
                "bidders or bundles"
            )
    found.sort(key=lambda held: (bool(held), [k // places for k in held]))
    holds, extends = np.zeros((size, len(found))), np.zeros((len(found), size))
    listed = {held: f for f, held in enumerate(found)}
    for held, f in listed.items():
        holds[list(held), f] = 1
        for k in held:
            extends[listed[tuple(j for j in held if j != k)], k] = 1
    members = np.array(list(zip_longest(*found, fillvalue=size)), int).reshape(-1, len(found)).T
    sold: np.ndarray = holds.reshape(len(bundles), places, -1).max(axis=1)
    return Feasible(members, holds, extends, tuple(np.flatnonzero(own == 0) for own in sold))


def _allocations(bundles: Bundles, places: int) -> Iterator[tuple[int, ...]]:
    """Generate the allocations as tuples of bundles, rising."""
    stack: list[tuple[int, tuple[int, ...], frozenset[int]]] = [(0, (), frozenset())]
    while stack:
        bidder, held, taken = stack.pop()
        if bidder == len(bundles):
            yield held
            continue
        stack.append((bidder + 1, held, taken))
        for k, bundle in enumerate(bundles[bidder]):
            if not bundle & taken:
                stack.append((bidder + 1, (*held, bidder * places + k), taken | bundle))


def alike(bundles: Bundles, marks: Sequence[object]) -> np.ndarray:
    """Group bidders who cannot be told apart by what bundles have in common, (n,) labels from 0.

    Colours of bidders, bundles and items are refined by those of their neighbours until no new ones come up.

    Args:
        bundles: of each bidder.
        marks: what else tells bidders apart, one each, hashable.
    """
    items = sorted(set().union(*(bundle for own in bundles for bundle in own)))
    holders = {
        item: [(i, k) for i, own in enumerate(bundles) for k, b in enumerate(own) if item in b] for item in items
    }
    bidder: list[int] = _numbered(list(marks))
    item = dict.fromkeys(items, 0)
    for _ in range(len(bundles) + len(items)):
        bundle = {
            (i, k): (bidder[i], tuple(sorted(item[x] for x in b)))
            for i, own in enumerate(bundles)
            for k, b in enumerate(own)
        }
        seen = [tuple(sorted(bundle[held] for held in holders[x])) for x in items]
        item = dict(zip(items, _numbered(seen), strict=True))
        bidder = _numbered(
            [(bidder[i], tuple(sorted(bundle[i, k] for k in range(len(own))))) for i, own in enumerate(bundles)]
        )
    return np.array(bidder)


def _numbered(colours: Sequence[object]) -> list[int]:
    """Number colours by first appearance."""
    seen: dict[object, int] = {}
    return [seen.setdefault(colour, len(seen)) for colour in colours]


def _rows(x: Array, index: np.ndarray) -> Array:
    """Return rows ``index`` (k,) of ``x`` (m, B)."""
    if type(x) is np.ndarray:
        return x[index]
    xp = namespace(x)
    return xp.take(x, xp.asarray(index, device=x.device), axis=0)
