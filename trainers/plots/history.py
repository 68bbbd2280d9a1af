"""The numbers of a run by name: its metrics, line by line, and columns of its summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lawgiver.trainers.runs.run import Run


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


def is_number(value: Any) -> bool:
    """Check whether a value is a number, which a truth value is not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
