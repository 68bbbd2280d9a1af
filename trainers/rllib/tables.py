"""The tables of a run of RLlib: mechanisms beside each other, and participants beside their equilibrium."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.commons import tables as commons_tables
from lawgiver.trainers.online_allocation import tables as online_tables
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
    """Tabulate scores, what is misreported, ballots, contributions under a given rule, a planner or an allocator."""
    if "distillation" in numbers:
        yield from commons_tables.tables_of(numbers)
        return
    if "beside_learned" in numbers:
        yield from online_tables.tables_of(numbers)
        return
    yield from mechanism_tables.scored(numbers)
    if "misreports" in numbers:
        yield _misreports(numbers["misreports"])
    if "ballots" in numbers:
        yield from _ballots(numbers)
    if "choices" in numbers:
        yield _choices(numbers["choices"], mechanism_tables.people_of(numbers))
    yield from mechanism_tables.played(numbers)


def _ballots(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate what ballots bring, trained, by the truth and its best replies, in equilibrium, and who casts what."""
    caption = (
        "best reply: all give their best reply to the truth of the others; equilibrium: logit, at the participants'"
        " inverse temperature"
    )
    yield _beside_the_truth("Ballots, and what they bring", numbers["ballots"], ("ballots",), caption)
    cast = numbers.get("cast", {})
    rows = {truth: {ballot: cell(share) for ballot, share in by.items()} for truth, by in cast.items()}
    yield Table("Probability of each ballot, trained, by true ballot", rows, ("cast",))


def _choices(choices: Mapping[str, Mapping[str, Any]], people: str) -> Table:
    """Tabulate how probable each contribution is, by kind of participant, trained and in closed form."""
    amounts = list(dict.fromkeys(amount for by in choices.values() for amount in by))
    rows = {
        amount: {who: cell(by[amount]) if amount in by else "" for who, by in choices.items()} for amount in amounts
    }
    return Table(f"Probability of each contribution (points), trained beside {people}", rows, ("choices",))


def _misreports(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """Tabulate how much is misreported and what it costs, as played, in the menu's equilibrium, and by the truth."""
    caption = "equilibrium: the logit equilibrium on the menu, by class of type, under the learned rule"
    title = "Misreports under the learned rule, and what they cost"
    return _beside_the_truth(title, found, ("misreports", "menu"), caption)


def _beside_the_truth(title: str, found: Mapping[str, Mapping[str, Any]], keys: tuple[str, ...], caption: str) -> Table:
    """Tabulate quantities by who plays."""
    rows = {what: {words(who): cell(value) for who, value in by.items()} for what, by in found.items()}
    return Table(title, rows, keys, caption)
