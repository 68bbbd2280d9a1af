"""Aggregation over the seeds of an experiment: mean and confidence interval of every number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lawgiver.trainers.statistics.estimate import Estimate, is_number, mean_of

OF_ONE = ("format", "seed", "config", "commit", "versions", "alarms")
"""Keys of a summary that describe one run and are not aggregated."""


def over_seeds(summaries: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Summarise the results of several seeds.

    Args:
        summaries: by seed.

    Returns:
        The ``aggregate`` of the results, and the ``alarms`` of each seed that has any.
    """
    results = [{key: value for key, value in each.items() if key not in OF_ONE} for each in summaries.values()]
    alarms = {str(seed): list(each["alarms"]) for seed, each in summaries.items() if each.get("alarms")}
    return {"aggregate": aggregate(results)} | ({"alarms": alarms} if alarms else {})


def aggregate(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Estimate every number that all summaries have, in the shape of a summary.

    A number that is None in some of them is aggregated over the others. An estimate is aggregated by its mean; its
    interval within the seed is left out. Lists of numbers, such as matrices, become the means of their elements if they
    have the same shape in all summaries. Other values are kept if they are equal in all summaries.

    Args:
        summaries: at least one.
    """
    first, *others = summaries
    result: dict[str, Any] = {}
    for key, value in first.items():
        column = [value, *(other.get(key) for other in others)]
        if all(isinstance(item, Mapping) for item in column):
            inner = aggregate(column)
            if inner:
                result[key] = inner
        elif all(is_number(item) or isinstance(item, Estimate) or item is None for item in column):
            numbers = [mean_of(item) for item in column if item is not None]
            if numbers:
                result[key] = Estimate.of_seeds(numbers)
        elif _are_tables(column):
            result[key] = [aggregate(items) for items in zip(*column, strict=True)]
        elif all(item == value for item in column):
            result[key] = value
        elif _shape(value) and all(_shape(item) == _shape(value) for item in column):
            result[key] = np.mean(column, axis=0).tolist()
    return result


def _shape(value: Any) -> tuple[int, ...] | None:
    """Determine the shape of a number, (), or of nested lists of numbers; None for anything else."""
    if is_number(value):
        return ()
    if not isinstance(value, list) or not value:
        return None
    first, *others = map(_shape, value)
    return (len(value), *first) if first is not None and all(shape == first for shape in others) else None


def _are_tables(column: Sequence[Any]) -> bool:
    """Check whether ``column`` holds equally long lists of mappings, such as results by condition."""
    lists = all(isinstance(item, list) and all(isinstance(row, Mapping) for row in item) for item in column)
    return lists and len({len(item) for item in column}) == 1
