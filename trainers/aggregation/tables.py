"""Tables of a run that aggregates without payments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.tables.cells import Table, cell

MEANINGS = {
    "given_up": "objective below that of the rule mean, where everybody tells the truth",
    "gain": "mean gain of the misreports found, in units of reward",
}
"""One line by key of the metrics."""
COLUMNS = {
    "value": "objective",
    "given_up": "given up",
    "gain": "mean gain",
    "greatest_gain": "greatest gain",
    "revenue": "revenue",
}


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate the rules without payments, and MOSAIC by the share of its payments that is charged."""
    for title, key in (
        ("rules without payments: objective of the truth, what misreports bring", "rules"),
        ("the mean with a share of MOSAIC's payments", "charged"),
    ):
        found = numbers.get(key)
        if isinstance(found, Mapping):
            rows = {
                name: {title: cell(each[measure], 1.0) for measure, title in COLUMNS.items() if measure in each}
                for name, each in found.items()
            }
            yield Table(title, rows, (key,))
