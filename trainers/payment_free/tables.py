"""The table of a run that shares without payments: gains of misreports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.tables.cells import Table, cell

MEANINGS = {
    "nash_welfare_ratio_to_pf": "Nash welfare (geometric mean of utilities) by that of proportional fairness",
}
"""One line by key of the summary."""


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate the gains of the best misreports found, a row for each group of fields that is misreported."""
    found = numbers.get("exploitability")
    if isinstance(found, Mapping):
        rows = {
            group: {f"{kind}, {key}": cell(value) for kind, gains in kinds.items() for key, value in gains.items()}
            for group, kinds in found.items()
        }
        yield Table("exploitability: gains of the best misreport found", rows, ("exploitability",))
