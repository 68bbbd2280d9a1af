"""Tables of the loop: the last planner's, planners among clones and people, and clones beside people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.commons.tables import MEANINGS as OF_PLANNERS
from lawgiver.trainers.commons.tables import MEASURES
from lawgiver.trainers.commons.tables import tables_of as tables_of_planner
from lawgiver.trainers.tables.cells import Table, cell
from lawgiver.trainers.tables.wording import words

MEANINGS = OF_PLANNERS | {
    "held_out": "cross-entropy of the clones on groups that were held out, nats a return",
    "fitted": "cross-entropy of the clones on the data they were fitted to, nats a return",
    "kept": "epoch of the last fit whose clones come closest to the surplus of people",
    "error": "points by which their surplus misses that of the data, on average over mechanisms",
    "surplus_error": "surplus of the clones less that of people, each in games of their own",
}
"""One line by key of the summary."""


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate the last planner as its own trainer does, then every iteration's planner and clones."""
    yield from tables_of_planner(numbers)
    if isinstance(numbers.get("planners"), Mapping):
        rows = {
            f"iteration {s}, among {who}": {words(m): cell(found[m]) for m in MEASURES}
            for s, by in numbers["planners"].items()
            for who, found in by.items()
        }
        yield Table("Planners among clones and among people", rows, ("planners",))
    if isinstance(numbers.get("closed_loop"), Mapping):
        rows = {
            f"iteration {s}, {name}": {
                f"{words(m)}, {who}": cell(found[who][m]) for m in MEASURES[:3] for who in ("people", "clones")
            }
            | {"fitted": "yes" if found["fitted"] else "no"}
            for s, by in numbers["closed_loop"].items()
            for name, found in by.items()
        }
        yield Table("Clones beside people, in games of their own", rows, ("closed_loop",))
