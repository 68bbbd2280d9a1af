"""Tables of who took part: people, groups and payments, and the counts of a paper's flow chart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lawgiver.trainers.people.recorded import Recording
from lawgiver.trainers.people.tables import ANSWER

Line = list[Any]
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet takes for a formula."""
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def people_lines(recording: Recording) -> Iterator[Line]:
    """List everybody who has come and not withdrawn, in order, by random ids, after a header; times are in minutes."""
    answers = {(answer.person_id, answer.key): answer.value for answer in recording.tables[ANSWER.name]}
    attentive = attention(recording)

    def before_waiting(person: Any) -> float | None:
        return None if person.ready is None else (person.ready - person.joined - person.waited_s) / 60

    def playing(person: Any) -> float | None:
        return None if None in (person.ready, person.ended) else (person.ended - person.ready) / 60

    def answer_to(key: str) -> Callable[[Any], str | None]:
        return lambda person: _told(answers.get((person.id, key)))

    return _lines(
        {
            "person": lambda person: person.id,
            "group": recording.number_of,
            "participant": lambda person: person.seat,
            "stage": lambda person: person.stage,
            "end": lambda person: person.end,
            "quiz_tries": lambda person: person.quiz_tries,
            **({} if attentive is None else {"attentive": lambda person: attentive.get(person.id)}),
            "missed": lambda person: (part := recording.part_of(person)) and part.missed,
            "points": lambda person: (part := recording.part_of(person)) and part.points,
            "minutes_before_waiting": before_waiting,
            "minutes_waiting": lambda person: person.waited_s / 60,
            "minutes_playing": playing,
            **{f"answer_{key}": answer_to(key) for key in sorted({key for _, key in answers})},
        },
        recording.told_of,
    )


def attention(recording: Recording) -> dict[str, bool] | None:
    """Compare everybody's answer with the instructed one, by person; people who have not answered are left out.

    None if no question instructs one. The result is for the analysis alone: neither pay nor validity depends on it.
    """
    asked = next((each for each in recording.study.config.texts.questions if each.instructed is not None), None)
    if asked is None:
        return None
    given = [answer for answer in recording.tables[ANSWER.name] if answer.key == asked.key]
    return {answer.person_id: answer.value == asked.instructed_value for answer in given}


def groups_lines(recording: Recording) -> Iterator[Line]:
    """List all groups in the order of start, after a header, with every rule by which the data of one are left out."""
    return _lines(
        {
            "group": lambda group: group.number,
            "condition": lambda group: group.row.condition,
            "order": lambda group: " > ".join(group.order),
            "winner": lambda group: group.group and group.group.winner,
            "state": lambda group: group.state,
            "valid": lambda group: not recording.why_not(group),
            "why_not": lambda group: "; ".join(recording.why_not(group)),
        },
        recording.groups,
    )


def payments_lines(recording: Recording) -> Iterator[Line]:
    """List what is owed to everybody who has ended, after a header, by the ids that they are known by outside."""
    return _lines(
        {
            "outside_id": lambda person: (who := recording.outside.get(person.id)) and who.outside_id,
            "end": lambda person: person.end,
            "completion": lambda person: person.completion,
            "points": lambda person: (part := recording.part_of(person)) and part.points,
            "bonus": lambda person: recording.owed(person).bonus,
            "waiting": lambda person: recording.owed(person).waiting,
            "show_up": lambda person: recording.owed(person).show_up,
            "total": lambda person: recording.owed(person).total,
        },
        recording.ended,
    )


def bonus_lines(recording: Recording) -> Iterator[Line]:
    """List everybody from Prolific who is owed more than the pay for taking part: id and amount."""
    for person in recording.ended:
        outside, owed = recording.outside.get(person.id), recording.owed(person)
        if outside is not None and outside.kind == "prolific" and owed.bonus + owed.waiting > 0:
            yield [outside.outside_id, owed.bonus + owed.waiting]


def counts(recording: Recording) -> dict[str, Any]:
    """Count people and groups at each stage, as the flow chart of a paper has them."""
    people, groups = recording.people, recording.groups
    reasons = [recording.why_not(group) for group in groups]
    attentive = attention(recording)
    return {
        "people": len(people),
        "people_withdrawn": len(people) - len(recording.told_of),
        "people_in_groups": sum(person.group_id is not None for person in people),
        "people_by_stage": counted(person.stage for person in people),
        "people_by_end": counted(person.end for person in recording.ended),
        "people_inattentive": attentive and sum(attentive.get(person.id) is False for person in recording.told_of),
        "groups": len(groups),
        "groups_valid": reasons.count(()),
        "groups_by_state": counted(group.state for group in groups),
        "groups_left_out_by": counted(reason for each in reasons for reason in each),
        "groups_valid_by_condition": counted(
            group.row.condition for group, each in zip(groups, reasons, strict=True) if not each
        ),
    }


def _lines(columns: dict[str, Callable[[Any], Any]], items: Iterable[Any]) -> Iterator[Line]:
    yield list(columns)
    for item in items:
        yield [column(item) for column in columns.values()]


def counted(values: Iterable[Any]) -> dict[str, int]:
    """Count how often each value occurs, by its text."""
    return dict(sorted(Counter(map(str, values)).items()))


def _told(value: str | None) -> str | None:
    """Disarm what a stranger wrote and a spreadsheet would take for a formula; numbers stay what they are."""
    if value is None or not value.startswith(FORMULA) or NUMBER.fullmatch(value):
        return value
    return f"'{value}"
