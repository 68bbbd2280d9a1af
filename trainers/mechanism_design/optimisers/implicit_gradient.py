"""Projected ascent along a gradient that is known, for instance by implicit differentiation of an equilibrium."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lawgiver.trainers.mechanism_design.optimisers.base import Optimiser

DECAY = (0.9, 0.99)
"""Of the running means of the gradient and of its square."""
TINY = 1e-12
"""Added to the root of the mean square, so that a gradient of 0 moves nothing."""


@dataclass(kw_only=True, eq=False)
class ImplicitGradient(Optimiser):
    """One evaluation a round, at w itself; Adam along the given gradient, clipped to the box.

    Kingma and Ba, Adam: a method for stochastic optimization (2015). Coefficients are measured in half widths of the
    box, and so is ``step``; as Adam divides each slope by its own size, neither the scale of welfare nor that of a
    coefficient matters. ``radius`` is not used.

    Attributes:
        mean: running mean of the gradient, (D,).
        square: running mean of its square, (D,).
    """

    uses_gradient = True

    mean: np.ndarray = field(init=False)
    square: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mean, self.square = np.zeros(self.n_coefficients), np.zeros(self.n_coefficients)

    def _propose(self, rng: np.random.Generator) -> np.ndarray:
        return self.coefficients[None]

    def _learn(self, tried: np.ndarray, welfare: np.ndarray, gradient: np.ndarray | None) -> None:
        assert gradient is not None
        half_width = (self.high - self.low) / 2
        slope = gradient[0] * half_width
        first, second = DECAY
        self.mean = first * self.mean + (1 - first) * slope
        self.square = second * self.square + (1 - second) * slope**2
        mean, square = self.mean / (1 - first**self.round), self.square / (1 - second**self.round)
        move = self.step.at(self.round) * half_width * mean / (np.sqrt(square) + TINY)
        self.coefficients = np.clip(self.coefficients + move, self.low, self.high)
