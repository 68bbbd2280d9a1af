"""What is known exactly about traffic: a mass of 1 in the place of the agents, to which many agents come close."""

from __future__ import annotations

from dataclasses import replace

from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.core.system_optimum import marginal_tolls, price_of_anarchy, system_optimum
from lawgiver.envs.core.wardrop import cost_gap, wardrop_equilibrium
from lawgiver.envs.selfish_routing.network import Network


def selfish_cost(network: Network) -> float:
    """Return the cost of a mass of 1 in the Wardrop equilibrium without tolls."""
    return wardrop_equilibrium(network.nonatomic()).total_cost


def least_cost(network: Network) -> float:
    """Return the least cost of a mass of 1."""
    return system_optimum(network.nonatomic()).total_cost


def known_solutions(network: Network) -> tuple[KnownSolution, ...]:
    """Return cost of equilibrium and optimum, what lies between them, and that tolls implement the optimum."""
    game = network.nonatomic()
    return (
        KnownSolution(
            "cost of a mass of 1 in equilibrium",
            "Wardrop 1952: every used route costs the least; by descent of Beckmann's potential",
            lambda: selfish_cost(network),
            lambda: cost_gap(game, wardrop_equilibrium(game).flows),
        ),
        KnownSolution(
            "least cost of a mass of 1",
            "Pigou 1920: an equilibrium under marginal costs",
            lambda: least_cost(network),
            lambda: cost_gap(replace(game, costs=network.costs.marginal()), system_optimum(game).flows),
        ),
        KnownSolution(
            "price of anarchy of a mass of 1",
            "cost in equilibrium over the least cost; at most 4/3 for affine costs (Roughgarden and Tardos 2002)",
            lambda: price_of_anarchy(game),
            lambda: max(0.0, least_cost(network) - selfish_cost(network)),
        ),
        KnownSolution(
            "revenue of the marginal tolls x c'(x) from a mass of 1",
            "Pigou 1920: the equilibrium under them is the optimum",
            lambda: float(marginal_tolls(game) @ system_optimum(game).loads),
            lambda: abs(wardrop_equilibrium(game, marginal_tolls(game)).total_cost - least_cost(network)),
        ),
    )
