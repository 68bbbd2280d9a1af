"""Estimates: mean, standard error, confidence interval with its level, sample size and method, in one notation.

    {"mean": 0.575, "se": 0.0065, "low": 0.5625, "high": 0.588, "level": 0.95, "n": 1000, "how": "group bootstrap"}

is its form in JSON, in every summary, evaluation, audit and table; ``null`` marks unknown values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Self, TypeGuard

import numpy as np

from lawgiver.envs.core.registry import extras

LEVEL = 0.95
"""Coverage probability of new intervals."""
NORMAL = NormalDist().inv_cdf((1 + LEVEL) / 2)
"""Standard deviations of a normal variable within which it lies with probability ``LEVEL``."""
KEYS = ("mean", "se", "low", "high", "level", "n", "how")
"""Keys of an estimate in JSON."""


@lru_cache
def t_quantile(freedom: int, level: float = LEVEL) -> float:
    """Compute t such that a Student variable of ``freedom`` degrees of freedom lies in [-t, t] with that probability.

    Raises:
        MissingExtraError: without scipy.
    """
    with extras("Student's t"):
        from scipy.stats import t
    return float(t.ppf((1 + level) / 2, freedom))


@dataclass(frozen=True)
class Estimate:
    """An estimate of a number.

    Attributes:
        mean: the estimate.
        standard_error: of the mean, in its unit; None where it is unknown, as for a single seed.
        low: lower end of the confidence interval of the mean, None where there is none.
        high: its upper end.
        n: independent observations: games, profiles, groups or seeds.
        how: method of the interval: ``normal``, :data:`NORMAL` standard errors on either side; ``student``, Student's
            t; ``group bootstrap``, percentiles of the means of resampled groups;
            ``wilson``, the interval of a probability (Wilson 1927), which has a width where all agree, too;
            ``meta-game bootstrap``, the same of all games of a tournament; ``table bootstrap``, of all games of a table
            of payoffs; ``stratified bootstrap``, of seeds within each task; ``exact``, a number that is known;
            ``normal and student``, over instances and seeds, added in quadrature.
        values: value of each seed, where the estimate is over seeds.
        level: coverage probability of the interval, in (0, 1).
    """

    mean: float
    standard_error: float | None
    low: float | None
    high: float | None
    n: int
    how: str
    values: tuple[float, ...] | None = None
    level: float = LEVEL

    @classmethod
    def exact(cls, value: float) -> Self:
        """Give a number that is known, with an interval of no width."""
        return cls(value, 0.0, value, value, 1, "exact")

    @classmethod
    def normal(cls, mean: float, standard_error: float, n: int) -> Self:
        """Estimate a mean with an approximately normal error, as with many observations."""
        half = NORMAL * standard_error
        return cls(mean, standard_error, mean - half, mean + half, n, "normal")

    @classmethod
    def of_samples(cls, values: np.ndarray) -> Self:
        """Estimate the mean of many independent values (n,); error and interval of a single one are None."""
        if len(values) < 2:
            return cls(float(values.mean()), None, None, None, len(values), "normal")
        return cls.normal(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(values))

    @classmethod
    def of_share(cls, hits: np.ndarray) -> Self:
        """Estimate a probability by many independent booleans (n,), with Wilson's interval.

        >>> Estimate.of_share(np.zeros(100, bool)).ends
        (0.0, 0.03699...)
        """
        n, share, square = len(hits), float(hits.mean()), NORMAL**2
        middle = (share + square / (2 * n)) / (1 + square / n)
        half = NORMAL / (1 + square / n) * float(np.sqrt(share * (1 - share) / n + square / (4 * n**2)))
        error = float(np.sqrt(share * (1 - share) / n))
        low, high = (0.0 if share == 0 else middle - half), (1.0 if share == 1 else middle + half)
        return cls(share, error, low, high, n, "wilson")

    @classmethod
    def of_ratio(cls, above: np.ndarray, below: np.ndarray) -> Self:
        """Estimate a ratio of means of many independent pairs (n,), its error by the delta method.

        Error and interval are None where the mean denominator is not told from 0: no bounded interval then covers the
        ratio as often as it should (Fieller 1954, J. R. Stat. Soc. B 16:175).

        Args:
            above: numerators.
            below: denominators, of a mean other than 0.
        """
        scale = float(below.mean())
        ratio = float(above.mean()) / scale
        if len(above) < 2 or abs(scale) <= NORMAL * float(below.std(ddof=1)) / np.sqrt(len(below)):
            return cls(ratio, None, None, None, len(above), "normal")
        error = float((above - ratio * below).std(ddof=1) / abs(scale) / np.sqrt(len(above)))
        return cls.normal(ratio, error, len(above))

    @classmethod
    def student(cls, mean: float, standard_error: float, n: int, freedom: int, level: float = LEVEL) -> Self:
        """Estimate a mean whose standard error is itself estimated, with ``freedom`` degrees of freedom."""
        half = t_quantile(freedom, level) * standard_error
        return cls(mean, standard_error, mean - half, mean + half, n, "student", level=level)

    @classmethod
    def of_seeds(cls, values: Sequence[float]) -> Self:
        """Estimate the mean of a few independent values, such as those of several seeds.

        A bootstrap of a few seeds would be far too narrow (three seeds have ten different resamples); Student's
        interval assumes approximately normal results. For a single value, and for values that are not finite, error
        and interval are None.
        """
        mean, n, kept = float(np.mean(values)), len(values), tuple(values)
        if n < 2 or not np.isfinite(values).all():  # what is infinite has no spread
            return cls(mean, None, None, None, n, "student", kept)
        found = cls.student(mean, float(np.std(values, ddof=1) / np.sqrt(n)), n, n - 1)
        return cls(mean, found.standard_error, found.low, found.high, n, found.how, kept)

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends of the interval, the mean twice where it is not known."""
        return (self.mean if self.low is None else self.low, self.mean if self.high is None else self.high)

    @property
    def half(self) -> float:
        """Half the width of the interval, 0 where it is not known."""
        low, high = self.ends
        return (high - low) / 2

    def to_data(self) -> dict[str, Any]:
        """Write the estimate as plain data; see the module."""
        parts = (self.mean, self.standard_error, self.low, self.high, self.level, self.n, self.how)
        data = dict(zip(KEYS, parts, strict=True))
        return data if self.values is None else {**data, "values": list(self.values)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_data` has written.

        Raises:
            ValueError: if a part of it is missing or of another type, or the level is not in (0, 1).
        """
        mean, error, low, high, level, n, how = tuple[Any, ...](data.get(key) for key in KEYS)
        values = data.get("values", [])
        known = [mean, level, n, *(end for end in (error, low, high) if end is not None)]
        typed = isinstance(values, list) and all(map(is_number, [*known, *values])) and isinstance(how, str)
        if not typed or not 0 < level < 1:
            raise ValueError(f"{dict(data)!r} is no estimate")
        return cls(mean, error, low, high, n, how, tuple(values) if "values" in data else None, level)


def with_estimates(data: Any) -> Any:
    """Read plain data, at any depth of which estimates stand as :meth:`Estimate.to_data` writes them.

    Raises:
        ValueError: if one of them is damaged.
    """
    if isinstance(data, Mapping):
        if data.keys() >= {"mean", "se"}:
            return Estimate.from_data(data)
        return {key: with_estimates(value) for key, value in data.items()}
    return [with_estimates(item) for item in data] if isinstance(data, list) else data


def confidence(estimates: Iterable[Estimate | float | None] = ()) -> str:
    """Write the level of the intervals of estimates as a label; that of new ones where none has an interval.

    >>> confidence([Estimate.normal(0.5, 0.1, 9)])
    '95 %'
    """
    known = {each.level for each in estimates if isinstance(each, Estimate) and each.low is not None}
    return f"{' and '.join(f'{100 * level:.4g}' for level in sorted(known or {LEVEL}))} %"


def mean_of(value: Estimate | float) -> float:
    """Read the mean of an estimate, or a number that is known exactly."""
    return value.mean if isinstance(value, Estimate) else value


def is_number(value: Any) -> TypeGuard[int | float]:
    """Check that a value is a number, and no bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
