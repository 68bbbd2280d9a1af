"""Distance of a rule below the lines between known ones, where less of two violations is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lawgiver.trainers.statistics.estimate import Estimate


@dataclass(frozen=True)
class Violations:
    """Both violations of a rule in each of P sampled markets.

    Attributes:
        regret: of strategyproofness, (P,).
        stability: (P,).
    """

    regret: np.ndarray
    stability: np.ndarray

    @property
    def point(self) -> tuple[float, float]:
        """Both means."""
        return float(self.regret.mean()), float(self.stability.mean())


def hull(points: Sequence[tuple[float, float]]) -> list[int]:
    """Find the corners of the lower left part of the convex hull of points.

    Returns:
        indices of the points, from the one of least regret to the one of least violation of stability.
    """
    order = sorted(range(len(points)), key=lambda i: points[i])
    least = min(range(len(points)), key=lambda i: points[i][::-1])
    found: list[int] = []
    for i in order[: order.index(least) + 1]:
        while len(found) > 1 and _turn(points[found[-2]], points[found[-1]], points[i]) <= 0:
            found.pop()
        found.append(i)
    if len(found) > 1 and points[found[1]][1] >= points[found[0]][1]:
        return [found[0]]
    return found


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """Compute on which side of the line from a through b the point c lies: above 0 on its left."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def below(own: Violations, known: Sequence[Violations]) -> Estimate:
    """Estimate by how much a rule is more stable than the hull of known ones is at the same regret.

    Beyond either end the hull is level. The interval is that of the linearised difference, market by market, so that it
    holds for the regret of the rule and for both corners that the line is between.

    Args:
        own: violations of the rule.
        known: violations of known rules in the same markets.
    """
    corners = [known[i] for i in hull([rule.point for rule in known])]
    x, _ = own.point
    edge = next((edge for edge in pairwise(corners) if edge[0].point[0] <= x <= edge[1].point[0]), None)
    if edge is None:
        end = corners[0] if x < corners[0].point[0] else corners[-1]
        return Estimate.of_samples(end.stability - own.stability)
    left, right = edge
    run, rise = (b - a for a, b in zip(left.point, right.point, strict=True))
    share = (x - left.point[0]) / run
    at, height = (
        (1 - share) * a + share * b for a, b in ((left.regret, right.regret), (left.stability, right.stability))
    )
    return Estimate.of_samples(height - own.stability + rise / run * (own.regret - at))
