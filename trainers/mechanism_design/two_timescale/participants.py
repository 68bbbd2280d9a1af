"""Participants who learn: a table of logits that relaxes towards the best response to everybody's current play.

With theta (T, S, A) and pi = softmax(theta), a step under the mechanism w is

    theta <- theta + eta (log BR(w, z(pi)) - theta),    z(pi) the aggregates of everybody's play,

with BR the logit best response; its only fixed points are the logit equilibria under w. Where BR does not depend on the
others (``subgame.coupled`` is False) it stays the same from step to step, so that k steps are one of 1 - (1 - eta)^k.
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
    """The learning rule of a population of participants.

    Attributes:
        subgame: game of the participants under a mechanism.
        prior: log pi_0, (T, S, A).
        inverse_temperature: lambda, in [0, inf].
        updates: steps under each mechanism.
        exact: jump to the equilibrium instead.
    """

    subgame: Subgame
    prior: np.ndarray
    inverse_temperature: float
    updates: int
    exact: bool

    @property
    def updates_of_one(self) -> int:
        """Number of updates of a table in :meth:`respond`, for each mechanism."""
        return 1 if self.exact else self.updates

    def respond(self, logits: np.ndarray, tried: np.ndarray, step: float) -> np.ndarray:
        """Train k copies of a population, each under its mechanism; return their logits (k, T, S, A).

        Args:
            logits: theta, (T, S, A).
            tried: w of each mechanism, (k, D).
            step: eta, in (0, 1].

        Raises:
            UnsupportedGameError: if ``exact`` and no equilibrium is found.
        """
        if self.exact:
            return np.stack([self._equilibrium(w) for w in tried])
        if not self.subgame.coupled:
            far = 1 - (1 - step) ** self.updates
            return np.asarray(logits + far * (self.best_response(logits, tried) - logits))
        copies = np.repeat(logits[None], len(tried), axis=0)
        for _ in range(self.updates):
            copies += step * (self.best_response(copies, tried) - copies)
        return copies

    def best_response(self, logits: np.ndarray, tried: np.ndarray) -> np.ndarray:
        """Compute the log-probabilities (..., T, S, A) of the response to logits (..., T, S, A) under w (..., D)."""
        # Aggregates have no effect where the subgame is not coupled.
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
        """Compute the probability, in [0, 1], that a participant acts otherwise than its best response under w (D,)."""
        return float(self.subgame.distance(play(logits), np.exp(self.best_response(logits, parameters))))


def play(logits: np.ndarray) -> np.ndarray:
    """Compute the probabilities softmax(theta), (..., T, S, A)."""
    return np.asarray(np.exp(log_softmax(logits)))
