"""No learning at all: participants jump to their exact equilibrium under each mechanism (nested optimisation)."""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.solvers.equilibrium.one_round import SOLVED
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import solve
from lawgiver.trainers.mechanism_design.two_timescale.learning.base import Learners


class InEquilibrium(Learners):
    """See the module's docstring."""

    @property
    def updates_of_one(self) -> int:
        """An equilibrium counts as one update."""
        return 1

    def respond(self, population: np.ndarray, tried: np.ndarray, step: float) -> np.ndarray:
        """Solve for the log-probabilities (k, T, S, A) of the equilibria; the other arguments are not used.

        Raises:
            UnsupportedGameError: if no equilibrium is found.
        """
        return np.stack([self._solved(w) for w in tried])

    def _solved(self, parameters: np.ndarray) -> np.ndarray:
        found = solve(self.subgame, parameters, self.inverse_temperature, self.prior)
        if found.residual > SOLVED:
            raise UnsupportedGameError(
                f"agents.participants.learning is 'equilibrium', but none is found under w = {parameters.tolist()} "
                f"({found.residual:.1g} off): allowed here: fictitious_play, dual_averaging, relaxed_logits"
            )
        return np.asarray(found.log_policy)
