"""All joint actions of a one-round game, with symmetric seats grouped.

Seats are alike if they have the same actions and the game does not tell them apart; in a symmetric equilibrium they
share one strategy. Only the sorted actions of such a group are listed, each with the number of seatings that it
stands for: four alike seats with 11 actions make 1,001 joint actions instead of 14,641.

    >>> grid = joint_grid((2, 2), (0, 0))  # two alike seats of two actions each
    >>> grid.actions.tolist(), grid.groups[0].seatings.round(9).tolist()
    ([[0, 0], [0, 1], [1, 1]], [1.0, 2.0, 1.0])
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np

LARGEST_GRID = 200_000
"""Largest number of joint actions, with symmetric seats grouped, that is enumerated."""


@dataclass(frozen=True)
class Group:
    """Seats that share a strategy.

    Attributes:
        seats: their indices, ascending.
        n_actions: number of actions of each seat.
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
    """All joint actions of n seats, (S, n), and the groups of symmetric seats."""

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
    """List joint actions of seats with ``n_actions`` each; seats with the same label in ``alike`` are symmetric."""
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
