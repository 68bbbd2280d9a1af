"""Somebody who takes part in an experiment: where they are, and what is stored of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import delete, update

from lawgiver.trainers.people.ledger import NewRow, Write
from lawgiver.trainers.people.limits import Allowance
from lawgiver.trainers.people.person import Course, Visitor
from lawgiver.trainers.people.tables import ANSWER, EVENT, PERSON

REQUESTS_PER_S = 10.0
"""Requests that a person may send, in the long run."""
REQUESTS_AT_ONCE = 20.0


@dataclass
class Participant(Visitor):
    """Somebody who takes part.

    Attributes:
        joined: when, in UTC seconds.
        stage: see :mod:`lawgiver.trainers.people.stages`.
        end: how they ended; None before.
        ended: when; None before.
        completion: the code that they are told then; None for none.
        entered: since when they have been waiting, be it called or not; None if they are not.
        asleep: since when they have been asleep; None if they are not.
        waited_s: seconds in the waiting room before ``entered``.
        tries: of the quiz.
        answers: to the quiz, by key.
        practice: their way through the practice; None outside of it.
        group_id: number of their group; None before.
        course: their way through it; None before.
        calls: how often they were called to play.
        gone: whether a program decides for them.
        parted: whether they have seen how they ended.
    """

    joined: float
    stage: str = "consent"
    end: str | None = None
    ended: float | None = None
    completion: str | None = None
    entered: float | None = None
    asleep: float | None = None
    waited_s: float = 0.0
    tries: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    practice: Course | None = None
    group_id: int | None = None
    course: Course | None = None
    calls: int = 0
    gone: bool = False
    parted: bool = False
    allowance: Allowance = field(default_factory=lambda: Allowance(REQUESTS_AT_ONCE, REQUESTS_PER_S))
    last_seen: str = ""

    def waited(self, now: float) -> float:
        """Compute the seconds that they have spent in the waiting room."""
        return self.waited_s + (0.0 if self.entered is None else now - self.entered)

    def stop_waiting(self, now: float) -> None:
        """End the time in the waiting room."""
        self.waited_s, self.entered = self.waited(now), None

    def changed(self, **values: object) -> Write:
        """Make the statement that stores changes to their row, and their stage as it is now."""
        return update(PERSON).where(PERSON.c.id == self.id).values(stage=self.stage, **values)

    def event(self, what: str, now: float) -> Write:
        """Make the statement that stores something that has happened to them."""
        return NewRow(EVENT, {"person_id": self.id, "group_id": self.group_id, "what": what, "at": now})

    def answered(self, key: str, value: str, tries: int, now: float) -> list[Write]:
        """Make the statements that store an answer, in place of an earlier one."""
        earlier = delete(ANSWER).where(ANSWER.c.person_id == self.id, ANSWER.c.key == key)
        row = {"person_id": self.id, "key": key, "value": value, "tries": tries, "at": now}
        return [earlier, NewRow(ANSWER, row)]
