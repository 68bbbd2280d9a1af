"""The logit (quantal response) equilibrium of a one-round game with finitely many actions, exactly.

Every seat plays pi(a) proportional to pi_0(a) exp(inverse_temperature * E[payoff | a]), the reply of somebody who
pays for every nat by which it departs from its prior pi_0 (McKelvey and Palfrey 1995; with a prior, Ortega and Braun
2013). All joint actions are enumerated. Seats that are alike (same actions, same prior, and a game that does not tell
them apart) share one strategy, and only the sorted actions of a group of such seats are listed, each with the number
of seatings it stands for: four seats with 11 actions make 1,001 joint actions instead of 14,641.

Solved by plain iteration from the prior, damped by a further 0.7 whenever three steps in a row do not contract, and by
Newton's method where that is slow. Runs on NumPy and on torch, over a batch of games on the same grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace, softmax

LARGEST_GRID = 200_000
"""Joint actions, alike seats grouped, up to which a game is enumerated."""

ANCHOR_FLOOR = 1e-4
"""Least probability of a legal action under a given prior: the KL to a prior without full support is infinite."""

Strategies = tuple[Array, ...]
"""Action probabilities (B, n_actions) of each group."""


@dataclass(frozen=True)
class Group:
    """Seats that share a strategy.

    Attributes:
        seats: their indices, ascending.
        n_actions: that each of them has.
        actions: sorted actions of all m members, (K, m); ``seatings`` of each, (K,).
        others: sorted actions of all members but one, (L, m - 1); ``others_seatings`` of each, (L,).
        cells: where the payoff of a member stands in the flattened payoffs (S * n), by its own action and by what
            everybody else does, (n_actions, M).
    """

    seats: tuple[int, ...]
    n_actions: int
    actions: np.ndarray
    seatings: np.ndarray
    others: np.ndarray
    others_seatings: np.ndarray
    cells: np.ndarray


@dataclass(frozen=True)
class JointGrid:
    """All joint actions of n seats, (S, n), and the groups of seats that are alike."""

    actions: np.ndarray
    groups: tuple[Group, ...]

    @property
    def n(self) -> int:
        """Number of seats."""
        return int(self.actions.shape[1])


def grid_size(n_actions: tuple[int, ...], alike: tuple[int, ...]) -> int:
    """Return the number of joint actions that :func:`joint_grid` would list."""
    size = 1
    for label in set(alike):
        m = alike.count(label)
        size *= math.comb(n_actions[alike.index(label)] + m - 1, m)
    return size


@lru_cache(maxsize=64)
def joint_grid(n_actions: tuple[int, ...], alike: tuple[int, ...]) -> JointGrid:
    """Return the joint actions of seats with ``n_actions`` each; seats with the same label in ``alike`` are alike."""
    members = [tuple(i for i, other in enumerate(alike) if other == label) for label in dict.fromkeys(alike)]
    multisets = [_multisets(n_actions[seats[0]], len(seats)) for seats in members]
    sizes = [len(rows) for rows in multisets]
    index = np.indices(sizes).reshape(len(sizes), -1)
    joint = np.empty((index.shape[1], len(alike)), np.int64)
    for seats, rows, chosen in zip(members, multisets, index, strict=True):
        joint[:, seats] = rows[chosen]
    return JointGrid(joint, tuple(_group(g, members, multisets, n_actions) for g in range(len(members))))


def _multisets(n_actions: int, m: int) -> np.ndarray:
    """Return all ascending m-tuples of actions, (K, m), in the order of their rank."""
    rows = np.array(list(combinations_with_replacement(range(n_actions), m)), np.int64)
    return rows[np.argsort(_rank(rows, n_actions))]


def _rank(rows: np.ndarray, n_actions: int) -> np.ndarray:
    """Return the place of ascending tuples (..., m) among all of their kind (combinatorial number system)."""
    m = rows.shape[-1]
    binomials = np.array([[math.comb(d, i + 1) for i in range(m)] for d in range(n_actions + m)], object)
    places = np.where(binomials > LARGEST_GRID**2, 0, binomials).astype(np.int64)  # never looked up: too large
    return sum((places[rows[..., i] + i, i] for i in range(m)), np.zeros(rows.shape[:-1], np.int64))


def _seatings(rows: np.ndarray, n_actions: int) -> np.ndarray:
    """Return in how many orders the members of each row can be seated."""
    logs = np.array([math.lgamma(count + 1) for count in range(rows.shape[1] + 1)])
    counts = np.stack([(rows == action).sum(1) for action in range(n_actions)])
    return np.asarray(np.exp(logs[-1] - logs[counts].sum(0)))


def _group(g: int, members: list[tuple[int, ...]], multisets: list[np.ndarray], n_actions: tuple[int, ...]) -> Group:
    seats = members[g]
    count, m = n_actions[seats[0]], len(seats)
    others = _multisets(count, m - 1)
    own = np.broadcast_to(np.arange(count)[:, None, None], (count, len(others), 1))
    everyone = np.concatenate([own, np.broadcast_to(others, (count, *others.shape))], axis=-1)
    merged = _rank(np.sort(everyone, axis=-1), count)
    seat = np.array(seats)[(others < own).sum(-1)]  # the first of those who act alike

    def on_axis(values: np.ndarray, axis: int) -> np.ndarray:  # (count or 1, L) -> own action, then one axis a group
        shape = [values.shape[0]] + [1] * len(members)
        shape[1 + axis] = values.shape[1]
        return values.reshape(shape)

    strides = np.cumprod([1, *(len(rows) for rows in multisets[:0:-1])])[::-1]
    state: np.ndarray = on_axis(merged * strides[g], g)
    for h, rows in enumerate(multisets):
        if h != g:
            state = state + on_axis(np.arange(len(rows))[None] * strides[h], h)
    cells = state * len([s for group in members for s in group]) + on_axis(seat, g)
    return Group(
        seats=seats,
        n_actions=count,
        actions=multisets[g],
        seatings=_seatings(multisets[g], count),
        others=others,
        others_seatings=_seatings(others, count),
        cells=cells.reshape(count, -1),
    )


# -- probabilities and replies --------------------------------------------------------------------------------------


def _of_multisets(rows: np.ndarray, seatings: np.ndarray, p: Array) -> Array:
    """Return the probability (B, K) of each multiset when every member plays p (B, n_actions)."""
    xp = namespace(p)
    product = constant(seatings, like=p) + xp.zeros_like(p[:, :1])
    for i in range(rows.shape[1]):
        product = product * p[:, _index(rows[:, i], p)]
    return product


def _slopes(rows: np.ndarray, seatings: np.ndarray, p: Array) -> Array:
    """Return the derivatives (B, K, n_actions) of :func:`_of_multisets` with respect to p."""
    total: Array = 0
    for i in range(rows.shape[1]):
        rest = _of_multisets(np.delete(rows, i, axis=1), seatings, p)
        total = total + rest[:, :, None] * constant(np.eye(p.shape[1])[rows[:, i]], like=p)
    return total


def _index(rows: np.ndarray, like: Array) -> Array:
    return rows if type(like) is np.ndarray else namespace(like).asarray(rows, device=like.device)


def _product(parts: list[Array]) -> Array:
    """Return the joint probabilities (B, K1 * K2 * ...) of independent parts (B, K1), (B, K2), ..."""
    joint = parts[0]
    for part in parts[1:]:
        joint = (joint[:, :, None] * part[:, None, :]).reshape(joint.shape[0], -1)
    return joint


def joint_probabilities(grid: JointGrid, strategies: Strategies) -> Array:
    """Return the probability of every joint action, (B, S)."""
    parts = zip(grid.groups, strategies, strict=True)
    return _product([_of_multisets(group.actions, group.seatings, p) for group, p in parts])


def utilities(grid: JointGrid, payoffs: Array) -> list[Array]:
    """Return each group's payoffs (B, n_actions, M), by own action and by what everybody else does.

    Args:
        grid: the joint actions.
        payoffs: of every seat at every joint action, (B, S, n).
    """
    flat = payoffs.reshape(payoffs.shape[0], -1)
    return [flat[:, _index(group.cells, flat)] for group in grid.groups]


def expected(grid: JointGrid, tables: list[Array], strategies: Strategies) -> list[Array]:
    """Return the expected payoff (B, n_actions) of each action of each group; ``tables`` as from utilities()."""
    others = [_product(_parts(grid, strategies, g)) for g in range(len(tables))]
    return [(table @ rest[:, :, None])[..., 0] for table, rest in zip(tables, others, strict=True)]


def _parts(grid: JointGrid, strategies: Strategies, g: int) -> list[Array]:
    """Return what a member of group g faces: the distribution of each group, its own less one member."""
    return [
        _of_multisets(group.others, group.others_seatings, p)
        if h == g
        else _of_multisets(group.actions, group.seatings, p)
        for h, (group, p) in enumerate(zip(grid.groups, strategies, strict=True))
    ]


def reply(
    grid: JointGrid, tables: list[Array], log_priors: Strategies, inverse_temperature: Array, strategies: Strategies
) -> Strategies:
    """Return the logit reply of every group to ``strategies``; ``inverse_temperature`` (B, 1), finite."""
    values = expected(grid, tables, strategies)
    return tuple(softmax(prior + inverse_temperature * value) for prior, value in zip(log_priors, values, strict=True))


def jacobian(
    grid: JointGrid, tables: list[Array], inverse_temperature: Array, strategies: Strategies, replies: Strategies
) -> Array:
    """Return the derivative (B, N, N) of all replies with respect to all strategies, one after the other."""
    xp = namespace(replies[0])
    rows = []
    for g, (table, answer) in enumerate(zip(tables, replies, strict=True)):
        parts = _parts(grid, strategies, g)
        blocks = []
        for h, (group, p) in enumerate(zip(grid.groups, strategies, strict=True)):
            if h == g and len(group.seats) == 1:
                blocks.append(xp.zeros_like(answer)[:, :, None] + xp.zeros_like(p)[:, None, :])
                continue
            multisets = (group.others, group.others_seatings) if h == g else (group.actions, group.seatings)
            before = _product([xp.ones_like(answer[:, :1]), *parts[:h]])
            after = _product([xp.ones_like(answer[:, :1]), *parts[h + 1 :]])
            slope = before[:, :, None, None, None] * _slopes(*multisets, p)[:, None, :, None, :]
            slope = (slope * after[:, None, None, :, None]).reshape(answer.shape[0], -1, p.shape[1])
            blocks.append(table @ slope)
        change = xp.concat(blocks, axis=-1)
        mean = xp.sum(answer[:, :, None] * change, axis=1, keepdims=True)
        rows.append(inverse_temperature[:, :, None] * answer[:, :, None] * (change - mean))
    return xp.concat(rows, axis=1)


# -- the equilibrium ------------------------------------------------------------------------------------------------

TOLERANCE = 1e-10
RATIONAL = 2.0**14
"""Inverse temperature at which the rational limit is read off: 0.001 points matter by a factor of 10 million."""


@dataclass(frozen=True)
class Equilibrium:
    """A fixed point of the logit replies.

    Attributes:
        strategies: action probabilities of each group, (B, n_actions).
        residual: largest difference between a strategy and the reply to it, (B,).
    """

    strategies: Strategies
    residual: Array


def logit_equilibrium(
    grid: JointGrid,
    payoffs: Array,
    log_priors: Strategies,
    inverse_temperature: Array,
    start: Strategies | None = None,
) -> Equilibrium:
    """Return the logit equilibrium that is reached from the priors.

    Args:
        grid: the joint actions.
        payoffs: of every seat at every joint action, (B, S, n).
        log_priors: of each group, (n_actions,) or (B, n_actions), minus infinity where an action is ruled out.
        inverse_temperature: (B,), >= 0 per unit of payoff. 0 returns the priors; infinity the end of the path of
            equilibria along which the inverse temperature doubles from 1 to ``RATIONAL``.
        start: strategies to start from; None for the priors.
    """
    xp = namespace(payoffs)
    tables = utilities(grid, payoffs)
    priors = tuple(prior + xp.zeros_like(table[:, :, 0]) for prior, table in zip(log_priors, tables, strict=True))
    target = xp.where(xp.isinf(inverse_temperature), xp.full_like(inverse_temperature, RATIONAL), inverse_temperature)
    found = _iterate(grid, tables, priors, target[:, None], start or tuple(softmax(prior) for prior in priors))
    if float(xp.max(xp.where(xp.isinf(inverse_temperature), xp.ones_like(target), found.residual))) <= TOLERANCE:
        return found
    return _follow(grid, tables, priors, target)


def _follow(grid: JointGrid, tables: list[Array], priors: Strategies, target: Array) -> Equilibrium:
    """Return the end of the path of equilibria from inverse temperature 1, or the target if lower, to the target."""
    xp = namespace(target)
    strategies = tuple(softmax(prior) for prior in priors)
    level = 1.0
    while True:
        reached = xp.minimum(target, xp.full_like(target, level))
        found = _iterate(grid, tables, priors, reached[:, None], strategies)
        if level >= float(xp.max(target)):
            return found
        level, strategies = 2 * level, found.strategies


def _iterate(
    grid: JointGrid, tables: list[Array], priors: Strategies, inverse_temperature: Array, strategies: Strategies
) -> Equilibrium:
    """Iterate to the fixed point: plainly for 60 steps, then by Newton's method wherever that comes closer."""
    xp = namespace(inverse_temperature)
    answer = reply(grid, tables, priors, inverse_temperature, strategies)
    residual = _distance(strategies, answer)
    damping, stalled = xp.ones_like(residual), xp.zeros_like(residual)
    for step in range(400):
        if float(xp.max(residual)) <= TOLERANCE:
            break
        newton = step >= 60
        towards = tuple(p + damping[:, None] * (q - p) for p, q in zip(strategies, answer, strict=True))
        after = reply(grid, tables, priors, inverse_temperature, towards)
        distance = _distance(towards, after)
        if newton:
            leap = _newton(grid, tables, inverse_temperature, strategies, answer)
            landed = reply(grid, tables, priors, inverse_temperature, leap)
            closer = _distance(leap, landed) < xp.minimum(residual, distance)
            towards = tuple(xp.where(closer[:, None], a, b) for a, b in zip(leap, towards, strict=True))
            after = tuple(xp.where(closer[:, None], a, b) for a, b in zip(landed, after, strict=True))
            distance = _distance(towards, after)
        stalled = xp.where(distance >= residual, stalled + 1, xp.zeros_like(stalled))
        damping = xp.where(stalled >= 3, 0.7 * damping, damping)
        stalled = xp.where(stalled >= 3, xp.zeros_like(stalled), stalled)
        strategies, answer, residual = towards, after, distance
    return Equilibrium(strategies, residual)


def _distance(strategies: Strategies, replies: Strategies) -> Array:
    xp = namespace(strategies[0])
    return xp.max(xp.abs(xp.concat(strategies, axis=-1) - xp.concat(replies, axis=-1)), axis=-1)


def _newton(
    grid: JointGrid, tables: list[Array], inverse_temperature: Array, strategies: Strategies, replies: Strategies
) -> Strategies:
    """Return where Newton's method leads, put back on the simplex."""
    xp = namespace(replies[0])
    slope = jacobian(grid, tables, inverse_temperature, strategies, replies)
    eye = constant(np.eye(slope.shape[-1]), like=slope)
    gap = xp.concat(replies, axis=-1) - xp.concat(strategies, axis=-1)
    moved = xp.concat(strategies, axis=-1) + xp.linalg.solve(eye - slope, gap[:, :, None])[..., 0]
    leap, first = [], 0
    for p in strategies:
        part = xp.clip(moved[:, first : first + p.shape[1]], 0.0, None)
        leap.append(part / xp.sum(part, axis=-1, keepdims=True))
        first += p.shape[1]
    return tuple(leap)
