"""The RLModule of a planner: the network of the trainer ``commons`` with exploration, and a critic of pools."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import nn

from lawgiver.agents.memory import Recurrence
from lawgiver.agents.networks import SMALLEST
from lawgiver.agents.planner import FEATURES, PlannerNetwork, described
from lawgiver.trainers.rllib.distributions import explored
from lawgiver.trainers.rllib.modules import MechanismModule, state_of_each, units_of


class PlannerActor(nn.Module):
    """The planner's network with a Gaussian of one standard deviation about the logarithm of each of its offers.

    So exploration is relative: it divides the last point of a pool as it does a full one.
    """

    def __init__(self, columns: Mapping[str, slice], capacity: float, std: float, memory: int) -> None:
        """Build the network; ``columns`` says where the pool, offers and returns stand in an observation."""
        super().__init__()
        self.network = PlannerNetwork(capacity, memory=memory)
        self.log_std = nn.Parameter(torch.full((1,), math.log(std)))
        self._columns = columns

    @property
    def memory(self) -> Recurrence | None:
        """The memory of the network, with a state of its own for each participant."""
        return self.network.memory

    def features(self, obs: torch.Tensor) -> torch.Tensor:
        """Compute the input of the memory for observations (..., d), (..., n, 14)."""
        return self.network.features(*round_in(obs, self._columns))

    def forward(self, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute mean log offers and log standard deviations, both (..., n), of what is seen, (..., d [+ n h])."""
        features, (pool, *_) = self.features(seen), round_in(seen, self._columns)
        offers = self.network(pool, features, state_of_each(seen, features.shape[-2], units_of(self.memory)))
        means = offers.clamp(min=SMALLEST).log()
        return means, self.log_std.expand_as(means)


class PlannerCritic(nn.Module):
    """The value of a pool, in units of its capacity: layers over each participant, the same for all, and their mean."""

    def __init__(self, columns: Mapping[str, slice], capacity: float, hidden: Sequence[int], memory: int) -> None:
        """Build the network, whose value is 0 at the start; its arguments are those of the actor."""
        super().__init__()
        self._columns, self._capacity, self._memory = columns, capacity, memory
        layers: list[nn.Module] = []
        width = 2 * FEATURES + memory
        for size in hidden:
            layers += [nn.Linear(width, size), nn.Tanh()]
            width = size
        self.each, self.last = nn.Sequential(*layers), nn.Linear(width, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Compute values (...) of what is seen, (..., d [+ n h])."""
        features = described(*round_in(seen, self._columns), self._capacity)
        state = state_of_each(seen, features.shape[-2], self._memory)
        each = features if state is None else torch.cat([features, state], -1)
        return self._capacity * cast(torch.Tensor, self.last(self.each(each).mean(-2))).squeeze(-1)


def round_in(seen: torch.Tensor, columns: Mapping[str, slice]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Select the pool (...), and the last round's offers and returns, (..., n), of what is seen, (..., d)."""
    return seen[..., columns["pool"]][..., 0], seen[..., columns["offers"]], seen[..., columns["returns"]]


class PlannerModule(MechanismModule):
    """A mechanism that divides a pool by the planner's network, with a critic of its own.

    ``model_config``: ``columns`` of the observation, ``capacity`` of the pool, ``std`` at the start, ``learn_std``,
    ``memory``, its units for each participant, and ``critic``, its hidden layers.
    """

    def setup(self) -> None:
        """Build actor and critic."""
        at, n = self.model_config, int(self.action_space.shape[0])
        self.actor = PlannerActor(at["columns"], at["capacity"], at["std"], at["memory"])
        self.actor.log_std.requires_grad_(at["learn_std"])
        self.critic = PlannerCritic(at["columns"], at["capacity"], at["critic"], at["memory"])
        self._distribution = explored((True,) * n)
