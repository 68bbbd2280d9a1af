"""Gradient ascent on observed welfare, its gradient estimated from that of perturbed mechanisms."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

import numpy as np

from lawgiver.envs.core.errors import ParameterError, integer
from lawgiver.trainers.mechanism_design.optimisers.base import Optimiser


class Perturbation(Optimiser):
    """Projected stochastic gradient ascent: ``step.at(n)`` times the estimated gradient, then back into the box."""

    @abstractmethod
    def estimate(self, tried: np.ndarray, welfare: np.ndarray) -> np.ndarray:
        """Estimate the gradient (D,) at ``coefficients`` from the last evaluations.

        Args:
            tried: mechanisms that were evaluated, (k, D).
            welfare: of each, (k,).
        """

    def _learn(self, tried: np.ndarray, welfare: np.ndarray, gradient: np.ndarray | None) -> None:
        step = self.step.at(self.round) * self.estimate(tried, welfare)
        self.coefficients = self._inside(self.coefficients + step, self._margin(self.round + 1))

    def _margin(self, n: int) -> float:
        """Compute the least distance of ``coefficients`` from the border of the box in round ``n``."""
        return 0.0

    def _inside(self, coefficients: np.ndarray, margin: float = 0.0) -> np.ndarray:
        return np.asarray(np.clip(coefficients, self.low + margin, self.high - margin))


@dataclass(kw_only=True, eq=False)
class OnePoint(Perturbation):
    """One evaluation a round: (D / rho) (G(w + rho v) - baseline) v with v uniform on the unit sphere.

    Flaxman, Kalai and McMahan, Online convex optimization in the bandit setting (SODA 2005). The estimate's mean is the
    exact gradient of welfare averaged over the ball of radius rho around w. The centre stays rho away from the border,
    so that whatever is played lies inside the box.

    Attributes:
        baseline: running mean of the welfare of earlier rounds, None before the first, which moves nothing. It is
            known before v is drawn and E v = 0, so that it leaves the estimate's mean as it is, while the variance,
            about D^2 E (G - baseline)^2 / rho^2, falls by orders of magnitude where welfare is far from 0.
    """

    baseline: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        widths = self.high - self.low
        if self._margin(1) >= widths.min() / 2:
            raise ParameterError(
                f"trainer.radius.initial is {self.radius.initial:g}, but one_point plays at that distance from its "
                f"centre: allowed: less than half the width of the box, {widths.min() / 2:g} in coefficient "
                f"{widths.argmin()}"
            )
        self.coefficients = self._inside(self.coefficients, self._margin(1))

    def _margin(self, n: int) -> float:
        return self.radius.at(n)

    def _propose(self, rng: np.random.Generator) -> np.ndarray:
        direction = rng.standard_normal(self.n_coefficients)
        direction /= np.linalg.norm(direction)
        return self._inside(self.coefficients + self.radius.at(self.round) * direction)[None]

    def estimate(self, tried: np.ndarray, welfare: np.ndarray) -> np.ndarray:
        """Estimate the gradient as (D / rho) (G - baseline) v, (D,)."""
        surprise = 0.0 if self.baseline is None else welfare[0] - self.baseline
        offset = tried[0] - self.coefficients  # rho v
        return np.asarray(self.n_coefficients / self.radius.at(self.round) ** 2 * surprise * offset)

    def _learn(self, tried: np.ndarray, welfare: np.ndarray, gradient: np.ndarray | None) -> None:
        super()._learn(tried, welfare, gradient)
        before = 0.0 if self.baseline is None else self.baseline
        self.baseline = before + (float(welfare[0]) - before) / self.round


class TwoPoint(Perturbation):
    """Two evaluations a round at w +- rho v, v with independent signs: simultaneous perturbation (SPSA).

    Spall, Multivariate stochastic approximation using a simultaneous perturbation gradient approximation (1992).
    Signs rather than a point of the sphere, because each coordinate may then be clipped into the box by itself: the
    difference of welfare is divided by the distance that was really tried, coordinate by coordinate, and as that
    distance has the same size for either sign, the other coordinates' contributions still cancel in the mean. So the
    centre may move up to the border, where the best mechanism often is.
    """

    def _propose(self, rng: np.random.Generator) -> np.ndarray:
        offset = self.radius.at(self.round) * rng.choice([-1.0, 1.0], self.n_coefficients)
        return self._inside(np.stack([self.coefficients + offset, self.coefficients - offset]))

    def estimate(self, tried: np.ndarray, welfare: np.ndarray) -> np.ndarray:
        """Estimate the gradient as the difference of welfare by the distance in each coordinate, (D,)."""
        return np.asarray((welfare[0] - welfare[1]) / (tried[0] - tried[1]))


@dataclass(kw_only=True, eq=False)
class ScoreFunction(Perturbation):
    """``draws`` evaluations a round at w + rho e, e standard normal, clipped into the box.

    The estimate is the average of (G - mean G of the other draws) e / rho. Its mean is the exact gradient in w of
    E G(clip(w + rho e)) (Williams, Simple statistical gradient-following algorithms for connectionist reinforcement
    learning, 1992): the log-density is that of the draw before it is clipped, and clipping is a part of what is
    evaluated. The mean over the others does not depend on a draw's own e, so that it takes away variance only.
    """

    draws: int = 8
    _noise: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check ``draws``, the evaluations of a round, at least 2, and start."""
        super().__post_init__()
        self.draws = integer("draws", self.draws, 2)
        self._noise = np.zeros((self.draws, self.n_coefficients))

    def _propose(self, rng: np.random.Generator) -> np.ndarray:
        self._noise = rng.standard_normal((self.draws, self.n_coefficients))
        return self._inside(self.coefficients + self.radius.at(self.round) * self._noise)

    def estimate(self, tried: np.ndarray, welfare: np.ndarray) -> np.ndarray:
        """Estimate the gradient as the mean of advantage times score, (D,)."""
        advantage = (welfare - welfare.mean()) * self.draws / (self.draws - 1)
        return np.asarray(advantage @ self._noise / self.draws / self.radius.at(self.round))
