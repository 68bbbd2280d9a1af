"""The table of an auction that was learned: revenue and regret, beside auctions that are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.statistics.estimate import mean_of
from lawgiver.trainers.tables.cells import Table, cell
from lawgiver.trainers.tables.glossary import mechanism_words

MEANINGS = {
    "limit": "greatest revenue of any truthful auction that nobody loses by",
    "regret_budget": "that the training allowed each bidder, money",
}
"""One line by key of the summary."""
COLUMNS = {
    "revenue": "revenue",
    "regret": "regret a bidder",
    "regret_added": "added",
    "largest_gain": "largest gain",
    "revenue_gamed": "when gamed",
}
"""Columns by key of a mechanism's measures."""


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate revenue, regret and revenue when gamed, a row for each mechanism, and the limit where it is known."""
    if not isinstance(numbers.get("regret"), Mapping):
        return
    scale = max(mean_of(value) or 0.0 for value in numbers["revenue"].values())
    rows = {
        mechanism_words(name): {column: cell(numbers[key][name], scale) for key, column in COLUMNS.items()}
        for name in numbers["regret"]
    }
    if numbers["revenue"]["limit"] is not None:
        limit = {"revenue": cell(numbers["revenue"]["limit"])}
        rows[mechanism_words("limit")] = {column: limit.get(column, "-") for column in COLUMNS.values()}
    yield Table(
        "Auctions",
        rows,
        tuple(COLUMNS),
        "revenue: of truthful bidders; regret: mean ex post gain of the best misreport found; added: how much of it the"
        " last doubling of the search has found; when gamed: revenue when everybody reports that misreport",
    )
