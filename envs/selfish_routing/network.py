"""Road networks: edges whose cost grows with their load, and demands between nodes.

A network is plain data, so a configuration can hold it::

    network:
      edges: [[s, v, [0, 1]], [v, t, [1]], [s, t, [0, 0, 2.5]]]   # tail, head, cost c_0 + c_1 x + c_2 x^2 + ...
      demands: [[s, t, 1.0]]                                      # origin, destination, how much travels

x is what the edge carries, in the unit of the demands: the share of all agents where demands sum to 1. In the place of
coefficients may stand ``{free_flow: 6, b: 0.15, capacity: 25900, power: 4}``, the cost free_flow (1 + b (x /
capacity)^power) of the Bureau of Public Roads (1964). ``network: {tntp: SiouxFalls_net.tntp}`` reads files. Routes are
the paths that visit no node twice, where each demand has at most ``LARGEST_CHOICE``; else those that the equilibrium
and the optimum of a mass use, generated one by one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np

from lawgiver.envs.core.errors import ParameterError, allowed, brief
from lawgiver.envs.core.make import call_with
from lawgiver.envs.selfish_routing.assignment import Assignment, Traffic, assign
from lawgiver.envs.selfish_routing.entries import (
    Demand,
    Edge,
    checked_closed,
    checked_demand,
    checked_edge,
    checked_items,
    cost_terms,
)
from lawgiver.envs.selfish_routing.tntp import read_tntp
from lawgiver.envs.solvers.congestion.anonymous import CongestionGame
from lawgiver.envs.solvers.congestion.wardrop import NonatomicGame, PowerCosts

LARGEST_CHOICE = 200
"""Largest number of routes per demand for which all are options."""

LARGEST_LISTED = 1000
"""Edges up to which all routes are looked for."""

LARGEST_TABLE = 50_000_000
"""Entries of the table of pairs, routes and edges."""


@dataclass(frozen=True)
class Network:
    """A directed network with costs and demands.

    Args:
        edges: ``(tail, head, coefficients)`` each, at least one coefficient and all >= 0, so that no cost falls as
            traffic grows; or a :class:`~lawgiver.envs.selfish_routing.entries.BPR`, or its arguments as a mapping.
            Several edges may lead from one node to another, none to the node that it leaves.
        demands: ``(origin, destination, amount)`` each, no pair twice; amounts are above 0.
        closed: nodes that no route passes through, as the zones of many networks; routes begin and end there.

    Names of nodes may be strings or integers; they are kept as strings.

    Raises:
        ParameterError: naming the edge or demand that is wrong, or that has no route.
    """

    edges: tuple[Edge, ...]
    demands: tuple[Demand, ...]
    closed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check every edge and demand, and that each demand has a route."""
        edges = tuple(checked_edge(f"edges[{i}]", edge) for i, edge in enumerate(checked_items("edges", self.edges)))
        nodes = dict.fromkeys(node for tail, head, _ in edges for node in (tail, head))
        demands = tuple(
            checked_demand(f"demands[{i}]", one, nodes) for i, one in enumerate(checked_items("demands", self.demands))
        )
        pairs = [(origin, destination) for origin, destination, _ in demands]
        seen: set[tuple[str, str]] = set()
        for i, pair in enumerate(pairs):
            if pair in seen or seen.add(pair):  # type: ignore[func-returns-value]
                raise ParameterError(f"demands[{i}] is from {pair[0]!r} to {pair[1]!r} again, allowed: each pair once")
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "demands", demands)
        object.__setattr__(self, "closed", checked_closed(self.closed, nodes))
        reached: dict[str, set[str]] = {}
        for i, (origin, destination) in enumerate(pairs):
            if origin not in reached:
                reached[origin] = self._reached(origin)
            if destination not in reached[origin]:
                raise ParameterError(
                    f"demands[{i}] has no route from {origin!r} to {destination!r}, allowed: 1 at least"
                )

    @cached_property
    def total(self) -> float:
        """All that travels; 1 where demands are shares, but for rounding."""
        whole = sum(amount for _, _, amount in self.demands)
        return 1.0 if abs(whole - 1) <= 1e-6 else whole

    @cached_property
    def _leaving(self) -> dict[str, list[tuple[int, str]]]:
        """Number and head of the edges that leave each node."""
        leaving: dict[str, list[tuple[int, str]]] = {}
        for i, (tail, head, _) in enumerate(self.edges):
            leaving.setdefault(tail, []).append((i, head))
        return leaving

    def _reached(self, origin: str) -> set[str]:
        found, last, shut = {origin}, [origin], set(self.closed)
        while last:
            node = last.pop()
            if node == origin or node not in shut:
                new = [head for _, head in self._leaving.get(node, ()) if head not in found]
                found.update(new)
                last += new
        return found

    @cached_property
    def listed(self) -> tuple[tuple[tuple[int, ...], ...], ...] | None:
        """All routes of each demand; None if there are too many edges or routes."""
        if len(self.edges) > LARGEST_LISTED:
            return None
        every = []
        for origin, destination, _ in self.demands:
            routes = tuple(islice(self._paths(origin, destination, (origin,)), LARGEST_CHOICE + 1))
            if len(routes) > LARGEST_CHOICE:
                return None
            every.append(routes)
        return tuple(every)

    @cached_property
    def routes(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """Routes of each demand, each the numbers of its edges in the order in which they are travelled.

        All of them, or where they are too many those that a mass uses in equilibrium or at its optimum.

        Raises:
            ConvergenceError: if these are not found.
            MissingExtraError: if scipy is needed to find them, and missing.
        """
        if self.listed is not None:
            return self.listed
        found: list[dict[tuple[int, ...], None]] = [{} for _ in self.demands]
        for flow in (self.equilibrium, self.optimum):
            for pair, route, carried in zip(flow.pairs, flow.routes, flow.flows, strict=True):
                if carried > 0:
                    found[pair][tuple(route.tolist())] = None
        return tuple(tuple(routes) for routes in found)

    @cached_property
    def traffic(self) -> Traffic:
        """Edges, costs and demands as arrays, in the unit of the demands."""
        number = {node: i for i, node in enumerate(dict.fromkeys(n for a, b, _ in self.edges for n in (a, b)))}
        tails = np.array([number[tail] for tail, _, _ in self.edges], np.int64)
        heads = np.array([number[head] for _, head, _ in self.edges], np.int64)
        origins = np.array([number[origin] for origin, _, _ in self.demands], np.int64)
        destinations = np.array([number[destination] for _, destination, _ in self.demands], np.int64)
        closed = np.zeros(len(number), bool)
        closed[[number[node] for node in self.closed]] = True
        amounts = np.array([amount for _, _, amount in self.demands])
        return Traffic(tails, heads, len(number), self._powers(1.0), origins, destinations, amounts, closed)

    @cached_property
    def equilibrium(self) -> Assignment:
        """The Wardrop equilibrium of all that travels, over all routes, in the unit of the demands."""
        return assign(self.traffic)

    @cached_property
    def optimum(self) -> Assignment:
        """The flows of least total cost, over all routes, in the unit of the demands."""
        return assign(self.traffic, self.traffic.costs.marginal())

    def _paths(self, node: str, destination: str, visited: tuple[str, ...]) -> Iterator[tuple[int, ...]]:
        """Yield the ways on from a node; none leads into a dead end, so that finding the first few is fast."""
        if node == destination:
            yield ()
            return
        ahead = self._sources(destination, visited)
        for i, head in self._leaving.get(node, ()):
            if head in ahead:
                for rest in self._paths(head, destination, (*visited, head)):
                    yield (i, *rest)

    def _sources(self, destination: str, avoided: tuple[str, ...]) -> set[str]:
        """Return the nodes from which the destination can be reached without the ones to be avoided."""
        found, last, shut = {destination}, [destination], {*avoided, *self.closed}
        while last:
            new = {tail for tail in self._entering.get(last.pop(), ()) if tail not in found and tail not in shut}
            found |= new
            last += new
        return found

    @cached_property
    def _entering(self) -> dict[str, list[str]]:
        """Tails of the edges that enter each node."""
        entering: dict[str, list[str]] = {}
        for tail, head, _ in self.edges:
            entering.setdefault(head, []).append(tail)
        return entering

    @property
    def edge_names(self) -> tuple[str, ...]:
        """``tail-head`` of each edge, with a number where there are several of them, (R,)."""
        plain = [f"{tail}-{head}" for tail, head, _ in self.edges]
        several, seen, names = Counter(plain), Counter[str](), []
        for name in plain:
            seen[name] += 1
            names.append(f"{name}#{seen[name]}" if several[name] > 1 else name)
        return tuple(names)

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
        amounts = np.array([amount for _, _, amount in self.demands])
        return np.asarray(amounts / amounts.sum())

    @cached_property
    def uses(self) -> np.ndarray:
        """1 where a route uses an edge, (G, O, R); demands with fewer routes than O are filled up with zeros."""
        shape = (len(self.routes), max(map(len, self.routes)), len(self.edges))
        if math.prod(shape) > LARGEST_TABLE:
            raise ParameterError(
                f"network has {shape[0]:,} demands of up to {shape[1]:,} routes over {shape[2]:,} edges, allowed for"
                f" players: a product of at most {LARGEST_TABLE:,}"
            )
        table = np.zeros(shape)
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
        return self._powers(self.total)

    def _powers(self, unit: float) -> PowerCosts:
        """Return costs as functions of the load of an edge, in units of ``unit``."""
        terms = [cost_terms(cost) for _, _, cost in self.edges]
        coefficients = np.zeros((len(terms), max(map(len, terms))))
        powers = np.zeros(coefficients.shape)
        for row, some in enumerate(terms):
            for column, (coefficient, power) in enumerate(some):
                coefficients[row, column], powers[row, column] = coefficient * unit**power, power
        return PowerCosts(coefficients, powers)

    def nonatomic(self) -> NonatomicGame:
        """Return the game of a mass 1 of infinitesimal agents."""
        return NonatomicGame(self.shares, self.uses, self.legal, self.costs, np.zeros(self.legal.shape))

    def counts(self, n: int) -> tuple[int, ...]:
        """Apportion n agents to demands by largest remainders, (G,).

        Raises:
            ParameterError: if a demand is left without an agent.
        """
        exact = n * self.shares
        counts = np.floor(exact + 1e-6).astype(int)
        order = np.argsort(counts - exact, kind="stable")
        counts[order[: n - int(counts.sum())]] += 1
        if (counts < 1).any():
            i = int(counts.argmin())
            raise ParameterError(
                f"demands[{i}] is {exact[i]:.3g} of {n} agents, allowed: one at least, as with n = "
                f"{math.ceil(1 / float(self.shares.min())):,}"
            )
        return tuple(counts.tolist())

    def atomic(self, n: int) -> CongestionGame:
        """Return the game of n agents, each 1 / n of the traffic, whose payoffs are minus the cost of their routes.

        Raises:
            ParameterError: as :meth:`counts`.
        """
        loads = np.arange(n + 1)[:, None] / n + np.zeros(len(self.edges))
        table = -self.costs.cost(loads).T
        return CongestionGame(self.counts(n), self.uses, self.legal, table, np.zeros(self.legal.shape))


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


def _of_files(tntp: str | Path, trips: str | Path | None = None) -> Network:
    edges, demands, closed = read_tntp(tntp, trips)
    return Network(cast("Any", edges), cast("Any", demands), tuple(closed))


def as_network(value: str | Mapping[str, Any] | Network) -> Network:
    """Return a network given by its name, as plain data ``{"edges": ..., "demands": ...}``, or as itself.

    Raises:
        ParameterError: if it is none of these, or something in it is wrong.
    """
    if isinstance(value, Network):
        return value
    if isinstance(value, str):
        if value.endswith(".tntp"):
            return _of_files(value, None)
        if value not in NETWORKS:
            raise ParameterError(f"unknown network {brief(value)}: {allowed(value, NETWORKS)}")
        return NETWORKS[value]
    if not isinstance(value, Mapping):
        raise ParameterError(
            f"network is {brief(value)}, allowed: a name ({', '.join(NETWORKS)}), or edges and demands"
        )
    if "tntp" in value:
        files = {str(key): path for key, path in value.items()}
        return cast("Network", call_with(_of_files, "network", **files))
    return cast("Network", call_with(Network, "network", **{str(key): part for key, part in value.items()}))
