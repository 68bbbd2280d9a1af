"""The JSON that the library writes and reads, in which numbers that are not finite are kept.

JSON has no name for them. They are written as the strings ``"Infinity"``, ``"-Infinity"`` and ``"NaN"``, which
JavaScript's ``Number`` and Python's ``float`` both take for what they are, and are read back as numbers. What is
unknown is ``null``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SPELLED = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}
"""How numbers that are not finite are written."""


def plain(value: Any) -> Any:
    """Convert a value to JSON types: arrays and tuples become lists, scalars of NumPy and torch numbers.

    What has a method ``to_data`` says by it what it is written as.
    """
    if hasattr(value, "to_data"):
        value = value.to_data()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # NumPy and torch
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def to_json(value: Any, indent: int | None = None) -> str:
    """Write a value as JSON; see the module for numbers that are not finite.

    Args:
        value: what :func:`plain` takes.
        indent: spaces a level; None for one line.
    """
    return json.dumps(_spelled(plain(value)), indent=indent, allow_nan=False)


def record_to_json(value: Any) -> str:
    """Write dataclasses, whose fields are plain data or dataclasses, as :func:`to_json` writes what ``asdict`` makes.

    It takes a fraction of the time, as the data are not copied first.
    """
    try:
        return json.dumps(value, default=vars, allow_nan=False)
    except ValueError:  # a number that is not finite
        return to_json(json.loads(json.dumps(value, default=vars)))


def from_json(text: str) -> Any:
    """Parse the text of :func:`to_json`.

    Raises:
        ValueError: if it is no JSON, or nested too deeply.
    """
    try:
        return _numbers(json.loads(text))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _spelled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return SPELLED.get(value, value) if isinstance(value, str) else value
