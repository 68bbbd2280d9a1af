"""The RLModules: participants of bounded rationality, and a mechanism that announces or allocates."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.distribution.torch.torch_distribution import TorchDistribution
from ray.rllib.core.rl_module.apis import InferenceOnlyAPI, ValueFunctionAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import nn

from lawgiver.agents.graph_network import GraphNetwork
from lawgiver.agents.memory import Recurrence, beside, remembered
from lawgiver.agents.networks import BoxNet, CategoricalNet, GaussianNet, ValueNet
from lawgiver.agents.truncated_gaussian import TruncatedGaussian
from lawgiver.trainers.rllib.distributions import explored, truncated


def seen_part(space: gymnasium.spaces.Box, n_actions: int) -> gymnasium.spaces.Box:
    """Return the space of an observation without the log-probabilities of the prior at its end."""
    return gymnasium.spaces.Box(space.low[:-n_actions], space.high[:-n_actions], dtype=np.float32)


class CriticModule(TorchRLModule, ValueFunctionAPI, InferenceOnlyAPI):  # type: ignore[misc]  # RLlib has no types
    """A policy with a critic of its own, which acting does not need.

    Where the ``actor`` has a memory, a batch holds either the states before its rows (``state_in``; zeros where it is
    missing), when acting, or the number of each row's decision in its game (``t``), when learning: rows are then whole
    games, one after the other, and gradients go back to their beginning. The critic sees the actor's state, but does
    not shape it.
    """

    actor: Any
    critic: nn.Module

    def get_non_inference_attributes(self) -> list[str]:
        """Name what acting does not need."""
        return ["critic"]

    def observation(self, obs: torch.Tensor) -> torch.Tensor:
        """Select the part of what the module sees (..., d) that its networks see."""
        return obs

    @abstractmethod
    def dist_inputs(self, seen: torch.Tensor, obs: torch.Tensor) -> torch.Tensor:
        """Compute the parameters of the distribution, (..., w).

        Args:
            seen: what the networks see, the state of the memory included.
            obs: what the module sees, (..., d).
        """

    def _seen(self, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Compute the input of the networks for a batch, and the new state of the memory; None without a memory."""
        memory, obs = self.actor.memory, self.observation(batch[Columns.OBS])
        if memory is None:
            return obs, None
        features, turn = self.actor.features(obs), batch.get(Columns.T)
        state = memory.step(features, batch.get(Columns.STATE_IN)) if turn is None else memory.along(features, turn)
        return beside(obs, state), state

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        seen, state = self._seen(batch)
        inputs = {Columns.ACTION_DIST_INPUTS: self.dist_inputs(seen, batch[Columns.OBS])}
        return inputs if state is None else inputs | {Columns.STATE_OUT: state, Columns.EMBEDDINGS: seen}

    def compute_values(self, batch: dict[str, Any], embeddings: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the critic's values (...); ``embeddings`` are what the networks see, if that is known already."""
        seen = self._seen(batch)[0] if embeddings is None else embeddings
        values: torch.Tensor = self.critic(seen.detach())
        return values

    def values_of_games(
        self, obs: torch.Tensor, last_obs: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the critic's values at each decision of N games, (N, T), and after the last one, (N,).

        Args:
            obs: (N, T, d).
            last_obs: what is seen after the last decision, (N, d).
            lengths: number of decisions, (N,).
        """
        memory, obs, last_obs = self.actor.memory, self.observation(obs), self.observation(last_obs)
        if memory is None:
            return self.critic(obs), self.critic(last_obs)
        states = memory.unroll(self.actor.features(obs))
        ends = states[torch.arange(len(obs), device=obs.device), lengths - 1]
        after = memory.step(self.actor.features(last_obs), ends)
        return self.critic(beside(obs, states)), self.critic(beside(last_obs, after))


class BoxModule(CriticModule):
    """A policy in a Box: its ``actor`` gives location and logarithm of the scale of its distribution."""

    _distribution: type[TorchDistribution]

    def set_std(self, std: float) -> None:
        """Act with this scale from now on, in the unit of ``model_config["std"]``."""
        with torch.no_grad():
            self.actor.log_std.fill_(math.log(std))

    def dist_inputs(self, seen: torch.Tensor, obs: torch.Tensor) -> torch.Tensor:
        """Compute locations and logarithms of scales, (..., 2 k)."""
        return torch.cat(self.actor(seen), dim=-1)

    def get_inference_action_dist_cls(self) -> type[TorchDistribution]:
        """Return the distribution to act, to explore and to train with."""
        return self._distribution


class BoundedModule(CriticModule):
    """Participants of bounded rationality: a policy with a divergence from pi_0, and a critic of its own."""

    @abstractmethod
    def divergence(self, obs: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Compute KL(pi || pi_0) in nats, (...).

        Args:
            obs: what the module sees, (..., d).
            inputs: parameters of pi, (..., w).
        """


class KLModule(BoundedModule):
    """Participants over Discrete actions: pi(a) proportional to pi_0(a) exp(residual(a)), with a critic of its own.

    What it sees is the agent's observation followed by log pi_0 over the actions. The residual starts at zero, so
    the policy starts at pi_0. ``model_config``: ``hidden``, the sizes of the tanh layers, and ``memory``, its units.
    """

    def setup(self) -> None:
        """Build actor and critic."""
        self.n_actions = int(self.action_space.n)
        space, at = seen_part(self.observation_space, self.n_actions), self.model_config
        self.actor = CategoricalNet(space, self.n_actions, at["hidden"], at["memory"])
        self.critic = ValueNet(remembered(space, at["memory"]), at["hidden"])

    def log_prior(self, obs: torch.Tensor) -> torch.Tensor:
        """Return log pi_0 (..., n_actions) of what the module sees, (..., d)."""
        return obs[..., -self.n_actions :]

    def observation(self, obs: torch.Tensor) -> torch.Tensor:
        """Leave out log pi_0."""
        return obs[..., : -self.n_actions]

    def dist_inputs(self, seen: torch.Tensor, obs: torch.Tensor) -> torch.Tensor:
        """Compute logits (..., n_actions)."""
        residual: torch.Tensor = self.actor(seen)
        return self.log_prior(obs) + residual

    def divergence(self, obs: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Compute KL(pi || pi_0) of logits (..., n_actions), (...)."""
        return anchor_kl(inputs, self.log_prior(obs))


class BoxKLModule(BoundedModule, BoxModule):
    """Participants in a Box: a Gaussian truncated to it, with pi_0 uniform over the Box and a critic of its own.

    The truncation is the policy's own: actions lie in the Box, nothing is clipped, and the divergence from pi_0 is that
    of what is played. ``model_config``: ``layout`` of the action, ``start`` of the location, ``hidden`` layers, ``std``
    at the start as a share of the width of the Box, ``learn_std``, and ``memory``, its units.
    """

    def setup(self) -> None:
        """Build actor and critic."""
        at = self.model_config
        self.actor = BoxNet(self.observation_space, at["layout"], at["start"], at["hidden"], at["std"], at["memory"])
        self.actor.log_std.requires_grad_(at["learn_std"])
        self.critic = ValueNet(remembered(self.observation_space, at["memory"]), at["hidden"])
        self._distribution = truncated(*(tuple(x.tolist()) for x in (self.actor.low, self.actor.width)))

    def divergence(self, obs: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Compute KL(pi || pi_0) of locations and logarithms of scales (..., 2 k), (...)."""
        return TruncatedGaussian(*inputs.chunk(2, dim=-1)).divergence()


def anchor_kl(logits: torch.Tensor, log_prior: torch.Tensor) -> torch.Tensor:
    """Return KL(pi || pi_0) (...) for logits and log-priors (..., n_actions), in nats."""
    log_policy = logits.log_softmax(-1)
    return (log_policy.exp() * (log_policy - log_prior.log_softmax(-1))).sum(-1)


class GraphActor(nn.Module):
    """The graph network with a Gaussian of one standard deviation about each of its logits."""

    def __init__(
        self, columns: Mapping[str, slice], largest_endowment: float, n_units: int, std: float, memory: int
    ) -> None:
        """Build the network; ``columns`` says where endowments and contributions stand in an observation."""
        super().__init__()
        self.network = GraphNetwork(largest_endowment, n_units, memory)
        self.log_std = nn.Parameter(torch.full((1,), math.log(std)))
        self._columns = columns

    @property
    def memory(self) -> Recurrence | None:
        """The memory of the network, with a state of its own for each participant."""
        return self.network.memory

    def features(self, obs: torch.Tensor) -> torch.Tensor:
        """Compute the input of the memory for observations (..., d), (..., n, 3)."""
        return self.network.features(*self._amounts(obs))

    def _amounts(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return obs[..., self._columns["endowments"]], obs[..., self._columns["contributions"]]

    def forward(self, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute mean logits and log standard deviations, both (..., n), of what is seen, (..., d [+ n h])."""
        amounts = self._amounts(seen)
        logits = self.network(*amounts, state_of_each(seen, amounts[0].shape[-1], units_of(self.memory)))
        return logits, self.log_std.expand_as(logits)


def units_of(memory: Recurrence | None) -> int:
    """Count the units of a memory, 0 without one."""
    return 0 if memory is None else memory.units


def state_of_each(seen: torch.Tensor, n: int, units: int) -> torch.Tensor | None:
    """Select the states of n participants (..., n, h) at the end of what is seen; None without a memory."""
    return seen[..., -n * units :].reshape(*seen.shape[:-1], n, units) if units else None


class MechanismModule(BoxModule):
    """A mechanism that acts in a Box: a Gaussian in exploration space, with a critic of its own.

    ``model_config``: ``layout`` of the action, ``start`` of the mean, ``hidden`` layers of the mean's dependence on
    the observation (None for none), ``std`` at the start, ``learn_std``, ``memory``, its units, and ``critic``, its
    hidden layers.
    """

    def setup(self) -> None:
        """Build actor and critic."""
        at, space = self.model_config, self.observation_space
        self.actor = GaussianNet(space, at["layout"], at["start"], at["hidden"], at["std"], at["memory"])
        self.actor.log_std.requires_grad_(at["learn_std"])
        self.critic = ValueNet(remembered(space, at["memory"]), at["critic"])
        self._distribution = explored(tuple(self.actor.get_buffer("logarithmic").tolist()))


class GraphMechanismModule(MechanismModule):
    """A mechanism that shares a fund by a graph network, with a critic of its own.

    ``model_config``: ``columns`` of the observation, ``largest_endowment``, ``n_units``, ``std`` at the start,
    ``learn_std``, ``memory``, its units for each participant, and ``critic``, its hidden layers.
    """

    def setup(self) -> None:
        """Build actor and critic."""
        at, n = self.model_config, int(self.action_space.shape[0])
        self.actor = GraphActor(at["columns"], at["largest_endowment"], at["n_units"], at["std"], at["memory"])
        self.actor.log_std.requires_grad_(at["learn_std"])
        self.critic = ValueNet(remembered(self.observation_space, n * at["memory"]), at["critic"])
        self._distribution = explored((False,) * n)
