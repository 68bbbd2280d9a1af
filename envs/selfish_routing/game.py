"""Selfish routing: agents choose their ways through a network, and a mechanism sets tolls.

Each of n agents travels from its origin to its destination on one of the routes between them. An edge that k agents use
costs each of them c_e(k / n); an agent's utility is minus the sum over its route, and it pays the announced tolls on
top. Nobody counts the cost it causes to others, so that all together may spend a third more than they need to, even
if costs are affine (Roughgarden and Tardos 2002, Journal of the ACM 49). Tolls repair that.

Utilities are each agent's own, hence welfare is minus the *sum* of all costs. Divided by n it compares with the figures
of a mass of 1: Pigou's roads cost 1 in equilibrium and 3/4 at best, Braess' 2 and 3/2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, cast

import numpy as np

from lawgiver.envs.core.drawings import Drawing, Road, Roads
from lawgiver.envs.core.errors import (
    ConvergenceError,
    MissingExtraError,
    ParameterError,
    allowed,
    choice,
    integer,
    number,
)
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.core.wording import Wording
from lawgiver.envs.families.congestion_game import CongestionMechanism
from lawgiver.envs.families.mechanism_game import MechanismState
from lawgiver.envs.selfish_routing import solutions
from lawgiver.envs.selfish_routing.network import Network, as_network
from lawgiver.envs.selfish_routing.wording import wording
from lawgiver.envs.solvers.congestion.anonymous import LARGEST_N, CongestionGame, expected_welfare

LARGEST_DRAWN = 60
"""Edges of a network up to which it is drawn."""


@dataclass(frozen=True)
class SelfishRouting(CongestionMechanism):
    """Travellers who choose the cheapest routes.

    The mechanism announces tolls; each participant then sees its origin and destination (where there are several) and
    the tolls, and chooses a route by its number in ``game.roads.route_names``. Where pairs differ in their number of
    routes, masks say which there are. Tolls are not below 0: no cost falls as traffic grows, so that the tolls that
    repair selfishness are not either.

    Args:
        n: number of agents, >= 2; one at least for each pair.
        network: ``pigou``, ``braess``, the path of a TNTP network file (its trips beside it; or ``{tntp: ...,
            trips: ...}``), or plain data: ``edges``, each ``[tail, head, [c_0, c_1, ...]]`` with a cost
            c_0 + c_1 x + ... >= 0 of the traffic x on it, in the unit of the demands, or ``{free_flow, capacity, b,
            power}``; and ``demands``, each ``[origin, destination, amount]``. Agents are shared out in proportion.
        tolled: names (``tail-head``) of the edges that may be tolled; None for all of them.
        box: largest toll, > 0.
        objective: the mechanism's reward of a round: ``welfare``, the sum of utilities, or a registered objective.

    Raises:
        ParameterError: if a parameter is outside its range, or the network has a pair without a route.
    """

    n: int = 20
    network: str | Mapping[str, Any] | Network = "braess"
    tolled: tuple[str, ...] | None = None
    box: float = 1.0

    name: ClassVar[str] = "selfish_routing-v0"
    summary: ClassVar[str] = "puts tolls on the roads of a network"
    reference: ClassVar[str] = "Mguni et al., Coordinating the Crowd (AAMAS 2019); networks of Pigou 1920, Braess 1968"
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "A toll on the bridge alone": {"tolled": ("v-w",)},
        "Several origins, with different numbers of routes": {
            "network": {
                "edges": [["a", "t", [0.0, 1.0]], ["a", "b", [0.2]], ["b", "t", [0.5, 0.5]]],
                "demands": [["a", "t", 0.5], ["b", "t", 0.5]],
            }
        },
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        network = as_network(self.network)
        settings = {
            "n": integer("n", self.n, 2, LARGEST_N),
            "network": network,
            "tolled": _tolled(self.tolled, network.edge_names),
            "box": number("box", self.box, "(0, inf)"),
        }
        for name, value in settings.items():
            object.__setattr__(self, name, value)
        self.check_objective()
        network.counts(self.n)

    @property
    def roads(self) -> Network:
        """The network."""
        return cast("Network", self.network)

    @property
    def tolled_edges(self) -> tuple[str, ...]:
        """Names of the edges that may be tolled, (D,)."""
        return self.roads.edge_names if self.tolled is None else self.tolled

    # -- who travels, and what is announced -----------------------------------------------------------------------

    @cached_property
    def congestion(self) -> CongestionGame:
        """The game of n agents on their routes."""
        return self.roads.atomic(self.n)

    @cached_property
    def payments(self) -> np.ndarray:
        """Minus 1 where a toll is that of an edge, (D, R)."""
        where = np.array(self.tolled_edges)[:, None] == np.array(self.roads.edge_names)
        return -np.asarray(where, float)

    @property
    def group_meaning(self) -> str:
        """Origin and destination."""
        pairs = ", ".join(f"{origin} to {destination}" for origin, destination, _ in self.roads.demands)
        return f"1 at the participant's origin and destination: {pairs}"

    @property
    def rule_names(self) -> tuple[str, ...]:
        """A toll by edge."""
        return tuple(f"toll_{edge}" for edge in self.tolled_edges)

    @property
    def rule_formula(self) -> str | None:
        """Formula of the tolls."""
        return "whoever takes an edge pays its toll"

    def parameter_layout(self) -> Layout:
        """Return the tolls."""
        edges = self.tolled_edges
        return (Field("tolls", len(edges), 0, self.box, "utility", f"of the edges {', '.join(edges)}"),)

    @property
    def welfare_bounds(self) -> tuple[float, float]:
        """All agents on all edges of the costliest route; no cost."""
        full = self.roads.uses @ self.roads.costs.cost(np.ones(len(self.roads.edges)))
        return -self.n * float(full.max()), 0.0

    @cached_property
    def welfare_scale(self) -> float:
        """Divisor of welfare in optimisers: the cost of uniformly random routes, 1 if it is 0."""
        legal = self.congestion.legal
        return -float(expected_welfare(self.congestion, legal / legal.sum(1, keepdims=True))) or 1.0

    def behaviour(self, shares: np.ndarray) -> dict[str, float]:
        """Return the share of all agents on each route."""
        named = zip(self.roads.route_names, shares, strict=True)
        return {f"flow {name}": float(x) for names, row in named for name, x in zip(names, row, strict=False)}

    def drawing(self, state: MechanismState, index: int) -> Drawing | None:
        """Return the network with the tolls that are in force, as wide as the toll is large; None of a large one."""
        if len(self.roads.edges) > LARGEST_DRAWN:
            return None
        tolls = dict(zip(self.tolled_edges, np.asarray(state.parameters[index]).tolist(), strict=True))
        named = zip(self.roads.edge_names, self.roads.edges, strict=True)
        return Roads(
            tuple(
                Road(tail, head, tolls.get(name, 0.0) / self.box, f"{tolls.get(name, 0.0):.3g}")
                for name, (tail, head, *_) in named
            ),
            "tolls in force",
        )

    def wording(self, language: str = "en") -> Wording:
        """Return the words of the game, with what the roads cost."""
        choice("language", language, self.languages)
        return wording(self)

    # -- exact solutions --------------------------------------------------------------------------------------

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """No tolls; and ``pigou``, those of marginal costs, where they can be announced and are known."""
        tolls = self._pigou
        return {**super().members, **({} if tolls is None else {"pigou": tolls})}

    @cached_property
    def _pigou(self) -> tuple[float, ...] | None:
        try:
            tolls = solutions.pigou_tolls(self.roads)
        except (ConvergenceError, MissingExtraError):
            return None
        due = dict(zip(self.roads.edge_names, tolls.tolist(), strict=True))
        elsewhere = max((toll for name, toll in due.items() if name not in self.tolled_edges), default=0.0)
        announced = tuple(due[name] for name in self.tolled_edges)
        fits = max(announced) <= self.box and elsewhere <= 1e-9 * (max(due.values()) or 1.0)
        return announced if fits else None

    def mass_optimum(self) -> float:
        """Return the least cost of a mass of 1."""
        return solutions.least_cost(self.roads)

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """Equilibrium, optimum and tolls of a mass of 1; the best policy of n agents where all routes are options."""
        known = solutions.known_solutions(self.roads)
        return known if self.roads.listed is None else (*known, *super().known_solutions())


def _tolled(tolled: Any, edges: tuple[str, ...]) -> tuple[str, ...] | None:
    if tolled is None:
        return None
    several = isinstance(tolled, (list, tuple)) and all(isinstance(name, str) for name in tolled)
    if not several or not tolled or len(set(tolled)) < len(tolled):
        raise ParameterError(f"tolled is {tolled!r}, allowed: null, or a list of different edges of {', '.join(edges)}")
    for name in tolled:
        if name not in edges:
            raise ParameterError(f"tolled has the edge {name!r}: {allowed(name, edges)}")
    return tuple(tolled)
