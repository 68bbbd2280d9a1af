"""Participants who always do the same: take one action, or report one row of a menu, whatever they see."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from lawgiver.agents.policies import DiscretePolicy, Memoryless, point_mass
from lawgiver.envs.core.arrays import Array, Rng, namespace
from lawgiver.envs.core.arrays import constant as on_backend
from lawgiver.envs.core.errors import UnsupportedGameError, integer
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory, Policy
from lawgiver.envs.families.reporting_game import ReportingGame


class ConstantAction(DiscretePolicy):
    """Takes one Discrete action, which the game plays as the nearest legal one."""

    blind = True

    def __init__(self, choice: int, n_actions: int) -> None:
        """Keep the settings."""
        self.choice, self.n_actions = choice, n_actions

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return certainty of the one action, (B, n, A), and the memory."""
        return point_mass(self._chosen(obs), self.n_actions, obs), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the one action, (B, n), and the memory."""
        return self._chosen(obs), state

    def _chosen(self, obs: Array) -> Array:
        xp = namespace(obs)
        return xp.full(obs.shape[:2], self.choice, dtype=xp.int64)


class ConstantReport(Memoryless):
    """Reports the same numbers, (k,)."""

    blind = True

    def __init__(self, report: np.ndarray) -> None:
        """Keep the report."""
        self.report = report

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return the report as mean, with standard deviation 0, (B, n, 2, k), and the memory."""
        xp, report = namespace(obs), self._every(obs)
        return xp.stack([report, xp.zeros_like(report)], axis=-2), state

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the report, (B, n, k), and the memory."""
        return self._every(obs), state

    def _every(self, obs: Array) -> Array:
        report = on_backend(self.report, obs)
        return namespace(obs).broadcast_to(report, (*obs.shape[:2], *report.shape))


def constant(game: Game[Any], *, choice: int) -> Policy:
    """Return participants who always do the same.

    Args:
        game: any with Discrete participants, or a reporting game with a menu.
        choice: the action, or the row of the menu, >= 0.

    Raises:
        ParameterError: if there is no such action or row.
        UnsupportedGameError: if participants have neither.
    """
    space = game.action_space("participant")
    if isinstance(space, gymnasium.spaces.Discrete):
        return ConstantAction(integer("choice", choice, 0, int(space.n) - 1), int(space.n))
    menu = game.menu() if isinstance(game, ReportingGame) else None
    if menu is None:
        raise UnsupportedGameError(
            f"participant 'constant' needs Discrete actions or a menu of reports; those of {game.name} are {space}"
        )
    return ConstantReport(menu[integer("choice", choice, 0, len(menu) - 1)])
