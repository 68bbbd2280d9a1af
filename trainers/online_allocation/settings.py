"""Settings of the trainer ``online_allocation``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lawgiver.trainers.settings.annealing import AnnealOver
from lawgiver.trainers.settings.base import Config, Natural, Settings, TrainerSettings


class AllocatorNetwork(Settings):
    """See :class:`lawgiver.agents.allocator_net.LearnedAllocator`."""

    hidden: Annotated[tuple[Natural, ...], Field(min_length=1)] = (16, 16)


class OnlineAllocationAgents(Settings):
    """The mechanism; the participants answer what they experience."""

    mechanism: AllocatorNetwork = AllocatorNetwork()


class Evaluation(Settings):
    """The final evaluation, on fresh games, beside known mechanisms."""

    games: Annotated[int, Field(ge=2)] = 2_000
    """With each mechanism, the same values and the same noise with all."""
    tuning: Annotated[int, Field(ge=2)] = 1_000
    """Other games, on which the width of the intervals of ``tuned_dueling`` is chosen."""


class OnlineAllocationTrainer(TrainerSettings):
    """Descent of regret by Adam; see the module ``learner``."""

    name: Literal["online_allocation"]
    updates: Natural = 300
    anneal_over: AnnealOver = None
    """Updates over which the learning rate falls; None for ``updates``. A run that is prolonged stays at its end."""
    problems: Natural = 48
    """Tables of true values an update."""
    copies: Annotated[int, Field(ge=2)] = 8
    """Games of each problem, with the same noise, whose mean is the baseline."""
    discount: Annotated[float, Field(ge=0, le=1)] = 0.97
    """Of regret that comes a round later, as a question counts for it."""
    decisions: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of the rounds, drawn at random, whose decisions are learned from in an update."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 4e-3
    """Falls to nothing along a cosine."""
    log_every: Natural = 10
    checkpoint_every: Natural = 50
    evaluation: Evaluation = Evaluation()


OnlineAllocationConfig = Config[OnlineAllocationAgents, OnlineAllocationTrainer]
