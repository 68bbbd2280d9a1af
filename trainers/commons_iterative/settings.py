"""Settings of the trainer ``commons_iterative``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from lawgiver.trainers.commons.settings import Ascent, CommonsAgents, Evaluation
from lawgiver.trainers.settings.base import Config, Natural, Settings, TrainerSettings

Rule = Literal["equal", "mixed", "proportional", "interpolating"]


class Acquire(Settings):
    """The source of data."""

    rules: Annotated[tuple[Rule, ...], Field(min_length=1)] = ("equal", "mixed", "proportional")
    """Under which people play in the first iteration."""
    groups: Annotated[int, Field(ge=2)] = 40
    """Under each rule in the first iteration, and under the newest planner in every later one."""
    source: Annotated[Path, AfterValidator(Path.absolute)] | None = None
    """A file with what people did in the first iteration, or a folder of D1, D2, ... (.parquet or .csv), one an
    iteration; None lets ``agents.participants`` play. Where the next is missing, the run stops and can be resumed."""


class ModelSettings(Settings):
    """The fit of clones."""

    n_hidden: Natural = 64
    """Units of their GRU."""
    l2: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)] = (0.0,)
    """To choose from."""
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    """Of Adam."""
    batch_groups: Natural = 16
    epochs: Natural = 200
    """At most."""
    patience: Natural = 30
    """Epochs without improvement on the held-out groups after which training stops."""


class IterativeTrainer(TrainerSettings):
    """People play, clones are fitted, a planner is trained before the clones, over and over."""

    length: ClassVar[str | None] = "iterations"
    name: Literal["commons_iterative"]
    iterations: Natural = 2
    acquire: Acquire = Acquire()
    model: ModelSettings = ModelSettings()
    optimise: Ascent = Ascent()
    games: Annotated[int, Field(ge=2)] = 500
    """Of clones and of people under each mechanism, by which clones are compared with people."""
    evaluation: Evaluation = Evaluation()


IterativeConfig = Config[CommonsAgents, IterativeTrainer]
