"""The tables of a training: what mechanisms are worth, what becomes of incentives, and what participants do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lawgiver.trainers.plots.wording import words
from lawgiver.trainers.tables.cells import cell
from lawgiver.trainers.tables.glossary import defined, mechanism_words

PLAYED = "learned, by those who trained"
"""The row of what trained participants make of the learned mechanism."""
TRAINED = "trained participants"


@dataclass(frozen=True)
class Cells:
    """A table: its title, cells by row and column, the line below it, and the keys of the summary that it tells."""

    title: str
    rows: dict[str, dict[str, str]]
    caption: str | None
    told: tuple[str, ...]


def mechanism_tables(numbers: Mapping[str, Any]) -> Iterator[Cells]:
    """Yield the tables that have a form of their own; what they tell need not be told again."""
    people = numbers.get("populations", {}).get("exact", "participants in their exact equilibrium")
    if "reachable_gap_closed" in numbers:
        yield from _canonical(numbers, people)
    elif {"welfare", "incentives", "parameters"} <= numbers.keys():
        yield from _designed(numbers, people)
    elif "trained_participants" in numbers:
        yield _beside(numbers["trained_participants"], people)
    if "misreports" in numbers:
        yield _misreports(numbers["misreports"])
    if "choices" in numbers:
        yield _choices(numbers["choices"], people)
    if "simulated" in numbers:
        yield _simulated(numbers)


def _canonical(numbers: Mapping[str, Any], people: str) -> Iterator[Cells]:
    """Yield what mechanisms are worth, those that are known, and under it what trained participants make of one."""
    columns = {key: value for key, value in numbers.items() if key != "reasons" and isinstance(value, Mapping)}
    measures = [key for key, value in columns.items() if "ceiling" in value]
    known = [name for name in numbers[measures[0]] if any(numbers[m].get(name) is not None for m in measures)]
    rows = {mechanism_words(name): {words(m): cell(numbers[m].get(name)) for m in measures} for name in known}
    played = numbers.get("trained_participants", {}).get("played", {})
    if played and known:
        place = list(rows).index("learned") + 1 if "learned" in rows else len(rows)
        told = {words(m): cell(played.get(m)) for m in measures}
        rows = dict([*list(rows.items())[:place], (PLAYED, told), *list(rows.items())[place:]])
    told_by = (*measures, "trained_participants")
    yield Cells(f"Mechanisms, a round: {people}", rows, defined(measures), told_by)


def _designed(numbers: Mapping[str, Any], people: str) -> Iterator[Cells]:
    names = list(numbers.get("rule", {}).get("parameters", {})) or list(numbers["parameters"])
    parameters = dict(zip(names, numbers["parameters"].values(), strict=True))
    yield Cells(
        f"Mechanisms, welfare a round and what they announce: {people}",
        {
            mechanism_words(name): {"welfare": cell(value)}
            | {p: cell(column.get(name)) for p, column in parameters.items()}
            for name, value in numbers["welfare"].items()
        },
        defined(["welfare"]),
        ("welfare", "parameters"),
    )
    trained = numbers.get("trained_participants", {})
    measures = ["welfare", *numbers["incentives"]]
    columns = list(numbers["incentives"]["regret"])
    known = {"welfare": numbers["welfare"], **numbers["incentives"]}
    yield Cells(
        f"Incentives a game: {people}; last column: the participants who were trained, under the learned mechanism",
        {
            words(m): {mechanism_words(name): cell(known[m].get(name)) for name in columns}
            | {TRAINED: cell(trained.get(m, {}).get("trained"))}
            for m in measures
        },
        defined(measures[1:]),
        ("incentives", "trained_participants"),
    )
    kinds = [k for k, v in numbers.items() if isinstance(v, Mapping) and set(v) == {"learned", "closed_form"}]
    if kinds:
        yield Cells(
            "What participants do under the learned mechanism",
            {
                kind: {TRAINED: cell(numbers[kind]["learned"]), "exact equilibrium": cell(numbers[kind]["closed_form"])}
                for kind in kinds
            },
            None,
            tuple(kinds),
        )


def _beside(trained: Mapping[str, Mapping[str, Any]], people: str) -> Cells:
    """Return what trained participants make of a mechanism beside the exact equilibrium."""
    columns = {"played": TRAINED, "equilibrium": "exact equilibrium"}
    rows = {
        words(measure): {told: cell(trained[key].get(measure)) for key, told in columns.items()}
        for measure in trained["equilibrium"]
    }
    return Cells(
        f"The given mechanism, a round: beside trained participants, {people}",
        rows,
        defined(list(trained["equilibrium"])),
        ("trained_participants",),
    )


def _choices(choices: Mapping[str, Mapping[str, Any]], people: str) -> Cells:
    """Return how probable each contribution is, by kind of participant, trained and in closed form."""
    amounts = list(dict.fromkeys(amount for by in choices.values() for amount in by))
    rows = {
        amount: {who: cell(by[amount]) if amount in by else "" for who, by in choices.items()} for amount in amounts
    }
    return Cells(f"Probability of each contribution (points), trained beside {people}", rows, None, ("choices",))


def _misreports(found: Mapping[str, Mapping[str, Any]]) -> Cells:
    """Return how much is misreported and what it costs, as played, in the menu's equilibrium, and by the truth."""
    rows = {
        what: {words(who): cell(value) if value is not None else "-" for who, value in by.items()}
        for what, by in found.items()
    }
    caption = "equilibrium: the logit equilibrium on the menu, by class of type, under the learned rule"
    return Cells("Misreports under the learned rule, and what they cost", rows, caption, ("misreports", "menu"))


def _simulated(numbers: Mapping[str, Any]) -> Cells:
    """Return what mechanisms achieved in games that were played."""
    measures = list(numbers["simulated"])
    names = list(dict.fromkeys(name for by in numbers["simulated"].values() for name in by))
    rows = {
        mechanism_words(name): {words(m): cell(numbers["simulated"][m].get(name)) for m in measures} for name in names
    }
    people = numbers.get("populations", {}).get("simulated", "the participants of the config")
    return Cells(f"Mechanisms, a round as played: {people}", rows, defined(measures), ("simulated",))
