"""Dual averaging: tables of logits that add up payoffs, in ever smaller steps.

Simultaneous online dual averaging with an entropic regulariser (SODA; Bichler, Fichtl and Oberlechner, Computing
Bayes-Nash equilibrium strategies in auction games via simultaneous online dual averaging, 2023) makes, in step t,

    theta <- theta + eta t^-1/2 U,    pi = softmax(theta),

with U (T, S, A) the gradient of the expected payoff in pi, which are here the values Q of the actions against
everybody's current play. Of bounded rationality that payoff includes the price of divergence, KL(pi || pi_0) / lambda,
and U is, up to a constant that softmax does not see,

    U = Q - (theta - log pi_0) / lambda = (log BR - theta) / lambda.

So dual averaging is relaxed logits (:mod:`.relaxed_logits`) with steps eta t^-1/2 / lambda. They are measured in payoff
instead of shares of the way, so that the rule is as steady at a high inverse temperature as at a low one. A step ends
at BR at the latest, and t counts the steps since the mechanism was announced. K of them go about the share
1 - exp(-2 eta sqrt(K) / lambda) of the way to a reply that stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawgiver.trainers.mechanism_design.two_timescale.learning.relaxed_logits import RelaxedLogits


@dataclass(frozen=True, kw_only=True)
class DualAveraging(RelaxedLogits):
    """See the module's docstring.

    Attributes:
        first_step: eta, in nats a unit of payoff, > 0.
    """

    first_step: float

    def steps(self, step: float) -> np.ndarray:
        """Return min(1, eta t^-1/2 / lambda), t = 1 .. K, whatever ``step`` is."""
        level = self.subgame.finite(self.inverse_temperature)
        nats = self.first_step / np.sqrt(np.arange(1, self.updates + 1))
        return np.minimum(1.0, nats / level) if level > 0 else np.ones(self.updates)
