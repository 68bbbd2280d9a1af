"""The table of judged bidders: a row for each group of seats that are alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.tables.cells import Table, cell

MEANINGS = {
    "relative_loss": "what a best reply would gain over the bids that were learned, as a share of their payoff",
}
"""One line by key of the summary."""


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate payoffs, the bracket of the loss and the distance from the equilibrium by group of seats."""
    found = numbers.get("bidders")
    if isinstance(found, Mapping):
        yield Table(
            "Bidders, against each other",
            {group: _row(judged) for group, judged in found.items()},
            ("bidders",),
            "loss: what a best reply would gain, as a share of the payoff, by an estimate that is too small on average"
            " and one that is too large; L2: distance from the equilibrium's bids, then weighted by the share that a"
            " type gets",
        )


def _row(judged: Mapping[str, Any]) -> dict[str, str]:
    relative = judged["relative_loss"] or {}
    return {
        "payoff": cell(judged["payoff"]),
        "loss, at least": cell(relative.get("low")),
        "loss, at most": cell(relative.get("high")),
        "L2": cell(judged["l2"]),
        "L2, weighted": cell(judged["l2_weighted"]),
    }
