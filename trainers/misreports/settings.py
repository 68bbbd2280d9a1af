"""Settings of searches in training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lawgiver.trainers.settings.base import Natural, Settings

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Misreports(Settings):
    """Search of misreports at each update; see :func:`lawgiver.trainers.misreports.search.search`."""

    steps: Natural = 4
    """Of the ascent."""
    step: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Greatest length of the first of them, as a share of the range of each number; they get shorter."""


class Lagrangian(Settings):
    """Augmented Lagrangian that enforces a bound; see :class:`lawgiver.trainers.misreports.bound.Bound`."""

    multiplier: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Of the gain beyond the bound, at the start."""
    penalty: Positive = 10.0
    """Of the square of it, halved, at the start."""
    growth: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.1
    """What the penalty is multiplied by at each change of the multiplier."""
    every: Natural = 50
    """Updates between two of these."""
