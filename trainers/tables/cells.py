"""Tables of a summary, and the format of their cells: ± is always followed by a standard error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawgiver.trainers.statistics.estimate import Estimate, is_number, mean_of

ERRORS = "after ±: standard errors"
"""Caption of a table with a ±."""
SAME = 1e-12
"""Relative spread below which seeds differ by rounding errors only."""
ROUNDING = 1e-12
"""Numbers below it, in units of what they are measured by, are shown as 0."""


@dataclass(frozen=True)
class Table:
    """A table of a summary.

    Attributes:
        title: the line above it.
        rows: cells as they are printed, by row and column; nothing is printed of a table without rows.
        keys: keys of the summary that the table shows, so that they are not printed again.
        caption: the line below it, before the definitions of measures.
        measures: measures that the line below it defines, in the units of the game.
    """

    title: str
    rows: Mapping[str, Mapping[str, str]]
    keys: tuple[str, ...]
    caption: str | None = None
    measures: tuple[str, ...] = ()


def rounded(value: float, scale: float = 1.0) -> float:
    """Round to 0 what differs from it by rounding errors only, for numbers of the size of ``scale``."""
    return 0.0 if abs(value) < ROUNDING * scale else value


def cell(value: Any, scale: float = 0.0) -> str:
    """Write a number, an estimate with its standard error, or a count by seeds; ``-`` for what is not known.

    Args:
        value: the number.
        scale: size of the numbers by which it was computed, whose rounding errors are written as 0.
    """
    if value is None:
        return "-"
    if isinstance(value, Estimate):
        return _estimate(value, scale)
    return f"{rounded(value, scale):,.4g}" if isinstance(value, float) else str(value)


def has_error(value: Any) -> bool:
    """Check whether :func:`cell` writes a ± for a value."""
    return "±" in cell(value)


def _estimate(value: Estimate, scale: float) -> str:
    values = value.values
    if values is not None and all(isinstance(each, int) for each in values):  # counts vary by design, not by chance
        least, most = min(values), max(values)
        return f"{least:,}" if least == most else f"{least:,} to {most:,}"
    mean, error = rounded(float(value.mean), scale), value.standard_error
    if error is None or not np.isfinite(error) or error <= max(SAME * abs(mean), ROUNDING * scale):
        return cell(mean)
    return f"{cell(mean)} ±{error:.1g}"


def is_value(value: Any) -> bool:
    """Check whether ``value`` is a number, an estimate of one, or None."""
    return value is None or isinstance(value, Estimate) or is_number(value)


def percent(value: Estimate | float | None) -> str:
    """Write a share as a percentage, with its interval if it has one: ``54.2 [52.9, 55.4]``; ``-`` if not known."""
    if value is None:
        return "-"
    ends = value.ends if isinstance(value, Estimate) and value.low is not None else ()
    interval = f" [{', '.join(f'{100 * end:.1f}' for end in ends)}]" if ends else ""
    return f"{100 * mean_of(value):.1f}{interval}"
