"""Prices in Nash equilibrium of a single round, and of monopoly, the largest joint profit, under logit demand.

A firm's best reply leaves it a markup of p_i - c_i = mu / (1 - q_i), monopoly all of them the same markup
mu / q_0, with q_0 the share of consumers who buy nothing (Anderson, de Palma and Thisse 1992, chapter 7).

Nash: let H be the denominator of demand. Then log q_i + 1 / (1 - q_i) = (a_i - c_i) / mu - log H, whose left side rises
in q_i, so that H fixes all q_i; and the shares add up to one at a single H. Both are found by bisection. Monopoly:
with x the markup by mu, x = 1 + V exp(-x), V = sum_i exp((a_i - c_i - a_0) / mu), by bisection as well.

    >>> market = Market(quality=(2.0, 2.0), cost=(1.0, 1.0), outside=0.0, scale=0.25)
    >>> nash_prices(market).round(5), monopoly_prices(market).round(5)
    (array([1.47293, 1.47293]), array([1.92498, 1.92498]))
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawgiver.envs.price_competition.demand import Demand, logit_demand

HALVINGS = 200
"""Of a bisection; it stops before where its interval has no number left inside."""


@dataclass(frozen=True)
class Market:
    """Firms and consumers.

    Attributes:
        quality: a_i of each product, (n,).
        cost: c_i of a unit of each, (n,).
        outside: a_0, what a consumer gets who buys nothing.
        scale: mu, > 0.
    """

    quality: tuple[float, ...]
    cost: tuple[float, ...]
    outside: float
    scale: float

    @property
    def worth(self) -> np.ndarray:
        """(a_i - c_i) / mu, (n,)."""
        return np.asarray((np.array(self.quality) - np.array(self.cost)) / self.scale)

    def demand(self, prices: np.ndarray) -> Demand:
        """Compute demand at prices (..., n)."""
        return logit_demand(np.array(self.quality) - prices, self.outside, self.scale)

    def profits(self, prices: np.ndarray) -> np.ndarray:
        """Compute the profit of each firm at prices (..., n)."""
        return np.asarray((prices - np.array(self.cost)) * self.demand(prices).quantities)

    def slopes(self, prices: np.ndarray) -> np.ndarray:
        """Compute the slope of each firm's profit in each price, (n, n): of firm i in the price of firm j."""
        sold = self.demand(prices).quantities
        answers = (np.outer(sold, sold) - np.diag(sold)) / self.scale
        return np.asarray(np.diag(sold) + (prices - np.array(self.cost))[:, None] * answers)


def nash_prices(market: Market) -> np.ndarray:
    """Find the prices (n,) of the Nash equilibrium of a round, which is unique."""
    worth, outside = market.worth, market.outside / market.scale
    every = np.logaddexp.reduce([*worth, outside])

    def odds(log_total: float) -> np.ndarray:
        """Find log(q_i / (1 - q_i)) of each firm, given log H."""
        level = worth - log_total
        low, high = np.minimum(level, 0) - 3, np.log1p(np.maximum(level, 0)) + 3
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if ((middle <= low) | (middle >= high)).all():
                break
            above = -np.logaddexp(0, -middle) + 1 + np.exp(middle) > level
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return np.asarray((low + high) / 2)

    def too_small(log_total: float) -> bool:
        """Test whether shares add up to more than one."""
        shares = -np.logaddexp(0, -odds(log_total))
        return bool(np.logaddexp.reduce([*shares, outside - log_total]) > 0)

    found = odds(_bisected(too_small, outside, float(every)))
    return np.asarray(np.array(market.cost) + market.scale * (1 + np.exp(found)))


def monopoly_prices(market: Market) -> np.ndarray:
    """Find the monopoly prices (n,), at which the sum of all profits is largest."""
    log_v = np.logaddexp.reduce(market.worth - market.outside / market.scale)
    high = 2.0 + max(float(log_v), 0.0)

    def too_small(markup: float) -> bool:
        """Test whether the sum of profits rises in the common markup, in units of mu."""
        return bool(markup <= 1 or np.log(markup - 1) < log_v - markup)

    return np.array(market.cost) + market.scale * _bisected(too_small, 1.0, high)


def _bisected(too_small: object, low: float, high: float) -> float:
    """Find where ``too_small`` turns from true to false between two numbers."""
    assert callable(too_small)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if too_small(middle) else (low, middle)
    return (low + high) / 2
