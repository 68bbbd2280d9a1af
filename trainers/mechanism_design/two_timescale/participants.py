"""Participants who learn: a table of relaxed logits on its way to the exact reply to everybody's current play.

With theta (T, S, A) and pi = softmax(theta), a step under the mechanism w is

    theta <- theta + eta (log reply(w, z(pi)) - theta),    z(pi) the aggregates of everybody's play,

whose only rest points are the logit equilibria under w. Where the reply does not depend on the others
(``subgame.coupled`` is False) it stays the same from step to step, so that k steps are one of 1 - (1 - eta)^k.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lawgiver.envs.core.arrays import log_softmax
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.solvers.equilibrium.one_round import SOLVED
from lawgiver.envs.solvers.equilibrium.subgame import Subgame
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import solve


@dataclass(frozen=True)
class Learners:
    """How participants of one population change under a mechanism.

    Attributes:
        subgame: that they play.
        prior: log pi_0, (T, S, A).
        inverse_temperature: lambda, in [0, inf].
        updates: steps under a mechanism.
        exact: whether they go to the equilibrium at once instead.
    """

    subgame: Subgame
    prior: np.ndarray
    inverse_temperature: float
    updates: int
    exact: bool

    @property
    def updates_of_one(self) -> int:
        """How many updates of a table :meth:`respond` counts as, for each mechanism."""
        return 1 if self.exact else self.updates

    def respond(self, logits: np.ndarray, tried: np.ndarray, step: float) -> np.ndarray:
        """Return the tables (k, T, S, A) of relaxed logits of k copies of a population, each under its mechanism.

        Args:
            logits: theta, (T, S, A).
            tried: w of each mechanism, (k, D).
            step: eta, in (0, 1].

        Raises:
            UnsupportedGameError: if they go to the equilibrium at once and there is none.
        """
        if self.exact:
            return np.stack([self._equilibrium(w) for w in tried])
        if not self.subgame.coupled:
            far = 1 - (1 - step) ** self.updates
            return np.asarray(logits + far * (self.reply(logits, tried) - logits))
        copies = np.repeat(logits[None], len(tried), axis=0)
        for _ in range(self.updates):
            copies += step * (self.reply(copies, tried) - copies)
        return copies

    def reply(self, logits: np.ndarray, tried: np.ndarray) -> np.ndarray:
        """Return the log-probabilities (..., T, S, A) of the exact reply to play (..., T, S, A) under w (..., D)."""
        # Where the others do not count, any aggregates will do.
        aggregates = self.subgame.aggregates(play(logits)) if self.subgame.coupled else self._at_the_prior
        aggregates = aggregates + np.zeros_like(tried[..., :1])
        return np.asarray(self.subgame.log_response(tried, aggregates, self.inverse_temperature, self.prior))

    @cached_property
    def _at_the_prior(self) -> np.ndarray:
        return np.asarray(self.subgame.aggregates(play(self.prior)))

    def _equilibrium(self, parameters: np.ndarray) -> np.ndarray:
        found = solve(self.subgame, parameters, self.inverse_temperature, self.prior)
        if found.residual > SOLVED:
            raise UnsupportedGameError(
                f"agents.participants.learning is 'equilibrium', but none is found under w = {parameters.tolist()} "
                f"({found.residual:.1g} off): allowed here: relaxed_logits"
            )
        return np.asarray(found.log_policy)

    def reply_gap(self, logits: np.ndarray, parameters: np.ndarray) -> float:
        """Return how probable it is, in [0, 1], that a participant acts otherwise than its exact reply under w (D,)."""
        return float(self.subgame.distance(play(logits), np.exp(self.reply(logits, parameters))))


def play(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities softmax(theta), (..., T, S, A)."""
    return np.asarray(np.exp(log_softmax(logits)))
