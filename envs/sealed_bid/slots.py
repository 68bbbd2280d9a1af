r"""The rule of a sealed-bid auction of slots, with ties shared in expectation.

Bidder i bids b_i and is ranked by its *score* s_i = w_i (b_i - c_i), of a weight w_i and a handicap c_i. A bid of 0, or
one whose score is below the reserve r, stays out: it gets nothing and pays nothing. The slots alpha_1 >= .. >= alpha_K
go by rank. With A_k = alpha_1 + .. + alpha_k, h_i the number of scores above i's and t_i the number equal to it (i
included), everybody who is tied gets the average over the ranks that they have together,

    share_i = (A_{h + t} - A_h) / t,        charge_i = (C_{h + t} - C_h) / t,

where C adds up alpha_k times the price by rank, in scores, and the payment is charge_i / w_i + c_i share_i. The score
in rank k is s_(k), -1 where nobody is. Prices of a unit of slot k:

    first:  s_(k)                 next:  max(s_(k+1), r)                 skip:  max(s_(k+2), r)
    vcg:    sum over l >= k of (alpha_l - alpha_{l+1}) max(s_(l+1), r) / alpha_k
    all_pay: nothing for the slot; everybody who is in pays its bid

``mix`` m prices at m times ``first`` and 1 - m times ``next``. With one slot ``next`` is the second-price auction, with
several the generalised second-price auction; ``vcg`` with k equal slots is a uniform price, the score in rank k + 1.

Who is in the tie that has rank k is whoever has the score s_(k), which is how it is computed: K n comparisons, with
bidders along the first axis, where reductions are fast. One slot needs the two highest scores alone. From 8 slots on
the scores are put in order instead, n log n.
Scores are compared exactly: equal bids tie, whichever backend and precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, floats, namespace

PRICINGS = ("first", "next", "skip", "vcg", "all_pay")
OUT = -1.0
"""Score of those who stay out; scores of others are at least 0."""
AHEAD = {"first": 0, "next": 1, "skip": 2, "vcg": 1, "all_pay": 0}
"""Ranks below the last slot whose scores prices depend on."""
ROUND_UP = 1 + 1e-12
"""Factor of least bids, beyond rounding."""
FEW_SLOTS = 8
"""Slots from which ranks are found by ordering the scores, not by comparison with the score in each rank."""


@dataclass(frozen=True)
class Terms:
    """Terms of auctions; the numbers are NumPy's, or arrays by game, (B,), of the backend of the bids.

    Attributes:
        slots: alpha, (K,), not rising, at most one a bidder.
        pricing: see the module.
        reserve: least score that takes part, at least 0.
        entry_fee: paid by everybody who takes part.
        mix: share of the own score in the price, of ``first`` and ``next``; None for what ``pricing`` says.
        weights: w, a factor of net bids, (n, 1) or (n, B); None for 1.
        handicaps: c, subtracted from bids, (n, 1) or (n, B); None for 0.
        qualities: factor of shares, and of what is paid for them, (n, 1); None for 1.
    """

    slots: np.ndarray
    pricing: str
    reserve: Array | float = 0.0
    entry_fee: Array | float | None = None
    mix: Array | float | None = None
    weights: Array | None = None
    handicaps: Array | None = None
    qualities: Array | None = None

    @property
    def depth(self) -> int:
        """Number of ranks whose scores shares and prices depend on."""
        return len(self.slots) + (AHEAD[self.pricing] if self.mix is None else 1)


def hold(bids: Array, terms: Terms) -> tuple[Array, Array]:
    """Hold auctions.

    Args:
        bids: (n, B), at least 0: bidders first.
        terms: slots, pricing, and what was announced.

    Returns:
        Shares (n, B), each at most the largest slot, and payments (n, B), at least 0.
    """
    scores = bids if terms.handicaps is None else bids - terms.handicaps
    scores = scores if terms.weights is None else scores * terms.weights
    inside = floats((bids > 0) & (scores >= terms.reserve), bids)
    scores = _set_out(scores, 1 - inside)
    if len(terms.slots) == 1 and terms.pricing != "skip":
        rule = of_one
    else:
        rule = by_rank if len(terms.slots) < FEW_SLOTS else by_order
    shares, charges = rule(scores, terms)
    if terms.pricing == "all_pay":
        payments = bids * inside
    else:
        payments = charges if terms.weights is None else charges / terms.weights
        payments = payments if terms.handicaps is None else payments + shares * terms.handicaps
        payments = payments if terms.qualities is None else payments * terms.qualities
    shares = shares if terms.qualities is None else shares * terms.qualities
    if terms.entry_fee is not None:
        payments = payments + inside * terms.entry_fee
    return shares, payments


def least_bids(terms: Terms, bids: Array) -> Array:
    """Compute the bids (n, B) whose scores are the reserve, in the form of ``bids`` (n, B).

    Where bids are weighted or shifted it is up by more than rounding, so that no such score is below the reserve.
    """
    least = namespace(bids).zeros_like(bids) + terms.reserve
    if terms.weights is not None:
        least = least / terms.weights * ROUND_UP
    return least if terms.handicaps is None else (least + terms.handicaps) * ROUND_UP


def of_one(scores: Array, terms: Terms) -> tuple[Array, Array]:
    """Compute shares and charges (n, B) of a single slot from scores (n, B), by the two highest."""
    xp = namespace(scores)
    top = xp.max(scores, axis=0)
    tied = floats((scores == top) & (scores >= 0), scores)
    among = xp.sum(tied, axis=0)
    shares = tied * (float(terms.slots[0]) / xp.where(among > 0, among, xp.ones_like(among)))
    if terms.pricing == "all_pay":
        return shares, xp.zeros_like(shares)
    price = top
    if terms.depth > 1:
        # Whoever is tied or out counts as 0 here, which is no more than the reserve.
        below = xp.maximum(xp.max(scores * (1 - tied), axis=0), xp.zeros_like(top) + terms.reserve)
        following = xp.where(among > 1, top, below)
        price = following if terms.mix is None else terms.mix * top + (1 - terms.mix) * following
    return shares, shares * price


def by_rank(scores: Array, terms: Terms) -> tuple[Array, Array]:
    """Compute shares and charges (n, B) by comparison of scores (n, B) with the score in each rank that has a slot."""
    xp, slots = namespace(scores), len(terms.slots)
    top = highest(scores, terms.depth)
    tied = floats(top[:slots, None] == scores, scores)  # (K, n, B): who has the score in rank k
    shared = floats(top[:slots] >= 0, scores) / xp.sum(tied, axis=1)
    apart = tied * shared[:, None]
    shares = xp.sum(apart * constant(terms.slots, scores)[:, None, None], axis=0)
    return shares, xp.sum(apart * amounts(top, terms)[:, None], axis=0)


def by_order(scores: Array, terms: Terms) -> tuple[Array, Array]:
    """Compute shares and charges (n, B) from the order of scores (n, B): by the first and the last rank of each tie."""
    xp, n, slots = namespace(scores), len(scores), len(terms.slots)
    order = xp.argsort(-scores.T, axis=-1)
    ranked = _along(scores.T, order)
    among = amounts(_padded(ranked.T, terms.depth), terms).T
    cumulated = xp.concat([xp.zeros_like(among[:, :1]), xp.cumulative_sum(among, axis=-1)], axis=-1)
    ranks = xp.arange(n, device=order.device) + xp.zeros_like(order)
    differs = ranked[:, 1:] != ranked[:, :-1]
    apart = xp.ones_like(differs[:, :1])
    above = _running_largest(xp.where(xp.concat([apart, differs], axis=-1), ranks, xp.zeros_like(ranks)))
    ending = xp.flip(xp.concat([differs, apart], axis=-1), axis=-1)
    below = n - xp.flip(_running_largest(xp.where(ending, ranks, xp.zeros_like(ranks))), axis=-1)  # h + t
    first, last = xp.clip(above, 0, slots), xp.clip(below, 0, slots)
    size = xp.where(ranked >= 0, 1 / floats(below - above, scores), xp.zeros_like(ranked))
    heights = constant(np.append(0.0, np.cumsum(terms.slots)), scores)
    places = xp.argsort(order, axis=-1)
    shares = _along((heights[last] - heights[first]) * size, places)
    return shares.T, _along((_along(cumulated, last) - _along(cumulated, first)) * size, places).T


def amounts(top: Array, terms: Terms) -> Array:
    """Compute what each slot is sold for, in scores, alpha_k times its price, (K, B), by the scores in rank (m, B)."""
    xp, slots = namespace(top), len(terms.slots)
    sizes = constant(terms.slots, top)[:, None]

    def after(ranks: int) -> Array:
        """Compute the score so many ranks below each slot, the reserve at least."""
        return xp.maximum(top[ranks : ranks + slots], xp.zeros_like(top[:slots]) + terms.reserve)

    if terms.pricing == "all_pay":
        return xp.zeros_like(top[:slots])
    if terms.pricing == "vcg":
        steps = constant(terms.slots - np.append(terms.slots[1:], 0.0), top)[:, None]
        return xp.flip(xp.cumulative_sum(xp.flip(steps * after(1), axis=0), axis=0), axis=0)
    if terms.pricing == "skip":
        return sizes * after(2)
    if terms.mix is None:
        return sizes * (top[:slots] if terms.pricing == "first" else after(1))
    return sizes * (terms.mix * top[:slots] + (1 - terms.mix) * after(1))


def highest(scores: Array, m: int) -> Array:
    """Return the scores in ranks 1 to m, (m, B), of scores (n, B), equal ones in as many ranks; -1 where nobody is."""
    xp, n = namespace(scores), len(scores)
    if m > 3:
        return _padded(xp.flip(xp.sort(scores, axis=0), axis=0)[: min(m, n)], m)
    left, levels, reached = scores, [xp.max(scores, axis=0)], [xp.zeros_like(scores[0])]
    for _ in range(m - 1):
        here = floats(left == levels[-1], scores)
        reached.append(reached[-1] + xp.sum(here, axis=0))  # how many have this level, or a higher one
        left = _set_out(left, here)
        levels.append(xp.max(left, axis=0))
    return xp.stack([_at_rank(rank, levels, reached) for rank in range(m)])


def _at_rank(rank: int, levels: list[Array], reached: list[Array]) -> Array:
    """Return the score (B,) in a rank, from 0, by the distinct scores and how many have one that is higher."""
    score = levels[0]
    for level, above in zip(levels[1 : rank + 1], reached[1 : rank + 1], strict=True):
        score = namespace(level).where(above <= rank, level, score)
    return score


def _set_out(scores: Array, out: Array) -> Array:
    """Return scores with -1 where ``out`` is 1 and not 0: several times as fast as a choice, and as exact."""
    return scores * (1 - out) - out


def _padded(top: Array, m: int) -> Array:
    """Return scores in rank (m, B), -1 in those beyond the ones given."""
    xp, missing = namespace(top), m - len(top)
    nobody = xp.zeros_like(top[:1]) + OUT
    return top[:m] if missing <= 0 else xp.concat([top, *(nobody,) * missing], axis=0)


def _along(x: Array, places: Array) -> Array:
    """Return the entries of each row of ``x`` (B, n) at ``places`` (B, m)."""
    xp = namespace(x)
    rows = xp.arange(x.shape[0], device=places.device)[:, None] * x.shape[1]
    return xp.reshape(x, (-1,))[rows + places]


def _running_largest(x: Array) -> Array:
    """Return the largest entry so far along the last axis."""
    return np.maximum.accumulate(x, axis=-1) if type(x) is np.ndarray else namespace(x).cummax(x, -1)[0]
