"""What goes wrong, said once: every error of the library is a ValueError that names what, where and what is allowed."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np


class LawgiverError(ValueError):
    """Base of every error that the library raises on bad input."""


class ParameterError(LawgiverError):
    """A parameter of a game, policy or config is missing, unknown or outside its range."""


class ArgumentError(ParameterError, TypeError):
    """A keyword argument is unknown or missing.

    Also a TypeError, as Python's own calls raise: wrappers of other libraries catch it to leave an argument out. Made
    of one message, because Gymnasium raises it again with its own words added.
    """


class ActionError(LawgiverError):
    """An action lies outside its action space, is NaN, or is missing."""


class UnknownNameError(LawgiverError):
    """A game, mechanism, participant, objective or trainer of that name is not registered."""


class UnsupportedGameError(LawgiverError):
    """A policy or solver does not apply to this game."""


class ConvergenceError(LawgiverError):
    """An iteration did not come to an end within its limit."""


class MissingExtraError(LawgiverError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        """Say which extra brings ``package`` and what it is needed for."""
        super().__init__(f"{purpose} needs {package}: pip install 'lawgiver[{extra}]'")


def allowed(name: str, choices: Iterable[str]) -> str:
    """Return the tail of an error message: the nearest match of ``name``, then every choice."""
    options = sorted(choices)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(options) or 'none'}"


def number(name: str, value: Any, interval: str) -> float:
    """Return a parameter as a float.

    Args:
        name: of the parameter.
        value: a Python or NumPy number; no bool, no string.
        interval: where it has to lie, as a person writes it: ``[0, 1]``, ``(0, inf)`` for a finite number above 0,
            ``[0, inf]`` where infinity will do.

    Raises:
        ParameterError: naming the parameter, its value and the interval.
    """
    low, high = (float(end) for end in interval[1:-1].split(","))
    huge = isinstance(value, int) and value.bit_length() > 1000  # no float holds it
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool) and not huge:
        above = value > low or (interval[0] == "[" and value == low)
        below = value < high or (interval[-1] == "]" and value == high)
        if above and below:  # NaN is neither
            return float(value)
    raise ParameterError(f"{name} is {value!r}, allowed: a number in {interval}")


def integer(name: str, value: Any, low: int, high: float = math.inf) -> int:
    """Return a parameter as an int in ``low`` to ``high``, both included; Python's or NumPy's, no bool.

    Raises:
        ParameterError: naming the parameter, its value and what is allowed.
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and low <= value <= high:
        return int(value)
    among = f">= {low}" if high == math.inf else f"in {low}..{high}"
    raise ParameterError(f"{name} is {value!r}, allowed: an integer {among}")
