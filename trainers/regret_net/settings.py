"""Settings of the trainer ``regret_net``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from lawgiver.trainers.misreports.settings import Misreports
from lawgiver.trainers.settings.annealing import AnnealOver
from lawgiver.trainers.settings.base import Config, Natural, Settings, TrainerSettings

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]


class Network(Settings):
    """See :class:`lawgiver.agents.auction_net.LearnedAuction`."""

    architecture: Literal["equivariant", "plain"] = "plain"
    hidden: Annotated[tuple[Natural, ...], Field(min_length=1)] = (100, 100)


class RegretNetAgents(Settings):
    """The mechanism; the bidders search misreports."""

    mechanism: Network = Network()


class Budget(Settings):
    """Sum of the bidders' regrets that is allowed, as a share of revenue.

    It falls geometrically from ``start`` to ``end`` over a share ``falls`` of the training.
    """

    start: Share = 0.01
    end: Share = 0.001
    falls: Share = 0.6


class Dual(Settings):
    """The multiplier of regret beside revenue."""

    multiplier: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """At the start."""
    rate: Positive = 0.01
    """Its change an update, for regret e times the budget."""


class Evaluation(Settings):
    """The final evaluation, on fresh profiles."""

    instances: Annotated[int, Field(ge=2)] = 1_000
    """Profiles that are audited; revenue is measured on more."""
    effort: Natural = 1
    """Of the audit."""


class RegretNetTrainer(TrainerSettings):
    """Ascent of revenue less the bidders' regrets, at the price that keeps these within a budget."""

    name: Literal["regret_net"]
    updates: Natural = 5_000
    anneal_over: AnnealOver = None
    """Updates over which learning rate and budget fall; None for ``updates``. A run that is prolonged stays at its
    end."""
    batch: Natural = 128
    """Profiles an update; all of their bidders misreport, each alone."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    """Of Adam; it falls to nothing along a cosine."""
    budget: Budget = Budget()
    dual: Dual = Dual()
    misreports: Misreports = Misreports()
    samples: Natural = 16_384
    """Stored profiles, whose searches of misreports are warm-started when a profile recurs."""
    log_every: Natural | None = None
    """Updates between two lines of metrics; None for a fiftieth of ``updates``, no more than 100."""
    checkpoint_every: Natural = 1_000
    evaluation: Evaluation = Evaluation()

    @field_validator("samples")
    @classmethod
    def enough_samples(cls, samples: int, known: ValidationInfo) -> int:
        """Refuse fewer profiles than a batch has."""
        batch = known.data.get("batch")  # missing if it is itself refused
        if batch is not None and samples < batch:
            raise ValueError(f"allowed: at least batch ({batch})")
        return samples


RegretNetConfig = Config[RegretNetAgents, RegretNetTrainer]
