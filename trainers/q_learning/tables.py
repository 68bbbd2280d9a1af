"""Tables of what Q-learners have come to: measures by mechanism, and what tells collusion from failure to learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.tables.cells import Table, cell
from lawgiver.trainers.tables.glossary import mechanism_words
from lawgiver.trainers.tables.wording import words

MEANINGS = {
    "profit_gain": "0 in the Nash equilibrium of a round without regulation, 1 at monopoly prices, below 0 for"
    " less profit than in that equilibrium; in greedy play that goes on from where learning ended",
    "profit_gain_from_drawn_prices": "the same, in greedy play from actions drawn uniformly",
    "best_reply_gain": "what a best reply to the others' strategies would gain, as a share of the payoff",
    "deviation_gain": "what one best reply of a round gains, with all that follows it, as a share of the payoff",
    "rival_reply": "change of the others' action (price) in the period after a forced deviation",
    "converged": "share of sessions",
    "periods": "until no greedy action has changed any more",
}
"""One line by key of the summary."""
JUDGED = tuple(MEANINGS)
NAMES = {
    "given": "Q-learners",
    "learned": "Q-learners, learned mechanism",
    "no_mechanism": "Q-learners, no mechanism",
    "start": "Q-learners, its start",
    "best_of_grid": "Q-learners, best of a grid",
    "nash": "Nash equilibrium of a round",
    "monopoly": "monopoly",
    "ceiling": "ceiling",
}
"""Rows by key."""


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate measures of a period, and the diagnoses of collusion, by mechanism."""
    known = [name for name in NAMES if name in {"given", "learned"} & numbers.get("rival_reply", {}).keys()]
    if not known:
        return
    own = [key for key, value in numbers.items() if isinstance(value, Mapping) and known[0] in value]
    measures = [key for key in own if key not in (*JUDGED, "deviation")]
    shown = dict.fromkeys(name for key in measures for name in numbers[key])
    parameters = dict(numbers.get("parameters", {}))
    rows = {
        _row(name): {words(m): cell(numbers[m].get(name)) for m in measures}
        | {words(key): cell(column.get(name)) for key, column in parameters.items()}
        for name in shown
    }
    title = "A period, once greedy play has become periodic"
    yield Table(title, rows, (*measures, "parameters"), measures=tuple(measures))
    judged = [key for key in JUDGED if numbers.get(key)]
    names = dict.fromkeys(name for key in judged for name in numbers[key])
    rows = {_row(name): {words(key): cell(numbers[key].get(name)) for key in judged} for name in names}
    meant = "; ".join(f"{words(key)}: {MEANINGS[key]}" for key in judged)
    yield Table("Collusion, or failure to learn", rows, (*judged, "deviation", "grid"), meant)


def _row(name: str) -> str:
    return NAMES.get(name, mechanism_words(name))
