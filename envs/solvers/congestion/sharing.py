"""Resources with shared demand: each of k agents at a resource of demand D gets min(1, D / k).

Together they get min(k, D), what is matched of the demand. Both as the table of an atomic congestion game and as the
cost of a nonatomic one, in which demand is a mass beside the agents' mass of 1.

As a mass, users x of a resource with demand d get min(1, d / x) each; its integral is min(x, d) + d log(max(x, d) / d).
The flow that matches the most demand is a linear programme, and a transport problem where each option is one resource.

    >>> share_table(np.array([2.0]), 4)  # of 0 to 4 agents; nobody is there to be paid at 0
    array([[1.        , 1.        , 1.        , 0.66666667, 0.5       ]])
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import ConvergenceError, UnsupportedGameError
from lawgiver.envs.core.registry import extras
from lawgiver.envs.solvers.congestion.wardrop import Flow, NonatomicGame, loads_of_flows, total_cost


def share_table(demand: Array, n: int) -> Array:
    """Compute each agent's share, at most 1, of a demand >= 0 among k = 0 to n agents, (..., R) to (..., R, n + 1).

    Nobody is there to be paid at k = 0, where the entry is that of k = 1.
    """
    xp = namespace(demand)
    users = constant(np.maximum(np.arange(n + 1), 1), like=demand)
    return xp.minimum(xp.ones_like(users), demand[..., None] / users)


@dataclass(frozen=True, eq=False)
class ShareCosts:
    """Costs -min(1, d / x) of resources with demand d >= 0, a mass beside the agents' mass of 1, (R,)."""

    demand: np.ndarray

    def cost(self, loads: np.ndarray) -> np.ndarray:
        """Return the cost of each resource at its load, (R,)."""
        crowded = np.maximum(loads, self.demand)
        return np.asarray(-np.divide(self.demand, crowded, out=np.zeros_like(crowded), where=crowded > 0))

    def area(self, loads: np.ndarray) -> np.ndarray:
        """Return the integral of each cost from 0 to the load, (R,)."""
        crowded = np.maximum(loads, self.demand)
        ratio = np.divide(crowded, self.demand, out=np.ones_like(crowded), where=self.demand > 0)
        return np.asarray(-np.minimum(loads, self.demand) - self.demand * np.log(ratio))


def matched_optimum(game: NonatomicGame) -> Flow:
    """Return the flow that matches the most demand, less the fixed costs of the options, exactly.

    A linear programme, since sum_r min(x_r, d_r) is concave and piecewise linear. Where each option uses one resource,
    it is a transport problem: with whole numbers of agents and whole demands there is an optimum in whole numbers, so
    that N times its value is the optimum of N agents, too.

    Args:
        game: with :class:`ShareCosts`; ``total_cost`` of what is returned is minus the matched demand plus fixed costs.

    Raises:
        UnsupportedGameError: if the costs are others.
        ConvergenceError: if the programme is not solved.
    """
    if not isinstance(game.costs, ShareCosts):
        raise UnsupportedGameError(f"{type(game.costs).__name__} shares no demand, allowed: ShareCosts")
    with extras("the most demand that can be matched"):
        from scipy.optimize import linprog
    groups, options = np.nonzero(game.legal)
    n_flows, n_resources = len(groups), game.uses.shape[2]
    found = linprog(  # unknowns: flows of the options, then what is matched at each resource
        np.concatenate([game.fixed[groups, options], -np.ones(n_resources)]),
        A_ub=np.concatenate([-game.uses[groups, options].T, np.eye(n_resources)], axis=1),
        b_ub=np.zeros(n_resources),
        A_eq=np.concatenate([np.eye(len(game.shares))[groups].T, np.zeros((len(game.shares), n_resources))], axis=1),
        b_eq=game.shares,
        bounds=[(0, None)] * n_flows + [(0, float(d)) for d in game.costs.demand],
        method="highs",
    )
    if found.status != 0:
        raise ConvergenceError(f"the linear programme of the matched demand has no solution: {found.message}")
    flows = np.zeros(game.legal.shape)
    flows[groups, options] = found.x[:n_flows]
    spread = total_cost(game, flows)
    return Flow(flows, loads_of_flows(game, flows), spread, abs(spread - float(found.fun)))
