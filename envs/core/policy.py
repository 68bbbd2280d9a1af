"""The policy contract, the same for participants and mechanisms, rules of thumb and networks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

from lawgiver.envs.core.arrays import Array, Rng

Memory = Any
"""A policy's memory: None, or a tree of arrays (B, ...). The caller carries it."""


@runtime_checkable
class Policy(Protocol):
    """Acts for all agents of one role in B games at once.

    Observations are (B, n_role, d), masks (B, n_role, n_actions) or None, actions (B, n_role) or (B, n_role, k). A
    policy that never looks at its observation may say so by an attribute ``blind = True``; views then make none for
    it, which saves most of their work, and show it (B, n_role, 0).
    """

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return the memory at the start of ``batch`` games, on the backend and device of ``rng``.

        People who differ from one another draw from ``rng`` who they are. Those who remember something when they
        play again (as in an election) say what in a method ``next_game(memory) -> memory``.
        """

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return the parameters of the action distribution and the new memory.

        Discrete: log-probabilities (B, n_role, n_actions), minus infinity where illegal. Box: the mean and the
        standard deviation of each component, (B, n_role, 2, k), a standard deviation of 0 for a rule.
        """

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return actions drawn from the distribution and the new memory."""


@runtime_checkable
class OutcomePolicy(Policy, Protocol):
    """A mechanism that can give its outcome (weights on the simplex, exact zeros allowed) without an action."""

    def outcome(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the outcome that :meth:`Game.outcome` would make of the action, and the new memory."""


PolicyLike: TypeAlias = str | os.PathLike[str] | Policy | Mapping[str, Any]
"""A policy; its registered name; the folder of a run that learned it; or ``{"policy": NAME, **parameters}``."""
