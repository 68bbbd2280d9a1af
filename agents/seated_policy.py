"""Participants of two policies, each in seats of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng
from lawgiver.envs.core.policy import Memory, Policy


@dataclass(frozen=True)
class SeatedPolicy:
    """Two policies of all participants, each of which decides for some seats; both see and remember everything.

    Attributes:
        first: decides for the seats that are marked.
        second: decides for the others.
        marked: bool (n,), or (B, n) where seats differ from game to game.
    """

    first: Policy
    second: Policy
    marked: np.ndarray

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return the memory of each, beside that with which each begins."""
        memories = self.first.initial_state(batch, rng), self.second.initial_state(batch, rng)
        return (*memories, *memories)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return the parameters of everybody's distribution, and the memories."""
        first, one = self.first.distribution(obs, mask, state[0])
        second, other = self.second.distribution(obs, mask, state[1])
        return self._seated(first, second), (one, other, *state[2:])

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return everybody's actions, and the memories."""
        first, one = self.first.act(obs, mask, state[0], rng)
        second, other = self.second.act(obs, mask, state[1], rng)
        return self._seated(first, second), (one, other, *state[2:])

    def next_game(self, memory: Memory) -> Memory:
        """Return the memories with which both play again."""
        first, second, one, other = memory
        return carried(self.first, first, one), carried(self.second, second, other), one, other

    def _seated(self, first: Any, second: Any) -> Any:
        return np.where(self.marked[(..., *[None] * (np.ndim(first) - 2))], first, second)


def carried(policy: Policy, memory: Memory, initial: Memory) -> Memory:
    """Return the memory of a policy in the next game: the one it says, or that with which it began."""
    remembered = getattr(policy, "next_game", None)
    return initial if remembered is None else remembered(memory)
