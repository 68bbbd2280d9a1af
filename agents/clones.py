"""Behavioural clones: participants of any game whose behaviour is recorded, by the network of :mod:`clone_network`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, cast

import torch

from lawgiver.agents.clone_network import CloneNet
from lawgiver.agents.fraction_policies import FractionPolicy
from lawgiver.agents.networks import evaluated
from lawgiver.agents.recurrent_participants import RecurrentParticipants
from lawgiver.agents.returned_fractions import ReturnedFraction
from lawgiver.envs.commons_trust.game import CommonsTrust
from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.errors import integer
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory


class Clones(FractionPolicy[Memory], RecurrentParticipants):
    """Participants who give by a GRU; their memory is its hidden state.

    Each sees everybody's endowments of this round, contributions and, if there are any, payouts of the last one, itself
    first and the others in order of their seats, and what the game records of the group, such as its pool. Amounts are
    divided by the largest endowment, numbers of the group by their upper bound.

    They are fitted to whole points; in commons_trust with ``integer_returns=False`` they give the fractions from which
    those are drawn.
    """

    kind: ClassVar[str] = "clones"
    n_memories: ClassVar[int] = 1

    def __init__(self, game: Game[Any], *, n_hidden: int = 64) -> None:
        """Build the network with random weights, which are not trained through the policy.

        Raises:
            UnsupportedGameError: if behaviour in the game is not recorded.
            ParameterError: if the size is below 1.
        """
        smooth = isinstance(game, CommonsTrust) and not game.integer_returns
        super().__init__(replace(cast(CommonsTrust, game), integer_returns=True) if smooth else game, "clones")
        self.whole = not smooth
        self.n_actions, self.amounts = self.at.n_actions, self.at.endowments
        self.settings = {"n_hidden": integer("n_hidden", n_hidden, 1)}
        n_features = (2 + (self.at.payouts is not None)) * self.at.n + len(self.at.shared)
        self.network: CloneNet = CloneNet(n_features, self.at.n_actions, self.settings["n_hidden"])
        self.network.requires_grad_(False)

    def fractions(self, obs: Array, state: Memory) -> tuple[ReturnedFraction, Memory]:
        """Compute the distributions (B, n) of the fractions that are given, and the GRU's new state.

        On torch they are differentiable with respect to the observations and the state.
        """
        weights, aims, noise, after = evaluated(self.network, self._given, obs, *state)
        return ReturnedFraction(weights, aims, noise), (after,)

    def _given(self, obs: torch.Tensor, hidden: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute weights, aims and noise of what is given, and the new state (B, n, n_hidden)."""
        amounts = [
            obs[..., at] for at in (self.at.endowments, self.at.contributions, self.at.payouts) if at is not None
        ]
        shared = [obs[..., at] / self.at.units[name] for name, at in self.at.shared.items()]
        features = torch.cat([*(amount / self.at.top for amount in amounts), *shared], dim=-1)
        after = self.network.step(features, hidden)
        found = self.network.given(after)
        return found.weights, found.aims, found.noise, after

    def features(
        self,
        endowments: torch.Tensor,
        contributions: torch.Tensor,
        payouts: torch.Tensor,
        shared: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        """See :class:`RecurrentParticipants`."""
        n = self.at.n
        own_first = torch.tensor([[seat, *(other for other in range(n) if other != seat)] for seat in range(n)])
        amounts = [endowments.expand_as(contributions), contributions]
        if self.at.payouts is not None:
            amounts.append(payouts)
        seen = [amount[..., own_first] / self.at.top for amount in amounts]
        of_group = [shared[name] / unit for name, unit in self.at.units.items()]
        return torch.cat([*seen, *(each[..., None, None].expand(*seen[0].shape[:-1], 1) for each in of_group)], dim=-1)
