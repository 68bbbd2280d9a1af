"""The least total cost of a nonatomic congestion game, and the tolls that implement it.

With differentiable costs the optimum is the Wardrop equilibrium under the marginal costs c + x c', so that tolls x c'
implement it (Pigou 1920, The Economics of Welfare). They are not the only ones: the tolls that make given flows an
equilibrium are a polyhedron, and the least expensive of them a linear programme. NumPy, one game at a time.

Of Pigou's two roads, one of cost 1 and one of cost x, the optimum takes both alike, and a toll of 1/2 brings it about:

    >>> from lawgiver.envs.solvers.congestion.wardrop import PolynomialCosts
    >>> roads = PolynomialCosts(np.array([[1.0, 0.0], [0.0, 1.0]]))
    >>> game = NonatomicGame(np.ones(1), np.eye(2)[None], np.ones((1, 2), bool), roads, np.zeros((1, 2)))
    >>> system_optimum(game).loads, marginal_tolls(game), round(price_of_anarchy(game), 4)
    (array([0.5, 0.5]), array([0. , 0.5]), 1.3333)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.registry import extras
from lawgiver.envs.solvers.congestion.wardrop import (
    Flow,
    NonatomicGame,
    PowerCosts,
    cost_size,
    loads_of_flows,
    option_costs,
    relative_gap,
    total_cost,
    wardrop_equilibrium,
)

UNUSED = 1e-8
"""Share of a group below which an option counts as unused."""

DEAREST = 1e6
"""Largest cost of an unused option, relative to :func:`cost_size`, that a programme's tolls resolve."""


def system_optimum(game: NonatomicGame) -> Flow:
    """Return a flow of least total cost; ``gap`` is that of the marginal costs.

    Raises:
        UnsupportedGameError: unless the costs are :class:`PowerCosts`.
    """
    found = wardrop_equilibrium(replace(game, costs=_powers(game).marginal()))
    return replace(found, total_cost=total_cost(game, found.flows))


def marginal_tolls(game: NonatomicGame) -> np.ndarray:
    """Return the tolls x c'(x) at the system optimum, (R,), under which it is a Wardrop equilibrium."""
    costs, loads = _powers(game), system_optimum(game).loads
    return np.asarray(costs.marginal().cost(loads) - costs.cost(loads))


def price_of_anarchy(game: NonatomicGame) -> float:
    """Return the total cost of a Wardrop equilibrium over the least total cost; all costs have to be >= 0.

    1 where the least cost is 0: then that of the equilibrium is, too, since its potential is.
    """
    selfish, best = wardrop_equilibrium(game), system_optimum(game)
    if best.total_cost == 0:
        return 1.0
    return selfish.total_cost / best.total_cost


def _powers(game: NonatomicGame) -> PowerCosts:
    if not isinstance(game.costs, PowerCosts):
        raise UnsupportedGameError(f"{type(game.costs).__name__} has no marginal cost, allowed: PowerCosts")
    return game.costs


def least_tolls(game: NonatomicGame, flows: np.ndarray) -> np.ndarray:
    """Return the tolls (R,) that make flows (G, O) a Wardrop equilibrium and move the least money, sum |toll| load.

    Of several the one with the least sum of |toll|. Tolls below 0 are subsidies.

    Raises:
        UnsupportedGameError: if no tolls do it.
    """
    with extras("the least tolls"):
        from scipy.optimize import linprog
    groups, options = np.nonzero(game.legal)
    uses, cost = game.uses[groups, options], option_costs(game, flows)[groups, options]
    unit = cost_size(game, flows)  # the programme's tolerances are absolute
    cost = np.minimum(cost / unit, DEAREST)
    free = flows[groups, options] <= UNUSED * game.shares[groups]
    n_groups, n_resources = len(game.shares), uses.shape[1]
    # unknowns: what is raised (R,), what is lowered (R,), the least cost of each group (G,), at most cost + toll
    rows = np.concatenate([-uses, uses, np.eye(n_groups)[groups]], axis=1)
    bounds = [(0, None)] * (2 * n_resources) + [(None, None)] * n_groups
    loads, nothing = loads_of_flows(game, flows), np.zeros(n_groups)
    money, size = np.concatenate([loads, loads, nothing]), np.append(np.ones(2 * n_resources), nothing)

    def least(weights: np.ndarray, more_rows: np.ndarray, more_limits: list[float]) -> tuple[np.ndarray, float]:
        found = linprog(
            weights,
            A_ub=np.concatenate([rows[free], more_rows]),
            b_ub=np.append(cost[free], more_limits),
            A_eq=rows[~free],
            b_eq=cost[~free],
            bounds=bounds,
            method="highs",
            options={"primal_feasibility_tolerance": 1e-9},
        )
        if found.status != 0:
            raise UnsupportedGameError(f"no tolls make these flows an equilibrium: {found.message}")
        return found.x, float(found.fun)

    _, budget = least(money, rows[:0], [])
    solution, _ = least(size, money[None], [budget + 1e-12])
    return np.asarray(unit * (solution[:n_resources] - solution[n_resources : 2 * n_resources]))


def gap_under_tolls(game: NonatomicGame, flows: np.ndarray, tolls: np.ndarray) -> float:
    """Compute the relative equilibrium gap of flows (G, O) under tolls (R,)."""
    return relative_gap(game, flows, tolls, UNUSED)
