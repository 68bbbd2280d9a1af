"""Traffic assignment: the equilibrium of a road network of any size, by column generation of routes.

Routes enter one by one: at the present costs of edges, the shortest way of each pair that is shorter than all of its
routes so far (column generation; Dijkstra). Between two searches the potential of Beckmann is lowered over the routes
at hand: for all pairs of one origin at a time, from dearer routes to the cheapest (gradient projection; Jayakrishnan et
al. 1994), and by Newton's method for all used routes at once, projected on flows >= 0 (Bertsekas and Gafni 1983). What
is left is certified by shortest ways through the whole network, whatever routes were tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.core.registry import extras
from lawgiver.envs.solvers.congestion.wardrop import PowerCosts

ACCURACY = 1e-12
"""Relative gap at which an assignment counts as found."""

ENOUGH = 1e-9
"""Relative gap that has to be reached, where rounding keeps it from the one above."""

ROUNDS, STEPS = 300, 2
"""Searches for shorter ways, and sweeps and steps of Newton's method after each, at most."""

SYSTEM = 400
"""Flows up to which Newton's equations are solved at once; above, by conjugate gradients."""

ACTIVE = 8
"""Guesses at the routes that a step of Newton's method empties, at most."""

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
        costs: costs of each edge, (R,).
        total_cost: cost summed over all agents.
        gap: what everybody spends above the shortest ways, as a share of what they spend: 0 in equilibrium.
        pairs: origin-destination pair of each route, (K,).
        steps: numbers of the routes' edges in the order of travel, one route after the other.
        ends: where each route begins and ends among the steps, (K + 1,).
        flows: on each route, (K,).
    """

    loads: np.ndarray
    costs: np.ndarray
    total_cost: float
    gap: float
    pairs: np.ndarray
    steps: np.ndarray
    ends: np.ndarray
    flows: np.ndarray

    @property
    def routes(self) -> list[np.ndarray]:
        """Numbers of each route's edges, K arrays."""
        return np.split(self.steps, self.ends[1:-1])


def assign(traffic: Traffic, costs: PowerCosts | None = None, accuracy: float = ACCURACY) -> Assignment:
    """Compute the equilibrium of traffic, under ``costs`` in place of its own (such as marginal costs) if given.

    Args:
        traffic: the traffic to assign.
        costs: costs of the edges, those of the traffic by default.
        accuracy: relative gap at which to stop.

    Raises:
        ConvergenceError: if the relative gap stays above ``ENOUGH`` and ``accuracy``, or costs are too large.
        MissingExtraError: without scipy.
    """
    paid = traffic.costs if costs is None else costs
    with extras("an assignment of traffic"):
        from scipy.sparse import csr_matrix, vstack
    n_edges, n_pairs = len(traffic.tails), len(traffic.amounts)
    rank = np.argsort(np.argsort(traffic.origins, kind="stable"))  # routes are kept origin by origin
    table = csr_matrix((0, n_edges))
    pairs, flows, loads = np.zeros(0, int), np.zeros(0), np.zeros(n_edges)
    best: Assignment | None = None
    stalled = 0
    for _ in range(ROUNDS):
        edge_costs = paid.cost(loads)
        if not np.isfinite(edge_costs).all():
            raise ConvergenceError("no assignment of traffic: costs are too large for floating-point numbers")
        shortest, steps, ends = shortest_ways(traffic, edge_costs)
        gap, new = 1.0, np.arange(n_pairs)
        if len(pairs):
            spent = table @ edge_costs
            gap = float(flows @ np.maximum(spent - shortest[pairs], 0)) / (float(flows @ spent) or 1.0)
            stalled = 0 if best is None or gap < 0.9 * best.gap else stalled + 1
            if best is None or gap < best.gap:
                real = traffic.costs.cost(loads)
                best = Assignment(
                    loads, real, float(loads @ real), gap, pairs, table.indices.copy(), table.indptr.copy(), flows
                )
            if best.gap <= accuracy or stalled >= 12:
                break
            known = np.full(n_pairs, np.inf)
            np.minimum.at(known, pairs, spent)
            new = np.flatnonzero(shortest < known * (1 - 1e-13))
        ways = csr_matrix((np.ones(len(steps)), steps, ends), shape=(n_pairs, n_edges))
        kept = np.flatnonzero(flows > 0)
        table, pairs = vstack([table[kept], ways[new]], format="csr"), np.concatenate([pairs[kept], new])
        flows = np.concatenate([flows[kept], np.zeros(len(new)) if len(kept) else traffic.amounts.astype(float)])
        order = np.argsort(rank[pairs], kind="stable")
        table, pairs, flows = table[order], pairs[order], flows[order]
        flows = _improve(paid, traffic, table, pairs, flows, gap)
        loads = np.asarray(table.T @ flows)
    assert best is not None
    if best.gap > max(ENOUGH, accuracy):
        raise ConvergenceError(f"no assignment of traffic: a relative gap of {best.gap:.1e} is left, allowed {ENOUGH}")
    return best


def _improve(
    paid: PowerCosts, traffic: Traffic, table: Any, pairs: np.ndarray, flows: np.ndarray, gap: float
) -> np.ndarray:
    """Return flows (K,) of a lower potential; ``gap`` sets the precision of Newton's equations."""
    for _ in range(STEPS):
        _sweep(paid, traffic, table, pairs, flows)
        moved = _step(paid, traffic, table, pairs, flows, min(0.1, gap))
        if moved is None:
            break
        flows = moved
    return flows


def _sweep(paid: PowerCosts, traffic: Traffic, table: Any, pairs: np.ndarray, flows: np.ndarray) -> None:
    """Move flow, in place, from the dearer routes of one origin's pairs after the other to each pair's cheapest.

    Each move is of Newton's length, all of an origin together of the length at which the potential is least.
    """
    total = float(traffic.amounts.sum())
    loads = np.asarray(table.T @ flows)
    costs, slopes = paid.cost(loads), _slopes(paid, loads, total)
    origins = traffic.origins[pairs]
    bounds = np.flatnonzero(np.concatenate([[True], origins[1:] != origins[:-1], [True]]))
    several = np.bincount(pairs, minlength=len(traffic.amounts)) > 1
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if not several[pairs[first:last]].any():
            continue
        rows, mine, ours = table[first:last], flows[first:last], pairs[first:last]
        spent = rows @ costs
        starts = np.flatnonzero(np.concatenate([[True], ours[1:] != ours[:-1]]))
        groups = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(ours))))
        order = np.lexsort((spent, groups))
        hub = order[starts]  # the cheapest of each pair
        excess = spent - spent[hub][groups]
        some = np.flatnonzero((mine > 0) & (excess > 0))
        if not len(some):
            continue
        apart = rows[some] - rows[hub[groups[some]]]
        diagonal = _diagonal(apart, slopes)
        change = np.zeros(len(mine))
        change[some] = _bounded(apart, slopes, diagonal, -excess[some], -mine[some], 0.1)
        change = _projected(mine, change, hub, groups)
        if not float(change @ spent) < 0:
            off = np.minimum(mine[some], excess[some] / diagonal)
            change = np.zeros(len(mine))
            change[some] = -off
            change[hub] += np.bincount(groups[some], off, len(starts))
        along = np.asarray(rows.T @ change)
        touched = np.flatnonzero(along)
        part = PowerCosts(paid.coefficients[touched], paid.powers[touched])
        share = _search(part, loads[touched], along[touched])
        mine += share * change
        np.maximum(mine, 0.0, out=mine)
        loads[touched] = np.maximum(loads[touched] + share * along[touched], 0.0)
        costs[touched], slopes[touched] = part.cost(loads[touched]), _slopes(part, loads[touched], total)


def _step(
    paid: PowerCosts, traffic: Traffic, table: Any, pairs: np.ndarray, flows: np.ndarray, enough: float
) -> np.ndarray | None:
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
    change = np.zeros(len(flows))
    wanted = (spent[hub[pairs]] - spent)[rest]
    change[rest] = _bounded(apart, slopes, _diagonal(apart, slopes), wanted, -flows[rest], enough)
    change = _projected(flows, change, hub, pairs)
    along = np.asarray(table.T @ change)
    if not float(along @ costs) < 0:
        return None
    moved = np.maximum(flows + _search(paid, loads, along) * change, 0.0)
    moved[moved < 1e-15 * traffic.amounts[pairs]] = 0.0
    moved[hub] = 0.0
    moved[hub] = np.maximum(traffic.amounts - np.bincount(pairs, moved, n_pairs), 0.0)
    return moved


def _bounded(
    apart: Any, slopes: np.ndarray, diagonal: np.ndarray, wanted: np.ndarray, lowest: np.ndarray, enough: float
) -> np.ndarray:
    """Return the solution of Newton's equations, none below ``lowest`` (<= 0), by the primal-dual active set method.

    Those that would fall below stay there while their costs do not ask for more (Hintermueller, Ito and Kunisch 2002).
    """
    change, held = np.zeros(len(wanted)), np.zeros(len(wanted), bool)
    for _ in range(ACTIVE):
        free = np.flatnonzero(~held)
        change[held] = lowest[held]
        left = wanted - apart @ (slopes * (apart[held].T @ lowest[held])) if held.any() else wanted
        if len(free):
            change[free] = _solve(apart[free], slopes, diagonal[free], left[free], enough)
        excess = apart @ (slopes * (apart.T @ change)) - wanted
        now = np.where(held, excess > 0, change < lowest)
        if (now == held).all():
            break
        held = now
    return change


def _diagonal(apart: Any, slopes: np.ndarray) -> np.ndarray:
    """Compute the slope of the cost of moving flow between routes, for rows +-1 on edges of one route only."""
    steep = np.asarray(apart.multiply(apart) @ slopes)
    return np.asarray(np.maximum(steep, 1e-12 * steep.max() or 1.0))


def _projected(flows: np.ndarray, change: np.ndarray, hub: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return a change of flows (K,) that leaves none below 0 and each group's sum as it is; hubs make up for it.

    So that no route holds up all others.
    """
    amounts = np.bincount(groups, flows, len(hub))
    ahead = np.maximum(flows + change, 0.0)
    ahead[hub] = 0.0
    others = np.bincount(groups, ahead, len(hub))
    ahead *= (amounts / np.maximum(others, amounts))[groups]
    ahead[hub] = np.maximum(amounts - np.bincount(groups, ahead, len(hub)), 0.0)
    return np.asarray(ahead - flows)


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


def _solve(apart: Any, slopes: np.ndarray, diagonal: np.ndarray, wanted: np.ndarray, enough: float) -> np.ndarray:
    """Return the solution of Newton's equations, each row scaled to a diagonal of 1.

    Above ``SYSTEM`` rows, up to a residual of ``enough`` of what is wanted.
    """
    scale = 1 / np.sqrt(diagonal)
    if len(wanted) <= SYSTEM:
        rows = apart.toarray() * scale[:, None]
        system = (rows * slopes) @ rows.T + 1e-10 * np.eye(len(wanted))
        return np.asarray(scale * np.linalg.solve(system, scale * wanted))
    answer, left = np.zeros(len(wanted)), scale * wanted
    ahead, size = left.copy(), float(left @ left)
    limit, across = enough**2 * size, apart.T.tocsr()
    for _ in range(300):
        product = scale * (apart @ (slopes * (across @ (scale * ahead)))) + 1e-10 * ahead
        length = size / float(ahead @ product)
        answer, left = answer + length * ahead, left - length * product
        size, before = float(left @ left), size
        if size <= limit:
            break
        ahead = left + size / before * ahead
    return np.asarray(scale * answer)


def shortest_ways(traffic: Traffic, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the least cost of each pair, (G,), and the edges of a shortest path; inf and none if unreachable.

    Edges are in the order of travel, pair after pair; the last array, (G + 1,), says where each pair's begin and end.

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
    least, found = np.full(len(begins), np.inf), []
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
            edge = np.full(len(mine), -1)
            edge[on] = order[np.searchsorted(key[order], last * np.int64(size) + node[on])]
            node[on] = last
            steps.append(edge)
        taken = np.array(steps[::-1], np.int64).reshape(-1, len(mine)).T
        row, step = np.nonzero(taken >= 0)
        found.append((mine[row], taken[row, step]))
    pairs, edges = (np.concatenate(parts) for parts in zip(*found, strict=True))
    ends = np.concatenate([[0], np.cumsum(np.bincount(pairs, minlength=len(begins)))])
    return least, edges[np.argsort(pairs, kind="stable")], ends
