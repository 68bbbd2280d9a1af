"""Exponentially distributed values, whose virtual value is the value less the mean."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, exp

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.core.errors import number

LONGEST = 40.0
"""Means up to which values go: the largest that a uniform number below 1 stands for is 36.7 in float64."""


@dataclass(frozen=True)
class Exponential:
    """Values from 0 on, with density exp(-v / mean) / mean.

    Args:
        mean: the expected value, > 0.

    Raises:
        ParameterError: if it is no such number.
    """

    mean: float

    def __post_init__(self) -> None:
        """Check the mean."""
        object.__setattr__(self, "mean", number("mean", self.mean, "(0, inf)"))

    @property
    def low(self) -> float:
        """The least value."""
        return 0.0

    @property
    def high(self) -> float:
        """The bound of reports, which no value that is drawn exceeds."""
        return LONGEST * self.mean

    def quantile(self, u: Array) -> Array:
        """Compute the quantile (...) at ``u`` (...) in [0, 1)."""
        return -self.mean * namespace(u).log1p(-u)

    def cdf(self, v: Array) -> Array:
        """Return the probability (...) of a value of at most ``v`` (...), at least 0."""
        return -namespace(v).expm1(-v / self.mean)

    def virtual_value(self, v: Array) -> Array:
        """Return the virtual value (...) of ``v`` (...)."""
        return v - self.mean

    def critical(self, t: Array, *, above: bool = False) -> Array:
        """Return the least value (...) whose virtual value is ``t`` (...), at least 0."""
        return namespace(t).clip(t + self.mean, 0.0, None)


def exponential_revenue(n: int, mean: float) -> float:
    """Return Myerson's revenue of one item and n bidders whose values are exponential.

    E[(max v - mean)^+] is the integral of P(max v > t) over t > mean: mean * sum_k (-1)^(k + 1) C(n, k) exp(-k) / k.

    >>> round(exponential_revenue(3, 3.0), 4)
    2.7517
    """
    return mean * float(np.sum([(-1) ** (k + 1) * comb(n, k) * exp(-k) / k for k in range(1, n + 1)]))
