"""Reserve prices and entry prices implied by the boosts of a dynamic affine maximiser.

Boosts are not identified: adding a number to an action and subtracting it from all actions that follow changes nothing,
and of several paths to the same outcome only the one with the greatest boosts counts. The price that a participant pays
to change the outcome, while all others report nothing, depends on neither.
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
    """The value above which a bidder is sold an item that would otherwise be sold to nobody.

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
    """Compute reserve prices (B(T) - B(T and i)) / w_i, with B(T) the greatest boosts along a path that serves T alone.

    Such a price holds for bidder i and the others T that are served with it or without it: all that boosts do to what
    is sold to whom goes through B.

    Args:
        game: whose mechanism it is.
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
    """Yield the reserve prices history by history: of a sale in this round rather than none, and no later sales.

    Most histories are never reached, as the same sales come in many orders, and keep their initial boosts.

    Args:
        game: whose mechanism it is.
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
    """Sum the boosts along each path (L,), and encode its buyers, one bit a bidder (L,), as Python ints."""
    paths = game.mdp.paths
    bits = np.array([*(1 << i for i in range(game.n)), 0], dtype=object)[paths % (game.n + 1)]
    return np.asarray(boosts, float).ravel()[paths].sum(axis=1), np.bitwise_or.reduce(bits, axis=1)


def myerson_reserve(distribution: Distribution) -> float:
    """Compute Myerson's reserve, the least value whose ironed virtual value is not negative."""
    values = np.linspace(distribution.low, distribution.high, RESOLUTION + 1)
    return float(values[np.argmax(np.asarray(distribution.virtual_value(values)) >= -1e-12)])


def entry_prices(game: Gridworld, boosts: np.ndarray) -> np.ndarray:
    """Compute the least value of entering a cell at which the walk comes by for a lone participant of weight 1.

    Args:
        game: whose mechanism it is.
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
