"""Comparison of allocation rules by welfare and exploitability, with confidence intervals.

Every rule is judged on the same instances, the first M of N of which are audited, so that differences are told by
instance. Two things are left to chance: which instances were drawn, and which seeds a network was trained with. The
first is a standard error over instances of the seeds' mean, times ``NORMAL``; the second one over seeds, times
Student's quantile, for seeds are few. An interval adds the two in quadrature.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from lawgiver.trainers.statistics.estimate import NORMAL, Estimate, t_quantile


@dataclass(frozen=True)
class Point:
    """Welfare and exploitability of a rule, by instance.

    Attributes:
        name: of the rule.
        ratios: Nash welfare by that of proportional fairness, (S, N) for S seeds; S is 1 where nothing is learned.
        gains: mean over participants of the best misreport's relative gain, of the first M instances, (S, M).
    """

    name: str
    ratios: np.ndarray
    gains: np.ndarray

    @property
    def x(self) -> Estimate:
        """Mean relative exploitability."""
        return estimate(self.at[0], [(self, 0.0, 1.0)])

    @property
    def y(self) -> Estimate:
        """Nash welfare by that of proportional fairness."""
        return estimate(self.at[1], [(self, 1.0, 0.0)])

    @property
    def at(self) -> tuple[float, float]:
        """Exploitability and welfare."""
        return float(self.gains.mean()), float(self.ratios.mean())

    @property
    def seeds(self) -> tuple[Point, ...]:
        """One point a seed."""
        return tuple(
            Point(self.name, ratios[None], gains[None]) for ratios, gains in zip(self.ratios, self.gains, strict=True)
        )


Terms: TypeAlias = Sequence[tuple[Point, float, float]]
"""Points, each with what its welfare and its exploitability are multiplied by in a sum."""


def estimate(value: float, terms: Terms) -> Estimate:
    """Estimate a sum of welfares and exploitabilities: ``value`` with its interval, to first order."""
    instances = np.zeros(max(point.ratios.shape[1] for point, _, _ in terms))
    of_seeds, widened = 0.0, 0.0
    for point, of_ratio, of_gain in terms:
        for factor, values in ((of_ratio, point.ratios), (of_gain, point.gains)):
            deviations = values.mean(0) - values.mean()
            instances[: deviations.size] += factor * deviations / deviations.size
        count = len(point.ratios)
        if count > 1:
            by_seed = of_ratio * point.ratios.mean(1) + of_gain * point.gains.mean(1)
            of_seeds += float(by_seed.var(ddof=1)) / count
            widened += (t_quantile(count - 1) * float(by_seed.std(ddof=1))) ** 2 / count
    of_instances = float((instances**2).sum())
    half, how = math.sqrt(NORMAL**2 * of_instances + widened), "normal and student" if widened else "normal"
    return Estimate(value, math.sqrt(of_instances + of_seeds), value - half, value + half, len(instances), how)


def clear(found: Estimate) -> bool:
    """Check whether a number is above 0 by more than half of its interval."""
    return found.ends[0] > 0


def above(point: Point, curve: Sequence[Point]) -> Estimate | None:
    """Compute how far a point lies above a curve at its own exploitability, in units of the welfare ratio.

    Args:
        point: that is compared.
        curve: one point or more, joined by straight lines in this order; whoever is more exploitable than all of it
            is compared with its best point. Of several places of it the best counts.

    Returns:
        the height, below 0 where the point lies below; None if all of the curve is more exploitable.
    """
    x, y = point.at
    heights = [(other.at[1], (point, 1.0, 0.0), (other, -1.0, 0.0)) for other in curve if other.at[0] <= x]
    rivals: list[tuple[float, Terms]] = [(height, terms) for height, *terms in heights]
    for first, second in itertools.pairwise(curve):
        (x_1, y_1), (x_2, y_2) = first.at, second.at
        if min(x_1, x_2) < x < max(x_1, x_2):
            share, slope = (x - x_1) / (x_2 - x_1), (y_2 - y_1) / (x_2 - x_1)
            ends = [(first, share - 1, slope * (1 - share)), (second, -share, slope * share)]
            rivals.append((y_1 + share * (y_2 - y_1), [(point, 1.0, -slope), *ends]))
    if not rivals:
        return None
    height, terms = max(rivals, key=lambda rival: rival[0])
    return estimate(y - height, terms)


def dominated_by(point: Point, others: Sequence[Point]) -> list[str]:
    """List the points that may be as good in both measures: the point is clearly better than they are in neither."""
    return [other.name for other in others if not any(map(clear, better(point, other)))]


def better(point: Point, other: Point) -> tuple[Estimate, Estimate]:
    """Compute by how much a point is less exploitable than another, and by how much its welfare is greater."""
    (x, y), (other_x, other_y) = point.at, other.at
    less = estimate(other_x - x, [(other, 0.0, 1.0), (point, 0.0, -1.0)])
    return less, estimate(y - other_y, [(point, 1.0, 0.0), (other, -1.0, 0.0)])
