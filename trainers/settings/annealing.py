"""Step sizes and temperatures that fall while a training lasts, the same way in every trainer."""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import AfterValidator, Field, ValidationInfo

from lawgiver.trainers.settings.base import Natural


class Annealed(Protocol):
    """Settings of a training in which something falls."""

    @property
    def updates(self) -> int | None:
        """How many there are."""

    @property
    def anneal_over(self) -> int | None:
        """During how many of them it falls; None for all."""


def _as_long_as_it_trains(over: int | None, known: ValidationInfo) -> int | None:
    return known.data.get("updates") if over is None else over


AnnealOver = Annotated[Natural | None, AfterValidator(_as_long_as_it_trains), Field(validate_default=True)]
"""The setting ``anneal_over``, to stand below ``updates``, whose number it takes if none is given.

A run's config.yaml keeps the number, so that a training which is prolonged stays at the end of what has fallen.
"""


def stage(update: int, settings: Annealed) -> tuple[int, int]:
    """Say where in its schedule an update is: its number from 1, at most that of the last, and that of the last."""
    over = settings.anneal_over or settings.updates
    assert over is not None, "the number of updates has not been spelled out"
    return min(update, over), over
