r"""Equilibria of bidders who are alike, with independent private values.

Let F be the distribution of values, f its density, and let everybody bid by the same increasing function b. The slots
then go by rank of values, and a bidder of value v expects the share

    x(v) = sum_k alpha_k C(n-1, k-1) (1 - F)^(k-1) F^(n-k).

Let rho be the least bid that takes part and e the entry fee. Types from r on take part: the lowest value, or where that
would lose, the one at which (r - rho) x(r) = e. Of risk-neutral bidders the envelope theorem gives the payoff U(v) =
U(r) + X(v), X the integral of x from r, whatever the pricing, and so what they pay, v x - U (Krishna, chapters 2, 3):

    first    b = v - (int_r^v x^k dy + (r - rho) x(r)^k) / x(v)^k,   k = 1
    all_pay  b = v x - X, where r x(r) = rho + e
    next     b = v for one slot, vcg b = v for any
    skip     b = v + F / ((n - 2) f) for one slot, n > 2, without fee

The bid of ``first`` with k = 1 / (1 - risk_aversion) is that of risk-averse bidders, b' = k (x' / x) (v - b), and with
k = 1 / m, of one slot, that of a mix of m first price and 1 - m next price: the same differential equation.

**Generalised second price.** Two bidders, two slots of ratio a: b = v - a (v - rho), whatever F. Three bidders, two
slots, F uniform on [0, 1], no reserve: with S(v) the integral of b,

    b = v - a (v^2 - S) / D,   S = D^p int_0^v y (a + (1 - 2 a) y) D(y)^(-1-p) dy,
    D = a + (1 - a) v,         p = a / (1 - a).

For a = 1/2 it is ln(1 + v). It increases if a <= 3/4; beyond there is no equilibrium in which slots go by value.

Integrals are Gauss-Legendre's, piece by piece of the density, with as many nodes as the degree of x^k in F asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil, comb, factorial, log

import numpy as np

from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.sealed_bid.quadrature import MOST_NODES, NODES, Function, density, edges, integral, quadrature
from lawgiver.envs.solvers.auctions.distributions import Distribution

LARGEST_DEGREE = 8192
"""Largest degree of x^k in F, of one slot: a power of F changes at one end alone, where nodes are dense."""
STEEPEST = 0.75
"""Largest ratio of two slots at which the generalised second-price auction of three bidders has an equilibrium here."""
CELLS = 1024
"""Bids among which the best deviation is sought, and cells over which payments are summed."""


@dataclass(frozen=True)
class Alike:
    """Bidders who are alike, under announced terms.

    Attributes:
        n: number of bidders.
        pricing: ``first``, ``next``, ``skip``, ``vcg`` or ``all_pay``.
        slots: sizes of the slots times the bidders' quality, (K,).
        distribution: of values.
        least: rho, the least bid that takes part.
        fee: e, the entry fee.
        mix: share of the own bid in the price, of ``first`` and ``next``; None for what ``pricing`` says.
        power: 1 - risk_aversion.
    """

    n: int
    pricing: str
    slots: tuple[float, ...]
    distribution: Distribution
    least: float = 0.0
    fee: float = 0.0
    mix: float | None = None
    power: float = 1.0

    @property
    def one(self) -> bool:
        """Whether there is one slot."""
        return len(self.slots) == 1

    @property
    def own(self) -> float:
        """Share of the own bid in the price, of ``first`` and ``next``."""
        return float(self.pricing == "first") if self.mix is None else self.mix

    @cached_property
    def breaks(self) -> list[float]:
        """Values between which everything is smooth."""
        return [float(edge) for edge in edges(self.distribution)]

    def share(self, v: np.ndarray) -> Array:
        """Compute x, the expected share (...) of values (...)."""
        return self.share_of(self.distribution.cdf(np.asarray(v, float)))

    def share_of(self, below: np.ndarray) -> Array:
        """Compute the expected share (...) of who has a rival below it with probability ``below`` (...)."""
        found = np.zeros(np.shape(below))
        for k, size in enumerate(self.slots):
            found = found + size * comb(self.n - 1, k) * (1 - below) ** k * below ** (self.n - 1 - k)
        return found

    def _log_share(self, v: np.ndarray) -> Array:
        """Compute ln x (...) of values (...), which no power of many rivals rounds to ln 0."""
        below = self.distribution.cdf(v)
        with np.errstate(divide="ignore"):
            lower, upper = np.log(below), np.log1p(-np.minimum(below, 1.0))
        found = np.full(np.shape(v), -np.inf)
        for k, size in enumerate(self.slots):
            ways = log(size) + log(comb(self.n - 1, k))
            others = (k * upper if k else 0.0) + ((self.n - 1 - k) * lower if k < self.n - 1 else 0.0)
            found = np.logaddexp(found, ways + others)
        return found

    @cached_property
    def exponent(self) -> float:
        """k, of the bids of ``first`` and of mixed prices; else 1."""
        priced = self.pricing in ("first", "next") and self.own > 0
        return 1 / (self.own * self.power) if priced else 1.0

    @property
    def degree(self) -> float:
        """Degree of x^k in F."""
        return (self.n - 1) * self.exponent

    @property
    def nodes(self) -> int:
        """Number of nodes on each piece of the density."""
        return min(max(ceil(self.degree / 2) + 2, NODES), MOST_NODES)

    @cached_property
    def problem(self) -> str | None:
        """Why no equilibrium is known; None if one is."""
        if self.pricing in ("first", "all_pay") and not self.least and len(self.slots) == self.n and self._equal:
            return "everybody gets an equal slot for any bid above 0: the least of them does not exist"
        if self.pricing == "all_pay" or self.truthful:
            return None if self.power == 1 or self.truthful else "no equilibrium of risk-averse bidders is known here"
        if self.pricing == "vcg":
            return "risk-averse bidders are not truthful where slots differ"
        if self.pricing == "skip":
            return self._third_price_problem()
        if self.own == 0:
            return self._next_price_problem()
        if self.own < 1 and not self.one:
            return "no equilibrium is known of several slots at a mixture of first and next price"
        if self.own < 1 and self.power < 1:
            return "no equilibrium of risk-averse bidders is known at a mixed price"
        most = LARGEST_DEGREE if self.one else 2 * MOST_NODES - 1
        if self.degree > most:
            return (
                f"bids integrate a power {self.degree:.4g} of the distribution of values, (n - 1) / ((1 -"
                f" risk_aversion) mix), which is not computed above {most}"
            )
        return None

    @property
    def _equal(self) -> bool:
        return len(set(self.slots)) == 1

    def _third_price_problem(self) -> str | None:
        if not self.one or self.n < 3:
            return "a price two ranks below has a known equilibrium for one slot and three bidders or more"
        if self.fee or self.power < 1:
            return "a price two ranks below has a known equilibrium of risk-neutral bidders without an entry fee"
        if len(self.distribution.pieces.starts) < len(self.distribution.masses):
            return "a price two ranks below has a known equilibrium of values without gaps"
        bids = self._third_price(np.linspace(self.distribution.low, self.distribution.high, CELLS + 1))
        return None if (np.diff(bids) > 0).all() else "bids at a price two ranks below would not rise with the value"

    def _next_price_problem(self) -> str | None:
        if self.power < 1 or self.fee:
            return "a generalised second price has a known equilibrium of risk-neutral bidders without an entry fee"
        if self.n == 2:
            return None if self.slots[1] < self.slots[0] else "nobody has a reason to outbid the other for equal slots"
        uniform = len(self.distribution.masses) == 1 and self.distribution.low == 0
        if self.n != 3 or len(self.slots) != 2 or not uniform or self.least:
            return (
                "a generalised second price has a known equilibrium for two bidders, or for three with values uniform"
                " from 0, two slots and no reserve"
            )
        ratio = self.slots[1] / self.slots[0]
        if ratio > STEEPEST:
            return (
                f"the second slot is {ratio:.3g} of the first, above 3/4: then the generalised second-price auction has"
                " no equilibrium in which slots go by value"
            )
        return None

    @property
    def truthful(self) -> bool:
        """Whether to bid the own value is a dominant strategy."""
        if self.pricing == "vcg":
            return self.power == 1 or self._equal
        return self.pricing in ("first", "next") and self.own == 0 and self.one

    # -- who takes part -----------------------------------------------------------------------------------------

    def _marginal(self, v: float) -> float:
        """Compute the payoff of the lowest type that takes part, if it has the value v."""
        share = float(self.share(np.array(v)))
        return v * share - self.least * (1.0 if self.pricing == "all_pay" else share) - self.fee

    @cached_property
    def cutoff(self) -> float:
        """The lowest value r that takes part; the greatest if nobody does."""
        low, high = self.distribution.low, self.distribution.high
        low = low if self.pricing == "all_pay" else max(low, self.least)
        if low >= high:
            return high
        if self._marginal(low) >= 0:
            return low
        while low < (middle := (low + high) / 2) < high:
            low, high = (middle, high) if self._marginal(middle) < 0 else (low, middle)
        return high

    @cached_property
    def floor(self) -> float:
        """The payoff U(r) of the lowest type that takes part, 0 unless that is the lowest value."""
        return max(self._marginal(self.cutoff), 0.0)

    # -- bids ---------------------------------------------------------------------------------------------------

    def bids(self, values: np.ndarray) -> Array:
        """Compute equilibrium bids (...) of values (...); 0 stays out."""
        v = np.clip(np.asarray(values, float), self.cutoff, self.distribution.high)
        if self.truthful:
            found = v
        elif self.pricing == "all_pay":
            rents = integral(self.share, self.cutoff, v, self.breaks, self.nodes)
            found = v * self.share(v) - rents - self.floor - self.fee
        elif self.pricing == "skip":
            found = self._third_price(v)
        elif self.own > 0:
            found = self._first_price(v)
        elif self.n == 2:
            found = v - self.slots[1] / self.slots[0] * (v - self.least)
        else:
            found = self._generalised_second_price(v)
        takes_part = (values >= self.cutoff) & (self.cutoff < self.distribution.high)
        return np.where(takes_part, found, 0.0)

    def _first_price(self, v: np.ndarray) -> Array:
        logs = self._log_share(v)
        wins = np.isfinite(logs)  # who never does bids its value
        reached = np.where(wins, logs, 0.0)

        def relative(y: np.ndarray) -> Array:
            """Compute (x(y) / x(v))^k, of y (..., m) up to v (...)."""
            return np.exp(self.exponent * np.minimum(self._log_share(y) - reached[..., None], 0.0))

        lost = integral(relative, self.cutoff, v, self.breaks, self.nodes)
        lost = lost + (self.cutoff - self.least) * relative(np.full((*v.shape, 1), self.cutoff))[..., 0]
        return np.where(wins, v - lost, v)

    def _third_price(self, v: np.ndarray) -> Array:
        return v + self.distribution.cdf(v) / ((self.n - 2) * density(self.distribution, v))

    def _generalised_second_price(self, v: np.ndarray) -> Array:
        scale, a = self.distribution.high, self.slots[1] / self.slots[0]
        v, p = v / scale, a / (1 - a)

        def inner(y: np.ndarray) -> Array:
            return y * (a + (1 - 2 * a) * y) * (a + (1 - a) * y) ** (-1 - p)

        d = a + (1 - a) * v
        area = d**p * integral(inner, 0.0, v, [0.0, 1.0])
        return scale * (v - a * (v**2 - area) / d)

    # -- what comes of it ---------------------------------------------------------------------------------------

    def outcome(self) -> dict[str, float]:
        """Compute expected revenue, welfare, and a bidder's payoff."""
        high, r, n = self.distribution.high, self.cutoff, self.n

        def over(function: Function) -> float:
            def weighted(v: np.ndarray) -> Array:
                return function(v) * density(self.distribution, v)

            return float(integral(weighted, r, np.array(high), self.breaks, self.nodes))

        welfare = n * over(lambda v: v * self.share(v))
        if self.power == 1:

            def kept(v: np.ndarray) -> Array:
                return self.share(v) * (1 - self.distribution.cdf(v))

            rents = float(integral(kept, r, np.array(high), self.breaks, self.nodes))
            payoff = rents + self.floor * float(1 - self.distribution.cdf(np.array(r)))
            return {"revenue": welfare - n * payoff, "welfare": welfare, "payoff": payoff}
        if self.truthful:
            neutral = Alike(self.n, self.pricing, self.slots, self.distribution, self.least).outcome()
            return neutral | {"payoff": over(self._risky_payoff)}
        revenue = n * over(lambda v: self.bids(v) * self.share(v))
        payoff = over(lambda v: self.share(v) * (v - self.bids(v)) ** self.power)
        return {"revenue": revenue, "welfare": welfare, "payoff": payoff}

    def _risky_payoff(self, v: np.ndarray) -> Array:
        """Compute the payoff (...) of risk-averse bidders of values (...) at the highest bid that gets nothing."""
        rivals, k = self.n - 1, len(self.slots)
        if k > rivals:
            return self.slots[0] * (v - self.least) ** self.power
        r = np.array(self.cutoff)
        alone = self._kth_below(k, self.distribution.cdf(r)) * (v - self.least) ** self.power
        nodes, weights = quadrature(self.nodes)
        s = (nodes + 1) / 2  # y = v - (v - r) s^2 takes the root at y = v away
        y = v[..., None] - (v - r)[..., None] * s**2
        f = density(self.distribution, y) * self._kth_density(k, self.distribution.cdf(y))
        inner = (v[..., None] - y) ** self.power * f * (v - r)[..., None] * s
        return self.slots[0] * (alone + inner @ weights)

    # -- deviations ---------------------------------------------------------------------------------------------

    def _kth_below(self, k: int, below: np.ndarray) -> Array:
        """Return the probability that the k-th highest of n - 1 rivals is below what one of them is with ``below``."""
        rivals = self.n - 1
        found = np.zeros(np.shape(below))
        for j in range(k):
            found = found + float(comb(rivals, j)) * (1 - below) ** j * below ** (rivals - j)
        return found

    def _kth_density(self, k: int, below: np.ndarray) -> Array:
        """Return the slope of :meth:`_kth_below` in ``below``."""
        rivals = self.n - 1
        ways = float(factorial(rivals) // (factorial(k - 1) * factorial(rivals - k)))
        return np.asarray(ways * (1 - below) ** (k - 1) * below ** (rivals - k))

    def gain(self, cells: int = CELLS) -> float:
        """Compute the most that a type gains by the bid of another, or by staying out, of those on a grid of bids.

        What a bid pays is summed up by the rule of the pricing, over the distribution of rivals' bids: nothing here
        relies on the envelope theorem.
        """
        if self.cutoff >= self.distribution.high:
            return max(self._marginal(self.distribution.high), 0.0)
        if self.power < 1 and self.truthful:
            return 0.0  # dominant whatever the utility of money
        cuts = [self.cutoff, *(b for b in self.breaks if b > self.cutoff)]
        y = np.unique(
            np.concatenate([np.linspace(a, b, max(cells // (len(cuts) - 1), 1) + 1) for a, b in pairwise(cuts)])
        )
        if self.n > NODES:  # who may win is within 1 / n of the greatest value, where the even grid is too wide
            dense = self.distribution.quantile(np.linspace(0, 1, cells + 1) ** (1 / (self.n - 1)))
            y = np.unique(np.concatenate([y, dense[dense > self.cutoff]]))
        shares, bids, values = self.share(y), self.bids(y), y[:: max(1, len(y) // 128)]
        if self.power < 1:
            apart = values[:, None] - bids
            payoffs = shares * np.sign(apart) * np.abs(apart) ** self.power
        else:
            payoffs = values[:, None] * shares - self._payments(y, bids) - self.fee
        kept = payoffs[np.arange(len(values)), np.searchsorted(y, values)]
        return float((np.maximum(payoffs.max(axis=1), 0.0) - kept).max())

    def _payments(self, y: np.ndarray, bids: np.ndarray) -> Array:
        """Compute what the bids (m,) of values ``y`` (m,) are expected to pay, by the rule, without the fee."""
        n, below = self.n, self.distribution.cdf(y)
        if self.pricing == "all_pay":
            return bids
        nodes, weights = np.polynomial.legendre.leggauss(8)
        inside = y[:-1, None] + np.diff(y)[:, None] * (nodes + 1) / 2
        played, at = self.bids(inside), self.distribution.cdf(inside)
        mass = density(self.distribution, inside) * np.diff(y)[:, None] / 2 * weights

        def summed(weight: np.ndarray) -> Array:
            """Integrate bids times a weight over the values of a rival, up to each of y."""
            return np.append(0.0, np.cumsum((played * weight * mass).sum(axis=-1)))

        if self.pricing == "vcg":
            steps = np.array(self.slots) - np.append(self.slots[1:], 0.0)
            paid = np.zeros_like(y)
            for k, step in enumerate(steps, start=1):
                if k > n - 1:
                    paid = paid + step * self.least
                    continue
                paid = paid + step * (self.least * self._kth_below(k, below[:1]) + summed(self._kth_density(k, at)))
            return paid
        if self.pricing == "skip":
            m = n - 1
            nobody = below[0] ** m + m * (below - below[0]) * below[0] ** (m - 1)
            return self.least * nobody + m * (m - 1) * (below * summed(at ** (m - 2)) - summed(at ** (m - 1)))
        following = np.zeros_like(y)
        for k, size in enumerate(self.slots):
            m = n - 1 - k
            top = self.least * below[0] ** m + (m * summed(at ** (m - 1)) if m else 0.0)
            following = following + size * float(comb(n - 1, k)) * (1 - below) ** k * top
        return self.own * bids * self.share(y) + (1 - self.own) * following


def solved(setting: Alike) -> Alike | NoSolution:
    """Return the setting if its equilibrium is known, else the reason why it is not."""
    return setting if setting.problem is None else NoSolution(setting.problem)
