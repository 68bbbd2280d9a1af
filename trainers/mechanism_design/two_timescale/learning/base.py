"""The interface of learning rules: a population of participants, and how it responds to a mechanism."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lawgiver.envs.core.arrays import log_softmax
from lawgiver.envs.solvers.equilibrium.subgame import Subgame


@dataclass(frozen=True, kw_only=True)
class Learners(ABC):
    """A learning rule of participants who are alike.

    A *population* is an array that holds everything that they have learned, and all that a checkpoint needs: a table of
    logits theta (T, S, A), unless a rule says otherwise. Rules are affine enough for the mean of several populations,
    each of which met a mechanism of its own, to be a population.

    Attributes:
        subgame: game of the participants under a mechanism.
        prior: log pi_0, (T, S, A).
        inverse_temperature: lambda, in [0, inf].
        updates: steps under each mechanism, >= 1.
    """

    subgame: Subgame
    prior: np.ndarray
    inverse_temperature: float
    updates: int

    @property
    def updates_of_one(self) -> int:
        """Number of updates of a population in :meth:`respond`, for each mechanism."""
        return self.updates

    @property
    def beginning(self) -> np.ndarray:
        """The population that has learned nothing yet: it plays its prior."""
        return self.prior

    @abstractmethod
    def respond(self, population: np.ndarray, tried: np.ndarray, step: float) -> np.ndarray:
        """Train k copies of a population, each under its mechanism; return them, (k, ...).

        Args:
            population: to start from.
            tried: w of each mechanism, (k, D).
            step: eta, in (0, 1], of the rules that do not set their own steps.
        """

    def logits(self, populations: np.ndarray, tried: np.ndarray) -> np.ndarray:
        """Compute what populations (k, ...) play, each under its mechanism w (k, D), as logits (k, T, S, A)."""
        return populations

    def best_response(self, logits: np.ndarray, tried: np.ndarray) -> np.ndarray:
        """Compute the log-probabilities (..., T, S, A) of the response to logits (..., T, S, A) under w (..., D)."""
        # Aggregates have no effect where the subgame is not coupled.
        aggregates = self.subgame.aggregates(play(logits)) if self.subgame.coupled else self.unmet
        aggregates = aggregates + np.zeros_like(tried[..., :1])
        return np.asarray(self.subgame.log_response(tried, aggregates, self.inverse_temperature, self.prior))

    @cached_property
    def unmet(self) -> np.ndarray:
        """Aggregates z (m,) of the prior, before anybody has met anybody."""
        return np.asarray(self.subgame.aggregates(play(self.prior)))

    def reply_gap(self, logits: np.ndarray, parameters: np.ndarray) -> float:
        """Compute the probability, in [0, 1], that a participant acts otherwise than its best response under w (D,)."""
        return float(self.subgame.distance(play(logits), np.exp(self.best_response(logits, parameters))))


def play(logits: np.ndarray) -> np.ndarray:
    """Compute the probabilities softmax(theta), (..., T, S, A)."""
    return np.asarray(np.exp(log_softmax(logits)))
