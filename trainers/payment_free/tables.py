"""The tables of a run that shares without payments: what misreports bring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.tables.cells import Table, cell

MEANINGS = {
    "nash_welfare_ratio_to_pf": "Nash welfare (geometric mean of utilities) by that of proportional fairness",
}
"""What single numbers of a summary mean."""


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate what the best misreports found gain, a row for each group of fields that is misreported."""
    found = numbers.get("exploitability")
    if isinstance(found, Mapping):
        rows = {
            group: {f"{kind}, {key}": cell(value) for kind, told in kinds.items() for key, value in told.items()}
            for group, kinds in found.items()
        }
        yield Table("exploitability: gains of the best misreport found", rows, ("exploitability",))
