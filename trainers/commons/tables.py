"""Tables of a planner: what people keep under it and under the rules that it is compared with, and who is elected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.tables.cells import Table, cell
from lawgiver.trainers.tables.wording import words

MEANINGS = {
    "surplus": "points that a participant keeps a round, over all rounds",
    "gini": "of what participants keep over a game, 0 where it is equal",
    "sustained": "share of games whose pool holds more than a point in the end",
    "excluded": "share of rounds and participants with an offer below a point",
    "surplus_ratio": "surplus by that of proportional offers, from the same people",
    "advantage_kept": "share of the planner's advantage over proportional offers that its rule keeps",
    "r2": "share of the variance of the planner's offers that its rule explains",
}
"""One line by key of the summary."""
MEASURES = ("surplus", "gini", "sustained", "excluded")
NAMES = {
    "learned": "planner",
    "distilled": "its distilled rule",
    "ceiling": "ceiling: returns dictated too",
}
"""Rows by key, where the key is no name of a rule."""


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate measures by mechanism, the distilled rule, and votes."""
    surplus = numbers.get("surplus")
    if not isinstance(surplus, Mapping) or "learned" not in surplus:
        return
    rows = {_row(name): {words(m): cell(numbers[m].get(name)) for m in MEASURES} for name in surplus}
    meant = "; ".join(f"{words(key)}: {MEANINGS[key]}" for key in MEASURES)
    yield Table("A common pool, among fresh people", rows, MEASURES, meant)
    rows = {_row(name): {"ratio": cell(value)} for name, value in numbers["surplus_ratio"].items()}
    yield Table("Surplus by that of proportional offers", rows, ("surplus_ratio",))
    found = numbers["distillation"]
    yield Table(
        "The rule that explains the planner",
        {"distilled": {words(k): cell(v) for k, v in found.items()}},
        ("distillation",),
    )
    votes = {
        f"{_row(who)} against {_row(rival)}": {"votes": cell(share)}
        for who, key in (("learned", "vote_share"), ("distilled", "vote_share_distilled"))
        for rival, share in numbers[key].items()
    }
    yield Table("Share of the votes", votes, ("vote_share", "vote_share_distilled"))


def _row(name: str) -> str:
    return NAMES.get(name, name)
