"""Base classes of the built-in policies: memory, and actions drawn from a distribution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import reduce
from itertools import accumulate
from operator import add
from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, constant, namespace, sample_index, uniform
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory


class Memoryless:
    """A policy that remembers nothing."""

    def __repr__(self) -> str:
        """Give the settings of a policy that can be kept, and how many numbers it has learned."""
        settings = [f"{name}={value!r}" for name, value in getattr(self, "settings", {}).items()]
        learned = sum(array.size for array in getattr(self, "state", dict)().values())
        told = [*settings, *([f"{learned:,} weights"] if learned else [])]
        return f"{type(self).__name__}({', '.join(told)})"

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return None."""
        return None


class DiscretePolicy(Memoryless, ABC):
    """A policy over Discrete actions that is given by its log-probabilities."""

    @abstractmethod
    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return log-probabilities (B, n_role, n_actions), minus infinity where illegal, and the memory."""

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return actions (B, n_role) drawn from the distribution, and the memory."""
        log_probabilities, state = self.distribution(obs, mask, state)
        return draw_discrete(log_probabilities, rng), state


class RulePolicy(Memoryless, ABC):
    """A mechanism without randomness, given by its action (B, 1, k)."""

    @abstractmethod
    def action(self, obs: Array) -> Array:
        """Return the action (B, 1, k) for observations (B, 1, d); at the start of a game, with a memory."""

    def next_action(self, obs: Array, state: Memory) -> tuple[Array, Memory]:
        """Return the action (B, 1, k) and the new memory; a rule with a memory overrides it."""
        return self.action(obs), state

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return the action as mean, with standard deviation 0, (B, 1, 2, k), and the memory."""
        action, state = self.next_action(obs, state)
        xp = namespace(action)
        return xp.stack([action, xp.zeros_like(action)], axis=-2), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the action (B, 1, k) and the memory."""
        return self.next_action(obs, state)


class UniformBox(Memoryless):
    """Draws every action uniformly from the Box."""

    blind = True

    def __init__(self, space: gymnasium.spaces.Box) -> None:
        """Keep the bounds."""
        self.low, self.high = space.low, space.high

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return the mean and the standard deviation of the uniform distribution, (B, n_role, 2, k)."""
        moments = constant(np.stack([(self.low + self.high) / 2, (self.high - self.low) / 12**0.5]), obs)
        return namespace(obs).broadcast_to(moments, (*obs.shape[:2], *moments.shape)), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return actions (B, n_role, k) and the memory."""
        draws = uniform(rng, (*obs.shape[:2], self.low.size))
        return constant(self.low, draws) + draws * constant(self.high - self.low, draws), state


class UniformLegal(DiscretePolicy):
    """Draws uniformly from the legal actions."""

    blind = True

    def __init__(self, n_actions: int) -> None:
        """Keep the number of actions."""
        self.n_actions = n_actions

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return minus the logarithm of the number of legal actions where legal."""
        xp = namespace(obs)
        if mask is None:
            mask = xp.ones((*obs.shape[:2], self.n_actions), dtype=xp.bool)
        count = xp.astype(xp.sum(xp.astype(mask, xp.int64), axis=-1, keepdims=True), obs.dtype)
        return xp.where(mask, -xp.log(count), constant(-np.inf, obs)), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return actions (B, n_role) drawn from the distribution, and the memory.

        The number of legal actions and the drawn level say which of them it is; no probabilities are laid out.
        """
        level = uniform(rng, obs.shape[:2])
        xp = namespace(level)
        if mask is None:
            return xp.astype(level * self.n_actions, xp.int64), state
        legal = xp.astype(mask, xp.int64) if self.n_actions > FEW_ACTIONS else xp.astype(mask, xp.int8)
        if self.n_actions > FEW_ACTIONS:
            rank = xp.cumulative_sum(legal, axis=-1)
            wanted = xp.astype(level * xp.astype(rank[..., -1], level.dtype), xp.int64)
            return xp.sum(xp.astype(rank <= wanted[..., None], xp.int64), axis=-1), state
        ranks = list(accumulate(legal[..., action] for action in range(self.n_actions)))  # by column: rows are short
        wanted = xp.astype(level * xp.astype(ranks[-1], level.dtype), xp.int8)
        chosen = reduce(add, (xp.astype(rank <= wanted, xp.int8) for rank in ranks))
        return xp.astype(chosen, xp.int64), state


FEW_ACTIONS = 64
"""Actions up to which going through them one by one is faster than along the short rows of a mask; int8 counts them."""


def uniform_policy(game: Game[Any], role: str) -> UniformBox | UniformLegal:
    """Return the uniform policy over a role's legal actions, or over its Box."""
    space = game.action_space(role)
    if isinstance(space, gymnasium.spaces.Box):
        return UniformBox(space)
    assert isinstance(space, gymnasium.spaces.Discrete)
    return UniformLegal(int(space.n))


def draw_discrete(log_probabilities: Array, rng: Rng) -> Array:
    """Return indices (...) drawn from log-probabilities (..., n_actions) by inverting the distribution function."""
    return sample_index(log_probabilities, uniform(rng, log_probabilities.shape[:-1]))


def point_mass(choice: Array, n_actions: int, like: Array) -> Array:
    """Return log-probabilities (..., n_actions) that put everything on ``choice`` (...)."""
    xp = namespace(like)
    chosen = constant(np.arange(n_actions), like) == choice[..., None]
    return xp.where(chosen, constant(0.0, like), constant(-np.inf, like))


def require_field(game: Game[Any], role: str, field: str, who: str, cure: str) -> dict[str, slice]:
    """Return the columns of a role's observation, refusing a game in which ``field`` is not among them.

    Raises:
        UnsupportedGameError: naming the policy ``who`` and what to do, ``cure``.
    """
    found = columns(game.observation_layout(role))
    if field not in found:
        raise UnsupportedGameError(f"{who} needs to see {field!r}, which {role}s of {game.name} do not: {cure}")
    return found
