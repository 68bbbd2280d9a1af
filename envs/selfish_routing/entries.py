"""Checked entries of a road network in a configuration: edges with their costs, and demands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from lawgiver.envs.core.errors import ParameterError, allowed, number
from lawgiver.envs.core.make import call_with


@dataclass(frozen=True)
class BPR:
    """The cost free_flow (1 + b (x / capacity)^power) of an edge that carries x (Bureau of Public Roads 1964)."""

    free_flow: float
    capacity: float
    b: float = 0.15
    power: float = 4.0

    @property
    def terms(self) -> tuple[tuple[float, float], ...]:
        """Coefficient and power of each term."""
        if self.power == 0 or self.b == 0 or self.free_flow == 0:
            return ((self.free_flow * (1 + (self.b if self.power == 0 else 0)), 0.0),)
        return ((self.free_flow, 0.0), (self.free_flow * self.b * self.capacity**-self.power, self.power))


Edge: TypeAlias = tuple[str, str, "tuple[float, ...] | BPR"]
"""Tail, head, and the coefficients of the cost, or its free-flow time and capacity."""

Demand: TypeAlias = tuple[str, str, float]
"""Origin, destination, and how much travels."""


def checked_items(name: str, value: Any) -> Sequence[Any]:
    """Check that something is a list of at least one entry, and return it; raises ParameterError."""
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


def checked_edge(name: str, value: Any) -> Edge:
    """Check an edge, ``name`` being its place in the list; raises ParameterError."""
    tail, head, coefficients = _triple(name, value, "tail, head, [c_0, c_1, ...]")
    if isinstance(coefficients, BPR):
        coefficients = vars(coefficients)
    if isinstance(coefficients, Mapping):
        cost = cast("BPR", call_with(BPR, f"the cost of {name}", **{str(key): x for key, x in coefficients.items()}))
        for key, interval in (("free_flow", "[0, inf)"), ("capacity", "(0, inf)"), ("b", "[0, inf)")):
            number(f"{key} of {name}", getattr(cost, key), interval)
        number(f"power of {name}", cost.power, "[0, inf)")
        return tail, head, cost
    given = checked_items(f"the cost of {name}", coefficients)
    return tail, head, tuple(number(f"the coefficient c_{i} of {name}", c, "[0, inf)") for i, c in enumerate(given))


def cost_terms(cost: tuple[float, ...] | BPR) -> tuple[tuple[float, float], ...]:
    """List coefficient and power of each term of a cost, at least one."""
    if isinstance(cost, BPR):
        return cost.terms
    return tuple((c, float(i)) for i, c in enumerate(cost) if c > 0) or ((0.0, 0.0),)


def checked_closed(closed: Any, nodes: Mapping[str, None]) -> tuple[str, ...]:
    """Check the nodes that no route passes through; raises ParameterError."""
    if not isinstance(closed, (list, tuple)):
        raise ParameterError(f"closed is {closed!r}, allowed: a list of nodes")
    for node in closed:
        if str(node) not in nodes:
            raise ParameterError(f"closed has the node {node!r}, which no edge touches: {allowed(str(node), nodes)}")
    return tuple(str(node) for node in closed)


def checked_demand(name: str, value: Any, nodes: Mapping[str, None]) -> Demand:
    """Check a demand between two of the nodes, ``name`` being its place in the list; raises ParameterError."""
    origin, destination, share = _triple(name, value, "origin, destination, share")
    for node in (origin, destination):
        if node not in nodes:
            raise ParameterError(f"{name} has the node {node!r}, which no edge touches: {allowed(node, nodes)}")
    return origin, destination, number(f"the share of {name}", share, "(0, inf)")
