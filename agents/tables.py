"""Participants who play a table of the agents' subgame, such as its equilibrium."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from lawgiver.agents.learned import fill
from lawgiver.agents.policies import DiscretePolicy
from lawgiver.envs.core.arrays import Array, Rng, constant, log_softmax, namespace, sample_index, uniform
from lawgiver.envs.core.checks import require_policy
from lawgiver.envs.core.errors import NoSolution, UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory, Policy
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import announced, solve, unsolved

AT_ONCE = 2**16
"""Number of participants per slice: the distributions of a million need gigabytes."""


class TablePolicy(DiscretePolicy):
    """Plays log-probabilities (T, S, A) by round and state, interpolated between states of continuous types."""

    def __init__(self, game: MechanismGame, log_policy: np.ndarray) -> None:
        """Keep the table."""
        self._subgame = game.subgame
        self.log_policy = log_policy

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return log-probabilities (B, n, A) and the memory."""
        xp = namespace(obs)
        rounds, states, weights = self._subgame.locate(obs)
        table = constant(self.log_policy, obs)
        logs = xp.sum(table[rounds[..., None], states] * weights[..., None], axis=-2)
        return log_softmax(logs), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return actions (B, n) drawn from the distribution, and the memory; of any number of participants."""
        xp = namespace(obs)
        everybody = xp.reshape(obs, (1, -1, obs.shape[-1]))
        levels = xp.reshape(uniform(rng, obs.shape[:2]), (1, -1))
        drawn = [
            sample_index(self.distribution(everybody[:, i : i + AT_ONCE], None, state)[0], levels[:, i : i + AT_ONCE])
            for i in range(0, everybody.shape[1], AT_ONCE)
        ]
        return xp.reshape(xp.concat(drawn, axis=-1), obs.shape[:2]), state


class LearnedTable(TablePolicy):
    """Participants who play a learned table of the agents' subgame, log-probabilities (T, S, A); None for uniform."""

    kind: ClassVar[str] = "table"
    role: ClassVar[str] = "participant"

    def __init__(self, game: Game[Any], log_policy: np.ndarray | None = None) -> None:
        """Keep a copy of the table."""
        if not isinstance(game, MechanismGame) or not isinstance(game.announcement_layout(), int):
            raise UnsupportedGameError(
                f"a table of participants needs a game of finitely many announcements, not {game.name}"
            )
        self.settings: dict[str, Any] = {}
        super().__init__(game, np.array(uniform_prior(game.subgame) if log_policy is None else log_policy))

    def state(self) -> dict[str, np.ndarray]:
        """Return the table."""
        return {"log_policy": self.log_policy}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take the numbers of a saved table."""
        fill(self.state(), arrays)


def equilibrium_table(game: MechanismGame, mechanism: Policy, inverse_temperature: float) -> TablePolicy:
    """Return participants in the logit equilibrium, from a uniform prior, under what a mechanism announces.

    Raises:
        UnsupportedGameError: if participants do not choose among finitely many actions, or there is no equilibrium.
    """
    if not isinstance(game.announcement_layout(), int):
        raise UnsupportedGameError(
            f"participant 'logit_equilibrium' chooses among finitely many actions, those of {game.name} are a Box"
        )
    parameters = announced(game, mechanism)
    if isinstance(parameters, NoSolution):
        raise UnsupportedGameError(f"participant 'logit_equilibrium': {parameters}")
    found = solve(game.subgame, parameters, inverse_temperature, uniform_prior(game.subgame))
    fault = unsolved(found, parameters)
    if fault is not None:
        raise UnsupportedGameError(f"participant 'logit_equilibrium': {fault}")
    return TablePolicy(game, found.log_policy)


def tabulate(game: MechanismGame, policy: Policy, parameters: np.ndarray) -> np.ndarray:
    """Tabulate a policy's log-probabilities (T, S, A) in every round and state under w (D,).

    Where announcements are a Box, these are its densities at the announcements of the subgame, as shares of their sum.

    Raises:
        UnsupportedGameError: if the policy remembers, or if announcements are a Box and it has no method
            ``log_density(obs, actions)``.
    """
    require_policy(game, "participant", policy)
    subgame = game.subgame
    legal = np.broadcast_to(subgame.legal(), subgame.shape)
    seen = subgame.observations(parameters)
    memory = policy.initial_state(len(seen), np.random.default_rng(0))
    if memory is not None:
        raise UnsupportedGameError(f"{policy!r} remembers: what it does in {game.name} is no table by round and state")
    if not isinstance(game.announcement_layout(), int):
        if not hasattr(policy, "log_density"):
            raise UnsupportedGameError(f"{policy!r} has no densities to tabulate in {game.name}: give it log_density")
        return np.asarray(log_softmax(policy.log_density(seen, subgame.announcements()) + uniform_prior(subgame)))
    return np.asarray(policy.distribution(seen, legal, None)[0])
