"""One notation for a number that was measured: its mean, its standard error, its 95 % interval, and what they rest on.

    {"mean": 0.575, "se": 0.0065, "low": 0.5625, "high": 0.588, "n": 1000, "how": "group bootstrap"}

is how JSON has it, in every summary, evaluation, audit and table; ``null`` stands for what is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np

from lawgiver.envs.core.registry import extras

LEVEL = 0.95
"""Probability with which an interval covers the true mean."""
NORMAL = 1.96
"""Half the width of a 95 % interval in standard errors of a normal variable."""
KEYS = ("mean", "se", "low", "high", "n", "how")
"""Of an estimate in JSON."""


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
        standard_error: of the mean, in its unit; None where there is no telling, as of a single seed.
        low: lower end of the 95 % interval of the mean, None where there is none.
        high: its upper end.
        n: independent observations: games, profiles, groups or seeds.
        how: how the interval was found: ``normal``, 1.96 standard errors on either side; ``student``, Student's t, at
            another level than 95 % where it says so; ``group bootstrap``, percentiles of the means of groups that are
            drawn anew; ``meta-game bootstrap``, likewise of what all games of a tournament amount to; ``normal and
            student``, of instances and seeds, in quadrature.
        values: of each seed, where the estimate is over seeds.
    """

    mean: float
    standard_error: float | None
    low: float | None
    high: float | None
    n: int
    how: str
    values: tuple[float, ...] | None = None

    @classmethod
    def normal(cls, mean: float, standard_error: float, n: int) -> Self:
        """Make the estimate of a mean whose error is about normal, as that of many observations is."""
        half = NORMAL * standard_error
        return cls(mean, standard_error, mean - half, mean + half, n, "normal")

    @classmethod
    def of_samples(cls, values: np.ndarray) -> Self:
        """Make the estimate of the mean of many independent values (n,), n >= 2."""
        return cls.normal(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(values))

    @classmethod
    def student(cls, mean: float, standard_error: float, n: int, freedom: int, level: float = LEVEL) -> Self:
        """Make the estimate of a mean whose standard error is itself estimated, with ``freedom`` degrees of freedom."""
        half = t_quantile(freedom, level) * standard_error
        how = "student" if level == LEVEL else f"student, {100 * level:.4g} %"
        return cls(mean, standard_error, mean - half, mean + half, n, how)

    @classmethod
    def of_seeds(cls, values: Sequence[float]) -> Self:
        """Make the estimate of the mean of a few independent values, such as those of several seeds.

        Seeds are few, so that a bootstrap of them would be far too narrow (three seeds have ten different resamples);
        Student's interval assumes that the seeds' results are about normal. Of a single value, and of values that are
        not finite, neither error nor interval is known.
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
        told = (self.mean, self.standard_error, self.low, self.high, self.n, self.how)
        data = dict(zip(KEYS, told, strict=True))
        return data if self.values is None else {**data, "values": list(self.values)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_data` has written.

        Raises:
            ValueError: if a part of it is missing or of another type.
        """
        mean, error, low, high, n, how = tuple[Any, ...](data.get(key) for key in KEYS)
        values = data.get("values", [])
        known = [mean, n, *(end for end in (error, low, high) if end is not None)]
        if not isinstance(values, list) or not all(map(_is_number, [*known, *values])) or not isinstance(how, str):
            raise ValueError(f"{dict(data)!r} is no estimate")
        return cls(mean, error, low, high, n, how, tuple(values) if "values" in data else None)


def with_estimates(data: Any) -> Any:
    """Read plain data, at any depth of which estimates stand as :meth:`Estimate.to_data` writes them.

    Raises:
        ValueError: if one of them is damaged.
    """
    if isinstance(data, Mapping):
        if data.keys() - {"values"} == set(KEYS):
            return Estimate.from_data(data)
        return {key: with_estimates(value) for key, value in data.items()}
    return [with_estimates(item) for item in data] if isinstance(data, list) else data


def mean_of(value: Estimate | float) -> float:
    """Read the mean of an estimate, or a number that is known exactly."""
    return value.mean if isinstance(value, Estimate) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
