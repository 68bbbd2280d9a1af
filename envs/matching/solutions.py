"""Known solutions for three on each side whose lists leave nobody out: exact ranks, and how stable rules can be."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache, partial

from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.core.registry import installed
from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance, immediate_acceptance
from lawgiver.envs.solvers.matching.enumeration import Table, table
from lawgiver.envs.solvers.matching.frontier import Frontier
from lawgiver.envs.solvers.matching.trading import top_trading_cycles

RANKS = {
    "deferred acceptance": (deferred_acceptance, Fraction(35, 24)),
    "top trading cycles": (top_trading_cycles, Fraction(13, 9)),
    "immediate acceptance": (immediate_acceptance, Fraction(77, 54)),
}
"""Rules, and the mean rank of rows' partners."""
ENDS = {
    "fewest expected blocking pairs of rules that are truthful for both sides": Fraction(17, 72),
    "least regret of stable rules: deferred acceptance": Fraction(5, 1296),
}
"""Ends of the frontier, in the order of :func:`_ends`."""


@lru_cache(maxsize=4)
def _measured(name: str) -> Table:
    return table(RANKS[name][0])


def _error(name: str) -> float:
    return abs(float(_measured(name).rank - RANKS[name][1]))


@lru_cache(maxsize=1)
def _ends() -> tuple[float, float]:
    """Compute the ends of the frontier: blocking pairs without regret, and regret without blocking pairs."""
    frontier = Frontier(3)
    return frontier.best(0.0).objective, frontier.least_regret(0.0).regret


def _missed_end(i: int) -> float:
    return abs(_ends()[i] - float(tuple(ENDS.values())[i]))


def known() -> tuple[KnownSolution, ...]:
    """List mean ranks of rows' partners under three rules, and the ends of the frontier with the extra ``solve``."""
    ranks = tuple(
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
    if not installed("solve"):
        return ranks
    source = "linear programming over all rules and complete lists; residual is the difference from it"
    ends = tuple(
        KnownSolution(
            name=name,
            source=source,
            value=partial(float, end),
            residual=partial(_missed_end, i),
            tolerance=1e-7,
            exact=1e-7,
        )
        for i, (name, end) in enumerate(ENDS.items())
    )
    return (*ranks, *ends)
