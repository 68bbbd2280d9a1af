"""The waiting room: who is there, who is asked whether they are ready, and who begins to play together.

People wait in a queue. Whoever has a poll open, or had one less than ``present_s`` ago, is present. As soon as ``size``
people are present, the first of them are called: they have ``ready_s`` to confirm. If all do, they are seated. If not,
those who did not are asleep until they wake, and go to the end of the queue; the others are at its head again.

Nobody is seated who is absent: a confirmation is a sign of life, and ``ready_s`` is at most ``present_s``, so that
everybody is still present who has confirmed in time.

The room knows no time but the one that it is told, and does nothing by itself. Whoever keeps it calls
:meth:`WaitingRoom.tick` after everything that has happened, and when :attr:`WaitingRoom.due` has come.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lawgiver.envs.core.errors import ParameterError, integer, number

Stage: TypeAlias = Literal["waiting", "ready", "confirmed", "asleep"]
"""What somebody in the room does: those who are called are ``ready``, and then ``confirmed``."""
CALLED = ("ready", "confirmed")


@dataclass(frozen=True)
class Called:
    """People are asked to confirm that they are ready, before ``until``; in the order of the queue."""

    people: tuple[str, ...]
    until: float


@dataclass(frozen=True)
class Seated:
    """People have all confirmed, and leave the room to play together; in the order of the queue."""

    people: tuple[str, ...]


@dataclass(frozen=True)
class Returned:
    """People wait again, at the head of the queue, because others did not confirm or have left."""

    people: tuple[str, ...]


@dataclass(frozen=True)
class Asleep:
    """Somebody did not confirm in time."""

    person: str


Change: TypeAlias = Called | Seated | Returned | Asleep


@dataclass
class _Guest:
    """Somebody in the room: when they were last seen, how many of their polls are open, what they do."""

    last: float
    polls: int = 0
    stage: Stage = "waiting"


class WaitingRoom:
    """People who wait for others to play with.

    All times are seconds from one origin. What concerns somebody who is not in the room changes nothing: a poll may end
    after the person has been seated.

    Args:
        size: people who play together, >= 1.
        present_s: how long somebody is present after the end of their last poll, > 0.
        ready_s: how long people who are called have to confirm, > 0 and at most ``present_s``.

    Raises:
        ParameterError: if a number is outside its range.
    """

    def __init__(self, size: int, present_s: float, ready_s: float) -> None:
        self.size = integer("size", size, 1)
        self.present_s = number("present_s", present_s, "(0, inf)")
        self.ready_s = number("ready_s", ready_s, "(0, inf)")
        if self.ready_s > self.present_s:
            raise ParameterError(f"ready_s is {ready_s:g}, allowed: up to present_s, {present_s:g}")
        self._guests: dict[str, _Guest] = {}
        self._queue: list[str] = []
        self._calls: list[Called] = []

    def __contains__(self, person: object) -> bool:
        """Whether somebody is in the room, be they absent or asleep."""
        return person in self._guests

    @property
    def waiting(self) -> tuple[str, ...]:
        """The queue: all who are neither called nor asleep, the absent among them."""
        return tuple(self._queue)

    @property
    def due(self) -> float | None:
        """When the next people have to have confirmed; None if nobody is called."""
        return min((call.until for call in self._calls), default=None)

    def stage(self, person: str) -> Stage | None:
        """Find what somebody does; None if they are not in the room."""
        guest = self._guests.get(person)
        return None if guest is None else guest.stage

    def until(self, person: str) -> float | None:
        """Find the time before which somebody has to confirm; None if they are not called."""
        if self.stage(person) not in CALLED:
            return None
        return next(call.until for call in self._calls if person in call.people)

    def present(self, person: str, now: float) -> bool:
        """Check whether somebody is present."""
        guest = self._guests.get(person)
        return guest is not None and (guest.polls > 0 or now - guest.last < self.present_s)

    # -- what people do ---------------------------------------------------------------------------------------------

    def enter(self, person: str, now: float) -> None:
        """Let somebody in, at the end of the queue; who is there already keeps their place."""
        if person in self._guests:
            self.seen(person, now)
            return
        self._guests[person] = _Guest(now)
        self._queue.append(person)

    def seen(self, person: str, now: float, open_poll: bool = False) -> None:
        """Note a sign of life; an open poll is one until it ends."""
        guest = self._guests.get(person)
        if guest is not None:
            guest.last = max(guest.last, now)
            guest.polls += open_poll

    def poll_ended(self, person: str, now: float) -> None:
        """Note the end of a poll; others that the same person has opened may go on."""
        guest = self._guests.get(person)
        if guest is not None:
            guest.last = max(guest.last, now)
            guest.polls = max(0, guest.polls - 1)  # it may have been opened before they entered

    def confirm(self, person: str, now: float) -> None:
        """Note that somebody who is called is ready; too late it is a sign of life and no more."""
        self.seen(person, now)
        until = self.until(person)
        if until is not None and now < until:
            self._guests[person].stage = "confirmed"

    def wake(self, person: str, now: float) -> None:
        """Let somebody who is asleep wait again, at the end of the queue."""
        self.seen(person, now)
        if self.stage(person) == "asleep":
            self._guests[person].stage = "waiting"
            self._queue.append(person)

    def leave(self, person: str) -> None:
        """Let somebody out."""
        if self._guests.pop(person, None) is not None and person in self._queue:
            self._queue.remove(person)

    def restore(self, waiting: Iterable[str], asleep: Iterable[str], now: float) -> None:
        """Let in all who were in the room when the server stopped.

        Nobody is called any more, and everybody was last seen now, as nobody could be seen before.

        Args:
            waiting: those who waited or were called, in the order in which they are to wait.
            asleep: those who were asleep.
            now: when the server is back.
        """
        for person in waiting:
            self.enter(person, now)
        for person in asleep:
            self._guests.setdefault(person, _Guest(now, stage="asleep"))

    # -- what comes of it -------------------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Change]:
        """Seat those who have all confirmed, end what is overdue, and call who is to be called.

        Returns:
            What has changed, in that order; nobody is in the room any more who is seated.
        """
        changes = list[Change]()
        kept, returned = list[Called](), list[str]()
        for call in self._calls:
            there = [person for person in call.people if self.stage(person) in CALLED]  # the others have left
            late = [person for person in there if self.stage(person) == "ready" and now >= call.until]
            back = tuple(person for person in there if person not in late)
            if all(self.stage(person) == "confirmed" for person in call.people):
                for person in call.people:
                    del self._guests[person]
                changes.append(Seated(call.people))
            elif len(back) == self.size:
                kept.append(call)
            else:
                for person in there:
                    self._guests[person].stage = "asleep" if person in late else "waiting"
                changes += [Asleep(person) for person in late]
                changes += [Returned(back)] if back else []
                returned += back
        self._calls, self._queue = kept, returned + self._queue
        return changes + self._call(now)

    def _call(self, now: float) -> list[Change]:
        """Call the first who are present, as often as there are enough."""
        there = [person for person in self._queue if self.present(person, now)]
        calls = list[Change]()
        for first in range(0, len(there) - self.size + 1, self.size):
            call = Called(tuple(there[first : first + self.size]), now + self.ready_s)
            for person in call.people:
                self._guests[person].stage = "ready"
            self._calls.append(call)
            calls.append(call)
        self._queue = [person for person in self._queue if self._guests[person].stage == "waiting"]
        return calls
