"""The database of a study as groups that are played again, for tables, counts and payments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, Row, select

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.files.json_text import from_json
from lawgiver.trainers.people.database import StoreError, name_of
from lawgiver.trainers.people.game_in_play import Key
from lawgiver.trainers.people.group import Group, replayed
from lawgiver.trainers.people.logs import LOGGED, read_logs
from lawgiver.trainers.people.payments import Payment, payment
from lawgiver.trainers.people.played import Person
from lawgiver.trainers.people.tables import ABSENCE, ANSWER, DECISION, EVENT, GRP, OUTSIDE, PERSON, STUDY, VOTE
from lawgiver.trainers.people.validity import why_not

if TYPE_CHECKING:
    from lawgiver.trainers.people.study import Study

READ = (STUDY, GRP, PERSON, OUTSIDE, DECISION, VOTE, ABSENCE, ANSWER, EVENT)
WITHDRAWN = "withdrawn"
"""What an event is called after which somebody is told of no more."""
Rows = Sequence[Row[Any]]


@dataclass(frozen=True)
class RecordedGroup:
    """A group as it was played.

    Attributes:
        number: from 0, in the order of start.
        row: of the table ``grp``.
        order: names of the mechanisms, in the order of play.
        people: rows of the table ``person``, by seat.
        group: played again; None if that is not possible.
        seconds: that people took from seeing the page to the answer, by decision.
    """

    number: int
    row: Row[Any]
    order: tuple[str, ...]
    people: Mapping[int, Row[Any]]
    group: Group | None
    seconds: Mapping[Key, float]

    @property
    def played(self) -> Group:
        """The group played again, of one that is not broken."""
        assert self.group is not None
        return self.group

    @property
    def state(self) -> str:
        """The group's stage: ``play``, ``vote``, ``ended`` or ``broken``."""
        return "broken" if self.group is None or self.row.state == "broken" else self.group.stage


@dataclass(frozen=True)
class Recording:
    """Everything that was recorded of a study, at one moment.

    Attributes:
        study: what is played.
        tables: rows of each table, in the order of its primary key.
        groups: in the order of start.
    """

    study: Study
    tables: Mapping[str, Rows]
    groups: tuple[RecordedGroup, ...]

    @property
    def row(self) -> Row[Any]:
        """The row of the table ``study``."""
        return self.tables[STUDY.name][0]

    @property
    def people(self) -> Rows:
        """Everybody who has come, in the order of coming."""
        return sorted(self.tables[PERSON.name], key=lambda person: (person.joined, person.id))

    @property
    def told_of(self) -> Rows:
        """Those of the people whom tables list: all who have not withdrawn."""
        withdrawn = {row.person_id for row in self.tables[EVENT.name] if row.what == WITHDRAWN}
        return [person for person in self.people if person.id not in withdrawn]

    @property
    def ended(self) -> Rows:
        """Those of them who have come to an end, whichever."""
        return [person for person in self.told_of if person.end is not None]

    @property
    def anonymised(self) -> bool:
        """Whether nobody's ids outside are known any more."""
        return bool(self.people) and not any(person.secret_hash for person in self.people)

    def number_of(self, person: Row[Any]) -> int | None:
        """Return the number of a person's group; None if they have none."""
        group = self._by_id.get(person.group_id)
        return None if group is None else group.number

    def part_of(self, person: Row[Any]) -> Person | None:
        """Return the part of a person in their group; None if they have none, or it cannot be played again."""
        group = self._by_id.get(person.group_id)
        return None if group is None or group.group is None else group.group.people[person.seat]

    def why_not(self, group: RecordedGroup) -> tuple[str, ...]:
        """List the rules by which the data of a group are left out, see :func:`why_not`; none if it is valid."""
        played = None if group.state == "broken" else group.group
        return why_not(played, self.study.config.valid, group.row.id in self._withdrawn)

    def owed(self, person: Row[Any]) -> Payment:
        """Compute what is owed to a person who has ended."""
        part, group = self.part_of(person), self._by_id.get(person.group_id)
        planned, played = (0, 0) if part is None or group is None else rounds_of(group.played)
        points = 0.0 if part is None else part.points
        return payment(self.study.config.pay, person.end, points, person.waited_s, planned, played)

    @cached_property
    def _withdrawn(self) -> frozenset[int]:
        """Ids of the groups in which somebody has withdrawn."""
        return frozenset(row.group_id for row in self.tables[EVENT.name] if row.what == WITHDRAWN)

    @cached_property
    def _by_id(self) -> Mapping[int | None, RecordedGroup]:
        return {group.row.id: group for group in self.groups}

    @cached_property
    def outside(self) -> Mapping[str, Row[Any]]:
        """Rows that say who somebody is outside, by their id here."""
        return {row.person_id: row for row in self.tables[OUTSIDE.name] if row.person_id is not None}


def read_recording(study: Study, engine: Engine) -> Recording:
    """Read the database of a study and play its groups again; it may be served meanwhile.

    Raises:
        StoreError: if it was begun for another study, or not yet.
    """
    tables = snapshot(engine)
    begun = [row.study_hash for row in tables[STUDY.name]]
    if begun != [study.study_hash]:
        told = f"study_hash is {begun[0]}" if begun else "it was not begun"
        raise StoreError(f"{name_of(study.database)}: {told}, allowed: that of {study.path}, {study.study_hash}")
    people: dict[int, dict[int, Row[Any]]] = defaultdict(dict)
    for person in tables[PERSON.name]:
        if person.group_id is not None:
            people[person.group_id][person.seat] = person
    logs = read_logs(name_of(study.database), *(tables[table.name] for table in LOGGED))
    seconds: dict[int, dict[Key, float]] = defaultdict(dict)
    for row in tables[DECISION.name]:
        if row.shown is not None:
            seconds[row.group_id][row.episode, row.step, row.role, row.seat] = row.at - row.shown
    groups = tuple(
        RecordedGroup(
            number,
            row,
            order := tuple(from_json(row.mechanisms)),
            dict(sorted(people[row.id].items())),
            _group(study, row, order, tuple(sorted(people[row.id])), logs.get(row.id, [])),
            seconds[row.id],
        )
        for number, row in enumerate(tables[GRP.name])
    )
    return Recording(study, tables, groups)


def _group(study: Study, row: Row[Any], order: tuple[str, ...], seats: tuple[int, ...], log: Any) -> Group | None:
    """Play a group again; None if its rows are those of no group that this study can have."""
    try:
        return replayed(study.setup(row.seed, row.condition, order, seats), log)
    except (LawgiverError, KeyError):
        return None


def rounds_of(group: Group) -> tuple[int, int]:
    """Count the rounds that a group was to play and those that it has played; both the latter if nobody knows."""
    setup, played = group.setup, sum(len(game.rounds) for game in group.games)
    games = max(1, len(setup.mechanisms)) + (setup.votes and setup.third_game)
    return (played if setup.rounds is None else games * setup.rounds), played


def snapshot(engine: Engine) -> dict[str, Rows]:
    """Read all tables as they are at one moment, each in the order of its primary key."""
    sqlite = engine.dialect.name == "sqlite"
    options: dict[str, Any] = {} if sqlite else {"isolation_level": "REPEATABLE READ"}
    with engine.connect().execution_options(**options) as connection:
        if sqlite:  # its driver begins no transaction to read in
            connection.exec_driver_sql("BEGIN")
        return {
            table.name: connection.execute(select(table).order_by(*table.primary_key.columns)).all() for table in READ
        }
