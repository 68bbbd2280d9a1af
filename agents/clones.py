"""Behavioural clones: participants of any game whose behaviour is recorded, by the network of :mod:`clone_network`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from lawgiver.agents.clone_network import CloneNet
from lawgiver.agents.recurrent_participants import RecurrentParticipants
from lawgiver.envs.core.errors import integer
from lawgiver.envs.core.game import Game


class Clones(RecurrentParticipants):
    """Participants who give by a GRU; their memory is its hidden state.

    Each sees everybody's endowments of this round, contributions and, if there are any, payouts of the last one, itself
    first and the others in order of their seats, and what the game records of the group, such as its pool. Amounts are
    divided by the largest endowment, numbers of the group by their upper bound.
    """

    kind: ClassVar[str] = "clones"
    n_memories: ClassVar[int] = 1

    def __init__(self, game: Game[Any], *, n_hidden: int = 64) -> None:
        """Build the network with random weights, which are not trained through the policy.

        Raises:
            UnsupportedGameError: if behaviour in the game is not recorded.
            ParameterError: if the size is below 1.
        """
        super().__init__(game, "clones")
        self.settings = {"n_hidden": integer("n_hidden", n_hidden, 1)}
        n_features = (2 + (self.at.payouts is not None)) * self.at.n + len(self.at.shared)
        self.network: CloneNet = CloneNet(n_features, self.at.n_actions, self.settings["n_hidden"])
        self.network.requires_grad_(False)

    def _step(self, obs: torch.Tensor, mask: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        amounts = [
            obs[..., at] for at in (self.at.endowments, self.at.contributions, self.at.payouts) if at is not None
        ]
        shared = [obs[..., at] / self.at.units[name] for name, at in self.at.shared.items()]
        features = torch.cat([*(amount / self.at.top for amount in amounts), *shared], dim=-1)
        return self.network.step(features, mask.bool(), *state)

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
