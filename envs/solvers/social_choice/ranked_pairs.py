"""Ranked pairs (Tideman 1987): lock majorities from the largest margin down, unless that closes a cycle.

Where margins are tied, the order among them is open, and an alternative wins if it does so in some order. The orders
are not listed. Of those that are tied, a majority that lies on no cycle with what is locked and the others is locked in
any order; if all are such, they are locked at once. Else a profile branches into as many as there are others, each
locked first, and branches that have come to the same are merged. What is locked is kept as the alternatives below each,
directly or not. Profiles with a Condorcet winner, whom nothing can be locked above, need none of this.

Social Choice and Welfare 4, 185-206.

Margins 0 > 1 of 2, 1 > 2 of 6 and 2 > 0 of 4: the smallest closes the cycle, and 1 is locked below nobody. With three
margins of 2 each of them may be the one that is left out.

    >>> cycle = np.array([[0, 2, -4], [-2, 0, 6], [4, -6, 0]])[:, :, None]
    >>> winners(cycle).ravel().tolist(), winners(np.sign(cycle)).ravel().tolist()
    ([False, True, False], [True, True, True])
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.errors import ParameterError

LARGEST = 62
"""Alternatives up to which a set of them is held as the bits of an integer."""
BRANCHES = 1_000_000
"""Branches up to which orders of tied margins are followed."""


def winners(margins: np.ndarray) -> np.ndarray:
    """Compute who wins in some order of tied margins, a mask (m, B).

    Args:
        margins: (m, m, B), antisymmetric.

    Raises:
        ParameterError: for more than 62 alternatives, or where tied margins lead to more than a million branches.
    """
    m = len(margins)
    if m > LARGEST:
        raise ParameterError(f"ranked_pairs is to decide among {m} alternatives, allowed: at most {LARGEST}")
    first, second = np.triu_indices(m, 1)
    won: np.ndarray = (margins > 0).sum(1) == m - 1
    game = np.flatnonzero(~won.any(0))
    pairs = margins[first, second][:, game]
    size = np.abs(pairs)
    upper, lower = (
        np.where(pairs > 0, first[:, None], second[:, None]),
        np.where(pairs > 0, second[:, None], first[:, None]),
    )
    below = np.zeros((m, len(game)), np.int64)  # sets as bits: who stands below each alternative
    at = np.arange(len(game))  # game of each branch
    while len(at):
        related = (below[first] >> second[:, None] | below[second] >> first[:, None]) & 1
        free = np.where(related == 0, size[:, at], 0)
        largest = free.max(0)
        tied = (free == largest) & (largest > 0)
        over, under = upper[:, at], lower[:, at]
        with_all = _closed(below, over, under, tied)
        column = np.arange(len(at))
        cyclic = tied & (with_all[under, column] >> over & 1 == 1)
        stuck = cyclic.any(0)
        done = (largest == 0) & ~stuck
        beaten = np.bitwise_or.reduce(below[:, done], axis=0)
        for a in range(m):
            won[a, game[at[done]][beaten >> a & 1 == 0]] = True
        clear = ~stuck & ~done
        if not stuck.any():
            at, below = at[clear], with_all[:, clear]
            continue
        pair, row = np.nonzero(cyclic)
        if len(row) > BRANCHES:
            raise ParameterError(
                f"ranked_pairs with tied margins leads to {len(row):,} branches, allowed: at most {BRANCHES:,}, as with"
                " fewer alternatives, or fewer profiles at a time"
            )
        branches = _lock(below[:, row], over[pair, row], under[pair, row])
        at, below = _distinct(
            np.concatenate([at[clear], at[row]]), np.concatenate([with_all[:, clear], branches], axis=1)
        )
    return won


def _lock(below: np.ndarray, over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """Update the bits (m, R) of who stands below each, once ``over`` (R,) is locked above ``under`` (R,)."""
    added = below[under, np.arange(len(under))] | 1 << under
    above = (below >> over & 1 == 1) | (np.arange(len(below))[:, None] == over)
    return below | np.where(above, added, 0)


def _closed(below: np.ndarray, over: np.ndarray, under: np.ndarray, locked: np.ndarray) -> np.ndarray:
    """Update the bits (m, R) of who stands below each, or on a cycle with it, for locked pairs in a mask (P, R)."""
    below = below.copy()
    column = np.arange(below.shape[1])
    for high, low, some in zip(over, under, locked, strict=True):
        below[high, column] |= np.where(some, 1 << low, 0)
    for via in range(len(below)):
        below |= np.where(below >> via & 1 == 1, below[via], 0)
    return below


def _distinct(at: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each of the branches (m, R) of a profile once."""
    key = at
    for row in below:
        key = np.unique(key << 32 | np.unique(row, return_inverse=True)[1], return_inverse=True)[1]
    kept = np.unique(key, return_index=True)[1]
    return at[kept], below[:, kept]
