"""Ends of the distributions of private numbers: the same for all, one a participant, or by the participant's number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ParameterError, counted, number

BY_NUMBER = re.compile(r"(\d+(?:\.\d+)?)?(/?)i")
"""Ends of distributions by the participant's number: ``i``, ``3i``, ``1/i``."""

Ends = float | str | Sequence[float]
"""One end of all participants' distributions, or one a participant, or a rule by the participant's number."""


def checked_ends(name: str, given: Any, n: int) -> Ends:
    """Return one end of the distributions as it is kept: a number, a rule, or a tuple of n numbers.

    Raises:
        ParameterError: naming the end, and what is allowed.
    """
    if isinstance(given, str):
        if not BY_NUMBER.fullmatch(given):
            raise ParameterError(f"{name} is {given!r}, allowed: a number, {n} numbers, or a rule such as i, 3i or 1/i")
        return given
    if isinstance(given, (Sequence, np.ndarray)):
        if len(given) != n:
            raise ParameterError(f"{name} has {counted(len(given), 'number')}, allowed: one, or {n}, one a participant")
        return tuple(number(f"{name}[{i}]", value, "(-inf, inf)") for i, value in enumerate(given))
    return number(name, given, "(-inf, inf)")


def each_end(end: Ends, n: int) -> tuple[float, ...]:
    """Return one end for each participant."""
    if isinstance(end, str):
        match = BY_NUMBER.fullmatch(end)
        assert match is not None
        factor = float(match[1] or 1)
        return tuple(factor / i if match[2] else factor * i for i in range(1, n + 1))
    return (end,) * n if isinstance(end, (int, float)) else tuple(end)
