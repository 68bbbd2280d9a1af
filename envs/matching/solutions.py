"""Known solutions for three on each side whose lists leave nobody out: exact ranks over all profiles."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache, partial

from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance, immediate_acceptance
from lawgiver.envs.solvers.matching.enumeration import Table, table
from lawgiver.envs.solvers.matching.trading import top_trading_cycles

RANKS = {
    "deferred acceptance": (deferred_acceptance, Fraction(35, 24)),
    "top trading cycles": (top_trading_cycles, Fraction(13, 9)),
    "immediate acceptance": (immediate_acceptance, Fraction(77, 54)),
}
"""Rules, and the mean rank of rows' partners."""


@lru_cache(maxsize=4)
def _measured(name: str) -> Table:
    return table(RANKS[name][0])


def _error(name: str) -> float:
    return abs(float(_measured(name).rank - RANKS[name][1]))


def known() -> tuple[KnownSolution, ...]:
    """List the mean ranks of rows' partners under three rules."""
    return tuple(
        KnownSolution(
            name=f"mean rank of rows' partners: {name}",
            source="a sum over all 46,656 profiles; residual is the difference from it",
            value=partial(float, rank),
            residual=partial(_error, name),
            tolerance=1e-9,
            exact=1e-9,
        )
        for name, (_, rank) in RANKS.items()
    )
