"""Annealing schedules of step sizes and temperatures, shared by all trainers."""

from __future__ import annotations

import math
from typing import Annotated, Protocol

from pydantic import AfterValidator, Field, ValidationInfo

from lawgiver.trainers.settings.base import Natural, Settings


class Annealed(Protocol):
    """Settings of a training with an annealing schedule."""

    @property
    def updates(self) -> int | None:
        """Number of updates."""

    @property
    def anneal_over(self) -> int | None:
        """Number of updates over which the schedule runs; None for all."""


def _as_long_as_it_trains(over: int | None, known: ValidationInfo) -> int | None:
    return known.data.get("updates") if over is None else over


AnnealOver = Annotated[Natural | None, AfterValidator(_as_long_as_it_trains), Field(validate_default=True)]
"""The setting ``anneal_over``, declared after ``updates``, whose value is its default.

A run's config.yaml stores the number, so that a training which is prolonged stays at the end of the schedule.
"""


class Temperature(Settings):
    """Of a smoothed problem, in units that the trainer names; falls geometrically."""

    start: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    end: Annotated[float, Field(gt=0, allow_inf_nan=False)]

    def at(self, done: float) -> float:
        """Compute the temperature after a share ``done`` of the updates, in [0, 1]."""
        return float(self.start ** (1 - done) * self.end**done)


def stage(update: int, settings: Annealed) -> tuple[int, int]:
    """Locate an update in its annealing schedule: its number from 1, at most the last one's, and the last one's."""
    over = settings.anneal_over or settings.updates
    assert over is not None, "the number of updates has not been spelled out"
    return min(update, over), over


def cosine(update: int, settings: Annealed) -> float:
    """Compute the factor of a learning rate that falls from 1, at the first update, along a cosine."""
    at, over = stage(update, settings)
    return (1 + math.cos(math.pi * (at - 1) / over)) / 2
