"""The state of the public investment game."""

from __future__ import annotations

from dataclasses import dataclass

from lawgiver.envs.core.arrays import Array
from lawgiver.envs.public_investment.rule_families import normalised


@dataclass(frozen=True)
class PublicInvestmentState:
    """State of B games; amounts are in points.

    Attributes:
        turn: 0 for the first phase of a round, 1 for the second.
        round: completed rounds, (B,).
        endowments: (B, n).
        contributions: contributions of this round once made, until then of the last, (B, n).
        payouts: what the mechanism returned in the last completed round, (B, n).
        payoffs: payout plus what was kept, in the last completed round, (B, n).
        rule: announced parameters, (B, k); k = 0 in allocate mode.
        legal: contributions that the endowments allow, bool (B, n, largest endowment + 1).
    """

    turn: int
    round: Array
    endowments: Array
    contributions: Array
    payouts: Array
    payoffs: Array
    rule: Array
    legal: Array

    @property
    def weights(self) -> Array:
        """The shares behind the payouts, (B, n); 1/n each where nobody has contributed."""
        return normalised(self.payouts)
