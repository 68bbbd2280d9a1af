"""An experiment: everybody who takes part in a study, their groups, and all that has a deadline.

Everything is done at once and in memory; what is returned is to be stored before anybody is told of it.
"""

from __future__ import annotations

import secrets
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import update

from lawgiver.envs.files.json_text import to_json
from lawgiver.trainers.people.balance import drawn
from lawgiver.trainers.people.clock import Deadlines, Times
from lawgiver.trainers.people.entry import Entry, PausedError, forgotten
from lawgiver.trainers.people.group import Group
from lawgiver.trainers.people.ledger import Ledger, NewRow, Write
from lawgiver.trainers.people.limits import Allowance
from lawgiver.trainers.people.matching import Asleep, Called, Returned, Seated, WaitingRoom
from lawgiver.trainers.people.participant import Participant
from lawgiver.trainers.people.payments import Payment, payment
from lawgiver.trainers.people.person import Course, Page, find, new_credentials, secret_hash
from lawgiver.trainers.people.recorded import rounds_of
from lawgiver.trainers.people.served_group import ServedGroup
from lawgiver.trainers.people.setup import Setup
from lawgiver.trainers.people.stages import (
    BEFORE,
    CONSENT,
    consent_asked,
    questions_asked,
    quiz_asked,
    read_answers,
    stage_after,
)
from lawgiver.trainers.people.store import Store
from lawgiver.trainers.people.study import Study
from lawgiver.trainers.people.tables import GRP, PERSON, STUDY
from lawgiver.trainers.people.words import sayer

FAREWELL_S = 60.0
"""Time that somebody has to see how they ended before the server may stop."""


class Experiment:
    """A study that is served.

    Args:
        study: the study.
        store: its database; what it holds is taken up by :func:`lawgiver.trainers.people.restoring.restored`.
        clock: tells the time in UTC seconds.
        until_complete: whether it is over once enough groups are valid and everybody has ended.

    Attributes:
        people: everybody who has come in since it was begun, by id.
        groups: by number.
        room: the waiting room.
        intake: ``open``, ``paused`` or ``closed``.
        outside: people by their id outside.
        backlog: what is to be stored of what has followed from a restart.
    """

    templates: Mapping[str, str] = {"practice": "play", "end": "farewell"}

    def __init__(
        self, study: Study, store: Store, clock: Callable[[], float] = time.time, until_complete: bool = False
    ) -> None:
        self.study, self.store, self.clock = study, store, clock
        self.people: dict[str, Participant] = {}
        self.groups: dict[int, ServedGroup] = {}
        self.room = WaitingRoom(study.config.people, study.config.time.present_s, study.config.time.ready_s)
        self.ledger = Ledger(store.engine)
        self.language = study.texts.language
        self.intake = "open"
        self.outside: dict[str, str] = {}
        self._here: dict[str, Participant] = {}
        self._playing: dict[int, ServedGroup] = {}
        self.backlog: list[Write] = []
        self._touched: set[str] = set()
        self._intake = Allowance(study.config.intake_per_min, study.config.intake_per_min / 60)
        self._until_complete = until_complete
        self._takers: dict[str, Callable[[Participant, Mapping[str, str], float], list[Write]]] = {
            "consent": self._take_consent,
            "instructions": lambda person, _, now: self._enter(person, stage_after(study, "instructions"), now),
            "quiz": self._take_quiz,
            "practice": self._take_practice,
            "ready": self._take_ready,
            "asleep": self._take_asleep,
            "play": self._take_play,
            "questions": self._take_questions,
        }

    # -- how many there are -----------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether so many groups are valid or in play as are wanted."""
        return sum(group.counts for group in self.groups.values()) >= self.study.config.groups

    @property
    def valid(self) -> int:
        """The number of valid groups."""
        return sum(not group.why_not for group in self.groups.values())

    @property
    def over(self) -> bool:
        """Whether it is to end: enough groups are valid, and everybody has ended and seen how."""
        if not self._until_complete or self.valid < self.study.config.groups:
            return False
        now = self.clock()
        return all(
            person.ended is not None and (person.parted or now - person.ended >= FAREWELL_S)
            for person in self.people.values()
        )

    # -- what a server asks for -------------------------------------------------------------------------------------

    def person(self, name: str, secret: str) -> Participant | None:
        """Find somebody by their id, if the secret is theirs, and take it as a sign of life.

        Raises:
            BusyError: if they ask too often.
        """
        found, now = find(self.people, name, secret), self.clock()
        if found is not None:
            found.allowance.take(now)
            self.room.seen(name, now)
        return found

    def seen(self, person: Participant) -> str:
        """Write a token of somebody's page, which changes when it has to be shown anew."""
        at = self.at(person)
        if person.stage == "play" and person.course is not None:
            return person.course.seen
        if person.stage == "ready" and self.room.stage(person.id) == "confirmed":
            return f"{at}.confirmed"
        return f"{at}.{int(self.may_leave(person))}" if person.stage == "waiting" else at

    def at(self, person: Participant) -> str:
        """Return somebody's position, which every form sends back."""
        stage = person.stage
        if stage == "play" and person.course is not None:
            return person.course.at
        if stage == "practice":
            return _practised(self._practice(person))
        number = {"quiz": person.tries, "ready": person.calls, "asleep": person.calls}.get(stage, 0)
        return f"{stage}.0.{number}"

    def page(self, person: Participant) -> Page:
        """Make the page that somebody is to be shown."""
        now, stage = self.clock(), person.stage
        if stage == "play" and person.course is not None and person.group_id is not None:
            page = person.course.page(now, person.group_id)
            until = self.groups[person.group_id].deadlines.until if page.view and page.view.form else None
            return replace(page, seconds_left=_left(until, now))
        plain = Page(stage, self.at(person), self.seen(person), group=person.group_id)
        if stage == "practice":
            return self._practice_page(plain, self._practice(person), now)
        if stage == "ready":
            told = {"confirmed": self.room.stage(person.id) == "confirmed"}
            return replace(plain, told=told, seconds_left=_left(self.room.until(person.id), now))
        if stage == "end":
            person.parted = True
        return replace(plain, asked=self._asked(person), told=self._told(person, now))

    def shown(self, page: Page) -> Mapping[str, Any]:
        """Return values that a page shows besides, which do not change: the study."""
        return {"study": self.study}

    def take(self, person: Participant, sent: Mapping[str, str]) -> list[Write]:
        """Take what a page sends, and return what is to be stored; nothing if it is for a page that is over.

        Raises:
            FormError: if it holds no answer to the page.
        """
        taker = self._takers.get(person.stage)
        if taker is None or sent.get("at") != self.at(person):
            return []
        now = self.clock()
        statements = taker(person, sent, now)
        self._touched.add(person.id)
        statements += self._match(now)
        self._wake()
        return statements

    def leave(self, person: Participant) -> list[Write]:
        """Let somebody leave for good, and return what is to be stored."""
        if person.end is not None:
            return []
        now, stage = self.clock(), person.stage
        served = self.groups.get(-1 if person.group_id is None else person.group_id)
        if stage == "waiting" and self.may_leave(person):
            statements = self._end(person, "no_group", now)
        elif served is not None and served.state == "ended":
            statements = self._end(person, "done", now)
        else:
            if served is not None and person.course is not None:
                served.group.leave(person.course.seat)
            statements = self._end(person, "left", now)
            statements += [] if served is None else self._settle(served, now)
        statements += self._match(now)
        self._wake()
        return statements

    def tick(self) -> list[Write]:
        """Do what has come due, and return what is to be stored."""
        now, statements, self.backlog = self.clock(), self.backlog, []
        for served in list(self._playing.values()):
            if served.deadlines.expired(now):
                served.group.expire(served.group.at)
                statements += self._settle(served, now)
        for person in list(self._here.values()):
            statements += self._due(person, now)
        statements += self._match(now)
        self._wake()
        return statements

    def wake_all(self) -> None:
        """Answer everybody who waits for a change."""
        for person in self.people.values():
            person.wake()

    def _wake(self) -> None:
        """Answer everybody whose page has changed."""
        touched, self._touched = self._touched, set()
        for name in touched:
            person = self.people[name]
            seen = self.seen(person)
            if seen != person.last_seen:
                person.last_seen = seen
                person.wake()

    # -- coming in --------------------------------------------------------------------------------------------------

    def join(self, entry: Entry) -> tuple[str, str, list[Write]]:
        """Let somebody come in, or come back.

        Returns:
            Their id, the secret that proves who they are, and what is to be stored.

        Raises:
            PausedError: if nobody new may come in for now.
            BusyError: if too many come at once.
        """
        now, (name, secret) = self.clock(), new_credentials()
        known = self.outside.get(entry.outside_id)
        if known is not None:
            person = self.people[known]
            person.secret_hash = secret_hash(secret)
            return known, secret, [person.changed(secret_hash=person.secret_hash), person.event("re-entered", now)]
        if self.intake == "paused":
            raise PausedError
        self._intake.take(now)
        person = Participant(name, secret_hash(secret), now)
        self.let_in(person)
        values = {"id": name, "secret_hash": person.secret_hash, "joined": now, "stage": person.stage}
        statements = [NewRow(PERSON, values), person.event("joined", now), *entry.rows(name)]
        if entry.outside_id:
            self.outside[entry.outside_id] = name
        if self.full or self.intake == "closed":
            statements += self._end(person, "full", now)
        return name, secret, statements

    def let_in(self, person: Participant) -> None:
        """Take up somebody who has just come in, or comes from the database."""
        self.people[person.id] = person
        if person.end is None:
            self._here[person.id] = person

    def set_intake(self, intake: str) -> list[Write]:
        """Open, pause or close the intake, and return what is to be stored."""
        self.intake = intake
        return [update(STUDY).values(intake=intake)]

    # -- what pages send --------------------------------------------------------------------------------------------

    def _take_consent(self, person: Participant, sent: Mapping[str, str], now: float) -> list[Write]:
        if read_answers(self._asked(person), sent)[CONSENT] == "0":
            # Nothing is kept of who declines: a code may be used again, any other id is forgotten.
            self.outside = {outside: name for outside, name in self.outside.items() if name != person.id}
            return [*forgotten(person.id), *self._end(person, "declined", now)]
        version = self.study.texts.consent_version
        return self._enter(person, stage_after(self.study, "consent"), now, consent_version=version)

    def _take_quiz(self, person: Participant, sent: Mapping[str, str], now: float) -> list[Write]:
        answers = read_answers(self._asked(person), sent)
        person.tries += 1
        person.answers |= {key: int(value) for key, value in answers.items()}
        statements = [row for key, value in answers.items() for row in person.answered(key, value, person.tries, now)]
        if not quiz_asked(self.study.wording, person.answers):
            return statements + self._enter(person, stage_after(self.study, "quiz"), now, quiz_tries=person.tries)
        statements.append(person.changed(quiz_tries=person.tries))
        failed = person.tries >= self.study.config.quiz.tries
        return statements + (self._end(person, "failed_quiz", now) if failed else [])

    def _take_practice(self, person: Participant, sent: Mapping[str, str], now: float) -> list[Write]:
        course = self._practice(person)
        if self._practised_enough(course):
            person.practice = None
            return self._enter(person, "waiting", now)
        course.take({**sent, "at": course.at})
        return []

    def _take_ready(self, person: Participant, sent: Mapping[str, str], now: float) -> list[Write]:
        self.room.confirm(person.id, now)
        return []

    def _take_asleep(self, person: Participant, sent: Mapping[str, str], now: float) -> list[Write]:
        self.room.wake(person.id, now)
        person.stage, person.entered, person.asleep = "waiting", now, None
        return [person.changed(), person.event("back", now)]

    def _take_play(self, person: Participant, sent: Mapping[str, str], now: float) -> list[Write]:
        course, served = person.course, self.groups.get(-1 if person.group_id is None else person.group_id)
        assert course is not None and served is not None
        read = course.read
        _, since = course.take(sent)
        statements = self._settle(served, now, since)
        if course.read > read:
            statements.append(person.changed(read=course.read))
        if course.stage[0] == "end" and person.stage == "play":
            statements += self._after_play(person, now)
        return statements

    def _take_questions(self, person: Participant, sent: Mapping[str, str], now: float) -> list[Write]:
        answers = read_answers(self._asked(person), sent)
        statements = [row for key, value in answers.items() for row in person.answered(key, value, 1, now)]
        return statements + self._end(person, "done", now)

    # -- how it goes on ---------------------------------------------------------------------------------------------

    def _enter(self, person: Participant, stage: str, now: float, **values: object) -> list[Write]:
        """Let somebody go on to a stage."""
        person.stage = stage
        if stage != "waiting":
            return [person.changed(**values)]
        person.entered = now
        self.room.enter(person.id, now)
        return [person.changed(**values), person.event("waiting", now)]

    def _after_play(self, person: Participant, now: float) -> list[Write]:
        return self._enter(person, "questions", now) if self.study.texts.questions else self._end(person, "done", now)

    def _end(self, person: Participant, end: str, now: float) -> list[Write]:
        """Let somebody end."""
        self.room.leave(person.id)
        self._here.pop(person.id, None)
        self._touched.add(person.id)
        person.stop_waiting(now)
        person.stage, person.end, person.ended, person.asleep, person.practice = "end", end, now, None, None
        if end != "declined":
            coded = self.study.config.access == "prolific"
            person.completion = self.study.code(end) if coded else secrets.token_hex(4).upper()
        values = {"end": end, "ended": now, "waited_s": person.waited_s, "completion": person.completion}
        return [person.changed(**values), *([person.event(end, now)] if end in ("left", "broken") else [])]

    def _due(self, person: Participant, now: float) -> list[Write]:
        """Do what has come due for somebody."""
        time, stage = self.study.config.time, person.stage
        if person.polls:
            self.room.seen(person.id, now)
        if stage == "waiting":
            self._touched.add(person.id)  # after some time they may leave
        if stage in BEFORE and now - person.joined >= 60 * time.instructions_min:
            return self._end(person, "left", now)
        if stage == "waiting" and person.waited(now) >= 60 * time.wait_min:
            return self._end(person, "no_group" if self.room.present(person.id, now) else "left", now)
        if person.asleep is not None and now - person.asleep >= 60 * time.wait_min:
            return self._end(person, "left", now)
        ended = None if person.group_id is None else self.groups[person.group_id].ended
        if ended is not None and now - ended >= 60 * time.instructions_min:
            return self._end(person, "done", now)
        return []

    def _settle(self, served: ServedGroup, now: float, since: float | None = None) -> list[Write]:
        """Take note of what has happened in a group, and let those end for whom it is over."""
        statements = served.settle(now, since)
        if served.ended is not None:
            self._playing.pop(served.id, None)
        self._touched |= set(served.people)
        for name in served.people:
            person = self.people[name]
            if person.end is not None or person.course is None:
                continue
            part = served.group.people[person.course.seat]
            if part.gone and not person.gone:
                statements.append(person.event("gone", now))
            elif person.gone and not part.gone:
                statements.append(person.event("back", now))
            person.gone = part.gone
            if served.state == "broken":
                statements += self._end(person, "broken", now)
            elif part.left or (served.state == "ended" and part.gone):
                statements += self._end(person, "left", now)
            elif person.stage == "play" and person.course.stage[0] == "end":
                statements += self._after_play(person, now)
        return statements

    def _match(self, now: float) -> list[Write]:
        """Call people who wait, and let those play who are ready; nobody waits for nothing."""
        statements = list[Write]()
        if self.room.waiting and self.full:
            for name in self.room.waiting:
                statements += self._end(self.people[name], "no_group", now)
        for change in self.room.tick(now):
            if isinstance(change, Seated):
                people = [self.people[name] for name in change.people]
                if self.full:
                    statements += [row for person in people for row in self._end(person, "no_group", now)]
                else:
                    statements += self._begin(people, now)
            elif isinstance(change, Called):
                statements += self._staged(change.people, "ready")
            elif isinstance(change, Returned):
                statements += self._staged(change.people, "waiting")
            elif isinstance(change, Asleep):
                person = self.people[change.person]
                self._touched.add(person.id)
                person.stop_waiting(now)
                person.stage, person.asleep = "asleep", now
                statements += [person.changed(waited_s=person.waited_s), person.event("asleep", now)]
        return statements

    def _staged(self, names: tuple[str, ...], stage: str) -> list[Write]:
        people = [self.people[name] for name in names]
        self._touched |= set(names)
        for person in people:
            person.stage = stage
            person.calls += stage == "ready"
        return [person.changed() for person in people]

    def _begin(self, people: list[Participant], now: float) -> list[Write]:
        """Let people play together who have waited in this order."""
        study, group_id = self.study, max(self.groups, default=-1) + 1
        counts: dict[tuple[str, tuple[str, ...]], int] = {}
        for each in self.groups.values():
            key = each.condition, each.order
            counts[key] = counts.get(key, 0) + each.counts
        n = study.game.roles["participant"]
        new = drawn(study.config.seed, group_id, counts, study.conditions, study.orders, n, len(people))
        group = Group(study.setup(new.seed, new.condition, new.order, tuple(sorted(new.seats))))
        served = self.serve(group_id, group, new.condition, new.order, tuple(person.id for person in people))
        digests = to_json([study.digests[label] for label in new.order])
        values = {"condition": new.condition, "mechanisms": to_json(new.order), "digests": digests}
        statements: list[Write] = [NewRow(GRP, {"id": group_id, "seed": new.seed, "started": now, **values})]
        for person, seat in zip(people, new.seats, strict=True):
            person.stop_waiting(now)
            person.stage, person.group_id, person.course = "play", group_id, Course(group, seat, new.order)
            own = {"group_id": group_id, "seat": seat, "ready": now, "waited_s": person.waited_s}
            statements.append(person.changed(**own))
        return statements + self._settle(served, now)

    def serve(
        self, group_id: int, group: Group, condition: str, order: tuple[str, ...], people: tuple[str, ...]
    ) -> ServedGroup:
        """Take up a group."""
        time = self.study.config.time
        deadlines = Deadlines(Times(time.decide_s, time.first_s, time.vote_s))
        served = ServedGroup(group_id, group, condition, order, deadlines, self.study.config.valid, people)
        self.groups[group_id] = self._playing[group_id] = served
        return served

    def take_up(self, served: ServedGroup, now: float) -> None:
        """Go on with a group after a restart, and let what follows be stored with the next tick."""
        self.backlog += self._settle(served, now)

    # -- pages ------------------------------------------------------------------------------------------------------

    def may_leave(self, person: Participant) -> bool:
        """Check whether somebody has waited so long that they may leave for what waiting pays."""
        return person.waited(self.clock()) >= 60 * self.study.config.time.leave_after_min

    def _asked(self, person: Participant) -> tuple[Any, ...]:
        if person.stage == "consent":
            say = sayer(self.language)
            return consent_asked((say("agree"), say("decline")))
        if person.stage == "quiz":
            return quiz_asked(self.study.wording, person.answers)
        return questions_asked(self.study.texts.questions) if person.stage == "questions" else ()

    def _told(self, person: Participant, now: float) -> dict[str, Any]:
        if person.stage == "waiting":
            return {"may_leave": self.may_leave(person), "minutes": int(person.waited(now) // 60)}
        if person.stage == "consent":
            return {"title": self.study.texts.title}
        if person.stage == "instructions":
            return self._outlook()
        if person.stage == "quiz":
            return {"tries_left": self.study.config.quiz.tries - person.tries}
        return self._farewell(person) if person.stage == "end" else {}

    def _outlook(self) -> dict[str, Any]:
        """Describe the course of the study."""
        config = self.study.config
        programs = self.study.game.roles["participant"] - config.people
        return {"games": len(self.study.orders[0]), "programs": programs, "practice": config.practice.rounds}

    def _farewell(self, person: Participant) -> dict[str, Any]:
        """Describe how somebody has ended, and their pay."""
        points, owed = _points(person), self.owed(person)
        prolific = self.study.config.prolific
        link = prolific.return_url if self.study.config.access == "prolific" and prolific is not None else None
        return {
            "end": person.end,
            "points": points,
            "currency": self.study.config.pay.currency,
            "bonus": str(owed.bonus),
            "waiting": str(owed.waiting),
            "show_up": str(owed.show_up),
            "total": str(owed.total),
            "code": person.completion,
            "link": link.replace("{code}", person.completion) if link and person.completion else None,
        }

    def owed(self, person: Participant) -> Payment:
        """Compute what is owed to somebody who has ended."""
        assert person.end is not None
        counted = (0, 0) if person.course is None else rounds_of(person.course.group)
        return payment(self.study.config.pay, person.end, _points(person), person.waited_s, *counted)

    def _practice(self, person: Participant) -> Course:
        """Find somebody's way through the practice, which begins here."""
        if person.practice is None:
            study = self.study
            mechanisms = () if study.practice is None else (study.practice,)
            seed = zlib.crc32(person.id.encode())
            setup = Setup(study.game, mechanisms, study.autoplay, seed, (0,), third_game=False, language=self.language)
            person.practice = Course(Group(setup), 0)
        return person.practice

    def _practised_enough(self, course: Course) -> bool:
        return len(course.group.game.rounds) >= self._practice_rounds(course)

    def _practice_rounds(self, course: Course) -> int:
        """The number of rounds of the practice: a game may end before."""
        wanted, played = self.study.config.practice.rounds, len(course.group.game.rounds)
        return min(wanted, played) if course.group.stage == "ended" else wanted

    def _practice_page(self, plain: Page, course: Course, now: float) -> Page:
        page, rounds = course.page(now), self._practice_rounds(course)
        over = self._practised_enough(course)
        view = page.view
        assert view is not None
        if over:
            view = replace(view, form=None)
        told = {"round": min(len(course.group.game.rounds) + 1, rounds), "rounds": rounds}
        return replace(plain, stage="practised" if over else "practice", seat=0, view=view, told=told)


def _practised(course: Course) -> str:
    """Return the position in a practice."""
    return f"practice.0.{course.group.game.step}"


def _points(person: Participant) -> float:
    """Find the points of somebody in the games."""
    return 0.0 if person.course is None else person.course.group.people[person.course.seat].points


def _left(until: float | None, now: float) -> float | None:
    return None if until is None else max(0.0, until - now)
