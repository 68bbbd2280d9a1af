"""What the boosts of a dynamic affine maximiser amount to: reserve prices, and prices of coming by.

Boosts by themselves say little: what is added to an action here and taken off all that follow it there changes nothing,
and of many ways to the same outcome only the one with the greatest boosts counts. What they make a participant pay to
change the outcome, all others being silent, is free of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.gridworld.game import Gridworld
from lawgiver.envs.sequential_sales.game import SequentialSales
from lawgiver.envs.solvers.auctions.distributions import Distribution

RESOLUTION = 4096
"""Parts into which a range is cut where a price is looked for."""


@dataclass(frozen=True)
class Reserve:
    """What a bidder's value has to exceed so that it is sold an item rather than nobody.

    Attributes:
        bidder: from 0.
        served: how many others are served.
        round: in which it is sold the item, from 0; None where the best round is meant.
        price: in money.
    """

    bidder: int
    served: int
    round: int | None
    price: float


def reserves(game: SequentialSales, log_weights: np.ndarray, boosts: np.ndarray) -> tuple[Reserve, ...]:
    """Return reserve prices (B(T) - B(T and i)) / w_i, with B(T) the greatest boosts along a path that serves T alone.

    Such a price holds for bidder i and the others T that are served with it or without it: all that boosts do to what
    is sold to whom goes through B.

    Args:
        game: that is played.
        log_weights: log w, (n,).
        boosts: b, (S, A).
    """
    along, served = _paths(game, boosts)
    best: dict[int, float] = {}
    for value, buyers in zip(along.tolist(), served, strict=True):
        best[buyers] = max(value, best.get(buyers, -np.inf))
    return tuple(
        Reserve(i, others.bit_count(), None, float((best[others] - best[others | 1 << i]) / np.exp(log_weights[i])))
        for others in sorted(best)
        if others.bit_count() < game.m
        for i in range(game.n)
        if not others >> i & 1
    )


def reserves_by_round(game: SequentialSales, log_weights: np.ndarray, boosts: np.ndarray) -> Iterator[Reserve]:
    """Yield the same history by history: of a sale now, compared with serving nobody anew now; nobody is later.

    Most histories are never reached, as there are many orders of the same sales, and their boosts are as they began.

    Args:
        game: that is played.
        log_weights: log w, (n,).
        boosts: b, (S, A).
    """
    along, served = _paths(game, boosts)
    actions, weights = game.n + 1, np.exp(log_weights)
    for t in range(game.m):
        ways = along.reshape(actions**t, actions, -1)
        ends = served.reshape(actions**t, actions, -1)
        for way, end in zip(ways, ends, strict=True):
            now = end[-1, -1]  # served so far: the last path of all serves nobody from here on
            kept = way[end == now].max()
            for i in range(game.n):
                if not now >> i & 1:
                    sold = way[i][end[i] == now | 1 << i].max()
                    yield Reserve(i, now.bit_count(), t, float((kept - sold) / weights[i]))


def _paths(game: SequentialSales, boosts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the boosts along every path (L,), and whom it serves, a bit a bidder (L,): Python's ints, of any size."""
    paths = game.mdp.paths
    bits = np.array([*(1 << i for i in range(game.n)), 0], dtype=object)[paths % (game.n + 1)]
    return np.asarray(boosts, float).ravel()[paths].sum(axis=1), np.bitwise_or.reduce(bits, axis=1)


def myerson_reserve(distribution: Distribution) -> float:
    """Return the least value whose ironed virtual value is not negative: the best price for one bidder alone."""
    values = np.linspace(distribution.low, distribution.high, RESOLUTION + 1)
    return float(values[np.argmax(np.asarray(distribution.virtual_value(values)) >= -1e-12)])


def entry_prices(game: Gridworld, boosts: np.ndarray) -> np.ndarray:
    """Return what an entry has to be worth to a participant of weight 1 alone so that the walk comes by at all.

    Args:
        game: that is played.
        boosts: b, (S, A).

    Returns:
        (m^2,), in the unit of values, to 1/4096 of the greatest one: 0 where the walk comes by for nothing, infinity
        where not even the greatest value brings it, NaN for the start, which is nobody's goal.
    """
    goals = np.arange(1, game.m**2)
    enters = (game.successors == goals[:, None, None]).astype(float)

    def comes_by(values: np.ndarray) -> np.ndarray:
        _, policy = game.mdp.optimal(values[:, None, None] * enters + np.asarray(boosts, float))
        return np.asarray((game.mdp.occupancy(policy) * enters).sum(axis=(-2, -1)) > 1e-9)

    most = game.type_range[1]
    low, high = np.zeros(goals.size), np.full(goals.size, most)
    prices = np.where(comes_by(low), 0.0, np.where(comes_by(high), high, np.inf))
    while (high - low).max() > most / RESOLUTION:
        middle = (low + high) / 2
        enough = comes_by(middle)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.concatenate([[np.nan], np.where(prices == most, high, prices)])
