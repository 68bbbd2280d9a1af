"""Expected shares and payments by rank among any number of bidders who are alike, in closed form.

Of the n - 1 rivals of a bidder of level a, each by itself above with probability u, at the same level with q, and below
with G, j are above, t at the same level and r below with probability

    (n - 1)! / (j! t! r!) u^j q^t G^r,    j + t + r = n - 1.

The t + 1 tied share the slots of ranks j + 1 ... j + t + 1, and what is paid for them, equally. A price is the own bid,
or the m-th highest bid of those below: with p_c the levels and G_c the probability of a bid up to level c,

    G^r E[m-th highest of r below a] = p_{a-1} G^r - sum_{c < a-1} (p_{c+1} - p_c) H(c),
    H(c) = sum_{i < m} binom(r, i) (G - G_c)^i G_c^(r - i),

by powers of G and G_c apart, so that a sum over c is the same for all a: O(A n^2) in all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace

PRICINGS = ("first", "next", "skip", "vcg", "all_pay")


@dataclass(frozen=True)
class Ranks:
    """Chances (..., A) of a rival: ``above`` a level, ``at`` it, ``below`` it; and ``up_to`` it, with it."""

    above: Array
    at: Array
    below: Array
    up_to: Array


def ranks(play: Array) -> Ranks:
    """Compute where a rival stands whose bids are distributed as (..., A), from each level."""
    xp = namespace(play)
    up_to = xp.cumulative_sum(play, axis=-1)
    down_to = xp.flip(xp.cumulative_sum(xp.flip(play, axis=-1), axis=-1), axis=-1)
    nothing = xp.zeros_like(play[..., :1])
    above = xp.concat([down_to[..., 1:], nothing], axis=-1)
    below = xp.concat([nothing, up_to[..., :-1]], axis=-1)
    return Ranks(above, play, below, up_to)


def rank_shares(play: Array, n: int, slots: Sequence[float]) -> Array:
    """Compute the expected share of each level of own bids, (..., A); nothing for the first, which is staying out.

    Args:
        play: distribution of a rival's bids, (..., A).
        n: number of bidders.
        slots: what the ranks get, never rising, (K,).
    """
    given = ranks(play)
    share = namespace(play).zeros_like(play)
    for chance, j, t, r in _cases(n, len(slots)):
        share = share + chance * sum(slots[j : j + t + 1]) / (t + 1) * _likely(given, j, t) * given.below**r
    return share * _bidding(play)


def rank_payments(play: Array, prices: Array, n: int, slots: Sequence[float], pricing: str) -> Array:
    """Compute the expected payment of each level of own bids, (..., A).

    Args:
        play: distribution of a rival's bids, (..., A).
        prices: what a bid of each level amounts to as a price, (..., A); that of the first level, staying out, is the
            reserve.
        n: number of bidders.
        slots: what the ranks get, never rising, (K,).
        pricing: one of :data:`PRICINGS`.
    """
    if pricing == "all_pay":
        return prices * _bidding(play) + namespace(play).zeros_like(play)
    given = ranks(play)
    payment = namespace(play).zeros_like(play)
    for chance, j, t, r in _cases(n, len(slots)):
        own, others = _price_weights(pricing, slots, j, t)
        paid = own * prices * given.below**r
        for m, weight in others.items():
            paid = paid + weight * _order_statistic(given, prices, m, r)
        payment = payment + chance / (t + 1) * _likely(given, j, t) * paid
    return payment * _bidding(play)


def _cases(n: int, n_slots: int) -> Iterator[tuple[float, int, int, int]]:
    """List the number of seatings, and of rivals above, tied and below, in which there is a slot to get."""
    for j in range(min(n_slots, n)):
        for t in range(n - j):
            r = n - 1 - j - t
            yield float(math.comb(n - 1, j) * math.comb(n - 1 - j, t)), j, t, r


def _likely(given: Ranks, j: int, t: int) -> Array:
    return given.above**j * given.at**t


def _bidding(play: Array) -> Array:
    """Return 1 for every level but staying out, (A,)."""
    return constant(np.arange(play.shape[-1]) > 0, play)


def _price_weights(pricing: str, slots: Sequence[float], j: int, t: int) -> tuple[float, dict[int, float]]:
    """Return the weights of what the tied pay in all: of their own bid, and by m of the m-th highest bid below."""
    last = j + t + 1  # the last rank of the tied
    slot = [*slots, *[0.0] * (last + 1)]
    ahead = {"first": 0, "next": 1, "skip": 2}
    weights: dict[int, float] = {}
    for k in range(j + 1, last + 1):
        if pricing == "vcg":
            paid = {rank + 1: slot[rank - 1] - slot[rank] for rank in range(k, len(slots) + 1)}
        else:
            paid = {k + ahead[pricing]: slot[k - 1]}
        for rank, weight in paid.items():
            m = max(rank - last, 0)
            weights[m] = weights.get(m, 0.0) + weight
    own = weights.pop(0, 0.0)
    return own, {m: weight for m, weight in weights.items() if weight}


def _order_statistic(given: Ranks, prices: Array, m: int, r: int) -> Array:
    """Compute G^r E[m-th highest price of r below], (..., A); the first price where fewer than m are below."""
    xp, below = namespace(prices), given.below
    rises = prices[..., 1:] - prices[..., :-1]  # from level c to c + 1
    highest = xp.concat([prices[..., :1], prices[..., :-1]], axis=-1)
    found = highest * below**r
    for i in range(min(m, r + 1)):
        for k in range(i + 1):
            sign = math.comb(r, i) * math.comb(i, k) * (-1) ** k
            found = found - sign * below ** (i - k) * _summed(rises * given.up_to[..., :-1] ** (r - i + k))
    return found


def _summed(terms: Array) -> Array:
    """Compute sums over c < a - 1 of terms (..., A - 1), (..., A)."""
    xp = namespace(terms)
    nothing = xp.zeros_like(terms[..., :1])
    return xp.concat([nothing, nothing, xp.cumulative_sum(terms[..., :-1], axis=-1)], axis=-1)
