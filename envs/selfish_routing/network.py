"""Road networks: edges whose cost grows with their share of the traffic, and who travels from where to where.

A network is plain data, so a configuration can hold it::

    network:
      edges: [[s, v, [0, 1]], [v, t, [1]], [s, t, [0, 0, 2.5]]]   # tail, head, cost c_0 + c_1 x + c_2 x^2 + ...
      demands: [[s, t, 1.0]]                                      # origin, destination, share of all agents

x is the share of all agents that use the edge. Routes are the paths that visit no node twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, TypeAlias, cast

import numpy as np

from lawgiver.envs.core.congestion import CongestionGame, whole_counts
from lawgiver.envs.core.errors import ParameterError, allowed, number
from lawgiver.envs.core.registry import call_with
from lawgiver.envs.core.wardrop import NonatomicGame, PowerCosts

LARGEST_CHOICE = 200
"""Routes that one origin and destination may have."""

Edge: TypeAlias = tuple[str, str, tuple[float, ...]]
"""Tail, head, and the coefficients of the cost."""

Demand: TypeAlias = tuple[str, str, float]
"""Origin, destination, and their share of all agents."""


@dataclass(frozen=True)
class Network:
    """A directed network with costs and demands.

    Args:
        edges: ``(tail, head, coefficients)`` each, at least one coefficient and all >= 0, so that no cost falls as
            traffic grows. Several edges may lead from one node to another, none to the node that it leaves.
        demands: ``(origin, destination, share)`` each, no pair twice; shares are above 0 and sum to 1.

    Names of nodes may be strings or integers; they are kept as strings.

    Raises:
        ParameterError: naming the edge or demand that is wrong, or that has no route or more than ``LARGEST_CHOICE``.
    """

    edges: tuple[Edge, ...]
    demands: tuple[Demand, ...]

    def __post_init__(self) -> None:
        """Check every edge and demand, and that each demand has a route."""
        edges = tuple(_edge(f"edges[{i}]", edge) for i, edge in enumerate(_items("edges", self.edges)))
        nodes = dict.fromkeys(node for tail, head, _ in edges for node in (tail, head))
        demands = tuple(_demand(f"demands[{i}]", one, nodes) for i, one in enumerate(_items("demands", self.demands)))
        whole = sum(share for _, _, share in demands)
        if abs(whole - 1) > 1e-6:
            raise ParameterError(f"the shares of demands sum to {whole:.6g}, allowed: 1")
        pairs = [(origin, destination) for origin, destination, _ in demands]
        for i, pair in enumerate(pairs):
            if pair in pairs[:i]:
                raise ParameterError(f"demands[{i}] is from {pair[0]!r} to {pair[1]!r} again, allowed: each pair once")
        object.__setattr__(self, "edges", edges)
        object.__setattr__(
            self, "demands", tuple((*pair, d[2] / whole) for pair, d in zip(pairs, demands, strict=True))
        )
        for i, routes in enumerate(self.routes):
            if not 0 < len(routes) <= LARGEST_CHOICE:
                found = f"more than {LARGEST_CHOICE} routes" if routes else "no route"
                raise ParameterError(
                    f"demands[{i}] has {found} from {pairs[i][0]!r} to {pairs[i][1]!r}, allowed: 1 to {LARGEST_CHOICE}"
                )

    @cached_property
    def routes(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """Routes of each demand, each the numbers of its edges in the order in which they are travelled."""
        return tuple(
            tuple(islice(self._paths(origin, destination, (origin,)), LARGEST_CHOICE + 1))
            for origin, destination, _ in self.demands
        )

    def _paths(self, node: str, destination: str, visited: tuple[str, ...]) -> Iterator[tuple[int, ...]]:
        """Yield the ways on from a node; none leads into a dead end, so that finding the first few is fast."""
        if node == destination:
            yield ()
            return
        ahead = self._sources(destination, visited)
        for i, (tail, head, _) in enumerate(self.edges):
            if tail == node and head in ahead:
                for rest in self._paths(head, destination, (*visited, head)):
                    yield (i, *rest)

    def _sources(self, destination: str, avoided: tuple[str, ...]) -> set[str]:
        """Return the nodes from which the destination can be reached without the ones to be avoided."""
        found, last = {destination}, {destination}
        while last:
            last = {tail for tail, head, _ in self.edges if head in last} - found - set(avoided)
            found |= last
        return found

    @property
    def edge_names(self) -> tuple[str, ...]:
        """``tail-head`` of each edge, with a number where there are several of them, (R,)."""
        plain = [f"{tail}-{head}" for tail, head, _ in self.edges]
        return tuple(
            f"{name}#{plain[:i].count(name) + 1}" if plain.count(name) > 1 else name for i, name in enumerate(plain)
        )

    @property
    def route_names(self) -> tuple[tuple[str, ...], ...]:
        """Nodes of each demand's routes, ``s-v-t``, with a number where one of several edges is taken, ``s-t#2``."""
        ways = [name.removeprefix(tail) for name, (tail, _, _) in zip(self.edge_names, self.edges, strict=True)]
        return tuple(
            tuple(origin + "".join(ways[i] for i in route) for route in routes)
            for (origin, _, _), routes in zip(self.demands, self.routes, strict=True)
        )

    @property
    def shares(self) -> np.ndarray:
        """Share of all agents that each demand has, (G,)."""
        return np.array([share for _, _, share in self.demands])

    @cached_property
    def uses(self) -> np.ndarray:
        """1 where a route uses an edge, (G, O, R); demands with fewer routes than O are filled up with zeros."""
        table = np.zeros((len(self.routes), max(map(len, self.routes)), len(self.edges)))
        for g, routes in enumerate(self.routes):
            for o, route in enumerate(routes):
                table[g, o, list(route)] = 1
        return table

    @cached_property
    def legal(self) -> np.ndarray:
        """Whether a demand has that many routes, (G, O)."""
        return np.asarray(self.uses.any(-1))

    @cached_property
    def costs(self) -> PowerCosts:
        """Cost of each edge as a function of its share of the traffic."""
        table = np.zeros((len(self.edges), max(len(coefficients) for _, _, coefficients in self.edges)))
        for row, (_, _, coefficients) in zip(table, self.edges, strict=True):
            row[: len(coefficients)] = coefficients
        powers = np.flatnonzero(table.any(0)) if table.any() else np.arange(1)
        return PowerCosts(table[:, powers], np.broadcast_to(powers.astype(float), (len(table), len(powers))))

    def nonatomic(self) -> NonatomicGame:
        """Return the game of a mass 1 of infinitesimal agents."""
        return NonatomicGame(self.shares, self.uses, self.legal, self.costs, np.zeros(self.legal.shape))

    def counts(self, n: int) -> tuple[int, ...]:
        """Return how many of n agents each demand has, (G,).

        Raises:
            ParameterError: if a demand's share of n is not a whole number of agents.
        """
        return whole_counts(n, {f"demands[{i}]": float(share) for i, share in enumerate(self.shares)})

    def atomic(self, n: int) -> CongestionGame:
        """Return the game of n agents, each 1 / n of the traffic, who are paid minus the cost of their routes.

        Raises:
            ParameterError: as :meth:`counts`.
        """
        loads = np.arange(n + 1)[:, None] / n + np.zeros(len(self.edges))
        table = -self.costs.cost(loads).T
        return CongestionGame(self.counts(n), self.uses, self.legal, table, np.zeros(self.legal.shape))


def _items(name: str, value: Any) -> Sequence[Any]:
    if isinstance(value, (list, tuple)) and value:
        return value
    raise ParameterError(f"{name} is {value!r}, allowed: a list of at least one entry")


def _triple(name: str, value: Any, form: str) -> tuple[str, str, Any]:
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        raise ParameterError(f"{name} is {value!r}, allowed: [{form}]")
    for node in value[:2]:
        if isinstance(node, bool) or not isinstance(node, (str, int)):
            raise ParameterError(f"{name} has the node {node!r}, allowed: a string or an integer")
    if str(value[0]) == str(value[1]):
        raise ParameterError(f"{name} leads from {value[0]!r} to itself, allowed: two different nodes")
    return str(value[0]), str(value[1]), value[2]


def _edge(name: str, value: Any) -> Edge:
    tail, head, coefficients = _triple(name, value, "tail, head, [c_0, c_1, ...]")
    given = _items(f"the cost of {name}", coefficients)
    return tail, head, tuple(number(f"the coefficient c_{i} of {name}", c, "[0, inf)") for i, c in enumerate(given))


def _demand(name: str, value: Any, nodes: Mapping[str, None]) -> Demand:
    origin, destination, share = _triple(name, value, "origin, destination, share")
    for node in (origin, destination):
        if node not in nodes:
            raise ParameterError(f"{name} has the node {node!r}, which no edge touches: {allowed(node, nodes)}")
    return origin, destination, number(f"the share of {name}", share, "(0, inf)")


NETWORKS = {
    "pigou": Network((("s", "t", (0, 1)), ("s", "t", (1,))), (("s", "t", 1),)),
    "braess": Network(
        (
            ("s", "v", (0, 1)),
            ("v", "t", (1,)),
            ("s", "w", (1,)),
            ("w", "t", (0, 1)),
            ("v", "w", (0,)),
        ),
        (("s", "t", 1),),
    ),
}
"""Networks by name: Pigou's two roads (1920) and Braess' four with a bridge (1968)."""


def as_network(value: str | Mapping[str, Any] | Network) -> Network:
    """Return a network that is given by its name, as plain data ``{"edges": ..., "demands": ...}``, or as itself.

    Raises:
        ParameterError: if it is none of these, or something in it is wrong.
    """
    if isinstance(value, Network):
        return value
    if isinstance(value, str):
        if value not in NETWORKS:
            raise ParameterError(f"unknown network {value!r}: {allowed(value, NETWORKS)}")
        return NETWORKS[value]
    if not isinstance(value, Mapping):
        raise ParameterError(f"network is {value!r}, allowed: a name ({', '.join(NETWORKS)}), or edges and demands")
    return cast("Network", call_with(Network, "network", **{str(key): part for key, part in value.items()}))
