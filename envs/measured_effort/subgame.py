"""The subgame of measured effort: efforts on a grid, and what each of them earns.

What somebody earns depends on its own effort alone, so that there is a dominant strategy. Between the levels of a grid
efforts stand for a cell, those at the ends for half of one: from a uniform prior the logit response is then that on the
whole box, but for the width of a cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.solvers.equilibrium.subgame import Subgame

if TYPE_CHECKING:
    from lawgiver.envs.measured_effort.game import MeasuredEffort

LEVELS = {1: 257, 2: 65, 3: 17}
"""Levels of effort in each task, by the number of tasks, where any effort is allowed."""
LARGEST = 20_000
"""Joint levels of effort up to which there are tables."""


class MeasuredEffortSubgame(Subgame):
    """See the module's docstring. Participants see w alone."""

    game: MeasuredEffort
    coupled = False

    def __init__(self, game: MeasuredEffort) -> None:
        """List the efforts.

        Raises:
            UnsupportedGameError: if there are too many joint levels of effort.
        """
        count = len(game.worth)
        levels = game.levels or LEVELS.get(count)
        if levels is None or levels**count > LARGEST:
            given = f"{levels} levels of effort in each of {count} tasks" if levels else f"any effort in {count} tasks"
            raise UnsupportedGameError(
                f"{game.name} has tables for up to {LARGEST:,} joint levels of effort, not for {given}: allowed: fewer"
                " tasks or levels"
            )
        self.game = game
        self.efforts = game.grid(levels)
        self.shape = (1, 1, len(self.efforts))

    def initial_distribution(self) -> np.ndarray:
        """Return the probability of the only state."""
        return np.ones(1)

    def announcements(self) -> np.ndarray:
        """Return the efforts, (A, k)."""
        return self.efforts

    def cell_weights(self) -> np.ndarray:
        """Halve an effort's weight for each task in which it is at an end; levels that are all there is count alike."""
        if self.game.levels is not None:
            return np.ones(len(self.efforts))
        ends = np.abs(self.efforts) == self.game.largest_effort
        return np.asarray(0.5 ** ends.sum(-1))

    def _everywhere(self, parameters: Array, table: np.ndarray) -> Array:
        """Repeat a table (A,) for all w (..., D), (..., 1, 1, A)."""
        return constant(table, parameters) + 0 * parameters[..., :1, None, None]

    def utilities(self, parameters: Array, aggregates: Array) -> Array:
        """Return the worth of each effort less its cost."""
        return self._everywhere(parameters, self.efforts @ np.array(self.game.worth) - self._costs)

    @property
    def _costs(self) -> np.ndarray:
        return np.asarray((self.efforts**2).sum(-1) / 2)

    def transfers(self, parameters: Array, aggregates: Array) -> Array:
        """Return the pay for each effort."""
        scores = constant(self.efforts @ np.array(self.game.tests).T, parameters)
        return (parameters @ scores.T)[..., None, None, :]

    def rewards(self, parameters: Array, aggregates: Array) -> Array:
        """Return the pay less the cost of each effort."""
        return self.transfers(parameters, aggregates) - self._everywhere(parameters, self._costs)

    def aggregates(self, policy: Array) -> Array:
        """Compute the mean effort in each task, (..., k)."""
        return policy[..., 0, 0, :] @ constant(self.efforts, policy)

    def measures(self, parameters: Array, policy: Array) -> dict[str, Array]:
        """Compute the expected welfare."""
        table = constant(self.efforts @ np.array(self.game.worth) - self._costs, policy)
        return {"welfare": self.game.n * namespace(policy).sum(policy[..., 0, 0, :] * table, axis=-1)}

    def observations(self, parameters: np.ndarray) -> np.ndarray:
        """Return w, (1, 1, D)."""
        return np.asarray(parameters)[None, None]

    def locate(self, obs: Array) -> tuple[Array, Array, Array]:
        """Return the only state, for certain."""
        xp = namespace(obs)
        nothing = xp.zeros_like(obs[..., :1], dtype=xp.int64)
        return nothing[..., 0], nothing, xp.ones_like(obs[..., :1])

    def behaviour(self, policy: np.ndarray) -> dict[str, float]:
        """Return ``effort_1`` .. ``effort_k``, the mean effort in each task."""
        return {f"effort_{j + 1}": float(mean) for j, mean in enumerate(self.aggregates(policy))}
