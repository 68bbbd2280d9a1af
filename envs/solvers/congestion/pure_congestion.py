"""The optimum of small anonymous congestion games, by enumeration of profiles.

Only how many members of a group choose each option matters. NumPy.

Agents of a group are alike, so that of the options^agents ways to choose those are alike in which as many members take
each option: comb(N + O - 1, O - 1) a group of N agents with O options, by stars and bars. Their welfare is compared
one by one.

    >>> table = np.array([[0.0, 3.0, 1.0]] * 2)  # two roads that pay a user 3 alone, and 1 each to two
    >>> game = CongestionGame((2,), np.eye(2)[None], np.ones((1, 2), bool), table, np.zeros((1, 2)))
    >>> pure_optimum(game).counts, pure_optimum(game).welfare
    (array([[1, 1]]), 6.0)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.solvers.congestion.anonymous import CongestionGame
from lawgiver.envs.solvers.equilibrium.joint_grid import LARGEST_GRID


@dataclass(frozen=True, eq=False)
class PureOptimum:
    """Number of members of each group that choose each option, (G, O), and their sum of payoffs without transfers."""

    counts: np.ndarray
    welfare: float


def count_profiles(game: CongestionGame) -> np.ndarray:
    """Return every way in which the members of the groups can spread over their options, (S, G, O).

    Raises:
        UnsupportedGameError: if there are more than ``LARGEST_GRID``.
    """
    n_options = game.legal.sum(1)
    size = math.prod(math.comb(n + o - 1, o - 1) for n, o in zip(game.counts, n_options.tolist(), strict=True))
    if size > LARGEST_GRID:
        raise UnsupportedGameError(f"{size:,} ways to spread {game.n} agents, allowed: at most {LARGEST_GRID:,}")
    spreads = []
    for n, legal in zip(game.counts, game.legal, strict=True):
        spread = _spreads(n, int(legal.sum()))
        padded = np.zeros((len(spread), len(legal)), np.int64)
        padded[:, legal] = spread
        spreads.append(padded)
    index = np.array(list(product(*(range(len(spread)) for spread in spreads))))
    return np.stack([spread[column] for spread, column in zip(spreads, index.T, strict=True)], axis=1)


def _spreads(n: int, parts: int) -> np.ndarray:
    """Return all ways to write n as an ordered sum of ``parts`` integers >= 0, (K, parts): bars among n stars."""
    bars = np.array(list(combinations(range(n + parts - 1), parts - 1)), np.int64)
    edges = np.pad(bars, ((0, 0), (1, 1)), constant_values=((0, 0), (-1, n + parts - 1)))
    return np.diff(edges, axis=1) - 1


def pure_optimum(game: CongestionGame) -> PureOptimum:
    """Find the pure profile with the largest sum of payoffs without transfers."""
    profiles = count_profiles(game)
    welfare = _welfare(game, profiles)
    best = int(welfare.argmax())
    return PureOptimum(profiles[best], float(welfare[best]))


def _welfare(game: CongestionGame, profiles: np.ndarray) -> np.ndarray:
    loads = np.einsum("sgo,gor->sr", profiles, game.uses.astype(np.int64))
    paid = np.arange(game.n + 1) * game.table
    return np.asarray(np.take_along_axis(paid.T, loads, axis=0).sum(1) + (profiles * game.constants).sum((1, 2)))
