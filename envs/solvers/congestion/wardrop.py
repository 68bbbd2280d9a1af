"""Nonatomic congestion games and their Wardrop equilibria.

A mass of 1 of infinitesimal agents, split over groups, spreads over the groups' options. An option costs what its
resources cost at their loads, plus a constant of its own, plus tolls. In a Wardrop equilibrium (Wardrop 1952) every
used option of a group has the least cost. With costs that do not fall in the load these are the minima of the convex
Beckmann potential, sum_r of the integral of c_r up to the load plus constants and tolls times flows (Beckmann, McGuire
and Winsten 1956, Studies in the Economics of Transportation).

The potential is minimised by moving flow between the most used option of a group and each other until the two cost the
same, and by Newton's method, which ends what these moves begin; what is left of the largest difference is reported with
every solution. NumPy, one game at a time.

Pigou's two roads, one of cost 1 and one of cost x: all take the second, where each pays 1.

    >>> roads = PolynomialCosts(np.array([[1.0, 0.0], [0.0, 1.0]]))
    >>> game = NonatomicGame(np.ones(1), np.eye(2)[None], np.ones((1, 2), bool), roads, np.zeros((1, 2)))
    >>> wardrop_equilibrium(game).loads
    array([0., 1.])
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from lawgiver.envs.core.errors import ConvergenceError, ParameterError
from lawgiver.envs.core.registry import extras
from lawgiver.envs.solvers.congestion.anonymous import check_options

TOLERANCE = 1e-11
"""Largest difference of cost between a used option and its group's cheapest, relative to the sizes of the two."""

SMALLEST = 1e-300
"""Flow up to which a move is found: as precise as its own size allows, however small that is."""

MOST_ROUNDS = 2000
"""Rounds of moves after which an equilibrium counts as not found."""

ACTIVE = 8
"""Guesses at the options that a step of Newton's method empties, at most."""

LARGEST_SYSTEM = 2000
"""Largest number of options in one Newton step."""


STEEP = 16.0
"""Power above which a cost is raised in two steps."""


class Costs(Protocol):
    """Cost of a use of each of R resources, continuous and nowhere falling in its load."""

    def cost(self, loads: np.ndarray) -> np.ndarray:
        """Return the cost of each resource at its load, (R,)."""

    def area(self, loads: np.ndarray) -> np.ndarray:
        """Return the integral of each cost from 0 to the load, (R,)."""


@dataclass(frozen=True, eq=False)
class PowerCosts:
    """Costs sum_t c_t x^p_t of each resource; ``coefficients`` c >= 0 and ``powers`` p >= 0 of the terms, (R, T)."""

    coefficients: np.ndarray
    powers: np.ndarray

    def cost(self, loads: np.ndarray) -> np.ndarray:
        """Return the cost of each resource at its load, (..., R)."""
        steep = self.powers > STEEP  # x^p alone may be below the smallest number where c x^p is not
        first, second = np.where(steep, self.powers / 2, self.powers), np.where(steep, self.powers / 2, 0.0)
        return np.asarray((self.coefficients * loads[..., None] ** first * loads[..., None] ** second).sum(-1))

    def area(self, loads: np.ndarray) -> np.ndarray:
        """Return the integral of each cost from 0 to the load, (R,)."""
        return np.asarray(loads * PowerCosts(self.coefficients / (self.powers + 1), self.powers).cost(loads))

    def marginal(self) -> PowerCosts:
        """Return the marginal social costs c + x c'."""
        return PowerCosts(self.coefficients * (self.powers + 1), self.powers)


@dataclass(frozen=True, eq=False)
class PolynomialCosts(PowerCosts):
    """Costs c_0 + c_1 x + c_2 x^2 + ... of each resource; ``coefficients`` >= 0, (R, D)."""

    powers: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Number the powers."""
        size = self.coefficients.shape[1]
        object.__setattr__(self, "powers", np.broadcast_to(np.arange(float(size)), self.coefficients.shape))


@dataclass(frozen=True, eq=False)
class NonatomicGame:
    """A nonatomic congestion game with G groups, up to O options a group and R resources.

    Attributes:
        shares: shares of each group in the whole mass, > 0, sum 1, (G,).
        uses: 1 where an option uses a resource, else 0, (G, O, R).
        legal: whether a group has that option, (G, O).
        costs: costs of the resources.
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
        """Check the shapes and values of the arrays."""
        if not (self.shares > 0).all() or abs(self.shares.sum() - 1) > 1e-9:
            raise ParameterError(f"shares is {self.shares.tolist()}, allowed: numbers above 0 with sum 1")
        check_options(self.uses, self.legal, len(self.shares))
        if self.fixed.shape != self.legal.shape:
            raise ParameterError(f"fixed has shape {self.fixed.shape}, allowed: {self.legal.shape}")


@dataclass(frozen=True, eq=False)
class Flow:
    """Distribution of a mass of agents over options.

    Attributes:
        flows: on each option, (G, O); they sum to each group's share.
        loads: loads of each resource, (R,).
        total_cost: cost summed over all agents, without tolls.
        gap: by how much a used option costs more than its group's cheapest, at most, in units of cost.
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
    """Compute the total cost of flows (G, O), without tolls."""
    return float((flows * option_costs(game, flows)).sum())


def relative_gap(game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray | None = None, unused: float = 0.0) -> float:
    """Return by how much a used option costs more than its group's cheapest, at most: 0 in a Wardrop equilibrium.

    Relative to the size of the two options, so that no cost of others, however steep, hides it. An option counts as
    used if more than ``unused`` of its group's share takes it; tolls (R,) come on top.
    """
    used = flows > unused * game.shares[:, None]
    excess, sizes = _excess(game, option_costs(game, flows, tolls), option_sizes(game, flows, tolls), used)
    return float((excess / np.where(sizes > 0, sizes, 1.0)).max())


def _excess(
    game: NonatomicGame, costs: np.ndarray, sizes: np.ndarray, used: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much each used option costs more than its group's cheapest, and the size of the two, (G, O)."""
    cheapest = np.where(game.legal, costs, np.inf).argmin(1, keepdims=True)
    least, small = (np.take_along_axis(values, cheapest, 1) for values in (costs, sizes))
    return np.where(used, costs - least, 0.0), np.maximum(sizes, small)


def least_costs(game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray | None = None) -> np.ndarray:
    """Return the cost of each group's cheapest option at flows (G, O), with tolls (R,) on top, (G,)."""
    return np.asarray(np.where(game.legal, option_costs(game, flows, tolls), np.inf).min(1))


def option_sizes(game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray | None = None) -> np.ndarray:
    """Compute each option's cost at flows (G, O) with the absolute values of its parts, (G, O).

    The rounding errors of :func:`option_costs` are relative to it.
    """
    parts = np.abs(game.costs.cost(loads_of_flows(game, flows))) + (0.0 if tolls is None else np.abs(tolls))
    return np.asarray(game.uses @ parts + np.abs(game.fixed))


def cost_size(game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray | None = None) -> float:
    """Return the size of an agent's costs at flows (G, O): the mean of :func:`option_sizes` over the mass.

    1 where nothing costs anything, so that errors may be divided by it.
    """
    return float((flows * option_sizes(game, flows, tolls)).sum()) or 1.0


def potential(game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray | None = None) -> float:
    """Return the Beckmann potential at flows (G, O), whose minima are the Wardrop equilibria."""
    loads = loads_of_flows(game, flows)
    paid = 0.0 if tolls is None else float(tolls @ loads)
    return float(game.costs.area(loads).sum() + (flows * game.fixed).sum()) + paid


def wardrop_equilibrium(game: NonatomicGame, tolls: np.ndarray | None = None) -> Flow:
    """Return a Wardrop equilibrium; where there are several, all have the same cost of each resource.

    Args:
        game: the game.
        tolls: paid by each user of a resource, (R,). None for nothing.

    Raises:
        ConvergenceError: if it is not found to the tolerance.
    """
    with extras("a Wardrop equilibrium"):
        import scipy.optimize  # noqa: F401
    charged = np.zeros(game.uses.shape[2]) if tolls is None else np.asarray(tolls, float)
    flows = np.zeros(game.legal.shape)
    first = np.where(game.legal, option_costs(game, flows, charged), np.inf).argmin(1)
    flows[np.arange(len(first)), first] = game.shares
    for _ in range(MOST_ROUNDS):
        if (left := _excess_left(game, flows, charged)) <= TOLERANCE:
            used = flows > 0
            excess, _ = _excess(game, option_costs(game, flows, charged), np.zeros(flows.shape), used)
            return Flow(flows, loads_of_flows(game, flows), total_cost(game, flows), float(excess.max()))
        for g in range(len(flows)):
            _exchange(game, flows, charged, g)
        flows = _newton(game, flows, charged)
    raise ConvergenceError(f"no Wardrop equilibrium after {MOST_ROUNDS:,} rounds: a relative gap of {left:.1e} is left")


def _excess_left(game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray) -> float:
    left = relative_gap(game, flows, tolls)
    if not np.isfinite(left):
        raise ConvergenceError("no Wardrop equilibrium: costs are too large for floating-point numbers")
    return left


def _exchange(game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray, g: int) -> None:
    """Move flow of a group, in place, between its most used option and each other until the two cost the same.

    Beside the most used option, a small flow on a steep resource settles at once, whatever the others do.
    """
    hub = int(flows[g].argmax())
    for option in np.flatnonzero(game.legal[g]).tolist():
        if option == hub:
            continue
        lead = _lead(game, flows, tolls, (g, hub, option))
        ahead = lead(0.0)  # by how much the option is dearer
        source, target = (hub, option) if ahead < 0 else (option, hub)
        most = float(flows[g, source])
        if ahead == 0 or most == 0:
            continue
        lead = _lead(game, flows, tolls, (g, source, target))
        if lead(0.0) >= 0:
            continue
        moved = most if lead(most) <= 0 else _root(lead, most)
        flows[g, source] = most - moved
        flows[g, target] += moved


def _root(lead: Callable[[float], float], most: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(lead, 0.0, most, xtol=SMALLEST, rtol=1e-15, maxiter=5000))


def _newton(game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray) -> np.ndarray:
    """Return flows after Newton's steps that equalise the costs of used options, as long as each helps.

    A step solves for the flows of all used options but each group's most used one, which makes up for them.
    """
    best = relative_gap(game, flows, tolls)
    while best > 0:
        rest = flows > 0
        hub = flows.argmax(1)
        rest[np.arange(len(hub)), hub] = False
        groups, options = np.nonzero(rest)
        if not 0 < len(groups) <= LARGEST_SYSTEM:
            break
        apart = game.uses[groups, options] - game.uses[groups, hub[groups]]
        system = (apart * _slopes(game, flows)) @ apart.T
        scale = 1 / np.sqrt(np.maximum(np.diag(system), np.finfo(float).tiny))
        costs = option_costs(game, flows, tolls)
        wanted = scale * (costs[groups, hub[groups]] - costs[groups, options])
        system = scale[:, None] * system * scale + 1e-14 * np.eye(len(groups))
        if not (np.isfinite(system).all() and np.isfinite(wanted).all()):
            break
        with np.errstate(over="ignore"):  # a step of more than all flow is none
            step = np.clip(scale * _bounded(system, wanted, -flows[groups, options] / scale), -1.0, 1.0)
        moved = flows.copy()
        moved[groups, options] = np.maximum(flows[groups, options] + step, 0.0)
        moved[np.arange(len(hub)), hub] = game.shares - np.where(rest, moved, 0.0).sum(1)
        if (moved < 0).any() or not (left := relative_gap(game, moved, tolls)) < best:
            break
        flows, best = moved, left
    return flows


def _bounded(system: np.ndarray, wanted: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """Solve equations subject to a lower bound ``lowest`` (<= 0) by an active-set method."""
    held = np.zeros(len(wanted), bool)
    for _ in range(ACTIVE):
        found = np.where(held, lowest, 0.0)
        free = np.flatnonzero(~held)
        found[free] = np.linalg.solve(system[np.ix_(free, free)], (wanted - system @ found)[free])
        now = np.where(held, system @ found > wanted, found < lowest)
        if (now == held).all():
            break
        held = now
    return found


def _slopes(game: NonatomicGame, flows: np.ndarray) -> np.ndarray:
    """Compute the slopes of costs at flows (G, O) by finite differences, (R,); 0 without load."""
    loads, nudge = loads_of_flows(game, flows), 1e-6
    rise = game.costs.cost(loads * (1 + nudge)) - game.costs.cost(loads * (1 - nudge))
    return np.asarray(np.divide(rise, 2 * nudge * loads, out=np.zeros(len(loads)), where=loads > 0))


def _lead(
    game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray, move: tuple[int, int, int]
) -> Callable[[float], float]:
    """Build the cost of a group's target option minus its source option, as a function of the flow moved."""
    g, source, target = move
    loads, change = loads_of_flows(game, flows), game.uses[g, target] - game.uses[g, source]
    apart = game.fixed[g, target] - game.fixed[g, source] + change @ tolls
    return lambda moved: float(change @ game.costs.cost(loads + moved * change) + apart)
