"""Ranked pairs (Tideman 1987): lock majorities from the largest margin down, unless that closes a cycle.

Where margins are tied, the order among them is open, and an alternative wins if it does so in some order. The orders
are not listed: what matters of one is which pairs it has locked so far, so that profiles branch into distinct sets of
locked pairs, kept as the alternatives that can be reached from each. Profiles with a Condorcet winner, whom no order
can lock below anybody, need none of this.

Social Choice and Welfare 4, 185-206.

Margins 0 > 1 of 2, 1 > 2 of 6 and 2 > 0 of 4: the smallest closes the cycle, and 1 is locked below nobody. With three
margins of 2 each of them may be the one that is left out.

    >>> cycle = np.array([[0, 2, -4], [-2, 0, 6], [4, -6, 0]])[:, :, None]
    >>> winners(cycle).ravel().tolist(), winners(np.sign(cycle)).ravel().tolist()
    ([False, True, False], [True, True, True])
"""

from __future__ import annotations

import numpy as np


def winners(margins: np.ndarray) -> np.ndarray:
    """Compute who wins in some order of tied margins, a mask (m, B).

    Args:
        margins: (m, m, B), antisymmetric.
    """
    m = len(margins)
    first, second = np.triu_indices(m, 1)
    won: np.ndarray = (margins > 0).sum(1) == m - 1
    game = np.flatnonzero(~won.any(0))
    size = np.abs(margins[first, second][:, game])
    ahead = margins[first, second][:, game] > 0
    reach = np.zeros((m, len(game)), np.int64)  # bit b of row a: a is locked above b, directly or not
    at = np.arange(len(game))
    while len(at):
        related = (reach[first] >> second[:, None] | reach[second] >> first[:, None]) & 1
        free = np.where(related == 0, size[:, at], 0)
        largest = free.max(0)
        done = largest == 0
        below = np.bitwise_or.reduce(reach[:, done], axis=0)
        for a in range(m):
            won[a, game[at[done]][(below >> a & 1) == 0]] = True
        pair, row = np.nonzero((free == largest) & ~done)
        over = ahead[pair, at[row]]
        upper, lower = np.where(over, first[pair], second[pair]), np.where(over, second[pair], first[pair])
        at, reach = at[row], reach[:, row]
        added = reach[lower, np.arange(len(at))] | 1 << lower
        above = (reach >> upper & 1).astype(bool) | (np.arange(m)[:, None] == upper)
        reach = reach | np.where(above, added, 0)
        if len(at) > done.size - done.sum():
            at, reach = _distinct(at, reach)
    return won


def _distinct(at: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each of the states (m, R) of a profile once."""
    key = at
    for row in reach:
        key = np.unique(np.stack([key, row]), axis=1, return_inverse=True)[1]
    kept = np.unique(key, return_index=True)[1]
    return at[kept], reach[:, kept]
