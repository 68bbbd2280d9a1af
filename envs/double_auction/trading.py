"""Who trades in a double auction, and at which prices: pure functions of bids and asks.

Bids are sorted down, b_1 >= b_2 >= ..., and asks up, a_1 <= a_2 <= ...; an ask counts with the spread that the market
keeps of every trade, a' = a + spread. The efficient number of trades q is the largest with b_q >= a'_q. Prices are
those that buyers pay; a seller receives the spread less.

*k-double auction* (Chatterjee and Samuelson 1983; Rustichini, Satterthwaite and Williams 1994): q trades at
k u + (1 - k) l, between l = max(a'_q, b_{q+1}) and u = min(b_q, a'_{q+1}), which between one buyer and one seller are
the ask and the bid.

*McAfee's auction* (1992): q trades at p = (b_{q+1} + a'_{q+1}) / 2 where that lies in [a'_q, b_q]; else q - 1 trades,
at which buyers pay b_q and sellers' price is a'_q. Where there is no further bid or ask, the least or the greatest
possible takes its place. Nobody's own bid moves its price, so that truth is a dominant strategy.

Equal bids at the margin share the trades that are left.
"""

from __future__ import annotations

from typing import NamedTuple

from lawgiver.envs.core.arrays import Array, floats, namespace, total


class Trades(NamedTuple):
    """Expected trades of each buyer (B, N) and seller (B, M), and the price of either side, (B, 1), with the spread."""

    bought: Array
    sold: Array
    buyers_price: Array
    sellers_price: Array


class _Margin(NamedTuple):
    """Ranked bids and asks, (B, q_max + 1), and what there is at the margin, each (B, 1)."""

    bids: Array
    asks: Array
    count: Array
    bid: Array
    ask: Array
    next_bid: Array
    next_ask: Array


def k_double(bids: Array, asks: Array, k: Array, most: Array) -> Trades:
    """Trade at a price between the marginal offers; see the module's docstring.

    Args:
        bids: what buyers offer, (B, N), >= 0.
        asks: what sellers ask, with the spread, (B, M).
        k: weight of the upper end of the interval of prices, (B, 1), in [0, 1].
        most: greatest possible ask, with the spread, (B, 1).
    """
    xp, margin = namespace(bids), _margin(bids, asks, most)
    upper = xp.minimum(margin.bid, margin.next_ask)
    lower = xp.maximum(margin.ask, margin.next_bid)
    price = k * upper + (1 - k) * lower
    return Trades(*_trades(bids, asks, margin, margin.count), price, price)


def mcafee(bids: Array, asks: Array, most: Array) -> Trades:
    """Trade at McAfee's prices; arguments are those of :func:`k_double`."""
    xp, margin = namespace(bids), _margin(bids, asks, most)
    price = (margin.next_bid + margin.next_ask) / 2
    fits = (margin.ask <= price) & (price <= margin.bid)
    count = xp.where(fits, margin.count, xp.maximum(margin.count - 1, xp.zeros_like(most)))
    buyers_price, sellers_price = xp.where(fits, price, margin.bid), xp.where(fits, price, margin.ask)
    return Trades(*_trades(bids, asks, margin, count), buyers_price, sellers_price)


def _margin(bids: Array, asks: Array, most: Array) -> _Margin:
    xp = namespace(bids)
    size = min(bids.shape[-1], asks.shape[-1]) + 1
    down = xp.concat([-xp.sort(-bids, axis=-1), xp.zeros_like(most)], axis=-1)[..., :size]
    up = xp.concat([xp.sort(asks, axis=-1), most], axis=-1)[..., :size]
    count = total(floats(down[..., :-1] >= up[..., :-1], bids))[..., None]
    marginal = (_ranked(offers, count - last) for last in (1, 0) for offers in (down, up))
    return _Margin(down, up, count, *marginal)


def _ranked(offers: Array, rank: Array) -> Array:
    """Pick the offer (B, 1) of each rank (B, 1), counted from 0; zero where there is none."""
    xp = namespace(offers)
    ranks = xp.cumulative_sum(xp.ones_like(offers), axis=-1) - 1
    return total(xp.where(ranks == rank, offers, xp.zeros_like(offers)))[..., None]


def _trades(bids: Array, asks: Array, margin: _Margin, count: Array) -> tuple[Array, Array]:
    return _served(bids, margin.bids, count), _served(-asks, -margin.asks, count)


def _served(offers: Array, ranked: Array, count: Array) -> Array:
    """Serve the ``count`` (B, 1) highest of ``offers`` (B, N): equal ones at the margin share what is left."""
    xp = namespace(offers)
    last = _ranked(ranked, count - 1)
    ahead, level = floats(offers > last, offers), floats(offers == last, offers)
    tied = total(level)[..., None]
    left = (count - total(ahead)[..., None]) / xp.maximum(tied, xp.ones_like(tied))
    return floats(count > 0, offers) * (ahead + level * left)
