"""Bayesian optimisation by the package bayesian-optimization: few evaluations, each of participants in equilibrium."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from bayes_opt import BayesianOptimization
from bayes_opt.acquisition import ExpectedImprovement
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel

from lawgiver.trainers.mechanism_design.optimisers.base import Optimiser

DESIGN = 3
"""Rounds a coefficient that are drawn uniformly from the box, after the start and before the model is asked."""
LENGTHS, NOISES = (1e-2, 1e2), (1e-6, 1.0)
"""Bounds of the model's length scales, in widths of the box, and of the variance of its noise."""
WORTH = 0.01
"""The least improvement that is looked for, in standard deviations of what was seen: not to polish a local maximum."""
LENGTH, NOISE = 0.3, 1e-3
"""Where fitting them begins; the second and third beginnings are drawn between the bounds."""


@dataclass(kw_only=True, eq=False)
class Bayesian(Optimiser):
    """One evaluation a round, where welfare's expected improvement is highest by a Gaussian process with noise.

    For the nested variant: welfare is to be measured when the participants are in equilibrium. The first round plays
    ``start``. ``step`` and ``radius`` are not used. ``coefficients`` is what was tried with the highest posterior mean,
    which a single lucky evaluation does not move.

    Attributes:
        tried: every mechanism so far, (updates, D).
        welfare: what each reached, (updates,).
        scales: the model's length scale for each coefficient, then the variance of its noise, (D + 1,).
    """

    tried: np.ndarray = field(init=False)
    welfare: np.ndarray = field(init=False)
    scales: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Begin at ``start``."""
        super().__post_init__()
        self.tried, self.welfare = np.empty((0, self.n_coefficients)), np.empty(0)
        self.scales = np.array([LENGTH] * self.n_coefficients + [NOISE])

    def _propose(self, rng: np.random.Generator) -> np.ndarray:
        if self.updates == 0:
            return self.start[None]
        if self.updates <= DESIGN * self.n_coefficients:
            return rng.uniform(self.low, self.high)[None]
        names = [f"{i:04d}" for i in range(self.n_coefficients)]
        library = BayesianOptimization(
            f=None,
            pbounds=dict.fromkeys(names, (0.0, 1.0)),
            acquisition_function=ExpectedImprovement(xi=WORTH * float(self._scores.std())),
            random_state=int(rng.integers(2**31)),
            verbose=0,
        )
        # The library takes each mechanism once: its mean, whose noise is smaller the oftener it was played. Noise is no
        # part of what can be improved, hence not of the kernel, which is as fitted when the last welfare was told.
        points, of, times = np.unique(self._points, axis=0, return_inverse=True, return_counts=True)
        means = np.bincount(of.ravel(), self._scores) / times
        library.set_gp_params(kernel=Matern(self.scales[:-1], nu=2.5), alpha=self.scales[-1] / times, optimizer=None)
        for point, mean in zip(points, means, strict=True):
            library.register(dict(zip(names, point, strict=True)), float(mean))
        found = library.suggest()
        point = np.array([found[name] for name in names])
        return np.asarray(np.clip(self.low + point * (self.high - self.low), self.low, self.high))[None]

    def _learn(self, tried: np.ndarray, welfare: np.ndarray, gradient: np.ndarray | None) -> None:
        self.tried, self.welfare = np.concatenate([self.tried, tried]), np.concatenate([self.welfare, welfare])
        kernel = Matern([LENGTH] * self.n_coefficients, LENGTHS, nu=2.5) + WhiteKernel(NOISE, NOISES)
        model = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=2, random_state=self.round)
        with warnings.catch_warnings():
            # It says that a scale is at its bound, where it belongs if a coefficient does nothing or there is no noise.
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
        """What the model sees of their welfare, (updates,).

        The worst mechanisms are often so bad that good ones would look alike beside them. Hence what lies below the
        median is drawn in, by the logarithm of its distance in units of that between the median and the best.
        """
        median = np.median(self.welfare)
        unit = self.welfare.max() - median
        if unit == 0:
            return self.welfare
        below = np.maximum(median - self.welfare, 0)
        return np.asarray(np.maximum(self.welfare, median) - unit * np.log1p(below / unit))
