"""Named fields: what each number of an observation or an action means, in which unit and range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import gymnasium
import numpy as np


@dataclass(frozen=True)
class Field:
    """A run of ``size`` numbers of one meaning.

    ``scale="log"`` says that the number is positive and acts multiplicatively, so that a learner does well
    to explore its logarithm; the number itself is never rescaled on its way to the rules.
    """

    name: str
    size: int
    low: float
    high: float
    unit: str
    meaning: str
    scale: Literal["linear", "log"] = "linear"


Layout = tuple[Field, ...]


def width(layout: Layout) -> int:
    """Return how many numbers a layout holds."""
    return sum(field.size for field in layout)


def box(layout: Layout) -> gymnasium.spaces.Box:
    """Return the Box (float32) of a layout, with the bounds of its fields."""
    low = np.concatenate([np.full(field.size, field.low, np.float32) for field in layout])
    high = np.concatenate([np.full(field.size, field.high, np.float32) for field in layout])
    return gymnasium.spaces.Box(low, high, dtype=np.float32)


def columns(layout: Layout) -> dict[str, slice]:
    """Return where each field of a layout stands on the last axis."""
    slices, start = {}, 0
    for field in layout:
        slices[field.name] = slice(start, start + field.size)
        start += field.size
    return slices
