"""Settings of searches in training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lawgiver.trainers.settings.base import Natural, Settings


class Misreports(Settings):
    """Search of misreports at each update; see :func:`lawgiver.trainers.misreports.search.search`."""

    steps: Natural = 4
    """Of the ascent."""
    step: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Greatest length of the first of them, as a share of the range of each number; they get shorter."""
