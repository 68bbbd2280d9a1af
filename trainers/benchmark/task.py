"""Tasks of the benchmark: who learns, before whom, for how long, and what is 0 and 1 on the scale of its score."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lawgiver.envs.core.errors import ParameterError, UnknownNameError, allowed
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.trainers.runs.config import checked, read_mapping
from lawgiver.trainers.settings.base import Anchor, GameConfig, Natural, Settings
from lawgiver.trainers.settings.given import Given

VERSION = "lawgiver-bench-v1"
"""Of the set of tasks: a task that changes in anything that moves a score makes a new version."""
TASKS = resources.files("lawgiver") / "configs" / "benchmark"
Role = Literal["mechanism", "participant"]
POPULATIONS = ("training", "held_out")
SIZES = ("small", "full")


class Reference(Settings):
    """End of the scale of a score: a number, or a policy that plays in place of the learned one."""

    value: float | None = None
    """In the metric's unit."""
    policy: Given | None = None
    """Of the role that learns; scored as the learned one is, on the same random numbers."""
    source: str
    """Where the number, or that the policy is what it is said to be, comes from."""

    @model_validator(mode="after")
    def _one(self) -> Reference:
        if (self.value is None) == (self.policy is None):
            raise ValueError("either a value or a policy is to be given")
        return self


class Population(Settings):
    """Those before whom a task is learned or scored."""

    game: dict[str, Any] = Field(default_factory=dict)
    """Parameters of the game other than the task's."""
    mechanism: Given | None = None
    participants: Given | None = None
    """Policies of the roles that do not learn. For the metric ``seat`` the participants on all other seats."""
    inverse_temperature: Annotated[float, Field(ge=0)] | None = None
    """Of participants in exact equilibrium, for the metric ``equilibrium``."""
    anchor: Anchor = "uniform"
    """Their prior policy."""
    rival: Given | None = None
    """The other mechanism of an election, for the metric ``vote_share``."""
    optimum: Reference | None = None
    """Before this population, where it is another than the task's."""


class Budget(Settings):
    """Steps that are learned from, and games that a policy is scored in."""

    steps: Natural
    """Steps of the environment that an algorithm may take."""
    games: Natural = 4_096
    """Games of a score."""


class Own(Settings):
    """The algorithm that the library has for a task."""

    config: str
    """A packaged config."""
    small: tuple[str, ...] = ()
    full: tuple[str, ...] = ()
    """Overrides of it at either size."""
    steps: str = ""
    """Its expense, in words, where that is not counted in steps of the environment."""


class Task(Settings):
    """A task."""

    name: str
    title: str
    """One line: the rule or behaviour that is learned, and before whom."""
    system: str
    """The part of the library that it stands for."""
    game: GameConfig
    learns: Annotated[tuple[Role, ...], Field(min_length=1)]
    """The roles that learn. The first is scored."""
    metric: Literal["reward", "seat", "regret", "equilibrium", "vote_share"]
    """See :mod:`lawgiver.trainers.benchmark.metrics`."""
    training: Population
    held_out: Population
    baseline: Reference
    optimum: Reference
    small: Budget
    full: Budget
    own: Own

    def budget(self, size: str) -> Budget:
        """Return the budget of a size, ``small`` or ``full``."""
        budget: Budget = getattr(self, size)
        return budget

    def population(self, name: str) -> Population:
        """Return a population, ``training`` or ``held_out``."""
        population: Population = getattr(self, name)
        return population

    def game_of(self, population: str) -> Game[Any]:
        """Make the game that a population plays."""
        settings = {**self.game.parameters, **self.population(population).game}
        return GameConfig(name=self.game.name, **settings).make()

    def optimum_of(self, population: str) -> Reference:
        """Return the end of the scale, 1, before a population."""
        return self.population(population).optimum or self.optimum

    @cached_property
    def role(self) -> Role:
        """The role that is scored."""
        return self.learns[0]


def task_names() -> list[str]:
    """List the names of all tasks."""
    return sorted(file.name.removesuffix(".yaml") for file in TASKS.iterdir() if file.name.endswith(".yaml"))


def read_task(name: str) -> Task:
    """Read a task by its name, or that of a YAML file.

    Raises:
        UnknownNameError: if there is no such task.
        ParameterError: if a key or value is wrong; the message names it.
    """
    if name.endswith((".yaml", ".yml")):
        return _task(Path(name).stem, read_mapping(Path(name)))
    if name not in task_names():
        raise UnknownNameError(f"unknown task {name!r}: {allowed(name, task_names())}")
    with resources.as_file(TASKS / f"{name}.yaml") as file:
        return _task(name, read_mapping(file))


def _task(name: str, data: Mapping[str, Any]) -> Task:
    try:
        return checked(Task, {"name": name, **data})
    except ParameterError as error:
        raise ParameterError(f"task {name!r}: {error}") from None


def given_policy(game: Game[Any], role: str, given: Given) -> Policy:
    """Make a policy that a task gives."""
    return make_policy(game, role, **given.model_dump())
