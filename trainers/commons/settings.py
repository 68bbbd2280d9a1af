"""Settings of the trainer ``commons``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lawgiver.trainers.settings.annealing import AnnealOver
from lawgiver.trainers.settings.base import Config, Count, Natural, Settings, TrainerSettings
from lawgiver.trainers.settings.given import Given


class Planner(Settings):
    """The mechanism that learns."""

    n_units: Natural = 32
    """Width of its layers."""
    memory: Count = 0
    """Units of its recurrent state for each participant; 0: it sees the pool and the last round, no more."""


class CommonsAgents(Settings):
    """Who plays."""

    mechanism: Planner = Planner()
    participants: Given = Given(policy="simulated_people")
    """A population of the game that returns fractions of offers: ``simulated_people``, or the clones of a
    run of ``commons_iterative``, by its folder."""
    voters: Given = Given(policy="experience", sensitivity=0.4)  # type: ignore[call-arg]  # parameters are extra keys
    """Their rule of voting in the end. By default somebody who keeps 14 points a round more, the most there are in the
    long run, is as much moved as one who earns his endowment once more in public investment."""


class Evaluation(Settings):
    """Measurement of the result among fresh people who return whole points."""

    games: Annotated[int, Field(ge=2)] = 2_000
    """With each mechanism, the same people with all."""
    elections: Annotated[int, Field(ge=2)] = 500
    """Between the planner, or its rule, and each rival."""


class Ascent(Settings):
    """Ascent of welfare by Adam, through games in which people return fractions."""

    updates: Natural = 400
    anneal_over: AnnealOver = None
    """Updates over which the learning rate falls; None for ``updates``."""
    batch: Annotated[int, Field(ge=2)] = 256
    """Games an update."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 5e-3
    """Of Adam; falls to 0 along a cosine."""
    fairness: Annotated[float, Field(ge=0)] = 0.5
    """alpha of alpha-fair welfare of what each keeps a round: 0 is the surplus, 1 Nash welfare, .inf the least."""
    gradient_discount: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Part of the gradient that goes back through a round, by what the planner sees; see the module ``learner``."""


class CommonsTrainer(Ascent, TrainerSettings):
    """One planner, trained before given people."""

    name: Literal["commons"]
    log_every: Natural = 20
    checkpoint_every: Natural = 50
    evaluation: Evaluation = Evaluation()


CommonsConfig = Config[CommonsAgents, CommonsTrainer]
