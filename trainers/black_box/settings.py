"""Settings of the trainers ``evolution``, ``bayesian`` and ``exact_search``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lawgiver.trainers.settings.base import Config, Count, Natural
from lawgiver.trainers.settings.learners import Learners, StepsTrainer


class EvolutionTrainer(StepsTrainer):
    """CMA-ES over the weights of a network (Hansen 2016, The CMA Evolution Strategy: A Tutorial)."""

    name: Literal["evolution"]
    hidden: tuple[Natural, ...] = (16,)
    """Layers of the network; none for a mechanism that does not depend on what it sees otherwise than linearly."""
    games: Natural = 64
    """Games of an evaluation; all candidates of a generation play on the same random numbers."""
    population: Annotated[int, Field(ge=4)] | None = None
    """Candidates of a generation; None for 4 + 3 log(weights)."""
    sigma: Annotated[float, Field(gt=0)] = 0.3
    """Standard deviation of weights in the first generation."""
    checkpoint_every: Natural = 25
    """Generations."""


class BayesianTrainer(StepsTrainer):
    """Bayesian optimisation of an action that is always the same."""

    name: Literal["bayesian"]
    evaluations: Natural = 60
    """Over which the steps are divided evenly."""
    checkpoint_every: Natural = 10
    """Evaluations."""


class ExactTrainer(StepsTrainer):
    """Search of exact scores; it takes no step of the game."""

    name: Literal["exact_search"]
    steps: Count = 0
    """Of the game; none is taken, whatever is given."""


EvolutionConfig = Config[Learners, EvolutionTrainer]
BayesianConfig = Config[Learners, BayesianTrainer]
ExactConfig = Config[Learners, ExactTrainer]
