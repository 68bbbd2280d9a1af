"""Values of items: their distributions, and those of the best that a bidder can be given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import comb
from typing import Any, cast

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import ParameterError, number
from lawgiver.envs.families.ends import Ends, checked_ends, each_end
from lawgiver.envs.solvers.auctions.distributions import Distribution
from lawgiver.envs.solvers.auctions.myerson import Marginal

DISTRIBUTIONS = ("uniform", "piecewise", "exponential", "triangle")
DEMANDS = ("additive", "unit")
PIECES = 1_000
"""Pieces by which distributions without a closed form are approximated."""
CELLS = 10_000
"""Cells on which values are added up."""

Rows = tuple[tuple[float, ...], ...]
"""One number for each bidder and item."""


def checked_rows(name: str, given: Any, n: int, m: int) -> Ends | Rows:
    """Return one end of the distributions as it is kept: that of bidders, or n rows of m numbers, one an item.

    Raises:
        ParameterError: naming the end, and what is allowed.
    """
    listed = isinstance(given, (Sequence, np.ndarray)) and not isinstance(given, str)
    if not listed or not any(isinstance(row, (Sequence, np.ndarray)) for row in given):
        return checked_ends(name, given, n)
    sizes = [len(row) if isinstance(row, (Sequence, np.ndarray)) else 1 for row in given]
    if sizes != [m] * n:
        raise ParameterError(f"{name} has rows of {sizes} numbers, allowed: one number, or {n} rows of {m}")
    return tuple(
        tuple(number(f"{name}[{i}][{j}]", value, "(-inf, inf)") for j, value in enumerate(row))
        for i, row in enumerate(given)
    )


def each_item(end: Ends | Rows, n: int, m: int) -> Rows:
    """Return one end for each bidder and item."""
    if isinstance(end, tuple) and isinstance(end[0], tuple):
        return cast(Rows, end)
    return tuple((value,) * m for value in each_end(cast(Ends, end), n))


def independent(distributions: Sequence[Sequence[Marginal]], draws: Array) -> Array:
    """Compute values (B, n, m), item by item, for uniform draws of that shape."""
    xp = namespace(draws)
    several = {each for row in distributions for each in row}
    if len(several) == 1:
        return several.pop().quantile(draws)
    if all(isinstance(each, Distribution) and len(each.masses) == 1 for each in several):
        low, high = (
            np.array([[getattr(each, end) for each in row] for row in distributions]) for end in ("low", "high")
        )
        return constant(low, draws) + constant(high - low, draws) * draws
    columns = [
        xp.stack([each.quantile(draws[:, i, j]) for j, each in enumerate(row)], axis=-1)
        for i, row in enumerate(distributions)
    ]
    return xp.stack(columns, axis=1)


def in_triangle(draws: Array, high: float) -> Array:
    """Compute values (B, n, m) that are uniform where they are at least 0 and add up to no more than ``high``.

    The gaps between m sorted uniform numbers, and before the first, are uniform there.
    """
    xp = namespace(draws)
    ordered = xp.sort(draws, axis=-1)
    before = xp.concat([xp.zeros_like(ordered[..., :1]), ordered[..., :-1]], axis=-1)
    return high * (ordered - before)


def side_of_triangle(m: int, high: float) -> Marginal:
    """Return the distribution of one value of :func:`in_triangle`."""
    return Distribution(0.0, high) if m == 1 else approximated(lambda v: 1 - (1 - v / high) ** m, 0.0, high)


def sum_in_triangle(m: int, high: float) -> Marginal:
    """Return the distribution of the sum of a bidder's values of :func:`in_triangle`."""
    return approximated(lambda v: (v / high) ** m, 0.0, high)


def largest_in_triangle(m: int, high: float) -> Marginal:
    """Return the distribution of the largest of a bidder's values of :func:`in_triangle`."""

    def below(v: np.ndarray) -> np.ndarray:
        terms = [(-1) ** k * comb(m, k) * np.maximum(1 - k * v / high, 0) ** m for k in range(m + 1)]
        return np.asarray(np.clip(np.sum(terms, axis=0), 0, 1))

    return approximated(below, 0.0, high)


def sum_of(items: Sequence[Marginal]) -> Marginal:
    """Return the distribution of the sum of independent values: masses on cells of one width, convolved."""
    if len(items) == 1:
        return items[0]
    low, high = sum(each.low for each in items), sum(each.high for each in items)
    step = (high - low) / CELLS
    counts = [int(np.ceil((each.high - each.low) / step)) for each in items]
    masses = [
        np.diff(np.clip(each.cdf(each.low + step * np.arange(count + 1)), 0, 1))
        for each, count in zip(items, counts, strict=True)
    ]
    size = sum(counts) - len(counts) + 1
    total = np.fft.irfft(np.prod([np.fft.rfft(each, size + 1) for each in masses], axis=0), size + 1)[:size]
    # The sum of cells k_1, ..., k_m lies around the middle k_1 + ... + k_m + m / 2, half of it above.
    above = low + step * (np.arange(len(total)) + (len(items) + 1) / 2)
    points, reached = np.append(low, above), np.append(0.0, np.cumsum(total.clip(0)))
    return approximated(lambda v: np.interp(v, points, reached), low, high)


def largest_of(items: Sequence[Marginal]) -> Marginal:
    """Return the distribution of the largest of independent values."""
    if len(items) == 1:
        return items[0]
    low, high = max(each.low for each in items), max(each.high for each in items)
    return approximated(lambda v: np.prod([np.clip(each.cdf(v), 0, 1) for each in items], axis=0), low, high)


def approximated(cdf: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> Distribution:
    """Return the distribution between two ends whose density is constant on pieces, with the masses of ``cdf``."""
    edges = np.linspace(low, high, PIECES + 1)
    masses = [max(0.0, float(b - a)) for a, b in pairwise(cdf(edges))]
    return Distribution(low, high, tuple(masses))
