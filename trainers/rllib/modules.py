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
from lawgiver.agents.networks import BoxNet, CategoricalNet, GaussianNet, ValueNet
from lawgiver.agents.truncated_gaussian import TruncatedGaussian
from lawgiver.trainers.rllib.distributions import explored, truncated


def seen_part(space: gymnasium.spaces.Box, n_actions: int) -> gymnasium.spaces.Box:
    """Return the space of an observation without the log-probabilities of the prior at its end."""
    return gymnasium.spaces.Box(space.low[:-n_actions], space.high[:-n_actions], dtype=np.float32)


class CriticModule(TorchRLModule, ValueFunctionAPI, InferenceOnlyAPI):  # type: ignore[misc]  # RLlib has no types
    """A policy with a critic of its own, which acting does not need."""

    def get_non_inference_attributes(self) -> list[str]:
        """Name what acting does not need."""
        return ["critic"]


class BoxModule(CriticModule):
    """A policy in a Box: its ``actor`` gives location and logarithm of the scale of its distribution."""

    actor: Any
    critic: ValueNet
    _distribution: type[TorchDistribution]

    def set_std(self, std: float) -> None:
        """Act with this scale from now on, in the unit of ``model_config["std"]``."""
        with torch.no_grad():
            self.actor.log_std.fill_(math.log(std))

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {Columns.ACTION_DIST_INPUTS: torch.cat(self.actor(batch[Columns.OBS]), dim=-1)}

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> torch.Tensor:
        """Compute the critic's values (...)."""
        values: torch.Tensor = self.critic(batch[Columns.OBS])
        return values

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
    the policy starts at pi_0. ``model_config``: ``hidden``, the sizes of the tanh layers.
    """

    def setup(self) -> None:
        """Build actor and critic."""
        self.n_actions = int(self.action_space.n)
        space, hidden = seen_part(self.observation_space, self.n_actions), self.model_config["hidden"]
        self.actor = CategoricalNet(space, self.n_actions, hidden)
        self.critic = ValueNet(space, hidden)

    def log_prior(self, batch: dict[str, Any]) -> torch.Tensor:
        """Return log pi_0 (..., n_actions)."""
        obs: torch.Tensor = batch[Columns.OBS]
        return obs[..., -self.n_actions :]

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        residual = self.actor(batch[Columns.OBS][..., : -self.n_actions])
        return {Columns.ACTION_DIST_INPUTS: self.log_prior(batch) + residual}

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> torch.Tensor:
        """Return the critic's values (...)."""
        values: torch.Tensor = self.critic(batch[Columns.OBS][..., : -self.n_actions])
        return values

    def divergence(self, obs: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Compute KL(pi || pi_0) of logits (..., n_actions), (...)."""
        return anchor_kl(inputs, self.log_prior({Columns.OBS: obs}))


class BoxKLModule(BoundedModule, BoxModule):
    """Participants in a Box: a Gaussian truncated to it, with pi_0 uniform over the Box and a critic of its own.

    The truncation is the policy's own: actions lie in the Box, nothing is clipped, and the divergence from pi_0 is that
    of what is played. ``model_config``: ``layout`` of the action, ``start`` of the location, ``hidden`` layers, ``std``
    at the start as a share of the width of the Box, and ``learn_std``.
    """

    def setup(self) -> None:
        """Build actor and critic."""
        at = self.model_config
        self.actor = BoxNet(self.observation_space, at["layout"], at["start"], at["hidden"], at["std"])
        self.actor.log_std.requires_grad_(at["learn_std"])
        self.critic = ValueNet(self.observation_space, at["hidden"])
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

    def __init__(self, columns: Mapping[str, slice], largest_endowment: float, n_units: int, std: float) -> None:
        """Build the network; ``columns`` says where endowments and contributions stand in an observation."""
        super().__init__()
        self.network = GraphNetwork(largest_endowment, n_units)
        self.log_std = nn.Parameter(torch.full((1,), math.log(std)))
        self._columns = columns

    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean logits and log standard deviations, both (..., n), for observations (..., d)."""
        logits = self.network(obs[..., self._columns["endowments"]], obs[..., self._columns["contributions"]])
        return logits, self.log_std.expand_as(logits)


class MechanismModule(BoxModule):
    """A mechanism that acts in a Box: a Gaussian in exploration space, with a critic of its own.

    ``model_config``: ``layout`` of the action, ``start`` of the mean, ``hidden`` layers of the mean's dependence on
    the observation (None for none), ``std`` at the start, ``learn_std``, and ``critic``, its hidden layers.
    """

    def setup(self) -> None:
        """Build actor and critic."""
        at = self.model_config
        self.actor: GaussianNet | GraphActor = GaussianNet(
            self.observation_space, at["layout"], at["start"], at["hidden"], at["std"]
        )
        self.actor.log_std.requires_grad_(at["learn_std"])
        self.critic = ValueNet(self.observation_space, at["critic"])
        self._distribution = explored(tuple(self.actor.get_buffer("logarithmic").tolist()))


class GraphMechanismModule(MechanismModule):
    """A mechanism that shares a fund by a graph network, with a critic of its own.

    ``model_config``: ``columns`` of the observation, ``largest_endowment``, ``n_units``, ``std`` at the start,
    ``learn_std``, and ``critic``, its hidden layers.
    """

    def setup(self) -> None:
        """Build actor and critic."""
        at = self.model_config
        self.actor = GraphActor(at["columns"], at["largest_endowment"], at["n_units"], at["std"])
        self.actor.log_std.requires_grad_(at["learn_std"])
        self.critic = ValueNet(self.observation_space, at["critic"])
        self._distribution = explored((False,) * int(self.action_space.shape[0]))
