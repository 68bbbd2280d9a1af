"""Plain actors: one network for a role, or one for each of its seats, as any library's algorithm learns them.

Hidden layers are tanh layers of the observation scaled to [-1, 1]. Over Discrete actions the outputs are logits: the
action is drawn, or the one of the largest logit. In a Box the outputs, cut to [-1, 1], say where the action lies
between its bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
import torch
from torch import nn

from lawgiver.agents.networks import Networked, evaluated, mlp
from lawgiver.agents.policies import Memoryless, draw_discrete, point_mass
from lawgiver.envs.core.arrays import Array, Rng, constant, log_softmax, namespace
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.fields import width
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory


class ActorNet(nn.Module):
    """Networks of a role's seats: one for each, or one for all.

    Args:
        space: of an observation.
        hidden: layers.
        outputs: of each network.
        seats: number of networks; 1 for one that all seats share.
    """

    def __init__(self, space: gymnasium.spaces.Box, hidden: Sequence[int], outputs: int, seats: int) -> None:
        super().__init__()
        self.seats = nn.ModuleList(mlp(space, hidden, outputs, zero_last=True) for _ in range(seats))

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Return outputs (..., n, k) of observations (..., n, d)."""
        if len(self.seats) == 1:
            return torch.as_tensor(self.seats[0](obs))
        return torch.stack([net(obs[..., seat, :]) for seat, net in enumerate(self.seats)], dim=-2)


class _Actor(Networked, Memoryless):
    """Acts for all seats of its role."""

    role: ClassVar[str]

    def __init__(self, game: Game[Any], *, hidden: Sequence[int], separate: bool = False, greedy: bool = False) -> None:
        """Build the networks with outputs of zero."""
        space = game.observation_space(self.role)
        if not isinstance(space, gymnasium.spaces.Box):
            raise UnsupportedGameError(f"plain actors see a Box; a {self.role} of {game.name} sees {space}")
        self.settings: dict[str, Any] = {"hidden": list(hidden), "separate": bool(separate), "greedy": bool(greedy)}
        layout = game.action_layout(self.role)
        self.discrete = isinstance(layout, int)
        outputs = layout if isinstance(layout, int) else width(layout)
        self.network: ActorNet = ActorNet(space, hidden, outputs, game.roles[self.role] if separate else 1)
        if not self.discrete:
            self.low, self.high = game.action_bounds(self.role)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return log-probabilities (B, n, A), or the action of a Box with a standard deviation of 0, (B, n, 2, k)."""
        outputs = evaluated(self.network, self.network, obs)
        xp = namespace(outputs)
        if not self.discrete:
            share = (xp.clip(outputs, -1.0, 1.0) + 1.0) / 2.0
            action = constant(self.low, obs) + share * constant(self.high - self.low, obs)
            return xp.stack([action, xp.zeros_like(action)], axis=-2), state
        if mask is not None:
            outputs = xp.where(mask, outputs, constant(-np.inf, outputs))
        if self.settings["greedy"]:
            return point_mass(xp.argmax(outputs, axis=-1), int(outputs.shape[-1]), obs), state
        return log_softmax(outputs), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return actions (B, n), drawn unless greedy, or (B, n, k), and the memory."""
        found, state = self.distribution(obs, mask, state)
        return (draw_discrete(found, rng) if self.discrete else found[:, :, 0]), state


class MechanismActor(_Actor):
    """A mechanism that plays by a plain network.

    Args:
        game: the game.
        hidden: layers.
        separate: a network for each mechanism of the game, where it has several.
        greedy: of Discrete actions, take the one of the largest logit.

    Raises:
        UnsupportedGameError: if it does not see a Box.
    """

    kind: ClassVar[str] = "mechanism_actor"
    role: ClassVar[str] = "mechanism"


class ParticipantActor(_Actor):
    """Participants who play by a plain network each, or by one that they share.

    Args:
        game: the game.
        hidden: layers.
        separate: a network for each seat.
        greedy: of Discrete actions, take the one of the largest logit.

    Raises:
        UnsupportedGameError: if they do not see a Box.
    """

    kind: ClassVar[str] = "participant_actor"
    role: ClassVar[str] = "participant"
