"""Virtual participants: networks fitted to records of behaviour, as participants and as voters.

The networks and what they see are in :mod:`lawgiver.agents.virtual_networks`;
:mod:`lawgiver.trainers.elections.virtual_people` fits them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from lawgiver.agents.networks import Networked, evaluated
from lawgiver.agents.policies import DiscretePolicy
from lawgiver.agents.recurrent_participants import RecurrentParticipants
from lawgiver.agents.virtual_networks import (
    ContributionNet,
    VoteNet,
    arrangement,
    contribution_features,
    legal_log_softmax,
    own_arrangement,
    vote_features,
)
from lawgiver.envs.core.arrays import Array, constant
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, integer
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory
from lawgiver.envs.core.recorded import recorded_columns
from lawgiver.envs.election.state import phases


class VirtualParticipants(RecurrentParticipants, DiscretePolicy):
    """Participants who contribute by a contribution network; their memory is its LSTM's, hidden and cell state."""

    kind: ClassVar[str] = "virtual_participants"
    n_memories: ClassVar[int] = 2

    def __init__(self, game: Game[Any], *, n_linear: int, n_hidden: int, sees_payouts: bool = True) -> None:
        """Build the network with random weights, which are not trained through the policy.

        Raises:
            UnsupportedGameError: if behaviour in the game is not recorded, its endowments change from round to round,
                or its mechanism pays nothing.
            ParameterError: if a size is below 1.
        """
        super().__init__(game, "virtual participants")
        if self.at.by_round or self.at.payouts is None:
            raise UnsupportedGameError(
                f"virtual participants need endowments of the whole game, and payouts, not {game!r}"
            )
        n_linear, n_hidden = integer("n_linear", n_linear, 1), integer("n_hidden", n_hidden, 1)
        self.settings = {"n_linear": n_linear, "n_hidden": n_hidden, "sees_payouts": bool(sees_payouts)}
        self.network: ContributionNet = ContributionNet(
            self.at.n, self.at.n_actions, n_linear, n_hidden, sees_payouts=bool(sees_payouts)
        )
        self.network.requires_grad_(False)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return log-probabilities (B, n, n_actions), minus infinity where illegal, and the network's new memory.

        On torch they are differentiable with respect to the observations and the state.
        """
        if mask is None:
            mask = constant(range(self.at.n_actions), obs) <= obs[..., self.at.endowments][..., :1]
        log_probabilities, *memory = evaluated(self.network, self._step, obs, mask, *state)
        return log_probabilities, tuple(memory)

    def _step(self, obs: torch.Tensor, mask: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        endowments, h, c = obs[..., self.at.endowments], *state
        seen = (obs[..., self.at.contributions], obs[..., self.at.payouts])
        arranged = own_arrangement(endowments)[..., None, :, :]
        features = self._features(endowments, *seen, arranged).squeeze(-2)
        logits, (h, c) = self.network.step(features, (h, c))
        return legal_log_softmax(logits, mask.bool()), h, c

    def features(
        self,
        endowments: torch.Tensor,
        contributions: torch.Tensor,
        payouts: torch.Tensor,
        shared: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        """See :class:`RecurrentParticipants`."""
        return self._features(endowments, contributions, payouts, arrangement(endowments))

    def _features(
        self, endowments: torch.Tensor, contributions: torch.Tensor, payouts: torch.Tensor, arranged: torch.Tensor
    ) -> torch.Tensor:
        sees, top = self.network.sees_payouts, self.at.top
        features: torch.Tensor = contribution_features(
            endowments, contributions, payouts, arranged, sees_payouts=sees, top=top
        )
        return features


class VirtualVoters(Networked):
    """Voters by the vote network: log-linear in features of endowments, contributions and payouts."""

    kind: ClassVar[str] = "virtual_voters"
    role: ClassVar[str] = "voters"

    def __init__(self, game: Game[Any], *, relative: bool = False) -> None:
        """Build the network with zero weights, which are not trained through the voters: all episodes are alike.

        Args:
            game: the game.
            relative: whether amounts are in endowments of the voter, instead of in largest endowments.

        Raises:
            UnsupportedGameError: if behaviour in the game is not recorded.
            ParameterError: if amounts are to be in endowments, and these change from round to round.
        """
        self.at = recorded_columns(game, "virtual voters")
        if relative and self.at.by_round:
            raise ParameterError(
                f"relative is True, allowed: False, as endowments of {game.name} change in every round"
            )
        self.settings = {"relative": bool(relative)}
        self.n_rounds = phases(game).count("participant")
        self.network: VoteNet = VoteNet(self.at.n, self.n_rounds, relative=bool(relative))
        self.network.requires_grad_(False)

    def __repr__(self) -> str:
        """Give the settings."""
        return f"VirtualVoters(relative={self.settings['relative']})"

    def log_probabilities(self, experience: Array) -> Array:
        """Return the log-probability of each vote.

        Args:
            experience: (B, n, k, T, f), what each participant saw after every round under each of k mechanisms; its
                fields are those of :func:`~lawgiver.envs.election.experience.experience_layout`.

        Returns:
            (B, n, k), on the backend of ``experience``; on torch differentiable with respect to it.
        """
        return evaluated(self.network, self._vote, experience)

    def _vote(self, experience: torch.Tensor) -> torch.Tensor:
        endowments, contributions = experience[..., self.at.endowments], experience[..., self.at.contributions]
        paid = self.at.payouts
        payouts = torch.zeros_like(contributions) if paid is None else experience[..., paid]
        first = endowments[..., :1, :]
        arranged = own_arrangement(self._ranked_by(first[..., 0, :]))[..., None, :, :]
        given = endowments if self.at.by_round else first
        logits: torch.Tensor = self.network(self._features(given, contributions, payouts, arranged).squeeze(-2))
        return logits.log_softmax(-1)

    def features(self, endowments: torch.Tensor, contributions: torch.Tensor, payouts: torch.Tensor) -> torch.Tensor:
        """Compute the network's features of recorded games, (G, E, n, d).

        Args:
            endowments: of each round, (G, E, T, n), or of all, (G, 1, 1, n), points.
            contributions: (G, E, T, n), points.
            payouts: (G, E, T, n), points.
        """
        arranged = arrangement(self._ranked_by(endowments[:, :1, 0, :]))
        return self._features(endowments, contributions, payouts, arranged)

    def _ranked_by(self, endowments: torch.Tensor) -> torch.Tensor:
        """Choose what the others are arranged by: endowments where they are those of the game, else all are alike."""
        return torch.ones_like(endowments) if self.at.by_round else endowments

    def _features(
        self, endowments: torch.Tensor, contributions: torch.Tensor, payouts: torch.Tensor, arranged: torch.Tensor
    ) -> torch.Tensor:
        relative, top = self.network.relative, self.at.top
        features: torch.Tensor = vote_features(endowments, contributions, payouts, arranged, top=top, relative=relative)
        return features
