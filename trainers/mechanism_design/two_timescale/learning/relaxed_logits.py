"""Relaxed logits: tables of logits that relax towards the best response to everybody's current play.

With theta (T, S, A) and pi = softmax(theta), a step under the mechanism w is

    theta <- theta + eta (log BR(w, z(pi)) - theta),    z(pi) the aggregates of everybody's play,

with BR the logit best response; its only fixed points are the logit equilibria under w. Where BR does not depend on the
others (``subgame.coupled`` is False) it stays the same from step to step, so that steps eta_1 .. eta_K are one of
1 - (1 - eta_1) .. (1 - eta_K).

A step that is large beside 1 / lambda may cycle: at a high inverse temperature the response is steep in what the others
do, and in an all-pay auction participants then run after one another.
"""

from __future__ import annotations

import numpy as np

from lawgiver.trainers.mechanism_design.two_timescale.learning.base import Learners


class RelaxedLogits(Learners):
    """See the module's docstring."""

    def steps(self, step: float) -> np.ndarray:
        """Return the share of the way to the best response that each step goes, (updates,): the same for all."""
        return np.full(self.updates, step)

    def respond(self, population: np.ndarray, tried: np.ndarray, step: float) -> np.ndarray:
        """Relax copies of a table of logits (T, S, A); return (k, T, S, A)."""
        steps = self.steps(step)
        if not self.subgame.coupled:
            far = 1 - np.prod(1 - steps)
            return np.asarray(population + far * (self.best_response(population, tried) - population))
        copies = np.repeat(population[None], len(tried), axis=0)
        for one in steps:
            copies += one * (self.best_response(copies, tried) - copies)
        return copies
