"""Lists out of a market's files, as functions of uniform numbers: whole markets, and samples of their rows.

With as many rows as the market has, each has its own list. With another number every row is drawn from those of the
market, independently and with replacement, and keeps its place in the priorities. Ties in lists are broken at random by
everybody alone; ties in priorities, as between several draws of one row, by one lottery number a row for all columns
(single tie-breaking, Abdulkadiroglu, Pathak and Roth 2009).

Values are those of :mod:`lawgiver.envs.matching.types`: a / m, ..., 1 / m for the a on a list. Of those who are not on
it no order is known, and each is worth -1 / m.
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.files.markets import Lists, Market
from lawgiver.envs.solvers.social_choice.profiles import positions

LARGEST_SIDE = 100
"""Rows, or columns."""
HALF = 0.5
"""Factor of a lottery number, so that rounding cannot move anybody to the next level."""


def default_n(market: Market, *, two_sided: bool) -> int:
    """Return the number of participants that the market has.

    Raises:
        ParameterError: for more rows than can be played.
    """
    size = market.rows.size
    if size > LARGEST_SIDE:
        told = "" if two_sided else ": that many rows are drawn from them"
        raise ParameterError(f"n is None, and the market has {size:,} rows, allowed: n in 1..{LARGEST_SIDE}{told}")
    return 2 * size if two_sided else size


def check_market(market: Market, n: int, m: int | None, *, two_sided: bool) -> None:
    """Raise ParameterError unless the market has as many columns as can be played, and two sides of which n are half.

    Args:
        market: of the files.
        n: participants.
        m: columns; None for those of the market.
        two_sided: whether the columns are participants too.
    """
    rows, columns = market.rows.size, len(market.names)
    if columns > LARGEST_SIDE:
        raise ParameterError(f"the market has {columns:,} columns, allowed: up to {LARGEST_SIDE}")
    if m not in (None, columns):
        raise ParameterError(f"m is {m}, and the market has {columns} columns, allowed: {columns}, or None")
    if not two_sided:
        return
    if market.columns is None or rows != columns:
        told = f"{rows:,} rows and {columns} columns" if market.columns else "no lists of columns"
        raise ParameterError(f"sides is 'two', and the market has {told}, allowed: as many of both, or sides='one'")
    if n != 2 * rows:
        raise ParameterError(f"n is {n}, and the market has {2 * rows} participants on two sides, allowed: {2 * rows}")


def numbers_of(m: int) -> int:
    """Count the uniform numbers of a row: which of the market's it is, its lottery number, ties among m columns."""
    return 2 + m


def rows_of(draws: Array, market: Market) -> tuple[Array, Array]:
    """Compute the values of columns (B, n, m), and which rows of the market these are, integers (B, n).

    Args:
        draws: uniform numbers, (B, n, 2 + m).
        market: of any number of rows.
    """
    xp, n, lists = namespace(draws), draws.shape[1], market.rows
    every = n == lists.size
    if every or market.columns is not None:
        which = xp.arange(n, device=draws.device) + xp.zeros(draws.shape[:2], dtype=xp.int64, device=draws.device)
        if not every:
            which = xp.minimum(xp.astype(draws[..., 0] * lists.size, xp.int64), xp.full_like(which, lists.size - 1))
        listed = xp.asarray(np.repeat(np.arange(len(lists.counts)), lists.counts), device=draws.device)[which]
    else:  # of any number of votes, and without priorities it does not matter which of them it is
        shares = constant(np.cumsum(lists.counts)[:-1] / lists.size, draws)
        which = listed = xp.searchsorted(shares, draws[..., 0] + 0, side="right")
    return _values(lists, listed, draws[..., 2:]), which


def columns_of(draws: Array, market: Market) -> Array:
    """Compute the values of rows to the columns, (B, m, n), for uniform numbers (B, m, 2 + n): no columns are drawn."""
    xp, lists = namespace(draws), _lists_of_columns(market)
    listed = xp.asarray(np.repeat(np.arange(len(lists.counts)), lists.counts), device=draws.device)
    return _values(lists, xp.broadcast_to(listed, draws.shape[:2]), draws[..., 2:])


def _values(lists: Lists, listed: Array, ties: Array) -> Array:
    """Compute values (B, n, m) of the lists numbered (B, n)."""
    xp, m = namespace(ties), ties.shape[-1]
    levels, accepted = constant(lists.levels, ties)[listed], constant(lists.acceptable, ties)[listed]
    above = xp.sum(accepted, axis=-1, keepdims=True) - xp.astype(positions(-levels - HALF * ties), ties.dtype)
    return (accepted * above - (1 - accepted)) / m


def priorities_of(draws: Array, market: Market, which: Array) -> Array:
    """Compute the priorities of rows, (B, n, m) in [0, 1], 0 for who is not on a column's list.

    Args:
        draws: uniform numbers, (B, n, 2 + m), of which the second of each row is its lottery number.
        market: with lists of columns.
        which: of the market's rows these are, (B, n).
    """
    xp, n, lists = namespace(draws), draws.shape[1], _lists_of_columns(market)
    each = [np.repeat(array, lists.counts, axis=0).T for array in (lists.levels, lists.acceptable)]
    levels, accepted = (xp.matrix_transpose(constant(array, draws)[which]) for array in each)  # (B, m, n)
    place = positions(-levels - HALF * draws[:, None, :, 1])
    above = xp.sum(accepted, axis=-1, keepdims=True) - xp.astype(place, draws.dtype)
    return xp.matrix_transpose(accepted * above) / n


def _lists_of_columns(market: Market) -> Lists:
    assert market.columns is not None
    return market.columns
