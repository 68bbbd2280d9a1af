"""Mechanisms of goal_collection: walk to the open goal of largest discounted value.

Nothing but goals pays, so a walk is a sequence of goals, each reached by a shortest way. A walker thinks of what
arriving at each open goal is worth, what comes afterwards included, W_j; from where it stands it makes for the goal
with the largest gamma^d W_j, d moves away, and enters on its way what lies on a shortest way. With the true W of
:func:`lawgiver.envs.goal_collection.solutions.best_walks` this walk is the best one. A rule of thumb takes W_j = 1 (the
nearest goal) or W_j = w_j v_j (the largest discounted worth); the learned follower has W from a network that is shared
by all goals, for any number of them, in any order.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from lawgiver.agents.networks import Networked, evaluated
from lawgiver.agents.policies import DiscretePolicy, point_mass
from lawgiver.envs.core.arrays import Array, Rng, constant, floats, namespace, zeros
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, integer
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory
from lawgiver.envs.families.torus import MOVES, distance, moved
from lawgiver.envs.goal_collection.game import GoalCollection

TINY = 1e-6
"""Keeps divisions by worths of nothing finite."""


class WorthNetwork(nn.Module):
    """A network of the value of arriving at each open goal, by attention among the open ones.

    Of goal j with open others k the network says where W_j lies between what is sure, u_j plus the most that one more
    goal adds, max_k gamma^d(j, k) u_k, and what is out of reach, u_j plus the sum of them. Both are the same where
    at most one other is open. All inputs are shares of the largest open worth: W doubles where worths double.
    """

    def __init__(self, width: int, layers: int, heads: int) -> None:
        """Build the network from torch's global generator."""
        super().__init__()
        self.enter = nn.Linear(4, width)
        self.near = nn.Linear(4, 2 * heads * layers)
        self.mix = nn.ModuleList(nn.Linear(width, 3 * width, bias=False) for _ in range(layers))
        self.out = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(layers))
        self.think = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * layers))
        self.share = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))
        self.heads = heads

    def forward(self, near: torch.Tensor, worth: torch.Tensor, open_: torch.Tensor) -> torch.Tensor:
        """Return W (B, n), 0 where a goal is not open.

        Args:
            near: gamma^d between goals, (B, n, n).
            worth: u_j = w_j v_j, (B, n).
            open_: whether the goal is still to be entered, bool (B, n).
        """
        unit = torch.where(open_, worth, 0).amax(-1, keepdim=True).clamp_min(TINY)
        u = torch.where(open_, worth / unit, 0)
        pairs = open_[:, :, None] & open_[:, None, :] & ~torch.eye(u.shape[-1], dtype=torch.bool, device=u.device)
        onward = torch.where(pairs, near * u[:, None, :], 0)
        least, sum_ = onward.amax(-1), onward.sum(-1)
        seen = torch.stack([u, least, sum_.sqrt(), torch.where(open_, least / (sum_ + TINY), 0)], -1)
        # what heads see of distances: moves on a scale of the discount's own, so that any torus will do
        moves = -near.clamp_min(TINY).log()
        between = torch.stack([moves, near, near.square(), near.sqrt()], -1)
        pulls = self.near(between).permute(0, 3, 1, 2).chunk(2 * len(self.mix), 1)
        h = self.enter(seen)
        blocked = (~pairs)[:, None]
        batch, n, width = h.shape
        size = width // self.heads
        for layer, mix in enumerate(self.mix):
            query, key, value = mix(self.norms[2 * layer](h)).view(batch, n, 3, self.heads, size).permute(2, 0, 3, 1, 4)
            bias, field = pulls[2 * layer], pulls[2 * layer + 1]
            logits = (query @ key.mT / size**0.5 + bias).masked_fill(blocked, -30.0)
            attended = torch.softmax(logits, -1) @ value
            summed = torch.where(blocked, 0, field.sigmoid() * near[:, None]) @ value
            h = h + self.out[layer](torch.cat([attended, summed], 1).transpose(1, 2).reshape(batch, n, 2 * width))
            h = h + self.think[layer](self.norms[2 * layer + 1](h))
        share = self.share(h)[..., 0].sigmoid()
        return torch.where(open_, unit * (u + least + share * (sum_ - least)), 0)


class GoalWalker(DiscretePolicy):
    """A mechanism of goal_collection that makes for the open goal with the largest gamma^d W_j.

    A goal is open that has not been entered and is worth something. W is asked for when the open goals have changed,
    and remembered in between. Once nothing is open, the walk goes up for ever.
    """

    who: ClassVar[str]

    def __init__(self, game: Game[Any]) -> None:
        """Refuse other games."""
        if not isinstance(game, GoalCollection):
            raise UnsupportedGameError(f"mechanism {self.who!r} plays goal_collection, not {game.name}")
        self.game = game
        self._fields = columns(game.observation_layout("mechanism"))

    @abstractmethod
    def arrival(self, near: Array, worth: Array, open_: Array) -> Array:
        """Return W (B, n) for gamma^d between goals (B, n, n), worths (B, n) and which goals are open, bool (B, n)."""

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return the initial memory: the open goals at the last evaluation (none), and W, both (B, n)."""
        nothing = zeros(rng, (batch, self.game.n))
        return nothing > 0, nothing

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return log-probabilities (B, 1, 4), all on one move, and the memory."""
        move, state = self._move(obs, state)
        return point_mass(move, len(MOVES), obs), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the moves (B, 1), and the memory; nothing is drawn."""
        return self._move(obs, state)

    def _move(self, obs: Array, state: Memory) -> tuple[Array, Memory]:
        xp, game = namespace(obs), self.game
        position, down, right, worth, visited = (
            obs[:, 0, self._fields[name]] for name in ("position", "down", "right", "worth", "visited")
        )
        goals = moved(position, down, right, game.size)
        open_ = (visited == 0) & (worth > 0)
        value = self._remembered(goals, worth, open_, state)
        away = xp.abs(down) + xp.abs(right)
        none = constant(-1.0, obs)
        wanted = xp.argmax(xp.where(open_, game.discount**away * value, none), axis=-1)[:, None]
        leg = xp.take_along_axis(away, wanted, axis=-1)
        via = away + distance(goals, xp.take_along_axis(goals, wanted, axis=-1), game.size)
        target = xp.argmin(xp.where(open_ & (via == leg), away, constant(np.inf, obs)), axis=-1)[:, None]
        rows, turns = (xp.take_along_axis(side, target, axis=-1) for side in (down, right))
        step = xp.where(rows != 0, xp.astype(rows > 0, xp.int64), 2 + xp.astype(turns > 0, xp.int64))
        return step * xp.astype(xp.any(open_, axis=-1), xp.int64)[:, None], (open_, value)

    def _remembered(self, goals: Array, worth: Array, open_: Array, state: Memory) -> Array:
        """Return W (B, n), computed anew for the games in which other goals are open than before."""
        xp = namespace(goals)
        before, value = state
        new = xp.any(open_ != before, axis=-1)
        changed = xp.nonzero(new)[0]
        if not changed.shape[0]:
            return value
        there = goals[changed]
        near = self.game.discount ** distance(there[:, :, None], there[:, None, :], self.game.size)
        fresh = xp.zeros_like(goals)
        fresh[changed] = self.arrival(near, worth[changed], open_[changed])
        return xp.where(new[:, None], fresh, floats(value, goals))


class NearestGoal(GoalWalker):
    """Walk to the nearest open goal."""

    who: ClassVar[str] = "nearest_goal"

    def arrival(self, near: Array, worth: Array, open_: Array) -> Array:
        """Return 1 for every goal."""
        return namespace(worth).ones_like(worth)


class LargestWorth(GoalWalker):
    """Walk to the open goal of largest discounted value."""

    who: ClassVar[str] = "largest_worth"

    def arrival(self, near: Array, worth: Array, open_: Array) -> Array:
        """Return the worth of the goals themselves."""
        return worth


class LearnedFollower(Networked, GoalWalker):
    """Walk to the open goal of largest discounted continuation value, by a network."""

    who: ClassVar[str] = "learned_follower"
    kind: ClassVar[str] = "goal_follower"
    role: ClassVar[str] = "mechanism"

    def __init__(self, game: Game[Any], *, width: int = 32, layers: int = 3, heads: int = 4) -> None:
        """Build the network from torch's global generator."""
        super().__init__(game)
        self.settings = {
            "width": integer("width", width, 1),
            "layers": integer("layers", layers, 1),
            "heads": integer("heads", heads, 1, width),
        }
        if width % heads:
            raise ParameterError(f"width is {width}, allowed: a multiple of {heads} heads")
        self.network: WorthNetwork = WorthNetwork(width, layers, heads)

    def arrival(self, near: Array, worth: Array, open_: Array) -> Array:
        """Evaluate the network on the open goals, padded to the largest number in any game."""

        def only_open(near: torch.Tensor, worth: torch.Tensor, open_: torch.Tensor) -> torch.Tensor:
            most = max(1, int(open_.sum(-1).max()))
            order = open_.argsort(dim=-1, descending=True, stable=True)[:, :most]
            there = near.gather(1, order[:, :, None].expand(-1, -1, near.shape[-1]))
            there = there.gather(2, order[:, None, :].expand(-1, most, -1))
            value = self.network(there, worth.gather(1, order), open_.gather(1, order) > 0)
            return torch.zeros_like(worth).scatter(1, order, value)

        return evaluated(self.network, only_open, near, worth, open_)
