"""The table of a learned menu: what it earns beside auctions that are known by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.tables.cells import Table, cell
from lawgiver.trainers.tables.wording import words

MEANINGS = {
    "ratio_to_limit": "objective by its known limit, by differences to an auction that attains it",
    "entries_used": "entries that are ever chosen, of `entries`",
    "parameters": "numbers that are learned",
}
"""One line by key of the summary."""


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate revenue or welfare by auction."""
    for objective in ("revenue", "welfare"):
        found = numbers.get(objective)
        if isinstance(found, Mapping) and "learned" in found:
            rows = {words(name): {objective: cell(value)} for name, value in found.items()}
            yield Table(f"Expected {objective} of truthful bidders", rows, (objective,))
