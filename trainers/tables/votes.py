"""The tables of elections: shares of the votes, and weights in the equilibrium of a meta-game."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.statistics.estimate import Estimate, confidence
from lawgiver.trainers.tables.cells import Table, percent


def vote_shares(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate ``vote_share``: a table a rival if it is by rival, population and condition, else one for all."""
    shares = numbers.get("vote_share")
    if not isinstance(shares, Mapping) or not shares:
        return
    if all(isinstance(share, Estimate) for by in shares.values() for share in by.values()):
        yield _shares(shares, "% of the votes against")
        return
    for rival, by_population in shares.items():
        yield _shares(by_population, f"% of the votes against {rival}")


def _shares(shares: Mapping[str, Mapping[str, Any]], title: str) -> Table:
    """Tabulate shares by row and condition; not every row need have every condition."""
    conditions = list(dict.fromkeys(condition for by in shares.values() for condition in by))
    rows = {
        row: {condition: percent(by[condition]) if condition in by else "-" for condition in conditions}
        for row, by in shares.items()
    }
    level = confidence(share for by in shares.values() for share in by.values())
    return Table(f"{title} [{level}]", rows, ("vote_share",))


def nash_weight(weight: Estimate) -> str:
    """Write a weight in the equilibrium with its interval; in words where it is anything from nothing to all."""
    if weight.low is None:
        return percent(weight)
    mean, low, high = (100 * each for each in (weight.mean, *weight.ends))
    return "tied [0, 100]" if high - low > 99.9 else f"{mean:.0f} [{low:.0f}, {high:.0f}]"
