"""The base of participants who are a recurrent network: its memory, legal choices and features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import torch

from lawgiver.agents.networks import Networked
from lawgiver.agents.policies import Memoryless
from lawgiver.envs.core.arrays import Rng, zeros
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory
from lawgiver.envs.core.recorded import recorded_columns


class RecurrentNetwork(Protocol):
    """A network from what one participant knows in each round to the probabilities of its choices."""

    n_hidden: int
    """Units of each array of its memory."""

    def log_likelihood(self, features: torch.Tensor, most: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Compute the log-probability of each choice of N whole games, (N, T).

        Args:
            features: known before each of T choices, (N, T, d).
            most: the largest legal choice, whole, (N, T), or (N, 1) for all rounds; 0 is the least.
            chosen: the choices, whole, (N, T).
        """


class RecurrentParticipants(Networked, Memoryless, ABC):
    """Participants of a game whose behaviour is recorded, who choose by one network, each by itself.

    They begin every game anew: what they saw in an earlier one is forgotten.
    """

    kind: ClassVar[str]
    role: ClassVar[str] = "participant"
    n_memories: ClassVar[int]
    """Arrays of the network's memory."""

    settings: dict[str, Any]
    network: Any
    """A torch module that is a :class:`RecurrentNetwork`."""

    def __init__(self, game: Game[Any], who: str) -> None:
        """Find what is recorded; ``who`` is named in messages.

        Raises:
            UnsupportedGameError: if behaviour in the game is not recorded.
        """
        self.at = recorded_columns(game, who)

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return the network's memory, zeros (B, n, n_hidden) each, on the backend of ``rng``."""
        shape = (batch, self.at.n, self.network.n_hidden)
        return tuple(zeros(rng, shape) for _ in range(self.n_memories))

    @abstractmethod
    def features(
        self,
        endowments: torch.Tensor,
        contributions: torch.Tensor,
        payouts: torch.Tensor,
        shared: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        """Compute the network's features of every round of recorded games, (G, E, T, n, d).

        Args:
            endowments: of each round, (G, E, T, n), or of all, (G, 1, 1, n), points.
            contributions: of the round before, (G, E, T, n), points; 0 in the first.
            payouts: of the round before, (G, E, T, n), points; 0 in the first.
            shared: numbers of the group as the round began, (G, E, T), by name.
        """
