"""Nonatomic congestion games and their Wardrop equilibria.

A mass of 1 of infinitesimal agents, split over groups, spreads over the groups' options. An option costs what its
resources cost at their loads, plus a constant of its own, plus tolls. In a Wardrop equilibrium (Wardrop 1952) every
used option of a group has the least cost. With costs that do not fall in the load these are the minima of the convex
Beckmann potential, sum_r of the integral of c_r up to the load plus constants and tolls times flows (Beckmann, McGuire
and Winsten 1956, Studies in the Economics of Transportation).

The potential is minimised by moving flow from the costliest used option of a group to its cheapest, as far as the two
costs meet; what is left of the largest difference is reported with every solution. NumPy, one game at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lawgiver.envs.core.congestion import check_options
from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.envs.core.registry import extras

TOLERANCE = 1e-11
"""Largest difference of cost between a used option and the cheapest, relative to :func:`cost_size`."""

ROUNDING = 1e-13
"""The same, relative to the largest cost at no or full load, by which the rounding errors of costs are measured."""

MOST_MOVES = 200_000
"""Moves of flow after which an equilibrium counts as not found."""


class Costs(Protocol):
    """What a use of each of R resources costs, continuous and nowhere falling in its load."""

    def cost(self, loads: np.ndarray) -> np.ndarray:
        """Return the cost of each resource at its load, (R,)."""

    def area(self, loads: np.ndarray) -> np.ndarray:
        """Return the integral of each cost from 0 to the load, (R,)."""


@dataclass(frozen=True, eq=False)
class PolynomialCosts:
    """Costs c_0 + c_1 x + c_2 x^2 + ... of each resource; ``coefficients`` >= 0, (R, D)."""

    coefficients: np.ndarray

    def cost(self, loads: np.ndarray) -> np.ndarray:
        """Return the cost of each resource at its load, (R,)."""
        value = np.zeros_like(loads)
        for column in self.coefficients.T[::-1]:
            value = value * loads + column
        return value

    def area(self, loads: np.ndarray) -> np.ndarray:
        """Return the integral of each cost from 0 to the load, (R,)."""
        return np.asarray(loads * PolynomialCosts(self.coefficients / self._powers).cost(loads))

    def marginal(self) -> PolynomialCosts:
        """Return the cost c + x c' that a user causes to everybody together."""
        return PolynomialCosts(self.coefficients * self._powers)

    @property
    def _powers(self) -> np.ndarray:
        return np.arange(1, self.coefficients.shape[1] + 1)


@dataclass(frozen=True, eq=False)
class NonatomicGame:
    """A nonatomic congestion game with G groups, up to O options a group and R resources.

    Attributes:
        shares: of each group in the whole mass, > 0, sum 1, (G,).
        uses: 1 where an option uses a resource, else 0, (G, O, R).
        legal: whether a group has that option, (G, O).
        costs: of the resources.
        fixed: cost of an option whoever else chooses it, (G, O).

    Raises:
        ParameterError: if shapes do not fit, or shares are not positive numbers of sum 1.
    """

    shares: np.ndarray
    uses: np.ndarray
    legal: np.ndarray
    costs: Costs
    fixed: np.ndarray

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        if not (self.shares > 0).all() or abs(self.shares.sum() - 1) > 1e-9:
            raise ParameterError(f"shares is {self.shares.tolist()}, allowed: numbers above 0 with sum 1")
        check_options(self.uses, self.legal, len(self.shares))
        if self.fixed.shape != self.legal.shape:
            raise ParameterError(f"fixed has shape {self.fixed.shape}, allowed: {self.legal.shape}")


@dataclass(frozen=True, eq=False)
class Flow:
    """How a mass of agents spreads.

    Attributes:
        flows: on each option, (G, O); they sum to each group's share.
        loads: of each resource, (R,).
        total_cost: of everybody, without tolls.
        gap: what is left of the solver's error, in units of cost.
    """

    flows: np.ndarray
    loads: np.ndarray
    total_cost: float
    gap: float


def loads_of_flows(game: NonatomicGame, flows: np.ndarray) -> np.ndarray:
    """Return the load of each resource, (R,), for flows (G, O)."""
    return np.asarray(np.einsum("go,gor->r", flows, game.uses))


def option_costs(game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray | None = None) -> np.ndarray:
    """Return the cost of each option at flows (G, O), with tolls (R,) on top, (G, O)."""
    price = game.costs.cost(loads_of_flows(game, flows)) + (0.0 if tolls is None else tolls)
    return np.asarray(game.uses @ price + game.fixed)


def total_cost(game: NonatomicGame, flows: np.ndarray) -> float:
    """Return the cost of everybody together at flows (G, O), without tolls."""
    return float((flows * option_costs(game, flows)).sum())


def relative_gap(game: NonatomicGame, flows: np.ndarray) -> float:
    """Return by how much a used option costs more than its group's cheapest, at most: 0 in a Wardrop equilibrium.

    Relative to :func:`cost_size`.
    """
    dearer = option_costs(game, flows) - least_costs(game, flows)[:, None]
    return float(dearer[flows > 0].max()) / cost_size(game, flows)


def least_costs(game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray | None = None) -> np.ndarray:
    """Return the cost of each group's cheapest option at flows (G, O), with tolls (R,) on top, (G,)."""
    return np.asarray(np.where(game.legal, option_costs(game, flows, tolls), np.inf).min(1))


def cost_size(game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray | None = None) -> float:
    """Return how large costs are at flows (G, O): that of the dearest option, if none of its parts were below 0.

    1 where nothing costs anything, so that errors may be divided by it.
    """
    return _size(game, game.costs.cost(loads_of_flows(game, flows)), tolls) or 1.0


def _size(game: NonatomicGame, costs: np.ndarray, tolls: np.ndarray | None) -> float:
    parts = np.abs(costs) + (0.0 if tolls is None else np.abs(tolls))
    return float((game.uses @ parts + np.abs(game.fixed))[game.legal].max())


def potential(game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray | None = None) -> float:
    """Return the Beckmann potential at flows (G, O), whose minima are the Wardrop equilibria."""
    loads = loads_of_flows(game, flows)
    paid = 0.0 if tolls is None else float(tolls @ loads)
    return float(game.costs.area(loads).sum() + (flows * game.fixed).sum()) + paid


def wardrop_equilibrium(game: NonatomicGame, tolls: np.ndarray | None = None) -> Flow:
    """Return a Wardrop equilibrium; where there are several, all have the same cost of each resource.

    Args:
        game: that is played.
        tolls: paid by each user of a resource, (R,). None for nothing.

    Raises:
        LawgiverError: if it is not found to the tolerance.
    """
    with extras("a Wardrop equilibrium"):
        from scipy.optimize import brentq
    charged = np.zeros(game.uses.shape[2]) if tolls is None else np.asarray(tolls, float)
    flows = np.zeros(game.legal.shape)
    first = np.where(game.legal, option_costs(game, flows, charged), np.inf).argmin(1)
    flows[np.arange(len(first)), first] = game.shares
    ends = [np.abs(game.costs.cost(np.full(game.uses.shape[2], load))) for load in (0.0, 1.0)]
    rounding = ROUNDING * _size(game, np.maximum(*ends), charged)
    gap = np.inf
    for _ in range(MOST_MOVES):
        costs = option_costs(game, flows, charged)
        dear, cheap = np.where(flows > 0, costs, -np.inf), np.where(game.legal, costs, np.inf)
        gaps = dear.max(1) - cheap.min(1)
        g, gap = int(gaps.argmax()), float(gaps.max())
        if gap <= TOLERANCE * cost_size(game, flows, charged) + rounding:
            return Flow(flows, loads_of_flows(game, flows), total_cost(game, flows), gap)
        source, target = int(dear[g].argmax()), int(cheap[g].argmin())
        lead, most = _lead(game, flows, charged, (g, source, target)), float(flows[g, source])
        moved = most if lead(most) <= 0 else float(brentq(lead, 0.0, most, xtol=1e-16, rtol=1e-15))
        flows[g, source] = most - moved
        flows[g, target] += moved
    raise LawgiverError(f"no Wardrop equilibrium after {MOST_MOVES:,} moves: a gap of {gap:.1e} is left")


def _lead(
    game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray, move: tuple[int, int, int]
) -> Callable[[float], float]:
    """Return by how much the target costs more than the source, after a flow from source to target of a group."""
    g, source, target = move
    loads, change = loads_of_flows(game, flows), game.uses[g, target] - game.uses[g, source]
    apart = game.fixed[g, target] - game.fixed[g, source] + change @ tolls
    return lambda moved: float(change @ game.costs.cost(loads + moved * change) + apart)
