"""Tables of a training: scores of mechanisms, incentives, and behaviour of participants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lawgiver.trainers.tables.cells import Table, cell
from lawgiver.trainers.tables.glossary import mechanism_words
from lawgiver.trainers.tables.votes import vote_shares
from lawgiver.trainers.tables.wording import words

PLAYED = "learned, by those who trained"
"""Row of the learned mechanism as played by trained participants."""
TRAINED = "trained participants"


def tables_of(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate exact scores, shares of the votes, and what was played: all that an evaluation tells by default."""
    yield from scored(numbers)
    yield from vote_shares(numbers)
    yield from played(numbers)


def people_of(numbers: Mapping[str, Any]) -> str:
    """Name the participants of exact scores."""
    return str(numbers.get("populations", {}).get("exact", "participants in their exact equilibrium"))


def scored(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate mechanisms in the participants' exact equilibrium, those who were trained beside it."""
    people = people_of(numbers)
    if "reachable_gap_closed" in numbers:
        yield from _canonical(numbers, people)
    elif {"incentives", "parameters"} <= numbers.keys():
        yield from _designed(numbers, people)
    elif "trained_participants" in numbers:
        yield _beside(numbers["trained_participants"], people)
    yield from _by_condition(numbers.get("by_condition") or [])


def _canonical(numbers: Mapping[str, Any], people: str) -> Iterator[Table]:
    """Tabulate the scores of mechanisms, with the results of trained participants below the learned one."""
    columns = {key: value for key, value in numbers.items() if key != "reasons" and isinstance(value, Mapping)}
    measures = [key for key, value in columns.items() if "ceiling" in value]
    known = [name for name in numbers[measures[0]] if any(numbers[m].get(name) is not None for m in measures)]
    rows = {mechanism_words(name): {words(m): cell(numbers[m].get(name)) for m in measures} for name in known}
    played = numbers.get("trained_participants", {}).get("played", {})
    if played and known:
        place = list(rows).index("learned") + 1 if "learned" in rows else len(rows)
        row = {words(m): cell(played.get(m)) for m in measures}
        rows = dict([*list(rows.items())[:place], (PLAYED, row), *list(rows.items())[place:]])
    told_by = (*measures, "trained_participants")
    yield Table(f"Mechanisms, a round: {people}", rows, told_by, measures=tuple(measures))


def _by_condition(conditions: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    """Tabulate scores by condition, a row each."""
    if len(conditions) < 2:
        return
    objective = next((key for key, value in conditions[0].items() if isinstance(value, Mapping)), None)
    if objective is None:
        return
    rows = {
        ", ".join(map(str, condition.get("endowments", ()))): {
            mechanism_words(name): cell(value) for name, value in condition[objective].items()
        }
        | {words(key): cell(condition[key]) for key in ("gap_closed", "reachable_gap_closed") if key in condition}
        for condition in conditions
    }
    title = f"A round by endowments (points): {words(objective)}"
    yield Table(title, rows, ("by_condition",), measures=(objective,))


def _designed(numbers: Mapping[str, Any], people: str) -> Iterator[Table]:
    names = list(numbers.get("rule", {}).get("parameters", {})) or list(numbers["parameters"])
    parameters = dict(zip(names, numbers["parameters"].values(), strict=True))
    columns = list(numbers["incentives"]["regret"])
    paid = {k: v for k, v in numbers.items() if isinstance(v, Mapping) and v.keys() >= set(columns)}
    shown = list(dict.fromkeys(name for values in paid.values() for name in values))
    yield Table(
        f"Mechanisms, {', '.join(words(m) for m in paid)} a round and what they announce: {people}",
        {
            mechanism_words(name): {words(m): cell(values.get(name)) for m, values in paid.items()}
            | {p: cell(column.get(name)) for p, column in parameters.items()}
            for name in shown
        },
        (*paid, "parameters"),
        measures=tuple(paid),
    )
    trained = numbers.get("trained_participants", {})
    measures = [*paid, *numbers["incentives"]]
    known = {**paid, **numbers["incentives"]}
    yield Table(
        f"Incentives a game: {people}; last column: the participants who were trained, under the learned mechanism",
        {
            words(m): {mechanism_words(name): cell(known[m].get(name)) for name in columns}
            | {TRAINED: cell(trained.get(m, {}).get("trained"))}
            for m in measures
        },
        ("incentives", "trained_participants"),
        measures=tuple(numbers["incentives"]),
    )
    kinds = [k for k, v in numbers.items() if isinstance(v, Mapping) and set(v) == {"learned", "closed_form"}]
    if kinds:
        yield Table(
            "What participants do under the learned mechanism",
            {
                kind: {TRAINED: cell(numbers[kind]["learned"]), "exact equilibrium": cell(numbers[kind]["closed_form"])}
                for kind in kinds
            },
            tuple(kinds),
        )


def _beside(trained: Mapping[str, Mapping[str, Any]], people: str) -> Table:
    """Tabulate the results of trained participants beside the exact equilibrium."""
    columns = {"played": TRAINED, "equilibrium": "exact equilibrium"}
    rows = {
        words(measure): {name: cell(trained[key].get(measure)) for key, name in columns.items()}
        for measure in trained["equilibrium"]
    }
    return Table(
        f"The given mechanism, a round: beside trained participants, {people}",
        rows,
        ("trained_participants",),
        measures=tuple(trained["equilibrium"]),
    )


def played(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate the results of mechanisms in simulated games."""
    if "simulated" not in numbers:
        return
    measures = list(numbers["simulated"])
    names = list(dict.fromkeys(name for by in numbers["simulated"].values() for name in by))
    rows = {
        mechanism_words(name): {words(m): cell(numbers["simulated"][m].get(name)) for m in measures} for name in names
    }
    people = numbers.get("populations", {}).get("simulated", "the participants of the config")
    yield Table(f"Mechanisms, a round as played: {people}", rows, ("simulated",), measures=tuple(measures))
