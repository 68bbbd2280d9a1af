"""Endowments: one for each participant, by condition."""

from __future__ import annotations

from typing import Any

from lawgiver.envs.core.errors import ParameterError, integer

Condition = tuple[int, ...]

LARGEST_ENDOWMENT = 1000
CONDITIONS = tuple((10, tail, tail, tail) for tail in (2, 4, 6, 8, 10))
"""One well-endowed head and three tails: the five conditions of the paper."""


def checked_endowments(endowments: Any) -> Condition | tuple[Condition, ...]:
    """Return endowments, one condition or several, as tuples of integers; raises ParameterError."""
    if not isinstance(endowments, (tuple, list)) or not endowments:
        raise ParameterError(f"endowments is {endowments!r}, allowed: a list of integers, or a list of such lists")
    if isinstance(endowments[0], (tuple, list)):
        checked = tuple(_checked_condition(condition) for condition in endowments)
        sizes = {len(condition) for condition in checked}
        if len(sizes) > 1:
            raise ParameterError(
                f"endowments have conditions of {sorted(sizes)} participants, allowed: the same number in each"
            )
        return checked
    return _checked_condition(endowments)


def _checked_condition(condition: Any) -> Condition:
    if not isinstance(condition, (tuple, list)) or len(condition) < 2:
        raise ParameterError(f"endowments has the condition {condition!r}, allowed: a list of at least 2 integers")
    return tuple(integer("one of endowments", value, 1, LARGEST_ENDOWMENT) for value in condition)
