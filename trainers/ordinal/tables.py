"""The tables of a run: what rules are good at, and their regret, and the same of the learned one elsewhere."""

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
    "regret: what the best other report brings a participant in the sense of stochastic dominance, that is under the"
    " worst of all utilities in [0, 1] with its ranking"
)
NOTES = {
    "frontier": "frontier: greatest welfare of any rule with that regret",
    "stability": "stability: its violation, what pairs can expect to gain by each other",
    "below_lines": "lines: between known rules, from the least regret to the most stable",
}
"""Explanations by measure that a rule has."""
COLUMNS = {
    "stability": "stability",
    "welfare": "welfare",
    "regret": "regret",
    "frontier": "frontier",
    "below": "below it",
    "more_welfare": "learned has more welfare by",
    "more_stable": "learned is more stable by",
    "less_regret": "and less regret by",
    "below_lines": "below the lines by",
    "audited": "audited of each side",
}
"""Columns by measure."""
TITLES = {
    "rules": "rules",
    "voters": "the learned rule with other numbers of voters",
    "sides": "rules with other numbers on each side",
}
"""Tables by key of the summary."""


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate measures by rule, and those with other numbers of participants."""
    for key, title in TITLES.items():
        found = numbers.get(key)
        if isinstance(found, Mapping):
            found = beside_known(found)
            shown = [name for name in COLUMNS if any(name in each for each in found.values())]
            rows = {
                name.replace("_", " "): {COLUMNS[measure]: fine(each.get(measure)) for measure in shown}
                for name, each in found.items()
            }
            note = "; ".join([REGRET, *(NOTES[name] for name in NOTES if name in shown)])
            yield Table(title, rows, (key,), note if key == "rules" else None)


def beside_known(found: Mapping[str, Any]) -> dict[str, Any]:
    """List known rules, where there are any, after the learned one of the same number of participants."""
    rows = {}
    for name, each in found.items():
        rows[name] = each
        rows |= {f"{name}, {rule}": measures for rule, measures in each.get("known", {}).items()}
    return rows


def fine(value: Estimate | float | None) -> str:
    """Write a share by five digits, with its standard error where there is one; ``-`` for what is not known."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    mean, error = (value.mean, value.standard_error) if isinstance(value, Estimate) else (value, None)
    return f"{round(mean, 5) + 0.0:.5f}" + (f" ±{error:.1g}" if error else "")
