r"""Equilibria of bidders who see signals of a worth that they share (Milgrom and Weber 1982; Krishna, chapter 6).

One item, no reserve, no fee. With w(x) the expected worth given that the own signal and the highest of the others are
x, and L the distribution with which the own signal is the highest,

    next     b = w(x),
    first    b = int w(y) dL(y | x),    L(y | x) = exp(-int_y^x g(t | t) / G(t | t) dt).

**Affiliated**, two bidders: w(x) = x, and L(y | x) = (y / x)^2: a first-price bid is 2 x / 3.

**Mineral rights.** Given n signals of which the largest is z, the worth V has a density proportional to V^(-n) on
[z / 2, 1]. With c = z / 2 its mean is (n - 1) / (n - 2) (c^(2-n) - 1) / (c^(1-n) - 1), ln(1 / c) / (1 / c - 1) for two
bidders and 2 z / (2 + z) for three. That is w, since both signals being x the others are below. L(y | x) = (y /
x)^(n-1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.arrays import Array
from lawgiver.envs.sealed_bid.beliefs import worth_given_largest
from lawgiver.envs.sealed_bid.quadrature import integral
from lawgiver.envs.sealed_bid.symmetric import CELLS

TYPES = 48
"""Signals for which the best deviation is sought."""


@dataclass(frozen=True)
class CommonWorth:
    """Bidders with signals of a common worth, for one item.

    Attributes:
        n: number of bidders, 2 if affiliated.
        information: ``affiliated`` or ``mineral_rights``.
        pricing: ``first`` or ``next``.
    """

    n: int
    information: str
    pricing: str

    def bids(self, signals: np.ndarray) -> Array:
        """Compute equilibrium bids (...) of signals (...) in [0, 2]."""
        x = np.asarray(signals, float)
        if self.information == "affiliated":
            return x if self.pricing == "next" else 2 * x / 3
        if self.pricing == "next":
            return worth_given_largest(x, self.n)

        def weighted(y: np.ndarray) -> Array:
            return worth_given_largest(x[..., None] * y, self.n) * (self.n - 1) * y ** (self.n - 2)

        nodes, weights = np.polynomial.legendre.leggauss(48)
        # y = u^3 takes the logarithm at 0 away, that of two bidders
        u = (nodes + 1) / 2
        return np.asarray((weighted(u**3) * 3 * u**2) @ weights / 2)

    def outcome(self) -> dict[str, float]:
        """Compute expected revenue, welfare, and a bidder's payoff."""
        welfare = 1.0 if self.information == "affiliated" else 0.5
        if self.information == "affiliated":
            revenue = 7 / 9 if self.pricing == "first" else 5 / 6
        else:
            revenue = self._mineral_revenue()
        return {"revenue": revenue, "welfare": welfare, "payoff": (welfare - revenue) / self.n}

    def _mineral_revenue(self) -> float:
        """Average the price over the rank that sets it of n signals, uniform on [0, 2 V], and over V."""
        n, nodes = self.n, np.polynomial.legendre.leggauss(64)
        u, weights = (nodes[0] + 1) / 2, nodes[1] / 2
        second = self.pricing == "next"
        rank = n * (n - 1) * (1 - u) * u ** (n - 2) if second else n * u ** (n - 1)
        return float(weights @ self.bids(2 * u[:, None] * u) @ (rank * weights))

    # -- deviations ---------------------------------------------------------------------------------------------

    def gain(self, cells: int = CELLS) -> float:
        """Compute the most that a type gains by the bid of another, of those on a grid of signals."""
        reports = np.linspace(0, 2, cells + 1)
        payoff = self._affiliated_payoffs if self.information == "affiliated" else self._mineral_payoffs
        every = max(1, cells // TYPES)
        own = np.arange(every, cells, every)  # the two ends lie in no interval of worths
        return max(float((found := payoff(reports[at], reports)).max() - found[at]) for at in own)

    def _affiliated_payoffs(self, x: float, reports: np.ndarray) -> Array:
        """Compute the payoffs (m,) of a signal x at the bids of others (m,), against the density of the rival's."""
        low, high = max(0.0, x - 1), min(1.0, x)  # of T, given x

        def won(z: np.ndarray) -> Array:
            chance = np.clip(np.minimum(high, z) - np.maximum(low, z - 1), 0, None) / (high - low)
            paid = z if self.pricing == "next" else 0.0
            return ((x + z) / 2 - paid) * chance

        def met(z: np.ndarray) -> Array:
            return np.clip(np.minimum(high, z) - np.maximum(low, z - 1), 0, None) / (high - low)

        cuts = [low, high, low + 1, high + 1]
        payoffs = integral(won, 0.0, reports, cuts)
        if self.pricing == "first":
            payoffs = payoffs - self.bids(reports) * integral(met, 0.0, reports, cuts)
        return payoffs

    def _mineral_payoffs(self, x: float, reports: np.ndarray) -> Array:
        """Compute the payoffs (m,) of a signal x at the bids of others (m,), over V of density 1 / V on [x / 2, 1]."""
        rivals = self.n - 1

        def reached(v: np.ndarray) -> Array:
            return np.minimum(reports[:, None] / (2 * v), 1.0) ** rivals

        def over(function: Callable[[np.ndarray], Array]) -> Array:
            """Average over V, smooth on either side of half a report."""
            nodes, weights = np.polynomial.legendre.leggauss(32)
            middle = np.clip(reports / 2, x / 2, 1.0)
            total = np.zeros(len(reports))
            for low, high in ((np.full_like(middle, x / 2), middle), (middle, np.ones_like(middle))):
                half = (high - low)[:, None] / 2
                v = low[:, None] + half * (nodes + 1)
                total += (function(v) / v * half) @ weights
            return total / np.log(2 / x)

        if self.pricing == "first":
            return over(lambda v: (v - self.bids(reports)[:, None]) * reached(v))
        cumulated = self._paid_up_to()
        return over(lambda v: v * reached(v) - cumulated(np.minimum(reports[:, None], 2 * v)) / (2 * v) ** rivals)

    def _paid_up_to(self) -> Callable[[np.ndarray], Array]:
        """Return the integral of b(z) (n - 1) z^(n-2) from 0, as a function of its end."""
        powers = np.polynomial.chebyshev.Chebyshev.interpolate(self.bids, 64, domain=[0, 2])

        def weighted(z: np.ndarray) -> Array:
            return np.asarray(powers(z)) * (self.n - 1) * z ** (self.n - 2)

        whole = np.polynomial.chebyshev.Chebyshev.interpolate(weighted, 96, domain=[0, 2]).integ(lbnd=0)
        return lambda ends: np.asarray(whole(ends))
