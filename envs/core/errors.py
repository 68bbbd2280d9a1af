"""Exceptions and argument checks: every error is a ValueError that names the value, the place and what is allowed."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


class LawgiverError(ValueError):
    """Base of every error that the library raises on bad input.

    Attributes:
        exit_code: with which a command ends by it.
    """

    exit_code = 2


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
    """An iteration did not converge within its limit."""


class PluginError(LawgiverError, ImportError):
    """An object that a package declares under an entry-point group of lawgiver cannot be imported."""


@dataclass(frozen=True)
class NoSolution:
    """The value of a solver that does not apply, in place of its result.

    Attributes:
        reason: one line that says why there is no solution.
    """

    reason: str

    def __str__(self) -> str:
        """Return the reason, so that it reads well in a message."""
        return self.reason


class MissingExtraError(LawgiverError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        """Compose the message: the missing package, and the extra that installs it.

        Args:
            package: the missing package; several separated by commas.
            extra: the extra that installs it, or several separated by commas.
            purpose: the feature that needs it.
        """
        self.extra = extra
        super().__init__(
            f"{purpose} needs {package}: pip install 'lawgiver[{extra}]', with -c constraints.txt of its source for"
            " versions that are tested together"
        )


def allowed(name: str, choices: Iterable[str]) -> str:
    """Return the tail of an error message: the nearest match of ``name``, then every choice."""
    options = sorted(choices)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(options) or 'none'}"


LONGEST = 200
"""Characters of a value that a message repeats."""
LARGEST = 10**18
"""Largest integer parameter unless a narrower range is given: 64 bits."""
SUM_TOLERANCE = 1e-6
"""Largest deviation of a sum of probabilities from 1, as float32 has it; sums within it are scaled to 1."""


def brief(value: object) -> str:
    """Represent a value in one line of bounded length, whatever it is."""
    if isinstance(value, int) and value.bit_length() > 1000:
        return f"an integer of about {round(value.bit_length() * math.log10(2)):,} digits"
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def counted(count: int, noun: str) -> str:
    """Write a count with its noun, which takes an s where it is not 1: ``1 number``, ``2 numbers``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def choice(name: str, value: object, options: Iterable[str]) -> str:
    """Check that a parameter is one of several names, and return it.

    Args:
        name: name of the parameter.
        value: the value given, of any type; an array equals no name.
        options: the names that it may be.

    Raises:
        ParameterError: naming the parameter, its value and every name.
    """
    options = list(options)
    if isinstance(value, str) and value in options:
        return value
    raise ParameterError(f"{name} is {brief(value)}: {allowed(value if isinstance(value, str) else '', options)}")


def distinct_choices(name: str, given: object, options: Sequence[str], told: str | None = None) -> tuple[str, ...]:
    """Check that a parameter is a list of one or more different names, and return them in the order of ``options``.

    Args:
        name: name of the parameter.
        given: the value given, of any type.
        options: the names that may be in it.
        told: what is allowed, in a message about a list that is none, or has a name twice.

    Raises:
        ParameterError: naming the parameter, its value and what is allowed.
    """
    if isinstance(given, (list, tuple)) and given:
        found = {choice(f"{name}[{i}]", each, options) for i, each in enumerate(given)}
        if len(found) == len(given):
            return tuple(option for option in options if option in found)
    raise ParameterError(
        f"{name} is {brief(given)}, allowed: {told or 'a list of different names, ' + allowed('', options)}"
    )


def sums_to_one(sums: Any) -> Any:
    """Test whether sums of probabilities, a number or an array, are 1 up to rounding."""
    return abs(sums - 1) <= SUM_TOLERANCE * (1 + 1e-6)


def distribution(name: str, given: Any, size: int, each: str) -> tuple[float, ...]:
    """Return probabilities, or shares of a whole, scaled to sum to 1.

    Args:
        name: name of the parameter.
        given: a list, tuple or array of numbers that are at least 0; their sum may miss 1 by 1e-6.
        size: how many there have to be.
        each: what each of them belongs to, in words.

    Raises:
        ParameterError: naming the parameter and the entry at fault.
    """
    flat = isinstance(given, (list, tuple)) or (isinstance(given, np.ndarray) and given.ndim == 1)
    if not flat or len(given) != size:
        raise ParameterError(f"{name} is {brief(given)}, allowed: a list of {counted(size, 'number')}, one {each}")
    chances = [number(f"{name}[{i}]", chance, "[0, 1.000001]") for i, chance in enumerate(given)]
    total = math.fsum(chances)
    if not sums_to_one(total):
        raise ParameterError(f"the sum of {name} is {total:.9g}, allowed: 1")
    return tuple(chance / total for chance in chances)


def number(name: str, value: object, interval: str) -> float:
    """Return a parameter as a float.

    Args:
        name: name of the parameter.
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
    if interval == "(-inf, inf)":
        raise ParameterError(f"{name} is {brief(value)}, allowed: a finite number")
    infinite = isinstance(value, (float, np.floating)) and not np.isfinite(value)
    finite = "finite " if infinite and interval.endswith("inf)") else ""
    raise ParameterError(f"{name} is {brief(value)}, allowed: a {finite}number in {interval}")


def one_each(name: str, given: Any, size: int, interval: str, each: str) -> tuple[float, ...]:
    """Return a list, tuple or array of one axis as a tuple of floats.

    Args:
        name: name of the parameter.
        given: the value given, of any type.
        size: how many numbers there have to be.
        interval: where each has to lie, see :func:`number`.
        each: what each of them belongs to, in words.

    Raises:
        ParameterError: naming the parameter, or the entry at fault, and what is allowed.
    """
    flat = isinstance(given, (list, tuple)) or (isinstance(given, np.ndarray) and given.ndim == 1)
    if not flat or not len(given):
        raise ParameterError(f"{name} is {brief(given)}, allowed: a list of {counted(size, 'number')}, one {each}")
    if len(given) != size:
        raise ParameterError(f"{name} has {counted(len(given), 'number')}, allowed: {size}, one {each}")
    return tuple(number(f"{name}[{i}]", value, interval) for i, value in enumerate(given))


def one_or_each(name: str, given: Any, size: int, interval: str, each: str) -> float | tuple[float, ...]:
    """Return a number that is the same for all, or one for each; see :func:`one_each`."""
    if isinstance(given, (list, tuple, np.ndarray)):
        return one_each(name, given, size, interval, each)
    return number(name, given, interval)


def integer(name: str, value: object, low: int, high: float = math.inf) -> int:
    """Return a parameter as an int in ``low`` to ``high``, both included; Python's or NumPy's, no bool.

    Raises:
        ParameterError: naming the parameter, its value and what is allowed.
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and low <= value <= min(high, LARGEST):
        return int(value)
    huge = isinstance(value, int) and value > LARGEST
    among = f"in {low}..{high:,}" if high < math.inf else f">= {low}{' and up to 1e18' if huge else ''}"
    raise ParameterError(f"{name} is {brief(value)}, allowed: an integer {among}")


def seed_number(name: str, value: object) -> int:
    """Return a seed as an int of any size: libraries draw seeds of 128 bits.

    Raises:
        ParameterError: if it is no integer, Python's or NumPy's, or negative.
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 0:
        return int(value)
    raise ParameterError(f"{name} is {brief(value)}, allowed: an integer >= 0")
