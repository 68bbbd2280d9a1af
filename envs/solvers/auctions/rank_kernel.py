"""Expected shares and payments by rank among any number of bidders who are alike, in closed form.

Of the n - 1 rivals of a bidder of level a, each by itself above with probability u, at the same level with q, and below
with G, j are above, t at the same level and r below with probability

    (n - 1)! / (j! t! r!) u^j q^t G^r,    j + t + r = n - 1.

The t + 1 tied share the slots of ranks j + 1 ... j + t + 1, and what is paid for them, equally. A price is the own bid,
or the m-th highest bid of those below: with p_c the levels and G_c the probability of a bid up to level c,

    G^r E[m-th highest of r below a] = p_{a-1} G^r - sum_{c < a-1} (p_{c+1} - p_c) H(c),
    H(c) = sum_{i < m} binom(r, i) (G - G_c)^i G_c^(r - i).

By powers of G and G_c apart a sum over c is the same for all a, at a rounding error of binom(r, i) 2^i; where that is
too much, the terms are summed for each a, none of which is negative. Large numbers of cases are multiplied into the
factors of powers, since they are no floats.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace, total

ROUNDING = 1e5
"""Largest factor of rounding errors in sums of terms with alternating signs."""
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
    for root, j, t, r in _cases(n, len(slots)):
        each = sum(slots[j : j + t + 1]) / (t + 1)
        share = share + each * _likely(given, root, j, t) * (root * given.below) ** r
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
    known: dict[int, list[Array]] = {}
    for root, j, t, r in _cases(n, len(slots)):
        own, others = _price_weights(pricing, slots, j, t)
        paid = own * prices * given.below**r
        for m, weight in others.items():
            paid = paid + weight * _order_statistic(given, prices, m, r, known)
        payment = payment + _likely(given, root, j, t) * (root**r / (t + 1) * paid)
    return payment * _bidding(play)


def _cases(n: int, n_slots: int) -> Iterator[tuple[float, int, int, int]]:
    """List the rivals above, tied and below with whom there is a slot to get, after the root of how often they occur.

    The number of seatings, of up to 3^(n - 1), is the root to the power of n - 1 = j + t + r.
    """
    for j in range(min(n_slots, n)):
        ways = math.comb(n - 1, j)
        for t in range(n - j):
            yield math.exp(math.log(ways * math.comb(n - 1 - j, t)) / (n - 1)), j, t, n - 1 - j - t


def _likely(given: Ranks, root: float, j: int, t: int) -> Array:
    return (root * given.above) ** j * (root * given.at) ** t


def _bidding(play: Array) -> Array:
    """Return 1 for every level but staying out, (A,)."""
    return constant(np.arange(play.shape[-1]) > 0, play)


def _price_weights(pricing: str, slots: Sequence[float], j: int, t: int) -> tuple[float, dict[int, float]]:
    """Return the weights of what the tied pay in all: of their own bid, and by m of the m-th highest bid below."""
    last = j + t + 1  # the last rank of the tied
    slot = [*slots, *[0.0] * (last + 1)]
    ahead = {"first": 0, "next": 1, "skip": 2}
    weights: dict[int, float] = {}
    for k in range(j + 1, min(last, len(slots)) + 1):
        if pricing == "vcg":
            paid = {rank + 1: slot[rank - 1] - slot[rank] for rank in range(k, len(slots) + 1)}
        else:
            paid = {k + ahead[pricing]: slot[k - 1]}
        for rank, weight in paid.items():
            m = max(rank - last, 0)
            weights[m] = weights.get(m, 0.0) + weight
    own = weights.pop(0, 0.0)
    return own, {m: weight for m, weight in weights.items() if weight}


def _order_statistic(given: Ranks, prices: Array, m: int, r: int, known: dict[int, list[Array]]) -> Array:
    """Compute G^r E[m-th highest price of r below], (..., A); the first price where fewer than m are below.

    Those of each r are listed in ``known``, from m = 0: that of their own level's predecessor.
    """
    xp = namespace(prices)
    if r not in known:
        known[r] = [xp.concat([prices[..., :1], prices[..., :-1]], axis=-1) * given.below**r]
    found, m = known[r], min(m, r + 1)
    while len(found) <= m:
        found.append(found[-1] - _exceeded(given, prices[..., 1:] - prices[..., :-1], len(found) - 1, r))
    return found[m]


def _exceeded(given: Ranks, rises: Array, i: int, r: int) -> Array:
    """Sum rises from level c to c + 1, (..., A - 1), times how likely i of r below bid more than c, (..., A)."""
    xp, below, ways = namespace(rises), given.below, math.comb(r, i)
    up_to = given.up_to[..., :-1]
    if ways * 2**i <= ROUNDING:
        terms = (
            ways * math.comb(i, k) * (-1) ** k * below ** (i - k) * _summed(rises * up_to ** (r - i + k))
            for k in range(i + 1)
        )
        return sum(terms, xp.zeros_like(below))
    root = math.exp(math.log(ways) / r)
    levels = np.arange(below.shape[-1])
    earlier = constant(levels[:-1] < levels[:, None] - 1, below)
    between = xp.clip(below[..., :, None] - up_to[..., None, :], 0.0, None)
    likely = (root * between) ** i * (root * up_to[..., None, :]) ** (r - i)
    return total(earlier * likely * rises[..., None, :])


def _summed(terms: Array) -> Array:
    """Compute sums over c < a - 1 of terms (..., A - 1), (..., A)."""
    xp = namespace(terms)
    nothing = xp.zeros_like(terms[..., :1])
    return xp.concat([nothing, nothing, xp.cumulative_sum(terms[..., :-1], axis=-1)], axis=-1)
