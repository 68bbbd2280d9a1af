"""Tables of an allocator: cumulative regret beside known mechanisms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.statistics.estimate import mean_of
from lawgiver.trainers.tables.cells import Table, cell

MEANINGS = {
    "regret": "cumulative regret over a game's rounds, in the criterion's unit",
    "beside_learned": "by how much it exceeds the learned mechanism's, in the same games",
}
"""One line by key of the summary."""
NAMES = {
    "learned": "learned",
    "untrained": "its network before training",
    "tuned_dueling": "dueling, narrower intervals",
}
"""Rows by key, where the key is no name of a mechanism."""


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate cumulative regret by mechanism, and differences from the learned one."""
    regret, beside = numbers.get("regret"), numbers.get("beside_learned")
    if not isinstance(regret, Mapping) or not isinstance(beside, Mapping):
        return
    rows: dict[str, dict[str, str]] = {
        NAMES.get(str(name), str(name)): {"regret": cell(value), "above the learned": cell(beside.get(name))}
        for name, value in regret.items()
    }
    told = f"{MEANINGS['regret']}; above the learned: {MEANINGS['beside_learned']}"
    if "confidence" in numbers:  # an estimate where there are several seeds
        wide = mean_of(numbers["confidence"])
        told += f"; narrower intervals: {wide:.3g} times as wide, the best of some on other games"
    yield Table("Online allocation, on fresh games", rows, ("regret", "beside_learned"), told)
