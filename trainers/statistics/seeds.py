"""Several seeds of one experiment: the mean of every number, and how far it may be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

LEVEL = 0.95
NORMAL = 1.96
"""Half the width of a 95 % interval in standard errors of a normal variable."""
INTERVAL = "mean over seeds, with its 95 % interval by Student's t"
OF_ONE = ("seed", "config", "commit", "versions", "alarms")
"""What a summary says of one run only."""
TRIPLES = "vote_share"
"""Under this key, at any depth, a list of three numbers is [mean, low, high]; elsewhere it is three numbers."""


@lru_cache
def t_quantile(freedom: int, level: float = LEVEL) -> float:
    """Return t such that a Student variable of that many degrees of freedom lies in [-t, t] with probability ``level``.

    With t = sqrt(freedom) tan(x) the density becomes proportional to cos(x)^(freedom - 1) on (-pi/2, pi/2).
    """
    angle = np.linspace(0, np.pi / 2, 200_001)
    density = np.cos(angle) ** (freedom - 1)
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return float(np.sqrt(freedom) * np.tan(np.interp(level, below / below[-1], angle)))


def interval(values: Sequence[float]) -> dict[str, Any]:
    """Return ``mean``, ``low``, ``high`` and the ``values``; the bounds are None for fewer than two finite values.

    Seeds are few, so that a bootstrap of them would be far too narrow (three seeds have ten different resamples);
    Student's interval assumes that the seeds' results are about normal.
    """
    mean = float(np.mean(values))
    if len(values) < 2 or not np.isfinite(values).all():  # what is infinite has no spread
        return {"mean": mean, "low": None, "high": None, "values": list(values)}
    half = t_quantile(len(values) - 1) * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return {"mean": mean, "low": mean - half, "high": mean + half, "values": list(values)}


def standard_error(estimate: Mapping[str, Any]) -> float | None:
    """Return the standard error of an estimate with ``mean``, ``low`` and ``high``.

    Of several seeds it is that of their mean, by their ``values``; else the 95 % interval is taken for that of a normal
    variable, as it is of thousands of games. None where there is no interval.
    """
    if estimate["low"] is None:
        return None
    values = estimate.get("values")
    if values is not None:
        return float(np.std(values, ddof=1) / np.sqrt(len(values)))
    return float(estimate["high"] - estimate["low"]) / (2 * NORMAL)


def over_seeds(summaries: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a summary says of several seeds' results.

    Args:
        summaries: by seed.

    Returns:
        ``interval`` in words, the ``aggregate`` of the results, and the ``alarms`` of each seed that has any.
    """
    results = [{key: value for key, value in each.items() if key not in OF_ONE} for each in summaries.values()]
    alarms = {str(seed): list(each["alarms"]) for seed, each in summaries.items() if each.get("alarms")}
    return {"interval": INTERVAL, "aggregate": aggregate(results)} | ({"alarms": alarms} if alarms else {})


def aggregate(summaries: Sequence[Mapping[str, Any]], *, triples: bool = False) -> dict[str, Any]:
    """Return the intervals of every number that all summaries have, in the shape of a summary.

    A number that is None in some of them is aggregated over the others. One that has an interval already is aggregated
    by its means, and what the intervals within the seeds were is left out: ``mean``, ``low``, ``high``, and under
    ``vote_share`` [mean, low, high]; both become an interval over seeds. Other lists of numbers, such as matrices,
    become the means of their elements if they have the same shape in all summaries. What all agree on and is no number
    stays.

    Args:
        summaries: at least one.
        triples: whether they are from under ``vote_share``.
    """
    first, *others = summaries
    result: dict[str, Any] = {}
    for key, value in first.items():
        column = [value, *(other.get(key) for other in others)]
        if all(isinstance(item, Mapping) and {"mean", "low", "high"} <= item.keys() for item in column):
            result[key] = interval([item["mean"] for item in column])
        elif all(isinstance(item, Mapping) for item in column):
            inner = aggregate(column, triples=triples or key == TRIPLES)
            if inner:
                result[key] = inner
        elif all(_is_number(item) or item is None for item in column):
            numbers = [item for item in column if item is not None]
            if numbers:
                result[key] = interval(numbers)
        elif _are_tables(column):
            result[key] = [aggregate(items) for items in zip(*column, strict=True)]
        elif triples and all(_shape(item) == (3,) for item in column):
            result[key] = interval([item[0] for item in column])
        elif all(item == value for item in column):
            result[key] = value
        elif _shape(value) and all(_shape(item) == _shape(value) for item in column):
            result[key] = np.mean(column, axis=0).tolist()
    return result


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shape(value: Any) -> tuple[int, ...] | None:
    """Return the shape of a number, (), or of nested lists of numbers; None for anything else."""
    if _is_number(value):
        return ()
    if not isinstance(value, list) or not value:
        return None
    first, *others = map(_shape, value)
    return (len(value), *first) if first is not None and all(shape == first for shape in others) else None


def _are_tables(column: Sequence[Any]) -> bool:
    """Return whether ``column`` holds equally long lists of mappings, such as results by condition."""
    lists = all(isinstance(item, list) and all(isinstance(row, Mapping) for row in item) for item in column)
    return lists and len({len(item) for item in column}) == 1
