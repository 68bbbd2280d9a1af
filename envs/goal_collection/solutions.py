"""The exact best walk in goal_collection: a dynamic programme over the set of entered goals.

Nothing but goals is worth anything, so a best walk leads by shortest ways from goal to goal, and only their order is to
be found. With S the set of goals entered, j the last of them and d the distances on the torus, what is still to come is

    V(S, j) = max(0, max over k not in S of gamma^d(j, k) (u_k + V(S + k, k))),       u_k = w_k v_k

(Bellman 1962, Held and Karp 1962): n 2^n numbers a profile, in place of the size^2 2^n states of the world. The walk
without participant i sets out with i's goal entered, so that one table tells all leave-one-out problems.
The first move is not discounted: entering k with the t-th move is worth gamma^(t-1) u_k.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.families.torus import MOVES, distance, moved

MOST = 22
"""Goals beyond which the table of one profile does not fit into a few gigabytes."""
CHUNK = 2**25
"""Numbers of the table that are held at once, unless one profile needs more."""


@dataclass(frozen=True)
class BestWalks:
    """Best walks for B profiles of n participants.

    Attributes:
        affine_welfare: affine welfare of all, then without each participant in turn, (B, n + 1).
        collected: gamma^(t-1) where the best walk for all first enters the goal with move t, 0 where never, (B, n).
    """

    affine_welfare: np.ndarray
    collected: np.ndarray


def best_walks(goals: np.ndarray, worth: np.ndarray, size: int, discount: float) -> BestWalks:
    """Return the best walks without end from cell 0.

    Args:
        goals: cells other than 0, (B, n), n <= 22.
        worth: what entering each is worth, w_i v_i >= 0, (B, n).
        size: size of the torus.
        discount: gamma, in (0, 1).

    Raises:
        ParameterError: if there are more than 22 goals.
    """
    n = goals.shape[-1]
    if n > MOST:
        raise ParameterError(f"the table of best walks past {n} goals has {n} x 2^{n} numbers, allowed: {MOST} goals")
    step = max(1, CHUNK // (n << n))
    chunks = [slice(at, at + step) for at in range(0, len(goals), step)]
    parts = [_solve(goals[chunk], worth[chunk], size, discount) for chunk in chunks]
    return BestWalks(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def payments(walks: BestWalks, worth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the payments of an affine maximiser, (asw_-i - (asw - w_i v_i x_i)) / w_i, (B, n)."""
    others = walks.affine_welfare[:, :1] - worth * walks.collected
    charged: np.ndarray = (walks.affine_welfare[:, 1:] - others) / weights
    return charged


@cache
def _layers(n: int) -> tuple[np.ndarray, ...]:
    """List the sets of goals, as bit masks, by their size."""
    sets = np.arange(1 << n)
    sizes = sum((sets >> k) & 1 for k in range(n))
    return tuple(sets[sizes == count] for count in range(n + 1))


def _solve(goals: np.ndarray, worth: np.ndarray, size: int, discount: float) -> tuple[np.ndarray, np.ndarray]:
    batch, n = goals.shape
    between = discount ** distance(goals[:, :, None], goals[:, None, :], size)
    first = discount ** (distance(np.zeros_like(goals), goals, size) - 1)
    value = np.zeros((batch, 1 << n, n))  # V(S, j) for all j, whether in S or not
    for sets in _layers(n)[-2::-1]:
        arrivals = _arrivals(value, worth, sets)
        best = np.zeros_like(arrivals)
        for k in range(n):  # the product of two matrices with max in place of the sum
            np.maximum(best, arrivals[:, :, k, None] * between[:, None, :, k], out=best)
        value[:, sets] = best
    starts = np.concatenate([[0], 1 << np.arange(n)])
    welfare = np.max(first[:, None] * _arrivals(value, worth, starts), axis=-1)
    return welfare, _follow(value, worth, between, first)


def _arrivals(value: np.ndarray, worth: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Return u_k + V(S + k, k) for every goal k that is not in S, else 0, (B, len(sets), n)."""
    goals = np.arange(worth.shape[-1])
    joined = sets[:, None] | (1 << goals)
    arrived: np.ndarray = np.where(joined != sets[:, None], worth[:, None] + value[:, joined, goals], 0.0)
    return arrived


def _follow(value: np.ndarray, worth: np.ndarray, between: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the factors by which a best walk's entries are discounted, (B, n)."""
    batch, n = worth.shape
    games, goals = np.arange(batch), np.arange(n)
    entered, reach, collected = np.zeros(batch, int), first, np.zeros((batch, n))
    for _ in range(n):
        joined = entered[:, None] | (1 << goals)
        arrived = np.where(joined != entered[:, None], worth + value[games[:, None], joined, goals], -1.0)
        chosen = np.argmax(reach * arrived, axis=-1)
        factor = reach[games, chosen]
        collected[games, chosen] = factor
        entered = entered | (1 << chosen)
        reach = factor[:, None] * between[games, chosen]
    return collected


def value_iteration(goals: np.ndarray, worth: np.ndarray, size: int, discount: float) -> float:
    """Solve one profile by value iteration on all 2^n x size^2 states: the best walk's value, (n,).

    A second way to the same number, as slow as it is simple: sets of goals entered by cells, until nothing changes.
    """
    n, cells = len(goals), np.arange(size * size)
    sets = np.arange(1 << n)[:, None]
    value = np.zeros((1 << n, size * size))
    moves = []
    for down, right in MOVES:
        to = moved(cells, down, right, size)
        here = ((to[:, None] == goals) << np.arange(n)).sum(axis=-1)
        fresh = ((here & ~sets)[..., None] >> np.arange(n)) & 1
        moves.append((to, sets | here, fresh @ worth))
    while True:
        better = np.max([paid + discount * value[after, to] for to, after, paid in moves], axis=0)
        if np.array_equal(better, value):
            return float(value[0, 0])
        value = better
