"""Preferences of two sides, rows and columns, as numbers: what each would be worth to the other.

``values`` (B, n, m) say what each column is worth to each row, ``priorities`` (B, n, m), indexed alike, what each row
is worth to each column. To stay alone is worth 0, so that who is worth more than 0 is *acceptable*. Of equal numbers
the lower index comes first. Rows may be students and columns schools with several seats, their ``capacities``; schools
to which everybody is acceptable have priorities above 0 alone.

A *matching* is an array of integers (B, n): the column of each row, -1 for none. A lottery over matchings has *shares*
(B, n, m): the probability of each pair, with sums of at most 1 over columns and at most the capacity over rows.

    >>> lists = all_reports(2)
    >>> len(all_reports(4)), lists.tolist()
    (65, [[0.0, 0.0], [0.5, 0.0], [0.0, 0.5], [1.0, 0.5], [0.5, 1.0]])
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import permutations
from math import factorial

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import ParameterError, brief, counted, integer
from lawgiver.envs.solvers.social_choice.profiles import positions

LARGEST_LIST = 5
"""Partners up to which all reports, with truncation, are listed."""


def number_of_reports(m: int) -> int:
    """Compute how many lists of acceptable partners there are among m: the sum of m! / (m - k)! over lengths k."""
    return sum(factorial(m) // factorial(m - k) for k in range(m + 1))


@lru_cache(maxsize=8)
def all_reports(m: int, largest: int = LARGEST_LIST) -> np.ndarray:
    """List every order of acceptable partners among m, as values (A, m) in the form of :func:`listed`; read-only.

    Args:
        m: partners.
        largest: number of them up to which lists are made.

    Raises:
        ParameterError: if there are more than are listed, naming their number and the limit.
    """
    if m > largest:
        raise ParameterError(
            f"{m} partners can be listed in {number_of_reports(m):,} ways, allowed: up to {largest} partners, of"
            f" which there are {number_of_reports(largest):,} lists"
        )
    rows = np.zeros((number_of_reports(m), m))
    orders = (order for k in range(m + 1) for order in permutations(range(m), k))
    for row, order in zip(rows, orders, strict=True):
        row[list(order)] = np.arange(len(order), 0, -1) / m
    rows.flags.writeable = False
    return rows


def listed(values: Array) -> Array:
    """Reduce values (..., m) to what a list of acceptable partners tells: a / m, ..., 1 / m for the best to the a-th.

    What is not acceptable is worth 0: no order is told below.
    """
    xp, m = namespace(values), values.shape[-1]
    acceptable = values > 0
    count = xp.sum(xp.astype(acceptable, xp.int64), axis=-1, keepdims=True)
    steps = constant(np.arange(m + 1) / m, values)
    left = count - positions(values)
    return steps[xp.where(acceptable, left, xp.zeros_like(left))]


def values_of_lists(lists: Sequence[Sequence[int]], m: int, noun: str = "lists") -> np.ndarray:
    """Convert lists of acceptable partners, best first, to values (n, m) in the form of :func:`listed`.

    Args:
        lists: of each row, partners numbered from 0.
        m: partners.
        noun: name of the lists, for messages.

    Raises:
        ParameterError: naming the list and the partner that is out of range, or there twice.
    """
    values = np.zeros((len(lists), m))
    for row, each in enumerate(lists):
        found = [integer(f"{noun}[{row}][{k}]", partner, 0, m - 1) for k, partner in enumerate(each)]
        twice = next((partner for k, partner in enumerate(found) if partner in found[:k]), None)
        if twice is not None:
            raise ParameterError(f"{noun}[{row}] is {brief(list(each))}, which has {twice} twice, allowed: once")
        values[row, found] = np.arange(len(found), 0, -1) / m
    return values


def seats_of(capacities: int | Sequence[int] | np.ndarray | None, m: int) -> np.ndarray:
    """Return the number of rows that each of m columns takes, integers (m,).

    Args:
        capacities: one number for all, or m; None for 1 each.
        m: columns.

    Raises:
        ParameterError: for numbers below 1, or too few or many of them.
    """
    if capacities is None or isinstance(capacities, (int, np.integer)):
        return np.full(m, integer("capacities", 1 if capacities is None else capacities, 1, 1_000_000))
    if not isinstance(capacities, (list, tuple, np.ndarray)) or np.ndim(capacities) != 1:
        raise ParameterError(f"capacities is {brief(capacities)}, allowed: a whole number >= 1, or a list of {m}")
    if len(capacities) != m:
        raise ParameterError(f"capacities has {counted(len(capacities), 'number')}, allowed: one, or {m}")
    return np.array([integer(f"capacities[{j}]", each, 1, 1_000_000) for j, each in enumerate(capacities)])


def shares(matching: Array, m: int, like: Array) -> Array:
    """Return the pairs (..., n, m) of a matching (..., n) as ones among zeros, in the float type of ``like``."""
    xp = namespace(like)
    return xp.astype(matching[..., None] == xp.arange(m, device=like.device), like.dtype)


def places_at(priorities: Array) -> Array:
    """Compute the place of each row in the order of each column, (..., n, m), 0 for the best."""
    xp = namespace(priorities)
    order = xp.argsort(-xp.matrix_transpose(priorities), axis=-1, stable=True)
    return xp.matrix_transpose(xp.argsort(order, axis=-1))


def check_sides(values: Array, priorities: Array) -> None:
    """Raise ParameterError unless both are (B, n, m), of the same shape with one or more of each, and numbers."""
    if values.ndim != 3 or 0 in values.shape[1:] or tuple(values.shape) != tuple(priorities.shape):
        raise ParameterError(
            f"values have shape {tuple(values.shape)} and priorities {tuple(priorities.shape)}, allowed: the same"
            " (games, rows, columns), with one or more rows and columns"
        )
    for name, each in (("values", values), ("priorities", priorities)):
        xp = namespace(each)
        if bool(xp.any(xp.isnan(each))):
            (game, *_), (i, *_), (j, *_) = xp.nonzero(xp.isnan(each))
            raise ParameterError(f"{name}[{int(game)}, {int(i)}, {int(j)}] is nan, allowed: numbers")
