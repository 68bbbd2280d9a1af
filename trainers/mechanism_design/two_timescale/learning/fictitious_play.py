"""Fictitious play: participants who believe that the others go on as they have so far, and reply to that belief.

The population is the belief z (m,), the aggregates of what everybody has done. In step t = 0, 1, ... under the
mechanism w it moves towards those of the reply to it,

    z <- z + 2 / (t + 20) (aggregates(BR_t(w, z)) - z),

with BR_t the logit best response at lambda_t: a mean of past replies in which later ones count for more. What is played
is the reply to the belief at lambda. A fixed point is a logit equilibrium.

t counts the steps since the mechanism was announced: whoever reckoned with the steps of earlier mechanisms as well
would soon not respond to a new one. Participants who have not met anybody yet begin at a low inverse temperature, and
lambda_t rises to lambda geometrically over the first 70 % of their steps: replies to a belief that is far off would
otherwise be rational, and wrong.

Brown, Iterative solution of games by fictitious play (1951); with smooth replies Fudenberg and Levine, The Theory of
Learning in Games (1998), chapter 4.
"""

from __future__ import annotations

import numpy as np

from lawgiver.trainers.mechanism_design.two_timescale.learning.base import Learners

FIRST_LEVEL = 3.0
"""lambda_0 per :attr:`Subgame.unit` of payoff: about 10 where two bidders compete for values between 0 and 1."""
RISING = 0.7
"""Share of the first steps in which the inverse temperature rises."""
WEIGHT, DELAY = 2.0, 20.0
"""A step is WEIGHT / (t + DELAY)."""


class FictitiousPlay(Learners):
    """See the module's docstring."""

    @property
    def beginning(self) -> np.ndarray:
        """The belief that everybody plays the prior, (m,)."""
        return self.unmet

    def respond(self, population: np.ndarray, tried: np.ndarray, step: float) -> np.ndarray:
        """Revise copies of a belief (m,) by replies to it; return (k, m). ``step`` is not used."""
        beliefs = np.repeat(population[None], len(tried), axis=0)
        if not self.subgame.coupled:  # the first reply is the last, whatever was believed
            return np.asarray(self.subgame.aggregates(np.exp(self._reply(beliefs, tried, self._level))))
        for t, level in enumerate(self._levels(first=np.array_equal(population, self.beginning))):
            replied = self.subgame.aggregates(np.exp(self._reply(beliefs, tried, level)))
            beliefs += WEIGHT / (t + DELAY) * (replied - beliefs)
        return beliefs

    def logits(self, populations: np.ndarray, tried: np.ndarray) -> np.ndarray:
        """Compute the replies to beliefs (k, m), as log-probabilities (k, T, S, A)."""
        return self._reply(populations, tried, self._level)

    def _reply(self, beliefs: np.ndarray, tried: np.ndarray, level: float) -> np.ndarray:
        return np.asarray(self.subgame.log_response(tried, beliefs, level, self.prior))

    @property
    def _level(self) -> float:
        return self.subgame.finite(self.inverse_temperature)

    def _levels(self, *, first: bool) -> np.ndarray:
        """Return lambda_t of each step, (updates,)."""
        low = min(FIRST_LEVEL / self.subgame.unit, self._level)
        if not first or low == self._level:
            return np.full(self.updates, self._level)
        risen = np.minimum(1.0, np.arange(self.updates) / (RISING * self.updates))
        return np.asarray(low * (self._level / low) ** risen)
