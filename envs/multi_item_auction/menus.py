r"""Menus: truthful auctions of several items, lotteries included, as pure functions of arrays.

A menu has J entries. Entry j gives bidder i the share (or the probability) a_ji of each item, and has a boost b_j; one
more entry gives nobody anything and has the boost 0. Bidders have weights w_i > 0. The entry that is chosen is

    j* = argmax_j  sum_i w_i v_i . a_ji + b_j,

the first of them if there are several, and bidder i pays

    p_i = (max_j (sum_{k != i} w_k v_k . a_jk + b_j)  -  (the same sum at j*)) / w_i.

Nobody gains by a misreport, nobody loses by taking part and nobody is paid, whatever the numbers are: this is an affine
maximiser over lotteries (Roberts 1979; Curry, Sandholm and Dickerson 2023). With one bidder and w = 1 it is a list of
bundles with prices -b_j, out of which the bidder takes what is best for it (RochetNet, Duetting et al. 2019).

All functions run on NumPy and on torch, along a batch axis of B auctions.

    >>> entries = np.array([[[1.0, 0.0]], [[0.0, 1.0]], [[1.0, 1.0]]])  # one bidder: either item, or both
    >>> sold = choose(worths(np.array([[[0.9, 0.6]]]), entries, np.ones(1)), np.array([-2 / 3, -2 / 3, -0.862]))
    >>> int(sold.entry[0]), sold.payments.round(3)
    (2, array([[0.862]]))
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace, softmax


class Sold(NamedTuple):
    """The chosen entries of B auctions.

    Attributes:
        entry: index of the entry, (B,); J where nobody is given anything.
        payments: (B, n).
    """

    entry: Array
    payments: Array


def shares_of(logits: Array) -> Array:
    """Compute shares (..., n, m) of items from logits (..., n + 1, m), the last row those of nobody.

    The shares of an item add up to 1 with what nobody gets.
    """
    xp = namespace(logits)
    return xp.matrix_transpose(softmax(xp.matrix_transpose(logits)))[..., :-1, :]


def logits_of(shares: Array, bound: float) -> Array:
    """Compute logits (..., n + 1, m) in [-bound, bound] whose shares are nearest to ``shares`` (..., n, m)."""
    xp = namespace(shares)
    full = xp.concat([shares, 1 - xp.sum(shares, axis=-2, keepdims=True)], axis=-2)
    least = constant(np.exp(-2 * bound), shares)
    return xp.log(xp.maximum(full / xp.max(full, axis=-2, keepdims=True), least)) + bound


def of_use(shares: Array, unit: bool) -> Array:
    """Scale shares (..., n, m) down to what is of use: of unit demand no more than one item in all for each bidder."""
    if not unit:
        return shares
    xp = namespace(shares)
    given = xp.sum(shares, axis=-1, keepdims=True)
    return shares / xp.maximum(given, xp.ones_like(given))


def worths(values: Array, shares: Array, weights: Array) -> Array:
    """Compute what every entry is worth to every bidder, by its weight: w_i v_i . a_ji, (n, B, J).

    Args:
        values: reported values, (B, n, m).
        shares: of one menu for all, (J, n, m), or of one for each auction, (B, J, n, m).
        weights: (n,), or (B, n).
    """
    xp = namespace(values)
    weighted = xp.permute_dims(values * weights[..., None], (1, 0, 2))
    if shares.ndim == 3:
        return xp.matmul(weighted, xp.permute_dims(shares, (1, 2, 0)))
    each = xp.matmul(weighted[:, :, None, :], xp.permute_dims(shares, (2, 0, 3, 1)))
    return each[:, :, 0, :]


def others(worth: Array, boosts: Array) -> tuple[Array, Array]:
    """Compute affine welfare (B, J + 1) and what it is without each bidder (n, B, J + 1); the empty entry comes last.

    Args:
        worth: see :func:`worths`, (n, B, J).
        boosts: (J,), or (B, J).
    """
    xp = namespace(worth)
    total = xp.sum(worth, axis=0) + boosts
    without = total - worth
    empty = xp.zeros_like(without[..., :1])
    return xp.concat([total, empty[0]], axis=-1), xp.concat([without, empty], axis=-1)


def choose(worth: Array, boosts: Array, weights: Array | None = None) -> Sold:
    """Choose entries and compute payments.

    Args:
        worth: see :func:`worths`, (n, B, J).
        boosts: (J,), or (B, J).
        weights: (n,), or (B, n); None for 1.
    """
    xp = namespace(worth)
    welfare, without = others(worth, boosts)
    entry = xp.argmax(welfare, axis=-1)
    at = xp.arange(entry.shape[0], device=entry.device)
    externality = xp.max(without, axis=-1) - without[:, at, entry]
    payments = xp.matrix_transpose(externality)
    return Sold(entry, payments if weights is None else payments / weights)


def given(shares: Array, entry: Array) -> Array:
    """Return the shares (B, n, m) of entries (B,), for those of menus as in :func:`worths`; index J gives nothing."""
    xp = namespace(shares)
    padded = xp.concat([shares, xp.zeros_like(shares[..., :1, :, :])], axis=-3)
    if shares.ndim == 3:
        return padded[entry]
    return padded[xp.arange(entry.shape[0], device=entry.device), entry]
