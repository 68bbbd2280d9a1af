"""Exact solutions of selfish routing for a mass of 1, the limit of many agents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.selfish_routing.network import Network
from lawgiver.envs.solvers.congestion.system_optimum import (
    gap_under_tolls,
    least_tolls,
    marginal_tolls,
    price_of_anarchy,
    system_optimum,
)
from lawgiver.envs.solvers.congestion.wardrop import (
    NonatomicGame,
    cost_size,
    least_costs,
    relative_gap,
    wardrop_equilibrium,
)


def selfish_cost(network: Network) -> float:
    """Return the cost of a mass of 1 in the Wardrop equilibrium without tolls."""
    return wardrop_equilibrium(network.nonatomic()).total_cost


def least_cost(network: Network) -> float:
    """Return the least cost of a mass of 1."""
    if network.listed is None:
        return network.optimum.total_cost / float(network.traffic.amounts.sum())
    return system_optimum(network.nonatomic()).total_cost


def known_solutions(network: Network) -> tuple[KnownSolution, ...]:
    """List cost of equilibrium and optimum, the price of anarchy, and the residual under optimal tolls."""
    if network.listed is None:
        return _of_large(network)
    game = network.nonatomic()
    return (
        KnownSolution(
            "cost of a mass of 1 in equilibrium",
            "Wardrop 1952: every used route costs the least; by descent of Beckmann's potential",
            lambda: selfish_cost(network),
            lambda: relative_gap(game, wardrop_equilibrium(game).flows),
        ),
        KnownSolution(
            "least cost of a mass of 1",
            "Pigou 1920: an equilibrium under marginal costs",
            lambda: least_cost(network),
            lambda: relative_gap(replace(game, costs=network.costs.marginal()), system_optimum(game).flows),
        ),
        KnownSolution(
            "price of anarchy of a mass of 1",
            "cost in equilibrium over the least cost; at most 4/3 for affine costs (Roughgarden and Tardos 2002)",
            lambda: price_of_anarchy(game),
            lambda: _anarchy_apart_from_least_costs(game),
        ),
        KnownSolution(
            "revenue of the marginal tolls x c'(x) from a mass of 1",
            "Pigou 1920: the equilibrium under them is the optimum",
            lambda: float(marginal_tolls(game) @ system_optimum(game).loads),
            lambda: _excess_under_tolls(game),
        ),
        KnownSolution(
            "least money that tolls or subsidies move to implement the optimum of a mass of 1",
            "linear programme over all tolls under which the optimum is an equilibrium",
            lambda: _least_money(game),
            lambda: gap_under_tolls(game, system_optimum(game).flows, _least_tolls(game)),
        ),
    )


def _of_large(network: Network) -> tuple[KnownSolution, ...]:
    """Return costs a head of equilibrium and optimum where routes are generated, certified over all routes."""
    source = "traffic assignment by generated routes; residual is the relative gap to the shortest ways of the network"
    amount = float(network.traffic.amounts.sum())
    return (
        KnownSolution(
            "cost of a mass of 1 in equilibrium",
            source,
            lambda: network.equilibrium.total_cost / amount,
            lambda: network.equilibrium.gap,
        ),
        KnownSolution(
            "least cost of a mass of 1",
            source,
            lambda: network.optimum.total_cost / amount,
            lambda: network.optimum.gap,
        ),
        KnownSolution(
            "price of anarchy of a mass of 1",
            source,
            lambda: network.equilibrium.total_cost / network.optimum.total_cost,
            lambda: max(network.equilibrium.gap, network.optimum.gap),
        ),
    )


def pigou_tolls(network: Network) -> np.ndarray:
    """Return the marginal-cost tolls x c'(x) of every edge at the optimum of a mass of 1, (R,)."""
    if network.listed is not None:
        return marginal_tolls(network.nonatomic())
    costs, loads = network.traffic.costs, network.optimum.loads
    return np.asarray(costs.marginal().cost(loads) - costs.cost(loads))


def _anarchy_apart_from_least_costs(game: NonatomicGame) -> float:
    """Compute the deviation of the price of anarchy from its value by cheapest routes, relative to the costs.

    In equilibrium everybody pays the least cost of its pair; at the optimum the least marginal cost, which is what
    travelling costs plus the tolls x c'(x).
    """
    selfish, best, tolls = wardrop_equilibrium(game), system_optimum(game), marginal_tolls(game)
    paid = game.shares @ least_costs(game, selfish.flows)
    least = game.shares @ least_costs(game, best.flows, tolls) - tolls @ best.loads
    return float(abs(price_of_anarchy(game) * least - paid)) / cost_size(game, selfish.flows)


def _least_tolls(game: NonatomicGame) -> np.ndarray:
    return least_tolls(game, system_optimum(game).flows)


def _least_money(game: NonatomicGame) -> float:
    best = system_optimum(game)
    unit = cost_size(game, best.flows)
    return unit * round(float(np.abs(_least_tolls(game)) @ best.loads) / unit, 8)  # what follows is the solver's error


def _excess_under_tolls(game: NonatomicGame) -> float:
    best, tolled = system_optimum(game), wardrop_equilibrium(game, marginal_tolls(game))
    return abs(tolled.total_cost - best.total_cost) / cost_size(game, best.flows)
