"""Settings of the trainer ``hcmd_zero``. Defaults are those of Balaguer et al. 2022, where given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lawgiver.trainers.elections.virtual_people import Unit
from lawgiver.trainers.settings.base import Config, Natural, Settings, TrainerSettings

GROUPS = (73, 45, 51, 101, 53, 49, 42)
"""Of people in each iteration (Table 1)."""

RIVALS = ("liberal_egalitarian", "strict_egalitarian", "libertarian")


class ModelSettings(Settings):
    """The fit of virtual participants."""

    sizes: Annotated[tuple[tuple[Natural, Natural], ...], Field(min_length=1)] = ((8, 4), (32, 8))
    """Units of the contribution network's linear layer and of its LSTM, to choose from (Table 1)."""
    contribution_l2: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)] = (0.0, 0.01)
    """To choose from."""
    vote_l2: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (
        0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0,
    )  # fmt: skip
    """To choose from."""
    vote_units: Annotated[tuple[Unit, ...], Field(min_length=1)] = ("largest_endowment", "own_endowment")
    """What voters measure amounts in, to choose from; the paper does not say."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    """Of contributions."""
    batch_groups: Natural = 32
    epochs: Natural = 200
    """At most."""
    patience: Natural = 15
    """Epochs without improvement on the held-out groups after which training stops."""
    sees_payouts: bool = True
    """Whether people's contributions may depend on the last round's payouts, and so on the mechanism."""


class Mechanism(Settings):
    """The graph network that is learned."""

    n_units: Natural = 32
    """Width; the papers do not give it."""


class Population(Settings):
    """People and how they vote."""

    participants: str | dict[str, Any] = "simulated_people"
    """A registered name, a run's folder, or ``{policy: NAME, ...}``."""
    voters: str | dict[str, Any] = "experience"
    """A registered name, or ``{policy: NAME, ...}``."""


class HcmdAgents(Population):
    """The people from whom data are acquired, and the mechanism."""

    mechanism: Mechanism = Mechanism()


class Acquire(Settings):
    """The source of data."""

    groups: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)] = GROUPS
    """Groups in each iteration; there are as many iterations as numbers."""
    source: Annotated[Path, AfterValidator(Path.absolute)] | None = None
    """A file with what people did in the first iteration, or a folder of D1, D2, ... (.parquet or .csv), one an
    iteration; None lets ``agents.participants`` play. Where the next is missing, the run stops and can be resumed."""
    people: Annotated[Path, AfterValidator(Path.absolute)] | None = None
    """A study (YAML) without game, mechanisms, groups and seed, in which real people play in each iteration: the run
    stops until they have (exit code 3), is served by ``lawgiver experiment serve RUN``, and can be resumed then."""
    enough: Annotated[int, Field(ge=2)] | None = None
    """Valid groups of people with which an iteration goes on; None for all that ``groups`` says."""
    wait: bool = False
    """Whether the training waits for people, and looks for new groups every ten seconds, instead of stopping."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        """Refuse settings that exclude each other, or would change nothing."""
        if self.people is not None and self.source is not None:
            raise ValueError("source and people are both given, allowed: one of them")
        if self.people is None and (self.enough is not None or self.wait):
            raise ValueError(f"{'wait' if self.enough is None else 'enough'} is given without people, allowed: with it")
        return self


class Optimise(Settings):
    """The mechanism's self-play before virtual participants."""

    updates: Natural = 2_000
    last_updates: Natural = 10_000
    """Of the last iteration."""
    batch: Natural = 1_000
    """Elections an update, split evenly over the conditions and ``resources.num_learners``."""
    learning_rate: Annotated[float, Field(gt=0)] = 4e-5
    """Of Adam."""

    @model_validator(mode="before")
    @classmethod
    def _without_workers(cls, given: Any) -> Any:
        """Take the configs of runs from before ``resources.num_learners`` counted: they all say ``workers: 0``."""
        if isinstance(given, dict) and given.get("workers") == 0:
            return {key: value for key, value in given.items() if key != "workers"}
        return given


class MetaGame(Settings):
    """The round robin of all mechanisms so far, before the newest virtual participants."""

    games: Annotated[int, Field(ge=2)] = 500
    """Elections a pair; the paper holds 100."""
    worthwhile_gain: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    """Smallest edge over the previous mechanism that is worth having, in shares of the votes: 0.01 is one point of the
    paper's percentages. The loop has converged where an interval excludes it."""
    most_games: Natural = 20_000
    """Elections against the previous mechanism that are held at most where ``games`` do not tell."""

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, given: Any) -> Any:
        """Take the configs of runs from before ``worthwhile_gain`` was called so."""
        if isinstance(given, dict) and "margin" in given:
            margin = given["margin"]
            rest = {key: value for key, value in given.items() if key != "margin"}
            return rest if margin == 0 else {"worthwhile_gain": margin, **rest}
        return given


class Evaluation(Settings):
    """Elections of the last mechanism against rivals, before people it was not trained on."""

    games: Annotated[int, Field(ge=2)] = 1_000
    """Elections a condition, rival and population."""
    rivals: Annotated[tuple[str, ...], Field(min_length=1)] = RIVALS
    """The figures show the first."""
    populations: dict[str, Population] = {}  # noqa: RUF012
    """By name, besides the people from whom data are acquired."""


class HcmdTrainer(TrainerSettings):
    """Acquire, Model, Optimize, over and over."""

    changeable: ClassVar[tuple[str, ...]] = ("acquire.enough", "acquire.wait")
    name: Literal["hcmd_zero"]
    acquire: Acquire = Acquire()
    model: ModelSettings = ModelSettings()
    optimise: Optimise = Optimise()
    meta_game: MetaGame = MetaGame()
    evaluation: Evaluation = Evaluation()


HcmdConfig = Config[HcmdAgents, HcmdTrainer]
