"""Overoptimisation of a proxy (Goodhart's law) in a model that is solved in closed form.

Replies have features y ~ N(0, I) under the reference. They are worth v . y - y'Ay / 2, but what is measured, and
optimised, is the proxy w . y. Policies are placed by d = sqrt KL(p || q), and worths are counted from the reference's.

*Tilting* by exp(w . y / t) moves the mean to w / t and leaves the covariance, with KL = |w|^2 / 2 t^2, so that

    worth = alpha d - beta d^2,    alpha = sqrt 2 v.w / |w|,    beta = w'Aw / |w|^2,    proxy = sqrt 2 |w| d .

It is the form that Gao, Schulman and Hilton 2023 fit to reward models of language models; it is greatest at
d = alpha / 2 beta, while the proxy goes on rising. *Best of n* replies by the proxy has KL = log n - (n - 1) / n and,
with z the largest of n standard normal numbers and u = w / |w|,

    worth = v.u E z - u'Au (E z^2 - 1) / 2,    proxy = |w| E z .

    >>> model = GaussianReplies(v=(1, 0.5, 0, 0), a=(0.05, 0.05, 0.3, 0.3), w=(1, 0.5, 0.6, 0))
    >>> [round(x, 5) for x in model.coefficients], [round(x, 3) for x in model.peak]
    ([1.3932, 0.1059], [6.578, 4.582])
    >>> chosen = model.best_of(64)
    >>> round(chosen.divergence, 3), round(chosen.worth, 3), round(model.tilted_at(chosen.divergence).worth, 3)
    (3.175, 2.06, 2.146)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lawgiver.envs.core.arrays import Rng
from lawgiver.envs.core.errors import ParameterError, one_each

GRID = 12_001
"""Points of the quadrature over a normal variable, on [-12, 12]."""


@dataclass(frozen=True)
class Optimised:
    """Outcome of optimising the proxy.

    Attributes:
        divergence: KL(p || q) in nats.
        worth: true reward, over that of the reference.
        proxy: measured reward.
    """

    divergence: float
    worth: float
    proxy: float


@dataclass(frozen=True)
class GaussianReplies:
    """The model of the module.

    Args:
        v: what a unit of each feature is worth, (k,).
        a: the diagonal of A, at least 0, (k,): how fast more of a feature is worth less.
        w: the proxy's weight of each feature, (k,), not all 0.

    Raises:
        ParameterError: if the lists differ in length or a number is out of its range.
    """

    v: Sequence[float]
    a: Sequence[float]
    w: Sequence[float]

    def __post_init__(self) -> None:
        """Check the numbers."""
        ranges = {"v": "(-inf, inf)", "a": "[0, inf)", "w": "(-inf, inf)"}
        for name, interval in ranges.items():
            given = one_each(name, getattr(self, name), len(self.v), interval, "a feature")
            object.__setattr__(self, name, given)
        if not any(self.w):
            raise ParameterError("w is 0 for every feature, allowed: a proxy that measures at least one")

    @property
    def coefficients(self) -> tuple[float, float]:
        """Alpha and beta."""
        v, a, w = (np.array(each) for each in (self.v, self.a, self.w))
        return float(math.sqrt(2) * v @ w / np.linalg.norm(w)), float((a * w * w).sum() / (w @ w))

    @property
    def peak(self) -> tuple[float, float]:
        """The d at which tilting is worth most, and what it is worth there; infinite where nothing is lost.

        It is 0 where the proxy leads away from what is worth something.
        """
        alpha, beta = self.coefficients
        if alpha <= 0:
            return 0.0, 0.0
        return (alpha / (2 * beta), alpha**2 / (4 * beta)) if beta else (math.inf, math.inf)

    def tilted_at(self, divergence: float) -> Optimised:
        """Compute the outcome of tilting by the proxy at KL(p || q) = ``divergence``, in nats."""
        (alpha, beta), d = self.coefficients, math.sqrt(divergence)
        return Optimised(divergence, alpha * d - beta * divergence, math.sqrt(2) * float(np.linalg.norm(self.w)) * d)

    def best_of(self, n: int) -> Optimised:
        """Compute the outcome of taking the best of n >= 1 replies by the proxy."""
        first, second = largest_normal(n)
        alpha, beta = self.coefficients
        worth = alpha / math.sqrt(2) * first - beta * (second - 1) / 2
        return Optimised(math.log(n) - (n - 1) / n, worth, float(np.linalg.norm(self.w)) * first)

    def worths(self, features: np.ndarray) -> np.ndarray:
        """Compute what replies with features (..., k) are worth over the reference, (...)."""
        v, a = np.array(self.v), np.array(self.a)
        found: np.ndarray = features @ v - (features**2 @ a - a.sum()) / 2
        return found

    def sampled_tilt(self, divergence: float, count: int, rng: Rng) -> np.ndarray:
        """Draw worths (count,) of replies of the tilted policy."""
        w = np.array(self.w)
        mean = w / np.linalg.norm(w) * math.sqrt(2 * divergence)
        return self.worths(mean + rng.standard_normal((count, len(w))))

    def sampled_best_of(self, n: int, count: int, rng: Rng) -> np.ndarray:
        """Draw worths (count,) of the best of n replies by the proxy, from features that are all drawn."""
        features = rng.standard_normal((count, n, len(self.w)))
        best = (features @ np.array(self.w)).argmax(1)
        return self.worths(features[np.arange(count), best])


@lru_cache
def largest_normal(n: int) -> tuple[float, float]:
    """Compute E z and E z^2 of the largest of n >= 1 independent standard normal numbers, by quadrature.

    >>> [round(x, 6) for x in largest_normal(2)]
    [0.56419, 1.0]
    """
    points, logs = _normal()
    density = n * np.exp((n - 1) * logs - points**2 / 2) / math.sqrt(2 * math.pi)
    step = points[1] - points[0]
    return float((points * density).sum() * step), float((points**2 * density).sum() * step)


@lru_cache
def _normal() -> tuple[np.ndarray, np.ndarray]:
    """Lay out points (G,) and the logarithms of the normal distribution function there."""
    points = np.linspace(-12.0, 12.0, GRID)
    return points, np.log([math.erfc(-x / math.sqrt(2)) / 2 for x in points])


def fitted_coefficients(distances: np.ndarray, worths: np.ndarray) -> tuple[float, float]:
    """Fit alpha and beta of alpha d - beta d^2 to worths (m,) at d = sqrt KL (m,), by least squares.

    >>> d = np.linspace(0.5, 5, 10)
    >>> tuple(round(x, 6) for x in fitted_coefficients(d, 1.4 * d - 0.1 * d * d))
    (1.4, 0.1)
    """
    design = np.column_stack([distances, -(distances**2)])
    alpha, beta = np.linalg.lstsq(design, worths, rcond=None)[0]
    return float(alpha), float(beta)
