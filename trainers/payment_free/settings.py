"""Settings of the trainer ``payment_free``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from lawgiver.trainers.misreports.settings import Lagrangian, Misreports
from lawgiver.trainers.settings.annealing import AnnealOver
from lawgiver.trainers.settings.base import Config, Count, Natural, Settings, TrainerSettings

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Gain = Literal["relative", "absolute"]
"""Gains of misreports: relative to the truthful utility, or in the unit of utilities."""


class ExSNet(Settings):
    """See :class:`lawgiver.agents.exs_net.LearnedExSNet`."""

    network: Literal["exs_net"]
    architecture: Literal["equivariant", "plain"] = "equivariant"
    hidden: Annotated[tuple[Natural, ...], Field(min_length=1)] = (32, 32)
    rounds: Natural = 8


class RPFNet(Settings):
    """See :class:`lawgiver.agents.rpf_net.LearnedRPFNet`."""

    network: Literal["rpf_net"]
    architecture: Literal["equivariant", "plain"] = "equivariant"
    hidden: Annotated[tuple[Natural, ...], Field(min_length=1)] = (32, 32)
    ridge: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-3


class PaymentFreeAgents(Settings):
    """The mechanism; the participants search misreports."""

    mechanism: Annotated[ExSNet | RPFNet, Field(discriminator="network")]


class Evaluation(Settings):
    """The final evaluation, on fresh profiles."""

    instances: Annotated[int, Field(ge=2)] = 200
    """Profiles that are audited; welfare and efficiency are measured on 1,000 at least."""
    effort: Natural = 2
    """Of the audit."""
    compared: Count = 100
    """Profiles of the training, and as many fresh ones, on which both sides of the objective are compared, and the
    baselines with them; 0 for not."""


class PaymentFreeTrainer(TrainerSettings):
    """Minimisation of the gains of misreports less the mean log utility."""

    name: Literal["payment_free"]
    updates: Natural = 1_000
    anneal_over: AnnealOver = None
    """Updates over which the learning rate falls; None for ``updates``. A run that is prolonged stays at its end."""
    batch: Natural = 64
    """Profiles an update; all of their participants misreport, each alone."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3
    """Of Adam; it falls to nothing along a cosine."""
    gain: Gain = "relative"
    """What the objective says of misreports; ``target`` is always about relative gains."""
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Of the mean gain beside the mean log utility; not used with a ``target``."""
    target: Positive | None = None
    """Mean relative gain, as the search during the training finds it, that is to be kept; None to weigh it."""
    lagrangian: Lagrangian = Lagrangian()
    misreports: Misreports = Misreports()
    samples: Natural | None = 2_048
    """Stored profiles, whose searches of misreports are warm-started when a profile recurs; None for fresh profiles at
    each update, whose searches start from the truth."""
    untruthful: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of participants in the training profiles whose best misreport under proportional fairness is taken for
    their type."""
    log_every: Natural = 50
    checkpoint_every: Natural = 250
    evaluation: Evaluation = Evaluation()

    @field_validator("samples")
    @classmethod
    def enough_samples(cls, samples: int | None, known: ValidationInfo) -> int | None:
        """Refuse fewer profiles than a batch has."""
        batch = known.data.get("batch")  # missing if it is itself refused
        if samples is not None and batch is not None and samples < batch:
            raise ValueError(f"allowed: at least batch ({batch}), or null")
        return samples


PaymentFreeConfig = Config[PaymentFreeAgents, PaymentFreeTrainer]
