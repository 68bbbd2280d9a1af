"""The tables of a run of RLlib: mechanisms beside each other, and participants beside their equilibrium."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.commons import tables as commons_tables
from lawgiver.trainers.tables import mechanism_tables
from lawgiver.trainers.tables.cells import Table, cell
from lawgiver.trainers.tables.wording import words

MEANINGS = {
    "env_steps": "phases played, over all games",
    "online_score": "objective a round in the last iterations of the training, as played",
    "exact_score": "objective a round of the learned rule at the participants' exact equilibrium",
    "online_minus_exact": "the difference: well above 0 means that participants have stopped adapting",
    "distance_from_closed_form": "total variation, the most of any kind of participant: 0 = the same, 1 = disjoint",
}
"""What single numbers of a summary mean."""


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate scores, what is misreported under the learned rule, contributions under a given one, and a planner."""
    if "distillation" in numbers:
        yield from commons_tables.tables_of(numbers)
        return
    yield from mechanism_tables.scored(numbers)
    if "misreports" in numbers:
        yield _misreports(numbers["misreports"])
    if "choices" in numbers:
        yield _choices(numbers["choices"], mechanism_tables.people_of(numbers))
    yield from mechanism_tables.played(numbers)


def _choices(choices: Mapping[str, Mapping[str, Any]], people: str) -> Table:
    """Tabulate how probable each contribution is, by kind of participant, trained and in closed form."""
    amounts = list(dict.fromkeys(amount for by in choices.values() for amount in by))
    rows = {
        amount: {who: cell(by[amount]) if amount in by else "" for who, by in choices.items()} for amount in amounts
    }
    return Table(f"Probability of each contribution (points), trained beside {people}", rows, ("choices",))


def _misreports(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """Tabulate how much is misreported and what it costs, as played, in the menu's equilibrium, and by the truth."""
    rows = {
        what: {words(who): cell(value) if value is not None else "-" for who, value in by.items()}
        for what, by in found.items()
    }
    caption = "equilibrium: the logit equilibrium on the menu, by class of type, under the learned rule"
    return Table("Misreports under the learned rule, and what they cost", rows, ("misreports", "menu"), caption)
