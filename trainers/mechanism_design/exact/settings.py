"""Settings of the trainer ``exact_designer``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lawgiver.trainers.settings.annealing import AnnealOver
from lawgiver.trainers.settings.base import Anchor, Config, Natural, Settings, TrainerSettings


class Participants(Settings):
    """Participants in their logit equilibrium: reward less KL(pi || pi_0) / inverse_temperature."""

    inverse_temperature: Annotated[float, Field(ge=0)] = 1.0
    """Per point of payoff."""
    anchor: Anchor = "uniform"
    """pi_0: uniform over the legal contributions, or an equilibrium of the past."""


class Mechanism(Settings):
    """The designed mechanism: the graph network in allocate mode, the parameters of a rule in announce mode."""

    n_units: Natural = 32
    """Width of the graph network."""
    start: str = "libertarian"
    """Member of the family of rules at which an announced rule begins."""


class ExactAgents(Settings):
    """Participants and mechanism."""

    participants: Participants = Participants()
    mechanism: Mechanism = Mechanism()


class ExactTrainer(TrainerSettings):
    """Gradient ascent."""

    name: Literal["exact_designer"]
    updates: Natural = 600
    """Gradient steps."""
    anneal_over: AnnealOver = None
    """Updates over which the learning rate falls and the inverse temperature rises; None for ``updates``. A run that is
    prolonged stays at the end of both."""
    learning_rate: Annotated[float, Field(gt=0)] = 8e-3
    """Of Adam, at the start."""
    log_every: Natural = 10
    """Updates between two lines of metrics."""
    checkpoint_every: Natural = 100


ExactConfig = Config[ExactAgents, ExactTrainer]
