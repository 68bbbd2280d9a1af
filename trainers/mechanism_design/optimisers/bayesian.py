"""Bayesian optimisation of a mechanism with few evaluations, each of participants in equilibrium."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel

from lawgiver.trainers.mechanism_design.optimisers.base import Optimiser

DESIGN = 3
"""Rounds a coefficient that are drawn uniformly from the box, after the start and before the model is asked."""
LENGTHS, NOISES = (1e-2, 1e2), (1e-6, 1.0)
"""Bounds of the model's length scales, in widths of the box, and of the variance of its noise."""
WORTH = 0.01
"""Least improvement sought, in standard deviations of the observed welfare: local maxima are not polished."""
LENGTH, NOISE = 0.3, 1e-3
"""Where fitting them starts; the second and third starts are drawn between the bounds."""
SAMPLES, CLIMBS = 10_000, 10
"""Points at which the expected improvement is computed, and how many of the best of them it is climbed from."""


@dataclass(kw_only=True, eq=False)
class Bayesian(Optimiser):
    """One evaluation a round, where welfare's expected improvement is highest by a Gaussian process with noise.

    For the nested variant: welfare is to be measured when the participants are in equilibrium. The first round plays
    ``start``. ``step`` and ``radius`` are not used. ``coefficients`` is the tried mechanism of highest posterior mean,
    which a single lucky evaluation hardly moves.

    Attributes:
        tried: every mechanism so far, (updates, D).
        welfare: of each, (updates,).
        scales: the model's length scale for each coefficient, then the variance of its noise, (D + 1,).
    """

    tried: np.ndarray = field(init=False)
    welfare: np.ndarray = field(init=False)
    scales: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.tried, self.welfare = np.empty((0, self.n_coefficients)), np.empty(0)
        self.scales = np.array([LENGTH] * self.n_coefficients + [NOISE])

    def _propose(self, rng: np.random.Generator) -> np.ndarray:
        if self.updates == 0:
            return self.start[None]
        if self.updates <= DESIGN * self.n_coefficients:
            return rng.uniform(self.low, self.high)[None]
        # A mechanism counts once: its mean, whose noise is smaller the oftener it was played. Noise is no part of what
        # can be improved, hence not of the kernel, which is that of the last fit.
        points, of, times = np.unique(self._points, axis=0, return_inverse=True, return_counts=True)
        means = np.bincount(of.ravel(), self._scores) / times
        kernel, noise = Matern(self.scales[:-1], nu=2.5), self.scales[-1] / times
        model = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None, normalize_y=True).fit(points, means)
        point = most_promising(model, means.max(), WORTH * float(self._scores.std()), int(rng.integers(2**31)))
        return np.asarray(np.clip(self.low + point * (self.high - self.low), self.low, self.high))[None]

    def _learn(self, tried: np.ndarray, welfare: np.ndarray, gradient: np.ndarray | None) -> None:
        self.tried, self.welfare = np.concatenate([self.tried, tried]), np.concatenate([self.welfare, welfare])
        kernel = Matern([LENGTH] * self.n_coefficients, LENGTHS, nu=2.5) + WhiteKernel(NOISE, NOISES)
        model = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=2, random_state=self.round)
        with warnings.catch_warnings():
            # It warns of a scale at its bound, which is right if a coefficient has no effect or there is no noise.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(self._points, self._scores)
        self.scales = np.exp(model.kernel_.theta)
        self.coefficients = self.tried[int(model.predict(self._points).argmax())].copy()

    @property
    def _points(self) -> np.ndarray:
        """The mechanisms so far, in widths of the box, (updates, D)."""
        return np.asarray((self.tried - self.low) / (self.high - self.low))

    @property
    def _scores(self) -> np.ndarray:
        """Their welfare as the model is fitted to it, (updates,).

        The worst mechanisms are often so bad that the good ones would hardly differ on that scale. Welfare below the
        median is therefore compressed: the logarithm of its distance, in units of that between median and best.
        """
        median = np.median(self.welfare)
        unit = self.welfare.max() - median
        if unit == 0:
            return self.welfare
        below = np.maximum(median - self.welfare, 0)
        return np.asarray(np.maximum(self.welfare, median) - unit * np.log1p(below / unit))


def expected_improvement(model: GaussianProcessRegressor, points: np.ndarray, best: float, least: float) -> np.ndarray:
    """Compute E[max(f - best - least, 0)] for a Gaussian process f with some noise, at points (K, D): (K,)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of variances that rounding makes negative
        mean, std = model.predict(points, return_std=True)
    gain = mean - best - least
    return np.asarray(gain * norm.cdf(gain / std) + std * norm.pdf(gain / std))


def most_promising(model: GaussianProcessRegressor, best: float, least: float, seed: int) -> np.ndarray:
    """Find the point (D,) of the unit cube of the largest expected improvement: sampled, then climbed by L-BFGS-B."""
    size = model.n_features_in_
    samples = np.ascontiguousarray(np.random.RandomState(seed).uniform(size=(size, SAMPLES)).T)
    losses = -expected_improvement(model, samples, best, least)
    found = [(losses.min(), samples[losses.argmin()])]
    for start in samples[np.argsort(losses)[:CLIMBS]]:
        end = minimize(
            lambda point: -expected_improvement(model, point[None], best, least)[0],
            start,
            method="L-BFGS-B",
            bounds=[(0.0, 1.0)] * size,
        )
        if end.success:
            found.append((end.fun, end.x.clip(0.0, 1.0)))
    return np.asarray(min(found, key=lambda one: one[0])[1])
