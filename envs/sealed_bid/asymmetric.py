r"""Equilibria of bidders whose private values have different distributions.

**Truthful prices.** To bid the own value is a dominant strategy of ``vcg``, and of ``next`` with one slot. Bidder i
expects the share x_i(v), by its rank among the others' values, and the payoff int (1 - F_i) x_i.

**First price, two bidders, uniform values** on [low_i, high_i] with low_1 <= low_2, no reserve. Let phi_i(b) be the
value that bids b. First-order conditions: phi_j' (phi_i - b) = phi_j - low_j. Their sum integrates: with m = (low_1 +
low_2) / 2, s = b - m and psi = phi_1 - low_1,

    (phi_1 - b) (phi_2 - b) = s^2,    psi' = psi (phi_1 - b) / s^2,

from the least winning bid m up to the common greatest one, (high_1 high_2 - m^2) / (high_1 + high_2 - 2 m). The second
is linear in 1 / psi. With d = m - low_1 and C such that the greatest value bids it,

    1 / psi = C s exp(-d / s) + (d - s) / d^2,    or, for d = 0,    1 / psi = C s + 1 / (2 s).

Bidder 1 bids its value where that is below m, and wins with none. For d = 0 these are the bids (1 - sqrt(1 - k v^2)) /
(k v), k = 1 / high_i^2 - 1 / high_j^2, of Krishna, section 4.3, and for d > 0 the first of the equilibria of Kaplan and
Zamir (2012): there are others, which differ in what the bids are of types that never win.

**First price, two bidders, any densities** from a common lowest value. With l_i(b) = ln F_i(phi_i(b)) it is l_1' = 1 /
(phi_2 - b), and the same with 1 and 2 exchanged. It is solved downwards from a common greatest bid, which is sought
such that both values meet the lowest bid where they should: too great a one makes a value meet its bid before.

**First price, two bidders, a reserve r that one of them cannot gain by**, at or above its greatest value: it stays out,
and the other bids r with every value above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.registry import extras
from lawgiver.envs.sealed_bid.quadrature import edges, integral
from lawgiver.envs.sealed_bid.symmetric import CELLS
from lawgiver.envs.solvers.auctions.distributions import Distribution

SMALLEST = 1e-9
"""Distance of a value from its bid, as a share of the range of values, at which the lowest bid is met."""
LEVELS = 2**14
"""Bids in the table of a numerical solution, between which it is linear."""


@dataclass(frozen=True)
class Truthful:
    """Bidders who bid their values, where that is a dominant strategy.

    Attributes:
        distributions: of values, one a bidder.
        slots: sizes of the slots times the bidders' quality, (K,).
        least: the least bid that takes part.
    """

    distributions: tuple[Distribution, ...]
    slots: tuple[float, ...]
    least: float = 0.0

    @cached_property
    def breaks(self) -> list[float]:
        """Values between which distributions are smooth."""
        return [float(edge) for each in self.distributions for edge in edges(each)]

    def _in_rank(self, others: tuple[Distribution, ...], t: np.ndarray) -> Array:
        """Compute the probability that 0, 1, .. of some bidders have a value above ``t`` (...), (K + 1, ...).

        The last row is K or more.
        """
        chances = np.zeros((len(self.slots) + 1, *t.shape))
        chances[0] = 1.0
        for each in others:
            moved = (1 - each.cdf(t)) * chances[:-1]
            chances[:-1] -= moved
            chances[1:] += moved
        return chances

    def _over(self, function: Any) -> float:
        top = np.array(max(self.breaks))
        return float(integral(function, self.least, top, self.breaks)) if top > self.least else 0.0

    def payoff(self, seat: int) -> float:
        """Compute the expected payoff of a bidder."""
        own, others = self.distributions[seat], self.distributions[:seat] + self.distributions[seat + 1 :]
        return self._over(lambda t: (1 - own.cdf(t)) * np.tensordot(self.slots, self._in_rank(others, t)[:-1], 1))

    def outcome(self) -> dict[str, Any]:
        """Compute expected revenue, welfare, and each bidder's payoff."""

        def sold(t: np.ndarray) -> Array:
            """Compute the expected size of the slots that values above t get."""
            cumulated = np.append(0.0, np.cumsum(self.slots))
            return np.tensordot(cumulated, self._in_rank(self.distributions, t), 1)

        welfare = self.least * float(sold(np.array(self.least))) + self._over(sold)
        payoffs = tuple(self.payoff(seat) for seat in range(len(self.distributions)))
        return {"revenue": welfare - sum(payoffs), "welfare": welfare, "payoff": payoffs}


class FirstPrice:
    """First-price auction of one item between two bidders; see the module's docstring.

    Attributes:
        distributions: of the two values.
    """

    distributions: tuple[Distribution, Distribution]

    @property
    def bottom(self) -> float:
        """The least bid that wins."""
        raise NotImplementedError

    @property
    def top(self) -> float:
        """The greatest bid of both."""
        raise NotImplementedError

    @property
    def lowest_rival(self) -> float:
        """The least bid that a deviation could win with, against who bids its value and never wins."""
        return self.bottom

    def inverse(self, seat: int, bids: np.ndarray) -> Array:
        """Compute phi, the values (...) at which a bidder makes bids (...) between ``bottom`` and ``top``."""
        raise NotImplementedError

    def bids(self, seat: int, values: np.ndarray) -> Array:
        """Compute the bids (...) of values (...); a value below ``bottom`` bids itself, and never wins."""
        v = np.asarray(values, float)
        low, high = np.full(v.shape, self.bottom), np.full(v.shape, self.top)
        for _ in range(60):
            middle = (low + high) / 2
            below = self.inverse(seat, middle) < v
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.where(v < self.bottom, v, (low + high) / 2)

    def below(self, seat: int, bids: np.ndarray) -> Array:
        """Return the probability (...) that a bidder bids less than ``bids`` (...)."""
        value = self.inverse(seat, np.clip(bids, self.bottom, self.top))
        return self.distributions[seat].cdf(np.where(bids < self.bottom, bids, value))

    def outcome(self) -> dict[str, Any]:
        """Compute expected revenue, welfare, and each bidder's payoff."""
        cuts = [float(b) for b in np.linspace(self.bottom, self.top, 9)]
        lost = integral(lambda b: self.below(0, b) * self.below(1, b), self.bottom, np.array(self.top), cuts)
        revenue = self.top - float(lost) - self.bottom * float(self.below(0, self._least) * self.below(1, self._least))
        payoffs = tuple(self._payoff(seat) for seat in (0, 1))
        return {"revenue": revenue, "welfare": revenue + sum(payoffs), "payoff": payoffs}

    @property
    def _least(self) -> Array:
        return np.array(self.bottom)

    def _payoff(self, seat: int) -> float:
        own = self.distributions[seat]
        start = max(own.low, self.bottom)
        cuts = [*(float(v) for v in np.linspace(start, own.high, 9)), *(float(v) for v in edges(own))]
        pieces = own.pieces

        def weighted(v: np.ndarray) -> Array:
            bids = self.bids(seat, v)
            place = np.clip(np.searchsorted(pieces.starts, v, side="right") - 1, 0, None)
            return (v - bids) * self.below(1 - seat, bids) * pieces.densities[place]

        return float(integral(weighted, start, np.array(own.high), cuts))

    def gain(self, cells: int = CELLS) -> float:
        """Compute the most that a type gains by another bid, of those on a grid up to ``top``."""
        bids = np.linspace(self.lowest_rival, self.top, cells)
        gains = []
        for seat, own in enumerate(self.distributions):
            v = np.linspace(own.low, own.high, 129)[:, None]
            kept = (v[:, 0] - (b := self.bids(seat, v[:, 0]))) * self.below(1 - seat, b)
            gains.append(
                ((v - bids) * self.below(1 - seat, bids)).max(axis=1) - np.where(v[:, 0] < self.bottom, 0, kept)
            )
        return float(max(each.max() for each in gains))


@dataclass(frozen=True)
class Unrivalled(FirstPrice):
    """Two bidders, one of whom has no value above the reserve, in closed form.

    Attributes:
        distributions: of the two values.
        least: the reserve, at or above the greatest value of one of them.
    """

    distributions: tuple[Distribution, Distribution]
    least: float

    @property
    def bottom(self) -> float:
        """The reserve."""
        return self.least

    @property
    def top(self) -> float:
        """The reserve, which is the only bid."""
        return self.least

    def bids(self, seat: int, values: np.ndarray) -> Array:
        """Compute the bids (...) of values (...): the reserve, or 0 for a value below it, which stays out."""
        return np.where(np.asarray(values, float) >= self.least, self.least, 0.0)

    def outcome(self) -> dict[str, Any]:
        """Compute expected revenue, welfare, and each bidder's payoff."""
        sold = sum(float(1 - each.cdf(np.array(self.least))) for each in self.distributions if self.least < each.high)
        payoffs = tuple(self._payoff(seat) for seat in (0, 1))
        return {"revenue": self.least * sold, "welfare": self.least * sold + sum(payoffs), "payoff": payoffs}

    def _payoff(self, seat: int) -> float:
        own = self.distributions[seat]
        cuts = [float(edge) for edge in edges(own)]
        top = np.array(own.high)
        return float(integral(lambda v: 1 - own.cdf(v), self.least, top, cuts)) if self.least < own.high else 0.0

    def gain(self, cells: int = CELLS) -> float:
        """Compute the most that a type gains by another bid: of whoever stays out, at the reserve."""
        return max(0.0, min(each.high for each in self.distributions) - self.least)


@dataclass(frozen=True)
class UniformFirstPrice(FirstPrice):
    """Two bidders with uniform values, in closed form; the lowest value of the first is at most that of the second."""

    distributions: tuple[Distribution, Distribution]

    @property
    def bottom(self) -> float:
        """m, the mean of the lowest values."""
        return (self.distributions[0].low + self.distributions[1].low) / 2

    @property
    def top(self) -> float:
        """The bid of both greatest values."""
        one, other = (each.high for each in self.distributions)
        return (one * other - self.bottom**2) / (one + other - 2 * self.bottom)

    @property
    def lowest_rival(self) -> float:
        """The lowest value of the first bidder."""
        return self.distributions[0].low

    @cached_property
    def _constant(self) -> float:
        """C."""
        s, d = self.top - self.bottom, self.bottom - self.distributions[0].low
        reached = 1 / (self.distributions[0].high - self.distributions[0].low)
        if not d:
            return (reached - 1 / (2 * s)) / s
        return float((reached - (d - s) / d**2) * np.exp(d / s) / s)

    def inverse(self, seat: int, bids: np.ndarray) -> Array:
        """Compute phi, the values (...) at which a bidder makes bids (...) between ``bottom`` and ``top``."""
        s, d = np.asarray(bids, float) - self.bottom, self.bottom - self.distributions[0].low
        inside = s > 0
        s = np.where(inside, s, self.top - self.bottom)
        if d:
            rest = d**2 * self._constant * s * np.exp(-d / s)
            apart = (s**2 - (d + s) * rest) / (d - s + rest)  # phi_1 - b, without the loss of digits of its definition
        else:
            square = 2 * self._constant * s**2
            apart = s * (1 - square) / (1 + square)
        apart = apart if seat == 0 else s**2 / apart
        start = max(self.distributions[seat].low, self.bottom)
        return np.where(inside, bids + apart, start)


@dataclass(frozen=True)
class SolvedFirstPrice(FirstPrice):
    """Two bidders with any densities from a common lowest value, by a differential equation; needs scipy.

    Attributes:
        distributions: of the two values.
        least: reserve, above which types take part.
    """

    distributions: tuple[Distribution, Distribution]
    least: float = 0.0

    @property
    def bottom(self) -> float:
        """The reserve, or the lowest value where that is above it."""
        return max(self.distributions[0].low, self.least)

    @property
    def top(self) -> float:
        """The bid of both greatest values."""
        return float(self._table[0][-1])

    def inverse(self, seat: int, bids: np.ndarray) -> Array:
        """Compute phi, the values (...) at which a bidder makes bids (...) between ``bottom`` and ``top``."""
        return np.asarray(np.interp(bids, self._table[0], self._table[1][seat]))

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """Ascending bids (m,), and the values (2, m) that make them."""
        start, ends = self.bottom, [each.high for each in self.distributions]
        low, high = start, min(ends)
        for _ in range(40):
            middle = (low + high) / 2
            met = self._from(middle).t[-1]
            low, high = (low, middle) if met > start + SMALLEST * (high - start) else (middle, high)
        found = self._from(low)
        bids = start + (low - start) * np.linspace(0, 1, LEVELS) ** 2  # dense where bids start to differ from values
        reached = bids >= found.t[-1]
        values = self._values(found.sol(np.where(reached, bids, found.t[-1])))
        return bids, np.maximum.accumulate(np.where(reached, values, bids), axis=1)

    def _values(self, logs: np.ndarray) -> Array:
        """Return the values (2, ...) of logarithms of their distribution functions."""
        return np.stack([np.interp(np.exp(one), *knots) for one, knots in zip(logs, self._knots, strict=True)])

    @cached_property
    def _knots(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Probabilities and values between which the distribution functions are linear."""
        return [(np.append(0.0, np.cumsum(each.masses)), edges(each)) for each in self.distributions]

    def _from(self, top: float) -> Any:
        """Solve downwards from a common greatest bid, to where a value meets its bid or to the lowest bid."""
        with extras("the equilibrium of a first-price auction between bidders who differ"):
            from scipy.integrate import solve_ivp

        closest = SMALLEST * (max(each.high for each in self.distributions) - self.bottom)

        def slopes(bid: float, logs: np.ndarray) -> Array:
            values = self._values(logs)
            return np.asarray(1 / np.maximum(values[::-1] - bid, closest / 2))

        def meets(bid: float, logs: np.ndarray) -> float:
            return float((self._values(logs) - bid).min() - closest)

        meets.terminal = True  # type: ignore[attr-defined]  # how scipy marks events
        return solve_ivp(slopes, (top, self.bottom), [0.0, 0.0], events=meets, rtol=1e-9, atol=1e-11, dense_output=True)
