"""Exact solutions of supply and demand for a mass of 1, by convex programmes.

The equilibrium minimises the potential -sum_k of the integral of min(1, d_k / x) up to the load, plus travel; the
optimum is a transport problem. Both are given for n agents, of whom many come close.
"""

from __future__ import annotations

from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.solvers.congestion.sharing import matched_optimum
from lawgiver.envs.solvers.congestion.wardrop import NonatomicGame, cost_size, relative_gap, wardrop_equilibrium


def selfish_welfare(mass: NonatomicGame, n: int) -> float:
    """Compute n times the demand matched by a mass of 1 in equilibrium without bonuses, less travel costs."""
    return -n * wardrop_equilibrium(mass).total_cost


def best_welfare(mass: NonatomicGame, n: int) -> float:
    """Compute n times the most demand that a mass of 1 can match, less travel costs.

    With whole demands it is the optimum of n agents, too.
    """
    return -n * matched_optimum(mass).total_cost


def known_solutions(mass: NonatomicGame, n: int) -> tuple[KnownSolution, ...]:
    """List the welfare in equilibrium and at the optimum."""
    return (
        KnownSolution(
            "welfare of n agents in equilibrium, were they a mass",
            "Wardrop 1952: nobody gains by another zone; by descent of Beckmann's potential",
            lambda: selfish_welfare(mass, n),
            lambda: relative_gap(mass, wardrop_equilibrium(mass).flows),
        ),
        KnownSolution(
            "welfare of n agents at best, were they a mass",
            "transport problem; the optimum of n agents where demands are whole numbers",
            lambda: best_welfare(mass, n),
            lambda: _optimum_gap(mass),
        ),
    )


def _optimum_gap(mass: NonatomicGame) -> float:
    best = matched_optimum(mass)
    return best.gap / cost_size(mass, best.flows)
