"""The state of an election, and the order of phases in its base game."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory


@dataclass(frozen=True)
class ElectionState:
    """State of B elections among k mechanisms by n people.

    Attributes:
        turn: number of phases played, over the k base games in sequence.
        base: state of the current base game.
        opening: its initial state, the same for all k games.
        order: the mechanism that rules first, second and so on, (B, k).
        over: whether the current base game has ended, bool (B,).
        counts: whether it was running when people last chose, bool (B,).
        memory: the people's memory.
        initial_memory: their memory before the first game.
        experience: experience of each round so far, (B, n, f) each.
        payoffs: payoffs of the current round, (B, n).
        earned: each person's payoffs under each mechanism so far, (B, k, n).
        log_likelihood: log-likelihood of all choices of people so far, (B,).
        vote_probabilities: each person's probability of voting for each mechanism, (B, n, k); 1/k until they vote.
        votes: the mechanism that each person votes for, (B, n); -1 until they vote.
    """

    turn: int
    base: Any
    opening: Any
    order: Array
    over: Array
    counts: Array
    memory: Memory
    initial_memory: Memory
    experience: tuple[Array, ...]
    payoffs: Array
    earned: Array
    log_likelihood: Array
    vote_probabilities: Array
    votes: Array


def phases(game: Game[Any]) -> tuple[str, ...]:
    """List the acting role of each phase of the longest possible game."""
    rng = np.random.default_rng(0)
    state, found = game.initial_state(1, rng), []
    for _ in range(game.max_steps):
        role = game.phase(state)
        found.append(role)
        state, *_ = game.step(state, _some_action(game, role), game.draw(1, rng))
    return tuple(found)


def _some_action(game: Game[Any], role: str) -> np.ndarray:
    """Return an action of every agent of a role, (1, n_role[, d])."""
    space: Any = game.action_space(role)
    some = space.low if isinstance(space, gymnasium.spaces.Box) else np.asarray(int(space.start))
    return np.broadcast_to(some, (1, game.roles[role], *some.shape))
