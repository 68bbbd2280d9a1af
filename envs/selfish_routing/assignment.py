"""Traffic assignment: the equilibrium of a road network of any size, with routes generated as they are needed.

Routes enter one by one: at the present costs of edges, the shortest way of each pair that is shorter than all of its
routes so far (column generation; Dijkstra). Between two searches the potential of Beckmann is lowered over the routes
at hand: pair by pair, from dearer routes to the cheapest (gradient projection; Jayakrishnan et al. 1994), and by
Newton's method for all used routes at once (Bertsekas and Gafni 1983). What is left is certified by shortest ways
through the whole network, whatever routes were tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.core.registry import extras
from lawgiver.envs.core.wardrop import PowerCosts

ACCURACY = 1e-12
"""Relative gap at which an assignment counts as found."""

ENOUGH = 1e-9
"""Relative gap that has to be reached, where rounding keeps it from the one above."""

ROUNDS, STEPS = 300, 4
"""Searches for shorter ways, and sweeps and steps of Newton's method after each, at most."""

SYSTEM = 1500
"""Flows up to which Newton's equations are solved at once; above, by conjugate gradients."""

LARGEST_TREE = 20_000_000
"""Entries of the trees of shortest ways that are held at once."""


@dataclass(frozen=True, eq=False)
class Traffic:
    """Edges from ``tails`` to ``heads`` (R,) among ``n_nodes`` nodes, and ``amounts`` (G,) that travel.

    Costs are functions of what an edge carries, in the unit of the amounts. No way passes through a ``closed`` node,
    (n_nodes,); it may begin or end there.
    """

    tails: np.ndarray
    heads: np.ndarray
    n_nodes: int
    costs: PowerCosts
    origins: np.ndarray
    destinations: np.ndarray
    amounts: np.ndarray
    closed: np.ndarray


@dataclass(frozen=True, eq=False)
class Assignment:
    """Flows on routes.

    Attributes:
        loads: what each edge carries, (R,).
        costs: of each edge, (R,).
        total_cost: of everybody.
        gap: what everybody spends above the shortest ways, as a share of what they spend: 0 in equilibrium.
        pairs: of each route, (K,).
        routes: numbers of each route's edges, in the order of travel; K of them.
        flows: on each route, (K,).
    """

    loads: np.ndarray
    costs: np.ndarray
    total_cost: float
    gap: float
    pairs: np.ndarray
    routes: tuple[np.ndarray, ...]
    flows: np.ndarray


def assign(traffic: Traffic, costs: PowerCosts | None = None) -> Assignment:
    """Return the equilibrium of traffic; under ``costs`` in place of its own, such as the marginal ones, if given.

    Raises:
        ConvergenceError: if the relative gap stays above ``ENOUGH``, or costs are too large for numbers.
        MissingExtraError: without scipy.
    """
    paid = traffic.costs if costs is None else costs
    with extras("an assignment of traffic"):
        from scipy.sparse import csr_matrix
    n_edges, n_pairs = len(traffic.tails), len(traffic.amounts)
    routes: list[np.ndarray] = []
    pairs, flows, loads = np.zeros(0, int), np.zeros(0), np.zeros(n_edges)
    table: Any = None
    best: Assignment | None = None
    stalled = 0
    for _ in range(ROUNDS):
        edge_costs = paid.cost(loads)
        if not np.isfinite(edge_costs).all():
            raise ConvergenceError("no assignment of traffic: costs are too large for floating-point numbers")
        shortest, ways = shortest_ways(traffic, edge_costs)
        if routes:
            spent = table @ edge_costs
            gap = float(flows @ np.maximum(spent - shortest[pairs], 0)) / (float(flows @ spent) or 1.0)
            if best is None or gap < best.gap:
                stalled = 0 if best is None or gap < 0.9 * best.gap else stalled + 1
                total = float(loads @ traffic.costs.cost(loads))
                best = Assignment(loads, traffic.costs.cost(loads), total, gap, pairs, tuple(routes), flows)
            else:
                stalled += 1
            if best.gap <= ACCURACY or stalled >= 12:
                break
            known = np.full(n_pairs, np.inf)
            np.minimum.at(known, pairs, spent)
            new = np.flatnonzero(shortest < known * (1 - 1e-13))
        else:
            new = np.arange(n_pairs)
        routes += [ways[g] for g in new]
        pairs = np.concatenate([pairs, new])
        flows = np.concatenate([flows, np.zeros(len(new)) if len(flows) else traffic.amounts.astype(float)])
        ends = np.cumsum([0, *map(len, routes)])
        table = csr_matrix((np.ones(ends[-1]), np.concatenate(routes), ends), shape=(len(routes), n_edges))
        for _ in range(STEPS):
            _sweep(paid, traffic, routes, pairs, flows)
            moved = _step(paid, traffic, table, pairs, flows)
            if moved is None:
                break
            flows = moved
        loads = np.asarray(table.T @ flows)
    assert best is not None
    if best.gap > ENOUGH:
        raise ConvergenceError(f"no assignment of traffic: a relative gap of {best.gap:.1e} is left, allowed {ENOUGH}")
    return best


def _sweep(paid: PowerCosts, traffic: Traffic, routes: list[np.ndarray], pairs: np.ndarray, flows: np.ndarray) -> None:
    """Move flow, in place, from the dearer routes of one pair after the other to its cheapest, by Newton's length."""
    total = float(traffic.amounts.sum())
    loads = np.zeros(len(traffic.tails))
    np.add.at(loads, np.concatenate(routes), np.repeat(flows, [len(route) for route in routes]))
    order = np.argsort(pairs, kind="stable")
    bounds = np.flatnonzero(np.diff(pairs[order], prepend=-1, append=-1))
    costs, slopes = paid.cost(loads), _slopes(paid, loads, total)
    for first, last in pairwise(bounds.tolist()):
        if last - first < 2:
            continue
        mine = order[first:last]
        spent = [float(costs[routes[k]].sum()) for k in mine]
        best = routes[mine[int(np.argmin(spent))]]
        for k, spends in zip(mine.tolist(), spent, strict=True):
            excess = spends - min(spent)
            if flows[k] == 0 or excess <= 0:
                continue
            apart = np.setxor1d(routes[k], best, assume_unique=True)
            steep = float(slopes[apart].sum())
            moved = flows[k] if steep * flows[k] <= excess else excess / steep
            flows[k] -= moved
            flows[mine[int(np.argmin(spent))]] += moved
            loads[routes[k]] -= moved
            loads[best] += moved
            touched = PowerCosts(paid.coefficients[apart], paid.powers[apart])
            loads[apart] = np.maximum(loads[apart], 0.0)
            costs[apart], slopes[apart] = touched.cost(loads[apart]), _slopes(touched, loads[apart], total)


def _step(paid: PowerCosts, traffic: Traffic, table: Any, pairs: np.ndarray, flows: np.ndarray) -> np.ndarray | None:
    """Return flows (K,) after a step of Newton's method for the used routes, None where none lowers the potential."""
    n_pairs = len(traffic.amounts)
    loads = np.asarray(table.T @ flows)
    costs = paid.cost(loads)
    spent = np.asarray(table @ costs)
    order = np.lexsort((flows, pairs))
    hub = np.zeros(n_pairs, int)
    hub[pairs[order]] = order  # the last of each pair carries the most
    rest = np.flatnonzero((np.arange(len(flows)) != hub[pairs]) & (flows > 0))
    if not len(rest):
        return None
    apart = table[rest] - table[hub[pairs[rest]]]
    slopes = _slopes(paid, loads, float(traffic.amounts.sum()))
    diagonal = np.asarray(apart.multiply(apart) @ slopes)
    diagonal = np.maximum(diagonal, 1e-12 * diagonal.max() or 1.0)
    change = np.zeros(len(flows))
    change[rest] = _solve(apart, slopes, diagonal, (spent[hub[pairs]] - spent)[rest])
    change[hub] = -np.bincount(pairs, change, n_pairs)
    falls = change < 0
    change *= min(1.0, float((flows[falls] / -change[falls]).min())) if falls.any() else 1.0
    along = np.asarray(table.T @ change)
    if not float(along @ costs) < 0:
        return None
    moved = np.maximum(flows + _search(paid, loads, along) * change, 0.0)
    moved[moved < 1e-15 * traffic.amounts[pairs]] = 0.0
    moved[hub] = 0.0
    moved[hub] = np.maximum(traffic.amounts - np.bincount(pairs, moved, n_pairs), 0.0)
    return moved


def _search(paid: PowerCosts, loads: np.ndarray, along: np.ndarray) -> float:
    """Return the share of a step at which the potential is least: where its slope, which rises, is 0."""
    if float(along @ paid.cost(np.maximum(loads + along, 0.0))) <= 0:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        falls = float(along @ paid.cost(np.maximum(loads + middle * along, 0.0))) <= 0
        low, high = (middle, high) if falls else (low, middle)
    return low or high


def _slopes(paid: PowerCosts, loads: np.ndarray, total: float) -> np.ndarray:
    near, nudge = np.maximum(loads, 1e-9 * total), 1e-6
    return np.asarray((paid.cost(near * (1 + nudge)) - paid.cost(near * (1 - nudge))) / (2 * nudge * near))


def _solve(apart: Any, slopes: np.ndarray, diagonal: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the solution of Newton's equations, each row scaled to a diagonal of 1."""
    scale = 1 / np.sqrt(diagonal)
    if len(wanted) <= SYSTEM:
        rows = apart.toarray() * scale[:, None]
        system = (rows * slopes) @ rows.T + 1e-10 * np.eye(len(wanted))
        return np.asarray(scale * np.linalg.solve(system, scale * wanted))
    answer, left = np.zeros(len(wanted)), scale * wanted
    ahead, size = left.copy(), float(left @ left)
    enough = 1e-8 * size
    for _ in range(300):
        product = scale * (apart @ (slopes * (apart.T @ (scale * ahead)))) + 1e-10 * ahead
        length = size / float(ahead @ product)
        answer, left = answer + length * ahead, left - length * product
        size, before = float(left @ left), size
        if size <= enough:
            break
        ahead = left + size / before * ahead
    return np.asarray(scale * answer)


def shortest_ways(traffic: Traffic, costs: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the least cost of each pair, (G,), and the edges of a way of that cost; inf and none where there is none.

    A closed node is two: one that edges enter, and one, ``n_nodes`` further, that they leave.
    """
    with extras("an assignment of traffic"):
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import dijkstra
    size = 2 * traffic.n_nodes
    leave = traffic.tails + traffic.n_nodes * traffic.closed[traffic.tails]
    key = leave * size + traffic.heads
    order = np.lexsort((costs, key))
    order = order[np.concatenate([[True], np.diff(key[order]) > 0])]  # the cheapest of several edges
    graph = csr_matrix((np.maximum(costs[order], 1e-300), (leave[order], traffic.heads[order])), shape=(size, size))
    begins = traffic.origins + traffic.n_nodes * traffic.closed[traffic.origins]
    every = np.unique(begins)
    least, ways = np.full(len(begins), np.inf), [np.zeros(0, int)] * len(begins)
    chunk = max(1, LARGEST_TREE // size)
    for first in range(0, len(every), chunk):
        some = every[first : first + chunk]
        far, before = dijkstra(graph, indices=some, return_predecessors=True)
        mine = np.flatnonzero((begins >= some[0]) & (begins <= some[-1]))
        row, node = np.searchsorted(some, begins[mine]), traffic.destinations[mine].copy()
        least[mine] = far[row, node]
        there = np.isfinite(least[mine])
        mine, row, node = mine[there], row[there], node[there]
        steps = []
        while (on := np.flatnonzero(node != begins[mine])).size:
            last = before[row[on], node[on]]
            taken = np.full(len(mine), -1)
            taken[on] = order[np.searchsorted(key[order], last * np.int64(size) + node[on])]
            node[on] = last
            steps.append(taken)
        for i, g in enumerate(mine):
            ways[g] = np.array([step[i] for step in reversed(steps) if step[i] >= 0], int)
    return least, ways
