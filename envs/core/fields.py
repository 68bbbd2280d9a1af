"""Named fields: what each number of an observation or an action means, in which unit and range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import gymnasium
import numpy as np
from numpy.typing import ArrayLike

from lawgiver.envs.core.errors import ParameterError

LARGEST_WIDTH = 10_000_000
"""Largest size of a space: views' copies take about a hundred bytes per number."""
LARGEST_BOUND = 1e38
"""What the bounds of a space stay below, to be held in float32."""
LOGIT_BOUND = 10.0
"""Largest absolute value of logits in an action; their softmax is a policy, or shares."""


@dataclass(frozen=True)
class Field:
    """A run of ``size`` numbers of one meaning.

    ``scale="log"`` says that the number is positive and acts multiplicatively, so that a learner does well
    to explore its logarithm; the number itself is never rescaled on its way to the rules. ``own_first`` says that a
    participant sees one number of each participant in it: its own, then those of the others in the order of seats.
    """

    name: str
    size: int
    low: float
    high: float
    unit: str
    meaning: str
    scale: Literal["linear", "log"] = "linear"
    own_first: bool = False


Layout = tuple[Field, ...]


def width(layout: Layout) -> int:
    """Count the numbers of a layout."""
    return sum(field.size for field in layout)


def bounds(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Return the declared bounds of a layout, low and high, both (k,) in float64.

    Raises:
        ParameterError: if it holds more numbers than are laid out, or a bound that float32 does not hold.
    """
    if width(layout) > LARGEST_WIDTH:
        widest = max(layout, key=lambda field: field.size)
        raise ParameterError(
            f"observations or actions would hold {widest.size:,} numbers of the field {widest.name!r}, allowed:"
            f" {LARGEST_WIDTH:,} in all; take a smaller game"
        )
    for field in layout:
        if not (abs(field.low) <= LARGEST_BOUND and abs(field.high) <= LARGEST_BOUND):  # NaN is not
            raise ParameterError(
                f"the field {field.name!r} goes from {field.low:g} to {field.high:g} {field.unit}, allowed: numbers up"
                f" to {LARGEST_BOUND:g} either way; take smaller units"
            )
    low = np.concatenate([np.full(field.size, field.low, float) for field in layout])
    high = np.concatenate([np.full(field.size, field.high, float) for field in layout])
    return low, high


def component_names(layout: Layout, first: int = 1) -> tuple[str, ...]:
    """Return a name for every number of a layout: a field's own, with its place from ``first`` if it holds several."""
    return tuple(
        field.name if field.size == 1 else f"{field.name}_{place}"
        for field in layout
        for place in range(first, first + field.size)
    )


def box(layout: Layout) -> gymnasium.spaces.Box:
    """Return the Box (float32) of a layout, with the bounds of its fields; raises what :func:`bounds` does."""
    low, high = (end.astype(np.float32) for end in bounds(layout))
    return gymnasium.spaces.Box(low, high, dtype=np.float32)


def within(values: np.ndarray, low: ArrayLike, high: ArrayLike) -> np.ndarray:
    """Compare numbers with bounds in float32, the precision in which spaces are declared.

    A bound such as 0.7 has another value in float64 than in float32; either of them lies within.

    Args:
        values: numbers of any shape.
        low: the least that is allowed, broadcast against ``values``.
        high: the largest that is allowed, likewise.

    Returns:
        Booleans in the shape of ``values``; False for NaN.
    """
    with np.errstate(over="ignore"):
        rounded, least, most = (np.asarray(x).astype(np.float32) for x in (values, low, high))
    return (rounded >= least) & (rounded <= most)


def columns(layout: Layout) -> dict[str, slice]:
    """Map the name of each field to its slice of the last axis."""
    slices, start = {}, 0
    for field in layout:
        slices[field.name] = slice(start, start + field.size)
        start += field.size
    return slices
