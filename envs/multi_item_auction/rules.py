"""Direct auctions that are known by name: shares (B, n, m) and payments (B, n) for reported values (B, n, m).

Where bidders tie, items are shared evenly; only in matchings of unit demand the first of several best ones is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace, total
from lawgiver.envs.solvers.auctions.myerson import Marginal, optimal_sale

EXCESS = 1e-6
"""Tolerance of a supplied mechanism's shares."""


def shares_error(shares: np.ndarray, unit: bool) -> str | None:
    """Describe the fault of shares (B, n, m); None if they are feasible.

    Args:
        shares: of each item, of each bidder.
        unit: whether a bidder's own add up to 1 at most, too.
    """
    if (shares < -EXCESS).any():
        return f"sells a share of {shares.min():g}, allowed: at least 0"
    over = np.argwhere(shares.sum(1) > 1 + EXCESS)
    if len(over):
        game, j = over[0].tolist()
        return f"sells {shares[game, :, j].sum():g} of item {j}, allowed: no more than 1, all there is"
    if unit and (shares.sum(2) > 1 + EXCESS).any():
        return f"sells {shares.sum(2).max():g} items to a bidder of unit demand, allowed: no more than 1"
    return None


def highest(values: Array) -> tuple[Array, Array]:
    """Give each item to who values it most; return the shares, and what the others would make of each, (B, n, m)."""
    xp = namespace(values)
    top = xp.max(values, axis=1, keepdims=True)
    best = xp.astype(values == top, values.dtype)
    count = xp.sum(best, axis=1, keepdims=True)
    if values.shape[1] == 1:
        return best, xp.zeros_like(values)
    rival = xp.sort(values, axis=1)[:, -2:-1]  # the second highest: what is left to the others without a sole winner
    return best / count, xp.where((best > 0) & (count == 1), rival + 0 * values, top + 0 * values)


def matching(values: Array) -> Array:
    """Give bidders one item each, (B, n, m), so that the sum of values is greatest; for at most 12 items or bidders.

    Bidders are served one after the other, in a table of what each set of items can bring to those so far.
    """
    xp = namespace(values)
    if values.shape[2] > values.shape[1]:
        return xp.matrix_transpose(matching(xp.matrix_transpose(values)))
    batch, n, m = values.shape
    device = None if type(values) is np.ndarray else values.device
    tables, taken = _tables(values)
    chosen, left = [], xp.zeros(batch, dtype=xp.int64, device=device) + (2**m - 1)
    rows = xp.arange(batch, device=device)
    items = xp.arange(m, device=device)
    for i in reversed(range(n)):
        without = taken[left]  # (B, m): the set without each item, itself where it is not in it
        there = without != left[:, None]
        gains = tables[i][rows[:, None], without] + values[:, i]
        gains = xp.where(there, gains, gains - xp.inf)
        pick = xp.argmax(gains, axis=-1)
        served = gains[rows, pick] > tables[i][rows, left]
        mine = (items == pick[:, None]) & served[:, None]
        chosen.append(xp.astype(mine, values.dtype))
        left = xp.where(served, without[rows, pick], left)
    return xp.stack(chosen[::-1], axis=1)


def most_matched(values: Array) -> Array:
    """Compute the greatest sum of values (B,) of bidders who are given one item each, for values (B, n, m)."""
    xp = namespace(values)
    wide = values.shape[2] > values.shape[1]
    tables, _ = _tables(xp.matrix_transpose(values) if wide else values)
    return tables[-1][:, -1]


def _tables(values: Array) -> tuple[list[Array], Array]:
    """Compute what sets of items bring to the first i bidders, i = 0, ..., n, (B, 2^m) each.

    Returns:
        them; and each set without each of its items, (2^m, m).
    """
    xp, m = namespace(values), values.shape[2]
    sets = np.arange(2**m)
    removed = sets[:, None] & ~(1 << np.arange(m))
    there = removed != sets[:, None]
    index, inside = removed, there
    if type(values) is not np.ndarray:
        index, inside = (xp.asarray(each, device=values.device) for each in (removed, there))
    tables = [xp.zeros_like(values[:, 0, :1]) + xp.zeros_like(values[:1, 0, :1]) * inside[None, :, 0]]
    for i in range(values.shape[1]):
        before = tables[-1]
        served = xp.where(inside, before[:, index] + values[:, i, None, :], before[:, :1, None])
        tables.append(xp.maximum(before, xp.max(served, axis=-1)))
    return tables, index


def vcg(values: Array, unit: bool) -> tuple[Array, Array]:
    """Maximise reported welfare; everybody pays what the others lose by it."""
    xp = namespace(values)
    if not unit:
        shares, prices = highest(values)
        return shares, total(shares * prices)
    shares = matching(values)
    worth = total(shares * values)
    welfare = total(worth)
    n = values.shape[1]
    absent = 1 - xp.eye(n, dtype=values.dtype, device=None if type(values) is np.ndarray else values.device)
    alone = xp.stack([most_matched(values * absent[i][None, :, None]) for i in range(n)], axis=-1)
    payments = alone - (welfare[:, None] - worth)
    return shares, xp.maximum(payments, 0 * payments)  # not below 0 by rounding


def pay_as_bid(values: Array, unit: bool) -> tuple[Array, Array]:
    """Maximise reported welfare; everybody pays its reported value of what it gets."""
    shares = matching(values) if unit else highest(values)[0]
    return shares, total(shares * values)


def item_myerson(values: Array, distributions: Sequence[Sequence[Marginal]]) -> tuple[Array, Array]:
    """Sell every item by Myerson's rule, as if there were no other; ``distributions`` by bidder and item."""
    xp = namespace(values)
    sold = [optimal_sale([row[j] for row in distributions], values[:, :, j]) for j in range(values.shape[2])]
    shares = xp.stack([each for each, _ in sold], axis=-1)
    return shares, total(xp.stack([each for _, each in sold], axis=-1))


def bundle_myerson(values: Array, bundles: Sequence[Marginal], unit: bool) -> tuple[Array, Array]:
    """Sell everything together by Myerson's rule; of unit demand, the buyer's favourite item.

    Args:
        values: reported values.
        bundles: distribution of what that is worth to each bidder.
        unit: whether one item is all that a bidder has a use for.
    """
    xp = namespace(values)
    worth = xp.max(values, axis=-1) if unit else total(values)
    share, payments = optimal_sale(bundles, worth)
    if not unit:
        return share[..., None] + 0 * values, payments
    favourite = xp.argmax(values, axis=-1)[..., None]
    items = xp.arange(values.shape[2], device=None if type(values) is np.ndarray else values.device)
    return share[..., None] * xp.astype(items == favourite, values.dtype), payments
