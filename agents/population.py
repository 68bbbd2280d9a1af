"""The bases of populations of simulated participants, and the choice of the one that plays a game."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Generic, Protocol

import gymnasium

from lawgiver.agents.fraction_policies import FractionPolicy, MemoryT
from lawgiver.agents.policies import draw_discrete, require_field
from lawgiver.envs.commons_trust.game import CommonsTrust
from lawgiver.envs.core.arrays import Array, Rng
from lawgiver.envs.core.errors import ArgumentError, UnsupportedGameError, allowed, number
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy


class PopulationClass(Protocol):
    """A class of people: how their traits are called, and where each may lie."""

    traits_type: type[Any]
    intervals: Mapping[str, str]

    def __call__(self, game: Any, traits: Any) -> Policy:
        """Make the people who play ``game``."""


def population_for(game: Game[Any], kind: str, populations: Mapping[str, PopulationClass]) -> PopulationClass:
    """Look up the population that plays a game.

    Raises:
        UnsupportedGameError: naming the games that have one, if this one has not.
    """
    if game.name not in populations:
        raise UnsupportedGameError(f"participant {kind!r} plays {' and '.join(sorted(populations))}, not {game.name}")
    return populations[game.name]


def checked_traits(kind: str, population: PopulationClass, given: Mapping[str, float]) -> Any:
    """Make the traits of a population from those that are given by name.

    Raises:
        ParameterError: if a trait is unknown or outside its range.
    """
    known = [field.name for field in fields(population.traits_type)]
    for name in given:
        if name not in known:
            raise ArgumentError(f"participant {kind!r} has no parameter {name!r}: {allowed(name, known)}")
    chosen = {name: number(name, value, population.intervals[name]) for name, value in given.items()}
    return population.traits_type(**chosen)


class Population(ABC, Generic[MemoryT]):
    """Participants of public_investment who see what all gave and got in the last round, and remember."""

    kind: ClassVar[str]
    """The registered name."""

    def __init__(self, game: Game[Any]) -> None:
        """Read the last round's columns of the observation."""
        space, asking = game.action_space("participant"), f"participant {self.kind!r}"
        if not isinstance(space, gymnasium.spaces.Discrete):
            raise UnsupportedGameError(f"{asking} needs Discrete actions, not {space}")
        cure = "play public_investment with participant_observation='paper'"
        self._columns = require_field(game, "participant", "payouts", asking, cure)
        self._n, self._n_actions = game.roles["participant"], int(space.n)

    @abstractmethod
    def distribution(self, obs: Array, mask: Array | None, state: MemoryT) -> tuple[Array, MemoryT]:
        """Return log-probabilities (B, n, A) of contributions, minus infinity where illegal, and the new memory."""

    def act(self, obs: Array, mask: Array | None, state: MemoryT, rng: Rng) -> tuple[Array, MemoryT]:
        """Return contributions (B, n) drawn from the distribution, and the new memory."""
        log_probabilities, memory = self.distribution(obs, mask, state)
        return draw_discrete(log_probabilities, rng), memory


class Trustees(FractionPolicy[MemoryT]):
    """Participants of commons_trust, by the distribution of the fraction of their offer that they return."""

    kind: ClassVar[str]
    """The registered name."""

    def __init__(self, game: CommonsTrust) -> None:
        """Read the columns of the observation, and whether returns are whole points."""
        self._columns = columns(game.observation_layout("participant"))
        self._n, self._capacity, self.n_actions = game.n, game.capacity, int(game.capacity) + 1
        self.whole, self.amounts = game.integer_returns, self._columns["offers"]

    @abstractmethod
    def initial_state(self, batch: int, rng: Rng) -> MemoryT:
        """Draw ``batch`` groups of participants."""
