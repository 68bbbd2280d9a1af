"""Serial dictatorship, random priority and probabilistic serial: rules that ask one side alone.

In an order, each row takes its best acceptable column with a seat left. *Random priority* draws the order at random;
its shares are the mean over all n! of them. Under *probabilistic serial* all rows eat of their best column that is
left, at the same speed, during one unit of time (Bogomolnaia and Moulin 2001). No list brings a row more than the truth
under random priority; probabilistic serial is ordinally efficient.

    >>> values = np.array([[[4.0, 3, 2, 1]] * 2 + [[3.0, 4, 1, 2]] * 2])
    >>> (12 * random_priority(values))[0, 0].round(9), probabilistic_serial(values)[0, 0]
    (array([5., 1., 5., 1.]), array([0.5, 0. , 0.5, 0. ]))
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from math import factorial

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.solvers.matching.preferences import check_sides, seats_of, shares

LARGEST_ORDERED = 6
"""Rows up to which all orders are tried."""
CHUNK = 500_000
"""Markets, each in one order, that are worked on at once."""


def serial_dictatorship(values: Array, order: Array, capacities: int | Sequence[int] | None = None) -> Array:
    """Compute the matching (B, n) in which rows choose in an order.

    Args:
        values: what each column is worth to each row, (B, n, m); more than 0 is acceptable.
        order: rows in the order of choosing, integers (B, n), or (n,) for the same in all.
        capacities: rows that each column takes, one number or m; None for 1.

    Raises:
        ParameterError: if an argument is not as it should be.
    """
    check_sides(values, values)
    xp, (batch, n, m) = namespace(values), values.shape
    order = xp.asarray(order, device=values.device)
    if order.shape[-1] != n or not bool(xp.all(xp.sort(order, axis=-1) == xp.arange(n, device=values.device))):
        raise ParameterError(f"order has shape {tuple(order.shape)}, allowed: each of 0 to {n - 1} once in each row")
    games = xp.arange(batch, device=values.device)
    return _chosen(values, games, xp.broadcast_to(order, (batch, n)), seats_of(capacities, m))


def random_priority(values: Array, capacities: int | Sequence[int] | None = None) -> Array:
    """Compute the shares (B, n, m) of serial dictatorship in a random order, exactly, from all orders.

    See :func:`serial_dictatorship` for the arguments.

    Raises:
        ParameterError: if an argument is not as it should be, or there are too many rows for all orders.
    """
    check_sides(values, values)
    xp, (batch, n, m) = namespace(values), values.shape
    if n > LARGEST_ORDERED:
        raise ParameterError(
            f"{n} rows have {factorial(n):,} orders, allowed for exact shares: up to {LARGEST_ORDERED} rows"
        )
    orders = np.array(list(permutations(range(n))))
    size = max(CHUNK // max(batch, 1), 1)
    seats, found = seats_of(capacities, m), xp.zeros_like(values)
    for start in range(0, len(orders), size):
        some = xp.asarray(orders[start : start + size], device=values.device)
        count = some.shape[0]
        games = xp.tile(xp.arange(batch, device=values.device), (count,))
        matching = _chosen(values, games, xp.repeat(some, batch, axis=0), seats)
        found = found + xp.sum(shares(xp.reshape(matching, (count, batch, n)), m, values), axis=0)
    return found / len(orders)


def _chosen(values: Array, games: Array, order: Array, seats: np.ndarray) -> Array:
    """Compute matchings (G, n) of markets (G,), among those that ``values`` are of, each in its order (G, n)."""
    xp, (_, n, m) = namespace(values), values.shape
    every = xp.arange(games.shape[0], device=values.device)
    matching = xp.full((games.shape[0], n), -1, dtype=xp.int64, device=values.device)
    left = xp.asarray(seats, device=values.device) + xp.zeros((games.shape[0], m), dtype=xp.int64, device=values.device)
    for turn in range(n):
        row = order[:, turn]
        worth = values[games, row] * (left > 0)
        best = xp.argmax(worth, axis=-1)
        willing = xp.max(worth, axis=-1) > 0
        matching[every, row] = xp.where(willing, best, xp.full_like(best, -1))
        left[every, best] = left[every, best] - xp.astype(willing, xp.int64)
    return matching


def probabilistic_serial(values: Array, capacities: int | Sequence[int] | None = None, *, unit: object = 1.0) -> Array:
    """Compute the shares (B, n, m) of probabilistic serial.

    Args:
        values: what each column is worth to each row, (B, n, m); more than 0 is acceptable.
        capacities: rows that each column takes, one number or m; None for 1.
        unit: one as a number of the type to compute in, on NumPy: ``Fraction(1)`` makes shares exact.

    Raises:
        ParameterError: if an argument is not as it should be.
    """
    check_sides(values, values)
    xp, m = namespace(values), values.shape[-1]
    seats = seats_of(capacities, m)
    exact = not isinstance(unit, float)
    nothing = np.zeros(values.shape, int) * np.array(unit, object) if exact else xp.zeros_like(values)
    supply = seats * np.array(unit, object) if exact else xp.asarray(seats, dtype=values.dtype, device=values.device)
    left, eaten, time = supply + nothing[:, 0], nothing, nothing[:, 0, 0]
    columns = xp.arange(m, device=values.device)
    for _ in range(m + 1):
        worth = values * (left > 0)[:, None, :]
        hungry = (xp.max(worth, axis=-1) > 0) & (time < 1)[:, None]
        eats = (xp.argmax(worth, axis=-1)[..., None] == columns) & hungry[..., None]
        count = xp.sum(xp.astype(eats, xp.int64), axis=1)
        if not bool(xp.any(count > 0)):
            break
        rate = xp.where(count > 0, count, xp.ones_like(count))
        lasts = xp.where(count > 0, left / rate, nothing[:, 0] + 2)
        step = xp.minimum(xp.min(lasts, axis=-1), 1 - time)
        eaten = eaten + eats * step[:, None, None]
        gone = lasts <= step[:, None]
        left = xp.where(gone, nothing[:, 0], left - count * step[:, None])
        time = time + step
    return eaten
