"""Virtual participants: networks fitted to records of behaviour, as participants and as voters.

The networks and what they see are in :mod:`lawgiver.agents.virtual_networks`; :mod:`lawgiver.trainers.hcmd_zero.model`
fits them. They play the public investment game in allocate mode, where participants see the last round.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from lawgiver.agents.networks import Networked, evaluated
from lawgiver.agents.policies import DiscretePolicy
from lawgiver.agents.virtual_networks import (
    ContributionNet,
    VoteNet,
    contribution_features,
    legal_log_softmax,
    own_arrangement,
    vote_features,
)
from lawgiver.envs.core.arrays import Array, Rng, constant, zeros
from lawgiver.envs.core.errors import UnsupportedGameError, integer
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory
from lawgiver.envs.election.experience import experience_layout
from lawgiver.envs.public_investment.game import PublicInvestment


def allocating(game: Game[Any], who: str) -> PublicInvestment:
    """Return the game if it is one that virtual participants know.

    Raises:
        UnsupportedGameError: unless it is the public investment game in allocate mode.
    """
    if not isinstance(game, PublicInvestment) or game.announces:
        raise UnsupportedGameError(f"{who} play public_investment with mechanism_mode='allocate', not {game!r}")
    return game


class VirtualParticipants(Networked, DiscretePolicy):
    """Participants who contribute by a contribution network; their memory is its LSTM's.

    They begin every game anew: what they saw in an earlier one is forgotten.
    """

    kind: ClassVar[str] = "virtual_participants"
    role: ClassVar[str] = "participant"

    def __init__(self, game: Game[Any], *, n_linear: int, n_hidden: int, sees_payouts: bool = True) -> None:
        """Build the network with random weights, which are not trained through the policy.

        Raises:
            UnsupportedGameError: unless the game is public investment in allocate mode.
            ParameterError: if a size is below 1.
        """
        game = allocating(game, "virtual participants")
        n_linear, n_hidden = integer("n_linear", n_linear, 1), integer("n_hidden", n_hidden, 1)
        self.settings = {"n_linear": n_linear, "n_hidden": n_hidden, "sees_payouts": bool(sees_payouts)}
        self.n, self.top = game.n, game.largest_endowment
        self.network: ContributionNet = ContributionNet(
            game.n, self.top + 1, n_linear, n_hidden, sees_payouts=bool(sees_payouts)
        )
        self.network.requires_grad_(False)
        self._columns = columns(game.observation_layout("participant"))

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return the LSTM's hidden and cell state, zeros (B, n, n_hidden) each, on the backend of ``rng``."""
        shape = (batch, self.n, self.network.n_hidden)
        return zeros(rng, shape), zeros(rng, shape)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return log-probabilities (B, n, n_actions), minus infinity where illegal, and the LSTM's new state.

        On torch they are differentiable with respect to the observations and the state.
        """
        if mask is None:
            mask = constant(range(self.top + 1), obs) <= obs[..., self._columns["own_endowment"]]
        log_probabilities, h, c = evaluated(self.network, self._step, obs, mask, *state)
        return log_probabilities, (h, c)

    def _step(
        self, obs: torch.Tensor, mask: torch.Tensor, h: torch.Tensor, c: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        at = self._columns
        endowments = obs[..., at["endowments"]]
        features = contribution_features(
            endowments,
            obs[..., at["contributions"]],
            obs[..., at["payouts"]],
            own_arrangement(endowments)[..., None, :, :],
            sees_payouts=self.network.sees_payouts,
            top=self.top,
        ).squeeze(-2)
        logits, (h, c) = self.network.step(features, (h, c))
        return legal_log_softmax(logits, mask.bool()), h, c


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
            UnsupportedGameError: unless the game is public investment in allocate mode.
        """
        game = allocating(game, "virtual voters")
        self.settings = {"relative": bool(relative)}
        self.n, self.n_rounds, self.top = game.n, game.n_rounds, game.largest_endowment
        self.network: VoteNet = VoteNet(game.n, game.n_rounds, relative=bool(relative))
        self.network.requires_grad_(False)
        self._columns = columns(experience_layout(game))

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
        at = self._columns
        endowments = experience[..., 0, at["endowments"]]
        features = vote_features(
            endowments,
            experience[..., at["contributions"]],
            experience[..., at["payouts"]],
            own_arrangement(endowments)[..., None, :, :],
            top=self.top,
            relative=self.network.relative,
        ).squeeze(-2)
        logits: torch.Tensor = self.network(features)
        return logits.log_softmax(-1)
