"""An experiment as its database has it: everybody is where they were, with time added for the outage."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Row

from lawgiver.trainers.people.experiment import Experiment
from lawgiver.trainers.people.group import Group
from lawgiver.trainers.people.logs import LOGGED
from lawgiver.trainers.people.participant import Participant
from lawgiver.trainers.people.person import Course
from lawgiver.trainers.people.recorded import WITHDRAWN, RecordedGroup, Recording, read_recording
from lawgiver.trainers.people.served_group import ServedGroup
from lawgiver.trainers.people.store import Store
from lawgiver.trainers.people.study import Study
from lawgiver.trainers.people.tables import ANSWER, EVENT, GRP, PERSON

Time = tuple[float, int]
"""When something was stored, and as the how manieth of all."""
MOMENTS = {PERSON: ("joined", "ready", "ended"), GRP: ("started", "ended"), ANSWER: ("at",), EVENT: ("at",)}
MOMENTS |= dict.fromkeys(LOGGED, ("at",))
"""Columns that say when the server was there."""


def restored(
    study: Study, store: Store, clock: Callable[[], float] = time.time, until_complete: bool = False
) -> Experiment:
    """Make an experiment and take up what its database holds.

    Deadlines that were open are extended by the time from the last thing that was stored until now. Nobody is called
    any more: who was waits again, in the order of entering.

    Args:
        study: the study.
        store: its open database.
        clock: tells the time in UTC seconds.
        until_complete: see :class:`Experiment`.

    Raises:
        StoreError: if the database is another study's, or holds what cannot be read.
    """
    made, recording, now = Experiment(study, store, clock, until_complete), read_recording(study, store.engine), clock()
    made.intake = recording.row.intake
    for row in recording.people:
        made.let_in(_participant(row))
    made.outside = {row.outside_id: name for name, row in recording.outside.items()}
    _restore_answers(made, recording)
    _restore_room(made, recording, now)
    outage = now - max(_moments(recording), default=now)
    logs: dict[int, list[Row[Any]]] = {}
    for entry in (row for table in LOGGED for row in recording.tables[table.name]):
        logs.setdefault(entry.group_id, []).append(entry)
    for recorded in recording.groups:
        served = _served(made, recorded, logs.get(recorded.row.id, []))
        served.deadlines.after_outage(outage, now)
        served.withdrawn = WITHDRAWN in recording.why_not(recorded)
        made.take_up(served, now)
    for person in made.people.values():
        if not person.secret_hash:  # withdrawn while nothing was served
            made.backlog += made.leave(person)
    return made


def _moments(recording: Recording) -> list[float]:
    """List all times at which the server stored something: people withdraw while there is none."""
    return [
        row._mapping[column]
        for table, columns in MOMENTS.items()
        for column in columns
        for row in recording.tables[table.name]
        if row._mapping[column] is not None and row._mapping.get("what") != WITHDRAWN
    ]


def _participant(row: Row[Any]) -> Participant:
    return Participant(
        row.id,
        row.secret_hash,
        row.joined,
        stage=row.stage,
        end=row.end,
        ended=row.ended,
        completion=row.completion,
        waited_s=row.waited_s,
        tries=row.quiz_tries,
        group_id=row.group_id,
        parted=row.end is not None,
    )


def _restore_answers(made: Experiment, recording: Recording) -> None:
    """Give everybody back their answers to the quiz."""
    for row in recording.tables[ANSWER.name]:
        if row.key.startswith("quiz."):
            made.people[row.person_id].answers[row.key] = int(row.value)


def _restore_room(made: Experiment, recording: Recording, now: float) -> None:
    """Let all wait again who were in the waiting room, and sleep who were asleep."""
    since: dict[str, Time] = {}
    for row in recording.tables[EVENT.name]:
        if row.what in ("waiting", "back", "asleep"):
            since[row.person_id] = row.at, row.id
    waiting = [person for person in made.people.values() if person.stage in ("waiting", "ready")]
    asleep = [person for person in made.people.values() if person.stage == "asleep"]
    waiting.sort(key=lambda person: since[person.id])
    for person in waiting:
        person.entered = since[person.id][0]
        if person.stage == "ready":
            person.stage = "waiting"
            made.backlog.append(person.changed())
    for person in asleep:
        person.asleep = since[person.id][0]
    made.room.restore([person.id for person in waiting], [person.id for person in asleep], now)


def _served(made: Experiment, recorded: RecordedGroup, log: list[Row[Any]]) -> ServedGroup:
    """Take up a group as it was; one that cannot be played again is broken."""
    row, people = recorded.row, tuple(person.id for person in recorded.people.values())
    group = recorded.group
    if group is None:
        group = Group(made.study.setup(row.seed, row.condition, recorded.order, tuple(recorded.people)))
    if group is not recorded.group or row.state == "broken":
        group.stage = "broken"
    served = made.serve(row.id, group, row.condition, recorded.order, people)
    served.kept = len(group.log) if group.stage == "broken" else len(log)
    served.state, served.ended = row.state, row.ended
    opened = max([each.at for each in log if _precedes(each, group)], default=row.started)
    served.deadlines.deadline(group.at, len(group.game.rounds), opened)
    for seat, person in recorded.people.items():
        own = made.people[person.id]
        own.course = Course(group, seat, recorded.order, person.read)
        own.gone = group.people[seat].gone
    return served


def _precedes(row: Row[Any], group: Group) -> bool:
    """Check whether an entry of a log was made before the group came to its position."""
    found = row._mapping
    if "step" in found:
        return group.stage != "play" or (row.episode, row.step) < (group.game.number, group.game.step)
    return "source" in found and group.stage != "vote"
