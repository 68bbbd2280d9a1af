"""Settings that a benchmark's task gives to any trainer: who learns, before whom, and for how many steps.

A trainer whose config is a ``Config[Learners, MyTrainer]``, with ``MyTrainer`` a :class:`StepsTrainer`, takes part in
``lawgiver benchmark`` as it is.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from lawgiver.trainers.settings.base import Anchor, Natural, Settings, TrainerSettings
from lawgiver.trainers.settings.given import Given


class LearningMechanism(Settings):
    """The mechanism: one that learns, unless it is given."""

    given: Given | None = None
    """Plays the role; nothing of it is learned then."""


class LearningParticipants(Settings):
    """The participants: those who learn, unless they are given."""

    given: Given | None = None
    """Play the role; nothing of it is learned then."""
    inverse_temperature: Annotated[float, Field(ge=0)] | None = None
    """Of participants of bounded rationality, per unit of payoff: they maximise payoff less the Kullback-Leibler
    divergence from the anchor divided by it. None for those who maximise payoff alone."""
    anchor: Anchor = "uniform"
    """Their prior policy."""


class Learners(Settings):
    """Both roles; whoever is not given learns."""

    mechanism: LearningMechanism = LearningMechanism()
    participants: LearningParticipants = LearningParticipants()


class StepsTrainer(TrainerSettings):
    """A training of so many steps of the environment."""

    length: ClassVar = "steps"
    steps: Natural
    """Steps (phases) of all games together, in which one role acts."""
