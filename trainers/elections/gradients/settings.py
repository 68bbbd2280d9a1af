"""Settings of the trainer ``election_designer``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lawgiver.trainers.settings.base import Config, Natural, Settings, TrainerSettings


class Contestant(Settings):
    """The mechanism that learns."""

    n_units: Natural = 32
    """Width of the graph network."""
    against: str = "self"
    """Its opponent: itself at each update, or a mechanism by name or run folder."""


class DesignerAgents(Settings):
    """The mechanism; the people are the election's."""

    mechanism: Contestant = Contestant()


class DesignerTrainer(TrainerSettings):
    """Gradient ascent."""

    name: Literal["election_designer"]
    updates: Natural = 1_000
    batch: Natural = 1_000
    """Elections an update, split evenly over the conditions."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    """Of Adam."""
    log_every: Natural = 20
    checkpoint_every: Natural = 100
    rivals: tuple[str, ...] = ("liberal_egalitarian", "strict_egalitarian", "libertarian")
    """Opponents of the final evaluation."""
    games: Annotated[int, Field(ge=2)] = 1_000
    """Elections a condition and rival in the end."""


DesignerConfig = Config[DesignerAgents, DesignerTrainer]
