"""Deferred and immediate acceptance (Gale and Shapley 1962; the Boston mechanism), many markets at once.

Rows propose. In each round everybody who is free asks the best column not asked yet; a column keeps the best it has
been asked by, up to its capacity, and the others are free again. With *deferred* acceptance whoever is kept may be
replaced later; the outcome is stable, and of all stable matchings every row likes it best. With *immediate* acceptance
who is kept stays, which is the same rule with priorities by the round of asking first.

In each round all free rows of all markets, and they alone, take one argmax: lists are not sorted, as most rows ask few
columns. Where columns have one seat, comparisons with whom they keep decide; where they have more, one sort of n
numbers for each market that has changed. There are at most n m rounds.

    >>> values = np.array([[[2.0, 1.0], [1.0, 2.0]]])
    >>> deferred_acceptance(values, 3 - values), deferred_acceptance(values, 3 - values, proposing="columns")
    (array([[0, 1]]), array([[1, 0]]))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.core.errors import choice
from lawgiver.envs.solvers.matching.preferences import check_sides, places_at, seats_of

PROPOSING = ("rows", "columns")


def deferred_acceptance(
    values: Array,
    priorities: Array,
    capacities: int | Sequence[int] | None = None,
    *,
    proposing: Literal["rows", "columns"] = "rows",
) -> Array:
    """Compute the stable matching (B, n) that the proposing side likes best.

    Args:
        values: what each column is worth to each row, (B, n, m); more than 0 is acceptable.
        priorities: what each row is worth to each column, (B, n, m), likewise.
        capacities: rows that each column takes, one number or m; None for 1.
        proposing: ``rows`` or ``columns``.

    Raises:
        ParameterError: if an argument is not as it should be.
    """
    check_sides(values, priorities)
    seats = seats_of(capacities, values.shape[-1])
    if choice("proposing", proposing, PROPOSING) == "rows":
        return _accepted(values, priorities, seats, immediate=False)
    xp = namespace(values)
    column = xp.asarray(np.repeat(np.arange(len(seats)), seats), device=values.device)  # of each seat
    asking, asked = (xp.take(xp.matrix_transpose(each), column, axis=1) for each in (priorities, values))
    rows = _accepted(asking, asked, np.ones(values.shape[1], np.int64), immediate=False)
    matching = xp.full(values.shape[:2], -1, dtype=xp.int64, device=values.device)
    game, seat = xp.nonzero(rows >= 0)
    matching[game, rows[game, seat]] = column[seat]
    return matching


def immediate_acceptance(values: Array, priorities: Array, capacities: int | Sequence[int] | None = None) -> Array:
    """Compute the matching (B, n) of immediate acceptance, the Boston mechanism.

    In round k all rows that are free ask their k-th choice, even where no seat is left. See
    :func:`deferred_acceptance` for the arguments and errors.
    """
    check_sides(values, priorities)
    return _accepted(values, priorities, seats_of(capacities, values.shape[-1]), immediate=True)


def _accepted(values: Array, priorities: Array, seats: np.ndarray, *, immediate: bool) -> Array:
    """Compute the matching (B, n) in which rows propose."""
    if (seats == 1).all():
        return _accepted_by_one(values, priorities, immediate)
    return _accepted_by_several(values, priorities, seats, immediate)


def _accepted_by_one(values: Array, priorities: Array, immediate: bool) -> Array:
    """Compute the matching (B, n) where each column keeps one row; rows and columns are numbered over all markets."""
    xp, (batch, n, m) = namespace(values), values.shape
    device = values.device
    worth, standing = xp.asarray(xp.reshape(values, (-1,)), copy=True), xp.reshape(priorities, (-1,))  # of each pair
    untried = xp.reshape(worth, (batch * n, m))  # a view of one flat array in memory, whatever the order of values is
    kept = xp.full((batch * m,), -1, dtype=xp.int64, device=device)
    free, left = xp.arange(batch * n, device=device), untried
    while free.shape[0]:
        pair = free * m + xp.argmax(left, axis=-1)
        willing, offer = xp.take(worth, pair) > 0, xp.take(standing, pair)
        worth[pair] = 0
        column = free // n * m + pair % m
        before = xp.take(kept, column)
        welcome = willing & (offer > 0)
        (tries,) = xp.nonzero(welcome & (before < 0) if immediate else welcome)
        while tries.shape[0]:  # where several are better than whom a column keeps, one is written: the others try again
            row, to, mine = xp.take(free, tries), xp.take(column, tries), xp.take(offer, tries)
            other = xp.take(kept, to)
            theirs = xp.take(standing, xp.maximum(other, xp.zeros_like(other)) * m + to % m)
            (better,) = xp.nonzero((other < 0) | (mine > theirs) | ((mine == theirs) & (row < other)))
            row, to = xp.take(row, better), xp.take(to, better)
            kept[to] = row
            tries = xp.take(tries, xp.take(better, xp.nonzero(xp.take(kept, to) != row)[0]))
        won = xp.take(kept, column) == free
        (lost,), (dropped,) = xp.nonzero(willing & ~won), xp.nonzero(won & (before >= 0))
        free = xp.concat([xp.take(free, lost), xp.take(before, dropped)])
        left = xp.take(untried, free, axis=0)
    (column,) = xp.nonzero(kept >= 0)
    matching = xp.full((batch * n,), -1, dtype=xp.int64, device=device)
    matching[xp.take(kept, column)] = column % m
    return xp.reshape(matching, (batch, n))


def _accepted_by_several(values: Array, priorities: Array, seats: np.ndarray, immediate: bool) -> Array:
    """Compute the matching (B, n) where columns keep several rows.

    Where a row stands is one whole number: its column, then its place there, then its own index, so that one sort
    brings together who asks the same column, best first. ``m`` stands for no column.
    """
    xp, (batch, n, m) = namespace(values), values.shape
    device = values.device
    places = places_at(priorities)
    kinds = n * m if immediate else n  # of places: by round, and then by priority
    capacity = xp.asarray(np.append(seats, n), device=device)
    ahead = xp.arange(n, device=device)
    untried = xp.asarray(values, copy=True)
    alone = m * kinds * n
    stands = alone + xp.zeros((batch, n), dtype=xp.int64, device=device) + ahead
    free = xp.ones((batch, n), dtype=xp.bool, device=device)
    for round_ in range(n * m):
        game, row = xp.nonzero(free)
        if not game.shape[0]:
            break
        left = untried[game, row]
        best = xp.argmax(left, axis=-1)
        willing = xp.max(left, axis=-1) > 0
        free[game, row] = False
        game, row, best = game[willing], row[willing], best[willing]
        untried[game, row, best] = 0
        place = places[game, row, best] + (round_ * n if immediate else 0)
        welcome = priorities[game, row, best] > 0
        free[game, row] = ~welcome
        asked = (best * kinds + place) * n + row
        stands[game, row] = xp.where(welcome, asked, alone + row)
        changed = xp.zeros(batch, dtype=xp.bool, device=device)
        changed[game] = True
        changed = xp.nonzero(changed)[0]
        order = xp.sort(stands[changed], axis=-1)
        column = order // (kinds * n)
        back = ahead - capacity[column]  # who is so far ahead takes the last seat
        refused = (back >= 0) & (xp.take_along_axis(column, xp.maximum(back, xp.zeros_like(back)), axis=-1) == column)
        market, at = xp.nonzero(refused)
        game, row = changed[market], order[market, at] % n
        stands[game, row] = alone + row
        free[game, row] = True
    column = stands // (kinds * n)
    return xp.where(column < m, column, -xp.ones_like(column))
