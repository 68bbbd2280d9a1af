"""Play batches of games in Python, phase by phase, with a policy for every role.

The rules draw and the policies draw from one generator, in this order: the memories of all policies at the start, then
in each phase what its policy draws and what :meth:`Game.draw` draws.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, constant
from lawgiver.envs.core.errors import ParameterError, allowed
from lawgiver.envs.core.game import Draws, Game, Rewards, State
from lawgiver.envs.core.policy import Memory, OutcomePolicy, Policy

StateT = TypeVar("StateT", bound=State)


@dataclass(frozen=True)
class Step(Generic[StateT]):
    """One phase of B games.

    Attributes:
        index: index of the phase, from 0.
        state: before the phase.
        role: the acting role.
        actions: its actions, (B, n_role[, k]); None for an :class:`OutcomePolicy`.
        outcome: outcome of the actions, see :meth:`Game.outcome`.
        draws: random numbers of the phase.
        after: the state after the phase.
        rewards: by role, (B, n_role) each.
        terminated: games that their rules have ended, (B,).
        truncated: games that were cut off, (B,).
        alive: games not over before the phase, (B,); the others are stepped too, without effect.
    """

    index: int
    state: StateT
    role: str
    actions: Any
    outcome: Array
    draws: Draws
    after: StateT
    rewards: Rewards
    terminated: Array
    truncated: Array
    alive: Array


def rollout(game: Game[StateT], policies: Mapping[str, Policy], state: StateT, rng: Rng) -> Iterator[Step[StateT]]:
    """Play B games from a state until all of them are over, and yield every phase.

    Args:
        game: the rules.
        policies: policy of each role, checked by the caller where needed.
        state: in which play begins, the policies' memories being those of new games.
        rng: generator of policies and rules, on the backend and device of the state.

    Raises:
        ParameterError: if a role that is to act has no policy.
    """
    memories: dict[str, Memory] = {}
    alive: Any = None
    for index in itertools.count():
        role = game.phase(state)
        if role not in policies:
            who = "has no policy" if role in game.roles else f"is none of its roles: {allowed(str(role), game.roles)}"
            raise ParameterError(f"{game.name}: phase(state) says {role!r} at step {index}, which {who}")
        obs, mask = game.observe(state, role), game.legal_actions(state, role)
        batch: int = obs.shape[0]
        if not index:
            memories = {name: policy.initial_state(batch, rng) for name, policy in policies.items()}
            alive = constant(np.ones(batch), obs) > 0
        actions, outcome, memories[role] = choose(game, policies[role], state, obs, mask, memories[role], rng)
        draws = game.draw(batch, rng)
        after, rewards, terminated, truncated = game.advance(state, outcome, draws)
        yield Step(index, state, role, actions, outcome, draws, after, rewards, terminated, truncated, alive)
        alive = alive & ~(terminated | truncated)
        if not alive.any():
            return
        state = after


def choose(
    game: Game[StateT], policy: Policy, state: StateT, obs: Array, mask: Array | None, memory: Memory, rng: Rng
) -> tuple[Array | None, Array, Memory]:
    """Query a policy in a state: its actions (None if it makes outcomes), their outcome, its memory."""
    if isinstance(policy, OutcomePolicy):
        outcome, after = policy.outcome(obs, mask, memory, rng)
        return None, outcome, kept_waiting(game, policy, state, memory, after)
    actions, after = policy.act(obs, mask, memory, rng)
    return actions, game.outcome(state, actions), kept_waiting(game, policy, state, memory, after)


def kept_waiting(game: Game[StateT], policy: Policy, state: StateT, before: Memory, after: Memory) -> Memory:
    """Return a policy's memory after a phase, in which seats that take turns remember their own turns alone.

    They do so where the policy has a method ``keep_waiting(acts, before, after) -> memory``.
    """
    keep = getattr(policy, "keep_waiting", None) if game.seats_take_turns else None
    return after if keep is None else keep(game.acts(state, game.phase(state)), before, after)
