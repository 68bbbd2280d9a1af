"""The interface of mechanism optimisers: ask for coefficients to try, tell their welfare, save and restore state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.trainers.mechanism_design.optimisers.schedules import Schedule


@dataclass(kw_only=True, eq=False)
class Optimiser(ABC):
    """Maximises welfare over the coefficients w of a mechanism in a box.

    A round is ``tried = ask(rng)``, an evaluation of each row, ``tell(welfare)``. The state is numbers only: an
    optimiser that restores it, even between ask and tell, continues exactly as the first would have.

    Attributes:
        uses_gradient: whether ``tell`` needs the gradient.
        low: lower ends of the box, (D,).
        high: upper ends, (D,).
        start: initial coefficients, (D,), inside the box.
        step: step sizes by round.
        radius: radius of the perturbations by round, in coefficients.
        coefficients: current solution, (D,), inside the box.
        updates: number of completed rounds.

    Raises:
        ParameterError: if the box is empty, or the start does not fit it or lies outside.
    """

    uses_gradient: ClassVar[bool] = False

    low: np.ndarray
    high: np.ndarray
    start: np.ndarray
    step: Schedule
    radius: Schedule
    coefficients: np.ndarray = field(init=False)
    updates: int = field(init=False, default=0)
    _asked: np.ndarray | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self.start = _vector("start", self.start)
        self.low, self.high = _vector("low", self.low), _vector("high", self.high)
        self.coefficients = self.start.copy()
        for name, end in (("low", self.low), ("high", self.high)):
            if len(end) != self.n_coefficients:
                raise ParameterError(
                    f"start has {self.n_coefficients} coefficients, {name} has {len(end)}: they have to agree"
                )
        for i, (low, value, high) in enumerate(zip(self.low, self.start, self.high, strict=True)):
            if not low < high:
                raise ParameterError(f"low is {low:g} and high {high:g} in coefficient {i}: low has to be below high")
            if not low <= value <= high:
                raise ParameterError(
                    f"start is {value:g} in coefficient {i}, allowed: a number in the box, [{low:g}, {high:g}]"
                )

    @property
    def n_coefficients(self) -> int:
        """D."""
        return len(self.coefficients)

    @property
    def round(self) -> int:
        """Number n = 1, 2, ... of the current round."""
        return self.updates + 1

    def ask(self, rng: np.random.Generator) -> np.ndarray:
        """Propose the mechanisms to evaluate next, (k, D), inside the box."""
        self._asked = self._propose(rng)
        return self._asked.copy()

    def tell(self, welfare: ArrayLike, gradient: ArrayLike | None = None) -> None:
        """Update on the welfare of the mechanisms that :meth:`ask` proposed.

        Args:
            welfare: of each mechanism, (k,), divided by a scale so that it is of the order of 1.
            gradient: of each mechanism's welfare in its coefficients, (k, D), where ``uses_gradient``.

        Raises:
            ParameterError: if an array has another shape or holds a number that is not finite, or is missing.
            LawgiverError: if nothing was asked.
        """
        if self._asked is None:
            raise LawgiverError("tell answers ask: ask first, then tell once")
        values = _checked("welfare", welfare, self._asked.shape[:1])
        slopes = None
        if self.uses_gradient:
            if gradient is None:
                raise ParameterError(f"gradient is missing, allowed: {self._asked.shape} finite numbers")
            slopes = _checked("gradient", gradient, self._asked.shape)
        self._learn(self._asked, values, slopes)
        self.updates += 1
        self._asked = None

    def state(self) -> dict[str, Any]:
        """Collect the numbers that change from round to round, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self) if not each.init}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` of an optimiser of the same kind and arguments returned."""
        for name in self.state():
            setattr(self, name, state[name])

    @abstractmethod
    def _propose(self, rng: np.random.Generator) -> np.ndarray:
        """Propose mechanisms, (k, D)."""

    @abstractmethod
    def _learn(self, tried: np.ndarray, welfare: np.ndarray, gradient: np.ndarray | None) -> None:
        """Update ``coefficients``; the arguments are those of ``tell``, checked."""


class Fixed(Optimiser):
    """Keeps its start, one evaluation a round: the baseline without a designer."""

    def _propose(self, rng: np.random.Generator) -> np.ndarray:
        return self.coefficients[None]

    def _learn(self, tried: np.ndarray, welfare: np.ndarray, gradient: np.ndarray | None) -> None:
        pass


def _vector(name: str, values: ArrayLike) -> np.ndarray:
    vector = np.array(values, dtype=np.float64)
    if vector.ndim != 1 or not len(vector) or not np.isfinite(vector).all():
        raise ParameterError(f"{name} is {values!r}, allowed: one finite number a coefficient")
    return vector


def _checked(name: str, values: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ParameterError(f"{name} is {values!r}, allowed: finite numbers of shape {shape}, one for each asked")
    return array
