"""Makespans of tasks that arrive one per unit of time, and the optimum under full information."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, largest, namespace
from lawgiver.envs.solvers.auctions.distributions import Distribution

Clock = Literal["whole_units", "clamped", "none"]
CLOCKS: tuple[Clock, ...] = ("whole_units", "clamped", "none")

PROFILES = 2**16
"""Sample size of the full-information bound. Its standard error is below 0.004 in all settings of the paper."""
EFFORT = 2**28
"""Budget of numbers to compute: with many assignments the sample is smaller, but at least 256."""
CHUNK = 2**22
"""Numbers held at once meanwhile."""


def makespans(costs: Array, clock: Clock = "whole_units") -> Array:
    """Compute the makespan of every assignment, counted from when the last task is given out.

    Args:
        costs: time that each of n workers takes for each of m tasks, (..., n, m).
        clock: what a unit of time does to a worker's remaining work, see :class:`TaskScheduling`.

    Returns:
        One number an assignment, (..., n^m): an assignment is numbered by its workers (a_0, ..., a_{m-1}) read as a
        number to base n, which is the order of a tree's paths.
    """
    xp = namespace(costs)
    n, m = costs.shape[-2:]
    mine = constant(np.eye(n), costs)
    left = xp.zeros_like(costs[..., None, :, 0])  # (..., assignments so far, n): work that each worker has before it
    for k in range(m):
        given = mine * costs[..., None, :, k]
        left = _after_a_unit(left, clock)[..., None, :] + given[..., None, :, :]
        left = xp.reshape(left, (*costs.shape[:-2], -1, n))
    longest = largest(left)
    return xp.maximum(longest, xp.zeros_like(longest))


def _after_a_unit(left: Array, clock: Clock) -> Array:
    xp = namespace(left)
    if clock == "none":
        return left
    return xp.where(left > 0, left - 1, left) if clock == "whole_units" else xp.maximum(left - 1, xp.zeros_like(left))


def full_information_makespan(distributions: Sequence[Distribution], m: int, clock: Clock) -> tuple[float, float]:
    """Return the expected makespan of the best assignment under known costs, and the standard error of the sample.

    The sample is of 65,536 profiles (fewer of games larger than the paper's), always the same.
    """
    n, rng = len(distributions), np.random.default_rng(0)
    size = n ** (m + 1)
    profiles, chunk = min(PROFILES, max(256, EFFORT // size)), max(1, CHUNK // size)
    best = []
    for start in range(0, profiles, chunk):
        u = rng.random((min(chunk, profiles - start), n, m))
        costs = np.stack([each.quantile(u[:, i]) for i, each in enumerate(distributions)], axis=1)
        best.append(makespans(costs, clock).min(-1))
    found = np.concatenate(best)
    return float(found.mean()), float(found.std() / np.sqrt(len(found)))


def least_cost(distributions: Sequence[Distribution]) -> float:
    """Compute the expected cost of a task at its cheapest worker.

    That is the least possible cost and the integral, from there on, of the probability that all costs are higher: a
    piecewise polynomial, for which Gauss-Legendre quadrature is exact.
    """
    ends = np.concatenate([np.linspace(d.low, d.high, len(d.masses) + 1) for d in distributions])
    nodes, weights = np.polynomial.legendre.leggauss(len(distributions) // 2 + 1)
    cost = float(ends.min())
    for low, high in pairwise(np.unique(ends)):
        t = low + (nodes + 1) / 2 * (high - low)
        cost += float((high - low) / 2 * weights @ np.prod([1 - d.cdf(t) for d in distributions], axis=0))
    return cost
