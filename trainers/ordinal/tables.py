"""The tables of a run that learns a voting rule: welfare and regret of rules, and of the learned one elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.tables.cells import Table

MEANINGS = {
    "truthful": "greatest welfare of any rule under which no ballot but the true one is ever better",
    "greatest": "greatest welfare of any rule that decides by rankings",
}
"""One line by key of the summary."""
REGRET = (
    "regret: what the best other ballot brings a voter in the sense of stochastic dominance, that is under the worst of"
    " all utilities in [0, 1] with the voter's ranking; frontier: greatest welfare of any rule with that regret"
)
COLUMNS = {
    "welfare": "welfare",
    "regret": "regret",
    "frontier": "frontier",
    "below": "below it",
    "more_welfare": "learned has more welfare by",
    "less_regret": "and less regret by",
}
"""Columns by measure."""


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate welfare and regret by rule, and those of the learned rule by number of voters."""
    for key, title in {"rules": "rules", "voters": "the learned rule with other numbers of voters"}.items():
        found = numbers.get(key)
        if isinstance(found, Mapping):
            shown = [name for name in COLUMNS if any(name in each for each in found.values())]
            rows = {
                name.replace("_", " "): {COLUMNS[measure]: fine(each.get(measure)) for measure in shown}
                for name, each in found.items()
            }
            yield Table(title, rows, (key,), REGRET if key == "rules" else None)


def fine(value: Estimate | float | None) -> str:
    """Write a share by five digits, with its standard error where there is one; ``-`` for what is not known."""
    if value is None:
        return "-"
    mean, error = (value.mean, value.standard_error) if isinstance(value, Estimate) else (value, None)
    return f"{round(mean, 5) + 0.0:.5f}" + (f" ±{error:.1g}" if error else "")
