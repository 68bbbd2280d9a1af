"""Settings of the trainer ``aggregation``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lawgiver.trainers.misreports.settings import Lagrangian, Misreports, Positive
from lawgiver.trainers.settings.annealing import AnnealOver
from lawgiver.trainers.settings.base import Config, Natural, Settings, TrainerSettings


class AggregationNetwork(Settings):
    """See :class:`lawgiver.agents.aggregation_net.LearnedAggregation`."""

    hidden: Annotated[tuple[Natural, ...], Field(min_length=1)] = (32, 32)


class AggregationAgents(Settings):
    """The mechanism; the annotators search misreports."""

    mechanism: AggregationNetwork = AggregationNetwork()


class Evaluation(Settings):
    """The final evaluation, on fresh profiles, beside known rules."""

    profiles: Annotated[int, Field(ge=2)] = 2_000
    """On which welfare is measured."""
    audited: Annotated[int, Field(ge=2)] = 200
    """The first of these, so many, on which misreports are searched."""
    effort: Natural = 1
    """Of the audit, where reports are searched and not all tried."""
    rules: tuple[str, ...] = ("mean", "trimmed_mean", "median", "random_dictator")
    """Known rules beside the learned one. Those that are iterations, ``nash_lottery`` and ``maxmin``, take minutes."""
    charges: tuple[Annotated[float, Field(ge=0, le=1)], ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    """Shares of MOSAIC's payments, beside which a rule without any is shown."""


class AggregationTrainer(TrainerSettings):
    """Maximisation of the game's objective less the gains of misreports, by Adam."""

    name: Literal["aggregation"]
    updates: Natural = 1_500
    anneal_over: AnnealOver = None
    """Updates over which the learning rate falls; None for ``updates``. A run that is prolonged stays at its end."""
    batch: Natural = 64
    """Profiles an update; all of their annotators misreport, each alone."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3
    """Falls to nothing along a cosine."""
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Of the mean gain beside the objective; not used with a ``target``."""
    target: Positive | None = None
    """Upper bound of the mean gain, in units of reward, as the search in training finds it; None to weigh it."""
    lagrangian: Lagrangian = Lagrangian()
    misreports: Misreports = Misreports()
    """Of reports that are not read as one of finitely many; these are all tried."""
    samples: Natural = 2_048
    """Stored profiles, whose searches of misreports are warm-started when a profile recurs; at least ``batch``."""
    log_every: Natural = 50
    checkpoint_every: Natural = 250
    evaluation: Evaluation = Evaluation()


AggregationConfig = Config[AggregationAgents, AggregationTrainer]
