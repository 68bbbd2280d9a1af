"""Counts of a study: how far people and groups are, and what is owed so far."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from lawgiver.trainers.people.payments import NOTHING
from lawgiver.trainers.people.people_tables import counts
from lawgiver.trainers.people.recorded import read_recording
from lawgiver.trainers.people.store import reading
from lawgiver.trainers.people.study import Study


@dataclass(frozen=True)
class Status:
    """Counts of a study.

    Attributes:
        valid: groups whose data count.
        wanted: how many are wanted.
        intake: ``open``, ``paused`` or ``closed``.
        owed: to all who have ended, in the study's currency.
        tables: counts by name, of people and groups by what they are.
    """

    valid: int
    wanted: int
    intake: str
    owed: Decimal
    tables: dict[str, dict[str, int]]


def status_of(study: Study) -> Status:
    """Count the people and groups of a study, also while it is served.

    Raises:
        StoreError: if it has no database, or that of another study.
    """
    with reading(study.database) as engine:
        recording = read_recording(study, engine)
    found = counts(recording)
    tables = {
        "people by stage": found["people_by_stage"],
        "people by end": found["people_by_end"],
        "groups by state": found["groups_by_state"],
        "groups left out by": found["groups_left_out_by"],
        "valid groups by condition": found["groups_valid_by_condition"],
    }
    owed = sum((recording.owed(person).total for person in recording.ended), NOTHING)
    shown = {name: table for name, table in tables.items() if table}
    return Status(found["groups_valid"], study.config.groups, recording.row.intake, owed, shown)
