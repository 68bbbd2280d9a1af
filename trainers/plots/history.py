"""Numbers of a run for its figures: metrics by line, and columns of the summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import is_number


def flat(run: Run) -> list[dict[str, Any]]:
    """Flatten the numeric metrics of each line, nested keys joined by slashes."""

    def flatten(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for key, value in metrics.items():
            if isinstance(value, Mapping):
                flat |= flatten(value, f"{prefix}{key}/")
            elif is_number(value):
                flat[prefix + key] = value
        return flat

    return [flatten(entry) for entry in run.lines()]


def column(table: Any, measure: str) -> dict[str, float | None]:
    """Read a measure by mechanism; empty where another trainer uses the name for something else."""
    found = table.get(measure) if isinstance(table, Mapping) else None
    return {k: v for k, v in found.items() if v is None or is_number(v)} if isinstance(found, Mapping) else {}
