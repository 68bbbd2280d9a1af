"""The state of the common-pool trust game."""

from __future__ import annotations

from dataclasses import dataclass

from lawgiver.envs.core.arrays import Array, namespace


@dataclass(frozen=True)
class CommonsTrustState:
    """State of B games; amounts are in points.

    Attributes:
        turn: 0 where the mechanism acts, 1 where the participants do.
        round: completed rounds, (B,).
        pool: the pool from which this round's offers are made, (B,).
        offers: offers of this round once made, until then of the last, (B, n).
        last_offers: offers of the last completed round, (B, n).
        returns: returns of the last completed round, (B, n).
        payoffs: offers less returns of the last completed round, (B, n).
        kept: the sum of payoffs over all completed rounds, (B, n).
        last_pool: the pool before the last completed round, (B,).
        spilled: growth beyond the capacity in the last completed round, which is lost, (B,).
        rule: announced parameters, (B, k); k = 0 in allocate mode.
    """

    turn: int
    round: Array
    pool: Array
    offers: Array
    last_offers: Array
    returns: Array
    payoffs: Array
    kept: Array
    last_pool: Array
    spilled: Array
    rule: Array

    @property
    def endowments(self) -> Array:
        """Payoffs of a round in which the mechanism offers nothing: zeros, (B, n)."""
        return namespace(self.payoffs).zeros_like(self.payoffs)
