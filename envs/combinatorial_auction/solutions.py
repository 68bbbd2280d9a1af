r"""Equilibria of two locals and a global bidder (Ausubel and Baranov 2020), and what they are worth, exactly.

Locals have values on [0, 1], the global bidder on [0, 2], all uniform; with probability gamma both locals have the same
value, else independent ones. Without a reserve the global bidder is truthful under every rule but ``first``, and so is
everybody under ``vcg``. Under core-selecting rules a local with value v bids

    nearest_zero   max(0, 1 + ln(gamma + (1 - gamma) v) / (1 - gamma))                                    gamma = 1: v
    nearest_vcg    max(0, 2 / (2 + gamma) (v - (3 - sqrt(9 - (1 - gamma)^2)) / (1 - gamma)))              2 v / 3
    nearest_bid    (ln 2 - ln(2 - (1 - gamma) v)) / (1 - gamma)                                           v / 2

As the global value is uniform, all expectations are quadratic in the locals' bids, so that they take the mean of a bid,
of its square and of its product with the value: one-dimensional integrals of smooth functions.

    >>> from lawgiver.envs.combinatorial_auction import CombinatorialAuction
    >>> game = CombinatorialAuction(correlation=1.0)
    >>> outcome = equilibrium_outcome(game, (0.0,))
    >>> (outcome["payoff"] * 27).round(6).tolist(), round(outcome["revenue"] * 27, 6)
    ([4.0, 4.0, 13.0], 14.0)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.combinatorial_auction.core_rules import shared
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.auction_game import BidFunction, of_levels
from lawgiver.envs.solvers.equilibrium.subgame import checked_parameters

if TYPE_CHECKING:
    from lawgiver.envs.combinatorial_auction.game import CombinatorialAuction

NODES = 64
"""Of Gauss-Legendre quadrature, for functions without kinks."""


def is_llg(bundles: Sequence[Sequence[frozenset[int]]]) -> bool:
    """Test whether the first two of three bidders are locals, and the third is global: one bundle each."""
    if [len(own) for own in bundles] != [1, 1, 1]:
        return False
    (first,), (second,), (both,) = bundles
    return not first & second and bool(first & both) and bool(second & both)


def scale(game: CombinatorialAuction) -> float | NoSolution:
    """Return the locals' greatest value, in the setting of the closed forms: half of the global bidder's."""
    if not game.is_llg or not game.high[0] == game.high[1] == game.high[2] / 2:
        return NoSolution("closed forms are for two locals and a global bidder with twice their greatest value")
    return game.high[0]


def equilibrium_bids(
    game: CombinatorialAuction, parameters: Sequence[float] | np.ndarray, seat: int
) -> BidFunction | NoSolution:
    """Return the equilibrium bids of a seat as a function of its values.

    Truth under ``vcg``, where it is a dominant strategy, with any bundles and reserve.

    Args:
        game: the auction.
        parameters: the announced w, (1,).
        seat: index of the bidder, 0 to n - 1.
    """
    (reserve,) = checked_parameters(game, parameters)
    if (refusal := of_levels(game)) is not None:
        return refusal
    if game.pricing == "vcg":
        return np.asarray
    size = scale(game)
    if isinstance(size, NoSolution):
        return size
    if game.pricing == "first":
        return NoSolution("the equilibrium of first-price package auctions is not known in closed form")
    if reserve > 0:
        return NoSolution(f"the equilibrium under {game.pricing} is known in closed form without a reserve alone")
    if seat == 2:
        return np.asarray
    local = Local(game.pricing, game.correlation)
    return lambda values: size * local.bid(np.asarray(values) / size)


def equilibrium_outcome(
    game: CombinatorialAuction, parameters: Sequence[float] | np.ndarray
) -> Mapping[str, Any] | NoSolution:
    """Compute what the equilibrium of two locals and a global bidder is worth, in expectation, without a reserve.

    Returns:
        ``revenue``, ``welfare``, ``efficiency`` (welfare as a share of the first best), ``surplus`` of the bidders, and
        ``payoff``, of both locals and the global bidder, (3,); :class:`NoSolution` where the equilibrium is not known.
    """
    (reserve,) = checked_parameters(game, parameters)
    size, bids = scale(game), equilibrium_bids(game, parameters, 0)
    if isinstance(size, NoSolution):
        return size
    if isinstance(bids, NoSolution):
        return bids
    if reserve > 0:
        return NoSolution("what the equilibrium is worth is known in closed form without a reserve alone")
    found = Local(game.pricing, game.correlation).outcome()
    return {name: value if name == "efficiency" else size * value for name, value in found.items()}


@dataclass(frozen=True)
class Local:
    """The locals' equilibrium under a rule, ``vcg`` or core-selecting, values on [0, 1]."""

    rule: str
    gamma: float

    @property
    def start(self) -> float:
        """The value up to which a local bids 0."""
        if self.rule == "nearest_vcg":
            return self._shift
        if self.rule == "nearest_zero" and self.gamma < 1:
            return max(0.0, (math.expm1(self.gamma - 1) + 1 - self.gamma) / (1 - self.gamma))
        return 0.0

    @property
    def _shift(self) -> float:
        """(3 - sqrt(9 - d^2)) / d with d = 1 - gamma, written without cancellation."""
        return (1 - self.gamma) / (3 + math.sqrt(9 - (1 - self.gamma) ** 2))

    def bid(self, values: np.ndarray) -> np.ndarray:
        """Compute bids (...) for values (...) in [0, 1]."""
        apart = 1 - self.gamma
        if self.rule == "vcg":
            return np.asarray(values)
        if self.rule == "nearest_vcg":
            return np.asarray(np.maximum(0.0, 2 / (2 + self.gamma) * (values - self._shift)))
        if self.rule == "nearest_zero":
            inside = np.maximum(values, self.start)
            return np.asarray(np.maximum(0.0, 1 + _log_ratio(inside - 1, apart)))
        return -_log_ratio(-values / 2, apart)

    # -- what it is worth ---------------------------------------------------------------------------------------

    @cached_property
    def moments(self) -> tuple[float, float, float]:
        """Means of a bid, of its square, and of its product with the value."""
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        values = self.start + (1 - self.start) * (nodes + 1) / 2
        weights, bids = weights * (1 - self.start) / 2, self.bid(values)
        return float(weights @ bids), float(weights @ bids**2), float(weights @ (values * bids))

    def local_payoff(self, counted: str = "value") -> float:
        """Compute the expected payoff of a local bidder.

        Args:
            counted: ``value``, what the item is worth to it; or ``bid``, what comes out where the bid takes the place
                of the value by mistake, as where a bid function overwrites its argument: that explains figures in
                circulation for gamma = 1, .0741 of ``nearest_vcg`` (4/27 is right) and .0417 of ``nearest_bid`` (1/8).
        """
        mean, square, product = self.moments
        own, other = (product, 1 / 2) if counted == "value" else (square, mean)
        crossed = self.gamma * own + (1 - self.gamma) * other * mean  # E[v_1 b_2]
        return (own + crossed) / 2 - self._local_payment()

    def _local_payment(self) -> float:
        """Compute the expected payment of a local: half of E[s^2] / 4, s = b_1 + b_2, in the core."""
        return self.moments[1] / 4 if self.rule == "vcg" else self.square_of_sum / 8

    @cached_property
    def square_of_sum(self) -> float:
        """E[(b_1 + b_2)^2]."""
        mean, square, _ = self.moments
        return 2 * square + 2 * (self.gamma * square + (1 - self.gamma) * mean**2)

    def outcome(self) -> dict[str, Any]:
        """Compute revenue, welfare, efficiency and payoffs."""
        total, square = 2 * self.moments[0], self.square_of_sum
        local, all_of_it = self.local_payoff(), (4 - 4 * total + square) / 4  # E[(2 - s)^2] / 4
        revenue = 2 * self._local_payment() + (2 * total - square) / 2
        welfare = revenue + 2 * local + all_of_it
        return {
            "revenue": revenue,
            "welfare": welfare,
            "efficiency": welfare / (1 + Local("vcg", self.gamma).square_of_sum / 4),
            "surplus": 2 * local + all_of_it,
            "payoff": np.array([local, local, all_of_it]),
        }

    # -- that it is an equilibrium ------------------------------------------------------------------------------

    def regret(self, types: int = 33, bids: int = 129, others: int = 512) -> float:
        """Compute the most that a local gains by another bid, over even grids of types and bids.

        The other local's independent value is averaged over midpoints.
        """
        values, offers = np.linspace(0, 1, types)[:, None], np.linspace(0, 1, bids)
        rivals, own = self.bid((np.arange(others) + 0.5) / others), self.bid(values)

        def payoffs(sent: np.ndarray) -> np.ndarray:
            """Compute expected payoffs (types, k) of bids (1 or types, k)."""
            same = _against(self.rule, sent, own)
            chance, paid = (x.mean(axis=-1) for x in _against(self.rule, sent[..., None], rivals))
            apart = 1 - self.gamma
            return np.asarray(values * (self.gamma * same[0] + apart * chance) - self.gamma * same[1] - apart * paid)

        return float((payoffs(offers[None]).max(axis=1) - payoffs(own)[:, 0]).max())


def _against(rule: str, own: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the chance to win and the expected payment for a local bid against the other's, (...) each.

    Payments are piecewise linear in the global bid, so that trapezes between their kinks are exact.
    """
    own, other = np.broadcast_arrays(own, other)
    total = own + other
    kinks = [0 * total, abs(own - other), own, other, 2 * own, 2 * other, total]
    at = np.sort(np.minimum(np.stack(kinks), total), axis=0)
    local_bids = np.stack(np.broadcast_arrays(own, other, at)[:2])
    if rule == "vcg":
        price = np.maximum(at - other, 0)
    else:
        price = shared(rule, local_bids.reshape(2, -1), at.ravel()).reshape(2, *at.shape)[0]
    return total / 2, ((price[1:] + price[:-1]) / 2 * np.diff(at, axis=0)).sum(axis=0) / 2


def _log_ratio(x: np.ndarray, slope: float) -> np.ndarray:
    """Compute ln(1 + slope x) / slope, and its limit x at slope 0."""
    return np.asarray(np.log1p(slope * x) / slope if slope else x)


def first_best(game: CombinatorialAuction) -> float | None:
    """Compute the expected worth of the best allocation of two locals and a global bidder; None of others.

    E max(v_1 + v_2, v_g) = 1 + E[(v_1 + v_2)^2] / 4.
    """
    size = scale(game)
    return None if isinstance(size, NoSolution) else size * (1 + Local("vcg", game.correlation).square_of_sum / 4)


def revenue_limit(game: CombinatorialAuction) -> float | None:
    """Compute the revenue of the optimal auction for two locals and a global with independent values; None of others.

    The expected greatest sum of virtual values, E max(x, y) = E[x^2] / 8 + E[x] / 2 + 1 / 2 with x the sum of the
    locals' (2 v - 1)^+ and y the global bidder's, uniform on [-2, 2] (Myerson 1981). No equilibrium earns more.
    """
    size = scale(game)
    return None if isinstance(size, NoSolution) or game.correlation else size * 155 / 192


def known_solutions(game: CombinatorialAuction) -> tuple[KnownSolution, ...]:
    """List payoffs and revenue in the equilibrium of two locals and a global, without a reserve."""
    outcome = equilibrium_outcome(game, (0.0,))
    if isinstance(outcome, NoSolution):
        return ()
    local = Local(game.pricing, game.correlation)
    source = "truth is dominant" if game.pricing == "vcg" else "Ausubel and Baranov 2020"
    values = {
        "payoff of a local": float(outcome["payoff"][0]),
        "payoff of the global bidder": float(outcome["payoff"][2]),
        "revenue": outcome["revenue"],
    }
    return tuple(
        KnownSolution(
            f"{name} in equilibrium, without a reserve",
            f"{source}; residual is what a local gains by other bids",
            partial(float, value),
            local.regret,
        )
        for name, value in values.items()
    )
