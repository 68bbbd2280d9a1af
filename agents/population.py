"""The base of populations of simulated participants of the public investment game."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

import gymnasium

from lawgiver.agents.policies import draw_discrete, require_field
from lawgiver.envs.core.arrays import Array, Rng
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.game import Game

MemoryT = TypeVar("MemoryT")


class Population(ABC, Generic[MemoryT]):
    """Participants who see what all gave and got in the last round, and remember."""

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
