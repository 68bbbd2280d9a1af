"""All assignments of n items to n agents, one each, and the choice of the best of them.

Games of n up to :data:`LARGEST_N` list all n! assignments and compare them at once, for any measure. For measures that
are a sum or a minimum of one number a pair, :func:`best_by_subsets` finds the optimum in another way, agent by agent
over the sets of items that are taken (Held and Karp 1962), for the sake of checking.

    >>> best_by_subsets(np.array([[0.9, 0.8], [0.7, 0.1]]), "sum"), best_by_subsets(np.eye(2), "least")
    (1.5, 1.0)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, reduce
from itertools import permutations, product
from operator import add
from typing import Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace, select

Combination = Literal["sum", "least"]
"""How the numbers of an assignment's pairs are combined: their sum, or the least of them."""

LARGEST_N = 8
"""Agents up to which all assignments are listed: 40,320 of them."""
AT_ONCE = 2**22
"""Numbers per slice of assignments that are compared."""


@cache
def all_assignments(n: int) -> np.ndarray:
    """List the assignments of n items, in lexicographic order: the item of each agent, integers (n!, n)."""
    return np.array(list(permutations(range(n))))


def picked(table: Array, assignments: np.ndarray) -> Array:
    """Gather what each agent's own item is worth under each of C assignments (C, n), from (B, n, m) to (B, C, n)."""
    n, m = table.shape[-2:]
    return select(namespace(table).reshape(table, (-1, n * m)), assignments + m * np.arange(n))


def at_items(table: Array, items: Array) -> Array:
    """Gather one number a participant, (B, P), from a table (B, P, m) by item, integers (B, P)."""
    return namespace(table).take_along_axis(table, items[..., None], axis=-1)[..., 0]


def one_hot(items: Array, m: int, like: Array) -> Array:
    """Flag items (B, P) among m by 1.0, (B, P, m); an item of -1 is none."""
    xp = namespace(like)
    return xp.astype(constant(np.arange(m), like) == xp.astype(items, like.dtype)[..., None], like.dtype)


def inverse(assignment: Array) -> Array:
    """Compute the agent of each item, (B, n), for the item of each agent (B, n)."""
    return namespace(assignment).argsort(assignment, axis=-1)


def best_assignment(n: int, batch: int, size: int, values: Callable[[np.ndarray], Array]) -> tuple[Array, Array]:
    """Find the best of all assignments in each of B games; of equals the first in lexicographic order.

    Args:
        n: number of agents.
        batch: number of games, B.
        size: numbers that ``values`` takes for one assignment of one game.
        values: function from assignments (C, n) to their values (B, C).

    Returns:
        The items of the agents, integers (B, n), and the value (B,).
    """
    listed = all_assignments(n)
    slices = max(1, AT_ONCE // max(1, batch * size))
    found: Array = None
    most: Array = None
    for start in range(0, len(listed), slices):
        some = listed[start : start + slices]
        worth = values(some)
        xp = namespace(worth)
        at = xp.argmax(worth, axis=-1)
        value = xp.take_along_axis(worth, at[:, None], axis=-1)[:, 0]
        items = constant(some, at)[at]
        if start:
            more = value > most
            found, most = xp.where(more[:, None], items, found), xp.where(more, value, most)
        else:
            found, most = items, value
    return found, most


def combined(worth: Array, how: Combination) -> Array:
    """Compute the sum or the least of an assignment's numbers (..., n), (...).

    They are few, and taken one by one: the order of a sum, and with it ties, do not depend on the size of the batch.
    """
    xp = namespace(worth)
    return reduce(add if how == "sum" else xp.minimum, (worth[..., i] for i in range(worth.shape[-1])))


def greatest_sum(scores: Array) -> Array:
    """Find the assignment of the greatest sum of scores (B, n, m), the item of each agent, integers (B, n)."""
    batch, n, _ = scores.shape
    return best_assignment(n, batch, n, lambda some: combined(picked(scores, some), "sum"))[0]


def best_by_subsets(pairs: np.ndarray, how: Combination) -> float:
    """Compute the greatest sum, or the greatest minimum, of one number a pair over assignments.

    Args:
        pairs: what each agent's item counts for, (n, n).
        how: ``sum`` or ``least``.
    """
    best = {0: 0.0 if how == "sum" else np.inf}
    for row in pairs:
        after: dict[int, float] = {}
        for (taken, value), (item, worth) in product(best.items(), enumerate(row)):
            if not taken >> item & 1:
                reached = value + float(worth) if how == "sum" else min(value, float(worth))
                after[taken | 1 << item] = max(after.get(taken | 1 << item, -np.inf), reached)
        best = after
    return best[2 ** len(pairs) - 1]
