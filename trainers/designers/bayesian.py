"""Bayesian optimisation by the package bayesian-optimization: few evaluations, each at the agents' equilibrium."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from bayes_opt import BayesianOptimization
from bayes_opt.acquisition import UpperConfidenceBound
from sklearn.gaussian_process.kernels import Matern, WhiteKernel

from lawgiver.trainers.designers.base import Optimiser

OPTIMISM = 2.0
"""Posterior standard deviations that are added to the posterior mean of a mechanism that might be played."""
DESIGN = 3
"""Rounds a coefficient that are drawn uniformly from the box, after the start and before the model is asked."""


@dataclass(kw_only=True, eq=False)
class Bayesian(Optimiser):
    """One evaluation a round, where a Gaussian process with noise puts the upper confidence bound of welfare highest.

    For the nested variant: welfare is to be measured when the agents are in equilibrium. The first round plays
    ``start``; the box is the search space, measured in its own widths. ``step`` and ``radius`` are not used.
    ``coefficients`` is what was tried with the highest posterior mean, which a single lucky evaluation does not move.

    Attributes:
        tried: every mechanism so far, (updates, D).
        welfare: what each reached, (updates,).
    """

    tried: np.ndarray = field(init=False)
    welfare: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Begin at ``start``."""
        super().__post_init__()
        self.tried, self.welfare = np.empty((0, self.n_coefficients)), np.empty(0)

    def _propose(self, rng: np.random.Generator) -> np.ndarray:
        if self.updates == 0:
            return self.start[None]
        if self.updates <= DESIGN * self.n_coefficients:
            return rng.uniform(self.low, self.high)[None]
        model = self._model(int(rng.integers(2**31)))
        point = np.array(list(model.suggest().values()))
        return np.clip(self.low + point * (self.high - self.low), self.low, self.high)[None]

    def _learn(self, tried: np.ndarray, welfare: np.ndarray, gradient: np.ndarray | None) -> None:
        self.tried, self.welfare = np.concatenate([self.tried, tried]), np.concatenate([self.welfare, welfare])
        model = self._model(self.updates)
        mean = np.asarray(model.predict([model.space.array_to_params(row) for row in model.space.params]))
        self.coefficients = self.tried[int(mean.argmax())].copy()

    def _model(self, seed: int) -> BayesianOptimization:
        """Return the library's optimiser with everything that was observed."""
        names = [f"{i:04d}" for i in range(self.n_coefficients)]  # their alphabetical order is their order
        model = BayesianOptimization(
            f=None,
            pbounds=dict.fromkeys(names, (0.0, 1.0)),
            acquisition_function=UpperConfidenceBound(kappa=OPTIMISM),
            random_state=seed,
            verbose=0,
            allow_duplicate_points=True,
        )
        kernel = Matern(length_scale=np.full(self.n_coefficients, 0.3), nu=2.5) + WhiteKernel(1e-4, (1e-8, 1.0))
        model.set_gp_params(kernel=kernel)
        for point, welfare in zip((self.tried - self.low) / (self.high - self.low), self.welfare, strict=True):
            model.register(dict(zip(names, point, strict=True)), float(welfare))
        return model
