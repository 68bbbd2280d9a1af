"""An experiment: from the link to the last page, dropouts at every stage, deadlines, and what a restart keeps.

The clock is under control, and nothing sleeps: whoever is there asks for their page as often as a browser would.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from played_study import written

from lawgiver.envs.views.screen import FormError
from lawgiver.trainers.people.entry import Entry, PausedError, UnknownLinkError, read_entry
from lawgiver.trainers.people.experiment import Experiment
from lawgiver.trainers.people.ledger import Write
from lawgiver.trainers.people.limits import BusyError
from lawgiver.trainers.people.participant import Participant
from lawgiver.trainers.people.privacy import forget
from lawgiver.trainers.people.restoring import restored
from lawgiver.trainers.people.settings import QuestionSettings
from lawgiver.trainers.people.stages import BEFORE, questions_asked, read_answers, stage_after
from lawgiver.trainers.people.store import open_study
from lawgiver.trainers.people.study import read_study
from lawgiver.trainers.people.tables import DECISION, EVENT, GRP, OUTSIDE, PERSON, VOTE

STUDY = """\
game: {name: public_investment, n_rounds: 10, endowments: [[10, 2, 2, 2], [10, 8, 8, 8]]}
mechanisms: [libertarian, strict_egalitarian]
people: 4
autoplay: simulated_people
groups: 2
access: open
practice: {rounds: 1}
pay: {show_up: "2.00", per_point: "0.01", waiting_per_min: "0.10"}
texts:
  consent: consent.md
  contact: nobody
  questions:
    - {key: fair, text: Was it fair?, scale: [1, 7]}
    - {key: more, text: What else?}
"""


OPEN = Entry("open")


class Lab:
    """A study that is served without a server, at a time that the test sets."""

    def __init__(self, folder: Path, until_complete: bool = False, **changed: str) -> None:
        self.study = read_study(written(folder, STUDY, **changed))
        self.until_complete = until_complete
        self.now = 1_000_000.0
        self.away: set[str] = set()
        self.secrets: dict[str, str] = {}
        self.started()

    def started(self) -> None:
        self.store = open_study(self.study)
        self.experiment: Experiment = restored(self.study, self.store, lambda: self.now, self.until_complete)
        self.tick(0)

    def restart(self, away_s: float = 0.0) -> None:
        """End it as a lost process does, and start it anew."""
        self.store.close()
        self.now += away_s
        self.started()

    def keep(self, writes: list[Write]) -> None:
        asyncio.run(self.experiment.ledger.write(*writes))

    def join(self, entry: Entry = OPEN) -> str:
        name, secret, statements = self.experiment.join(entry)
        self.keep(statements)
        self.secrets[name] = secret
        return name

    def person(self, name: str) -> Participant:
        return self.experiment.people[name]

    def page(self, name: str) -> Any:
        self.experiment.room.seen(name, self.now)
        return self.experiment.page(self.person(name))

    def send(self, name: str, **fields: str) -> None:
        """Answer the page that is due; by default so that it is right."""
        page = self.page(name)
        quiz = {f"quiz.{place}": str(each.right) for place, each in enumerate(self.study.wording.quiz)}
        own = {"at": page.at, "consent": "1", "choice": "1", "fair": "4", **quiz, **fields}
        self.keep(self.experiment.take(self.person(name), own))

    def leave(self, name: str) -> None:
        self.keep(self.experiment.leave(self.person(name)))

    def tick(self, seconds: float) -> None:
        """Let time pass, in steps in which whoever is not away is seen."""
        until = self.now + seconds
        while True:
            for name in self.experiment.people:
                if name not in self.away:
                    self.experiment.room.seen(name, self.now)
            self.keep(self.experiment.tick())
            if self.now >= until:
                return
            self.now = min(until, self.now + 5)

    def until(self, stage: str, *names: str) -> None:
        """Let people go on to a stage."""
        for _ in range(200):
            late = [name for name in names if self.page(name).stage != stage]
            if not late:
                return
            for name in late:
                self.send(name)
            self.tick(0)
        raise AssertionError([self.page(name).stage for name in names])

    def group(self) -> list[str]:
        """Let four people in, up to their first turn."""
        names = [self.join() for _ in range(4)]
        self.until("play", *names)
        return names

    def rings(self, name: str, act: Callable[[], list[Write]]) -> bool:
        """Check whether an open poll of somebody ends when something is done."""

        async def polled() -> tuple[bool, list[Write]]:
            never = asyncio.create_task(asyncio.sleep(3600))
            poll = asyncio.create_task(self.person(name).poll(3600, never))
            await asyncio.sleep(0)
            writes = act()
            for _ in range(10):
                await asyncio.sleep(0)
            ended = poll.done()
            never.cancel()
            await asyncio.wait({never, poll})
            return ended, writes

        ended, writes = asyncio.run(polled())
        self.keep(writes)
        return ended

    def stages(self, names: list[str]) -> list[tuple[str, str | None]]:
        return [(self.person(name).stage, self.person(name).end) for name in names]

    def play_round(self, names: list[str]) -> None:
        """Let people decide once, or read a page."""
        for name in names:
            self.send(name)

    def rows(self, table: Any) -> list[Any]:
        return self.store.rows(table)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    made: list[Lab] = []

    def make(**changed: Any) -> Lab:
        made.append(Lab(tmp_path, **changed))
        return made[-1]

    yield make
    for each in made:
        each.store.close()


def test_the_way_from_the_link_to_the_last_page(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = [lab.join() for _ in range(4)]
    way: dict[str, list[str]] = {name: [] for name in names}
    for _ in range(200):
        for name in names:
            page = lab.page(name)
            if way[name][-1:] != [page.stage]:
                way[name].append(page.stage)
            if page.stage != "end":
                lab.send(name)
        lab.tick(1)
    before = ["consent", "instructions", "quiz", "practice", "practised"]
    games = ["play", "result", "play", "result", "vote", "outcome", "play", "result"]
    for name in names:
        assert [each for each in way[name] if each not in ("waiting", "ready")] == [*before, *games, "questions", "end"]
        assert way[name].index("ready") < way[name].index("play")
    (row,) = lab.rows(GRP)
    assert (row.state, row.winner is not None) == ("ended", True) and row.condition == lab.study.conditions[0]
    assert {person.end for person in lab.rows(PERSON)} == {"done"} and len(lab.rows(VOTE)) == 4
    assert lab.experiment.valid == 1 and not lab.experiment.full
    told = lab.page(names[0]).told
    part = lab.experiment.groups[0].group.people[lab.person(names[0]).course.seat]
    assert told["show_up"] == "2.00" and float(told["bonus"]) == pytest.approx(part.points / 100, abs=0.0051)
    assert told["code"] == lab.person(names[0]).completion


def test_what_people_agreed_to_and_played_is_stored(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = [lab.join() for _ in range(4)]
    lab.tick(7)
    lab.until("play", *names)
    for row in lab.rows(PERSON):
        assert row.consent_version == hashlib.sha256(b"Do you agree?").hexdigest()
        assert (row.joined, row.ready, row.waited_s) == (lab.now - 7, lab.now, 0)
    (row,) = lab.rows(GRP)
    order = json.loads(row.mechanisms)
    assert sorted(order) == ["libertarian", "strict_egalitarian"]
    assert json.loads(row.digests) == [lab.study.digests[label] for label in order]


def test_a_deadline_passes_at_its_time_and_not_before(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = lab.group()
    served = lab.experiment.groups[0]
    for name in names[:3]:
        lab.send(name)
    assert served.deadlines.until == lab.now + 60
    lab.now += 59.75
    lab.keep(lab.experiment.tick())
    assert served.group.game.rounds == []
    lab.now += 0.25
    lab.keep(lab.experiment.tick())
    (played,) = served.group.game.rounds
    late = lab.person(names[3]).course.seat
    assert [source for seat, source in enumerate(played.sources) if seat != late] == ["person"] * 3
    assert played.sources[late] == "missed" and lab.page(names[3]).view.missed
    assert served.deadlines.until == lab.now + 60
    lab.play_round(names)
    assert served.deadlines.until == lab.now + 30, "from the third round on there is less time"
    assert served.why_not == ("in_play", "valid.missed_per_person") and not served.counts


@pytest.mark.parametrize("moment", [0, 3, 9])
def test_one_who_vanishes_is_not_waited_for_twice(lab: Callable[..., Lab], moment: int) -> None:
    lab = lab()
    names = lab.group()
    lost, others = names[0], names[1:]
    for _ in range(moment):
        lab.play_round(names)
    group, began = lab.experiment.groups[0].group, lab.now
    for _ in range(100):
        for name in others:
            if lab.page(name).stage not in ("end", "questions"):
                lab.send(name)
        if not group.waiting:
            break
        if group.waiting == (lab.person(lost).course.seat,):
            lab.tick(60)
    assert group.stage == "ended" and lab.now - began <= 2 * 60
    assert [lab.page(name).stage for name in others] == ["questions"] * 3 or not group.cut_short
    assert lab.stages([lost]) == [("end", "left")]
    assert "gone" in [row.what for row in lab.rows(EVENT) if row.person_id == lost]
    assert {row.source for row in lab.rows(DECISION) if row.role == "participant"} == {"person", "missed", "gone"}


def test_who_comes_back_decides_from_the_next_round_on(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = lab.group()
    for _ in range(2):
        for name in names[1:]:
            lab.send(name)
        lab.tick(60)
    assert lab.page(names[0]).stage == "gone" and lab.page(names[1]).stage == "play"
    gone = next(player for player in lab.page(names[1]).view.players if player.gone)
    assert gone.number > 1 and not gone.program
    lab.send(names[0])
    assert lab.page(names[0]).stage == "play"
    lab.restart()
    assert lab.page(names[0]).stage == "play"
    for name in names[1:]:
        lab.send(name)
    lab.send(names[0])
    lab.play_round(names)
    assert lab.experiment.groups[0].group.game.rounds[-1].sources == ("person",) * 4
    assert [row.what for row in lab.rows(EVENT) if row.person_id == names[0]][-2:] == ["gone", "back"]


def test_two_who_leave_end_the_group_and_the_others_are_paid_for_all_rounds(lab: Callable[..., Lab]) -> None:
    lab = lab(third_game="false")
    names = lab.group()
    for _ in range(5):
        lab.play_round(names)
    for name in names[:2]:
        lab.leave(name)
    assert lab.stages(names[:2]) == [("end", "left")] * 2
    lab.play_round(names[2:])
    assert lab.experiment.groups[0].group.cut_short and lab.page(names[2]).stage == "questions"
    lab.play_round(names[2:])
    told = lab.page(names[2]).told
    assert told["end"] == "done"
    assert float(told["bonus"]) == pytest.approx(told["points"] * 20 / 6 / 100, abs=0.0051), "6 of 20 rounds"
    assert lab.experiment.groups[0].why_not != () and not lab.experiment.full


def test_a_vote_that_nobody_casts_does_not_stop_a_group(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = lab.group()
    lab.until("vote", *names)
    lab.send(names[0])
    assert lab.page(names[0]).view.form is None
    lab.tick(60)
    assert lab.page(names[0]).stage == "outcome"
    assert [row.source for row in lab.rows(VOTE)].count("missed") == 3
    lab.until("questions", *names)
    assert "valid.need_votes" in lab.experiment.groups[0].why_not


def test_a_ghost_is_never_seated(lab: Callable[..., Lab]) -> None:
    lab = lab()
    ghost, *names = [lab.join() for _ in range(4)]
    lab.until("waiting", ghost)
    lab.away.add(ghost)
    lab.tick(50)
    lab.until("waiting", *names)
    assert lab.stages(names) == [("waiting", None)] * 3, "three are here, not four"
    fifth = lab.join()
    lab.until("ready", fifth)
    lab.until("play", fifth, *names)
    assert lab.person(ghost).stage == "waiting" and lab.person(ghost).group_id is None
    lab.tick(60 * 12)
    assert lab.stages([ghost]) == [("end", "left")]


def test_who_does_not_say_that_they_are_ready_sleeps_and_the_others_come_first(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = [lab.join() for _ in range(4)]
    lab.until("ready", *names)
    for name in names[1:]:
        lab.send(name)
    assert lab.page(names[1]).told["confirmed"]
    lab.tick(30)
    assert lab.stages(names) == [("asleep", None)] + [("waiting", None)] * 3
    later = lab.join()
    lab.until("ready", later)
    assert [stage for stage, _ in lab.stages(names)] == ["asleep", "ready", "ready", "ready"]
    lab.send(names[0])
    assert lab.person(names[0]).stage == "waiting"
    lab.until("play", later, *names[1:])
    assert lab.person(names[0]).group_id is None


@pytest.mark.parametrize("stops", [False, True])
def test_who_does_not_wake_ends(lab: Callable[..., Lab], stops: bool) -> None:
    lab = lab()
    names = [lab.join() for _ in range(4)]
    lab.until("ready", *names)
    lab.play_round(names[1:])
    lab.tick(30)
    assert lab.stages(names[:1]) == [("asleep", None)]
    if stops:
        lab.restart()
    lab.tick(12 * 60 - 1)
    assert lab.stages(names[:1]) == [("asleep", None)]
    lab.tick(1)
    assert lab.stages(names[:1]) == [("end", "left")]


def test_nobody_is_called_to_play_with_somebody_who_has_left(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = [lab.join() for _ in range(4)]
    lab.until("waiting", *names[:3])
    lab.leave(names[0])
    lab.until("waiting", names[3])
    assert lab.stages(names) == [("end", "left")] + [("waiting", None)] * 3, "three are here, not four"


def test_who_is_called_or_asleep_when_there_are_enough_groups_plays_no_more(lab: Callable[..., Lab]) -> None:
    lab = lab(groups="1")
    first = [lab.join() for _ in range(4)]
    lab.until("ready", *first)
    lab.play_round(first[1:])
    lab.tick(30)
    assert lab.stages(first[:1]) == [("asleep", None)]
    second = [lab.join() for _ in range(5)]
    lab.until("ready", *first[1:], *second)
    lab.until("play", *first[1:], second[0])
    assert lab.experiment.full and lab.stages(second[1:]) == [("ready", None)] * 4
    lab.play_round(second[1:])
    lab.send(first[0])
    assert lab.stages([first[0], *second[1:]]) == [("end", "no_group")] * 5
    assert list(lab.experiment.groups) == [0]


def test_a_group_that_is_not_going_to_be_valid_is_made_up_for_in_its_condition(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = lab.group()
    lab.leave(names[0])
    lab.group()
    lab.group()
    conditions = [served.condition for served in lab.experiment.groups.values()]
    assert conditions == [lab.study.conditions[place] for place in (0, 0, 1)]


def test_who_is_gone_when_the_last_game_ends_has_left(lab: Callable[..., Lab]) -> None:
    lab = lab(game="{name: public_investment, n_rounds: 3}")
    names = lab.group()
    lost, others = names[0], names[1:]
    group = lab.experiment.groups[0].group
    while group.stage != "ended":
        late = group.game.number == 2 and len(group.game.rounds) > 0
        for name in others if late else names:
            lab.send(name)
        lab.tick(60 if late else 0)
    assert [played.sources[lab.person(lost).course.seat] for played in group.game.rounds] == ["person"] + ["missed"] * 2
    lab.play_round(others)
    assert lab.stages(names) == [("end", "left")] + [("questions", None)] * 3


def test_waiting_is_paid_and_may_be_ended(lab: Callable[..., Lab]) -> None:
    lab = lab()
    patient, hasty, late = [lab.join() for _ in range(3)]
    lab.until("waiting", patient, hasty, late)
    lab.leave(hasty)
    assert lab.page(hasty).told["end"] == "left" and lab.page(hasty).told["total"] == "0.00"
    before = lab.experiment.seen(lab.person(patient))
    lab.tick(5 * 60)
    assert lab.page(patient).told["may_leave"] and lab.experiment.seen(lab.person(patient)) != before
    lab.leave(patient)
    assert lab.page(patient).told["end"] == "no_group" and lab.page(patient).told["total"] == "0.50"
    lab.tick(7 * 60)
    assert lab.page(late).told["end"] == "no_group" and lab.page(late).told["total"] == "1.20"


def test_quiz_explains_and_then_ends(lab: Callable[..., Lab]) -> None:
    lab = lab()
    name = lab.join()
    lab.until("quiz", name)
    wrong = str((lab.study.wording.quiz[0].right + 1) % 2)
    lab.send(name, **{"quiz.0": wrong})
    (asked,) = lab.page(name).asked
    assert asked.because == lab.study.wording.quiz[0].because and lab.page(name).told["tries_left"] == 2
    with pytest.raises(FormError):
        lab.send(name, **{"quiz.0": ""})
    lab.restart()
    assert lab.page(name).asked == (asked,)
    for _ in range(2):
        lab.send(name, **{"quiz.0": wrong})
    assert lab.stages([name]) == [("end", "failed_quiz")] and lab.rows(PERSON)[0].quiz_tries == 3


def test_a_stage_with_nothing_to_do_is_passed_over(lab: Callable[..., Lab]) -> None:
    study = lab(practice="{rounds: 0}").study
    assert [stage_after(study, stage) for stage in BEFORE] == ["instructions", "quiz", "waiting", "waiting"]


def test_answers_are_choices_from_0_or_texts_that_are_not_too_long() -> None:
    chosen, free = QuestionSettings(key="a", text="?", choices=("no", "yes")), QuestionSettings(key="b", text="?")
    asked = questions_asked([chosen, free])
    assert [(option.value, option.label) for option in asked[0].options] == [(0, "no"), (1, "yes")]
    assert read_answers(asked, {"a": "1", "b": "z" * 1000}) == {"a": "1", "b": "z" * 1000}
    assert read_answers(asked, {"a": "0"}) == {"a": "0", "b": ""}
    for wrong in ({"a": "2"}, {"b": ""}, {"a": "1", "b": "z" * 1001}):
        with pytest.raises(FormError):
            read_answers(asked, wrong)


def test_nothing_is_kept_of_who_declines(lab: Callable[..., Lab]) -> None:
    lab = lab(access="prolific", prolific=PROLIFIC)
    entry = read_entry(lab.study.config, {"PROLIFIC_PID": "a" * 24})
    name = lab.join(entry)
    assert len(lab.rows(OUTSIDE)) == 1
    lab.send(name, consent="0")
    assert lab.stages([name]) == [("end", "declined")] and not lab.rows(OUTSIDE)
    assert lab.page(name).told["code"] is None
    assert lab.join(entry) != name


PROLIFIC = "{codes: {done: A, no_group: B, failed_quiz: C, left: D, full: E, broken: F}}"


def test_a_second_device_takes_the_place_of_the_first(lab: Callable[..., Lab]) -> None:
    lab = lab(access="prolific", prolific=PROLIFIC)
    entry = read_entry(lab.study.config, {"PROLIFIC_PID": "a" * 24, "STUDY_ID": "b" * 24, "SESSION_ID": "c" * 24})
    name = lab.join(entry)
    lab.until("quiz", name)
    old = lab.secrets[name]
    assert lab.join(entry) == name and lab.page(name).stage == "quiz"
    assert lab.experiment.person(name, old) is None
    lab.restart()
    assert lab.experiment.person(name, lab.secrets[name]) is not None and lab.experiment.person(name, old) is None
    for query in ({}, {"PROLIFIC_PID": "A" * 24}, {"PROLIFIC_PID": "a" * 24, "STUDY_ID": "<b>"}, {"code": "x"}):
        with pytest.raises(UnknownLinkError):
            read_entry(lab.study.config, query)


def test_enough_groups_close_the_intake(lab: Callable[..., Lab]) -> None:
    lab = lab(groups="1")
    waits = lab.join()
    early = lab.join()
    names = [lab.join() for _ in range(3)]
    lab.until("waiting", waits)
    lab.until("play", waits, *names)
    late = lab.join()
    assert lab.page(late).told["end"] == "full" and lab.page(late).told["total"] == "0.00"
    lab.until("end", early)
    assert lab.page(early).told["end"] == "no_group" and lab.page(early).told["total"] == "0.10"
    lab.leave(names[0])
    assert lab.page(lab.join()).stage == "consent", "the group is not going to be valid"


def test_another_group_is_wanted_in_place_of_one_from_which_somebody_has_withdrawn(lab: Callable[..., Lab]) -> None:
    lab = lab(groups="1", access="prolific", prolific=PROLIFIC)
    outside = [letter * 24 for letter in "abcdef"]
    entries = [read_entry(lab.study.config, {"PROLIFIC_PID": one}) for one in outside]
    names = [lab.join(entry) for entry in entries[:4]]
    lab.until("end", *names)
    assert (lab.experiment.valid, lab.experiment.full) == (1, True)
    assert lab.page(lab.join(entries[4])).told["end"] == "full"
    lab.store.close()
    forget(lab.study, outside[0])
    lab.started()
    assert (lab.experiment.valid, lab.experiment.full) == (0, False)
    assert lab.experiment.groups[0].why_not == ("withdrawn",)
    assert lab.page(lab.join(entries[5])).stage == "consent"


def test_intake_is_paused_closed_and_limited(lab: Callable[..., Lab]) -> None:
    lab = lab(intake_per_min="3")
    lab.keep(lab.experiment.set_intake("paused"))
    with pytest.raises(PausedError):
        lab.join()
    lab.restart()
    with pytest.raises(PausedError):
        lab.join()
    lab.keep(lab.experiment.set_intake("open"))
    for _ in range(3):
        lab.join()
    with pytest.raises(BusyError):
        lab.join()
    lab.now += 20
    lab.join()
    lab.keep(lab.experiment.set_intake("closed"))
    lab.now += 20
    assert lab.page(lab.join()).told["end"] == "full"


def test_requests_of_a_person_are_limited(lab: Callable[..., Lab]) -> None:
    lab = lab()
    name = lab.join()
    for _ in range(20):
        assert lab.experiment.person(name, lab.secrets[name]) is not None
    with pytest.raises(BusyError):
        lab.experiment.person(name, lab.secrets[name])
    lab.now += 0.125
    assert lab.experiment.person(name, lab.secrets[name]) is not None


@pytest.mark.parametrize("stage", ["consent", "instructions", "quiz", "practice", "waiting", "ready", "play", "vote"])
def test_a_restart_keeps_everybody_where_they_are(lab: Callable[..., Lab], stage: str) -> None:
    lab = lab()
    names = [lab.join() for _ in range(4)]
    lab.until(stage, *(names if stage in ("ready", "play", "vote") else names[:3]))
    if stage == "vote":
        lab.send(names[0])
    lab.now += 10
    before = [lab.page(name) for name in names]
    lab.restart(away_s=5)
    after = [lab.page(name) for name in names]
    if stage == "ready":
        assert [page.stage for page in after] == ["ready"] * 4, "all who are here are called again"
    else:
        assert [page.at for page in after] == [page.at for page in before]
    if stage in ("play", "vote"):
        assert [page.view for page in after] == [page.view for page in before]
        assert [page.seconds_left for page in after] == [
            None if page.seconds_left is None else pytest.approx(60) for page in before
        ], "nothing was stored in the last 10 s, which nobody can tell from an outage"
    lab.until("end", *names)
    assert {person.end for person in lab.rows(PERSON)} == {"done"}


def test_a_restart_keeps_the_queue_and_what_was_waited(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = [lab.join() for _ in range(3)]
    for name in reversed(names):
        lab.until("waiting", name)
        lab.tick(1)
    lab.restart()
    assert lab.experiment.room.waiting == tuple(reversed(names)), "in the order of entering, not of joining"
    fourth = lab.join()
    lab.until("ready", fourth)
    lab.tick(30)
    assert lab.stages([fourth, *names]) == [("asleep", None)] * 4
    waited = lab.person(fourth).waited_s
    assert waited == 30
    lab.restart()
    assert lab.person(fourth).waited_s == waited
    lab.send(fourth)
    lab.tick(12 * 60 - waited - 1)
    assert lab.person(fourth).stage == "waiting"
    lab.tick(1)
    assert lab.page(fourth).told["total"] == "1.20"


def test_a_restart_keeps_who_is_gone_and_when_a_group_ended(lab: Callable[..., Lab]) -> None:
    lab = lab(third_game="false")
    names = lab.group()
    for _ in range(2):
        lab.play_round(names[1:])
        lab.tick(60)
    lab.restart()
    lab.play_round(names[1:])
    events = [row.what for row in lab.rows(EVENT) if row.person_id == names[0]]
    assert events.count("gone") == 1 and lab.page(names[0]).stage == "gone"
    lab.until("questions", *names[1:])
    lab.tick(10 * 60)
    lab.restart()
    assert lab.stages(names[1:]) == [("questions", None)] * 3
    lab.tick(10 * 60)
    assert lab.stages(names[1:]) == [("end", "done")] * 3, "20 min after the end of their group"


def test_a_decision_of_one_moves_no_deadline_after_a_restart(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = lab.group()
    for wait in (10, 30):
        lab.tick(wait)
        lab.send(names[wait // 30])
    until = lab.experiment.groups[0].deadlines.until
    assert until == lab.now + 20
    lab.restart()
    assert lab.experiment.groups[0].deadlines.until == until


def test_what_follows_from_the_last_row_is_stored_after_a_restart(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = lab.group()
    lab.play_round(names)
    made = lab.rows(DECISION)
    with lab.store.engine.begin() as connection:  # as if only what people decided had been stored
        connection.execute(DECISION.delete().where(DECISION.c.place == max(row.place for row in made)))
    lab.restart()
    assert [row.action for row in lab.rows(DECISION)] == [row.action for row in made]
    lab.until("end", *names)


def test_a_complete_study_that_is_served_again_is_over(lab: Callable[..., Lab]) -> None:
    lab = lab(groups="1", until_complete=True)
    lab.until("end", *lab.group())
    assert lab.experiment.over
    lab.restart()
    assert lab.experiment.over


def test_nobody_is_looked_after_who_has_ended(lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    lab = lab()
    declined, *names = [lab.join(), *lab.group(), lab.join()]
    lab.send(declined, consent="0")
    lab.leave(names[0])
    looked: list[str] = []
    monkeypatch.setattr(Experiment, "_due", lambda self, person, now: looked.append(person.id) or [])
    lab.experiment.tick()
    assert looked == names[1:]
    lab.restart()
    assert sorted(looked[len(names[1:]) :]) == sorted(names[1:]), "the first tick after a restart"


def test_who_withdraws_while_nothing_is_served_is_replaced_in_their_group(lab: Callable[..., Lab]) -> None:
    lab = lab(access="prolific", prolific=PROLIFIC)
    names = [lab.join(read_entry(lab.study.config, {"PROLIFIC_PID": letter * 24})) for letter in "abcd"]
    lab.until("play", *names)
    lab.store.close()
    lab.now += 100
    forget(lab.study, "a" * 24)
    lab.started()
    assert lab.experiment.groups[0].deadlines.until == lab.now + 60, "all of the outage is made up for"
    assert lab.stages(names) == [("end", "left")] + [("play", None)] * 3
    lab.play_round(names[1:])
    (played,) = lab.experiment.groups[0].group.game.rounds
    assert sorted(played.sources) == ["gone", "person", "person", "person"]


def test_deadlines_after_an_outage(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = lab.group()
    for _ in range(2):
        lab.play_round(names)
    lab.send(names[0])
    lab.tick(25)
    name = lab.join()
    lab.restart(away_s=3)
    until = lab.experiment.groups[0].deadlines.until
    assert until == lab.now + 20, "5 s were left, and 20 are given at least"
    lab.send(name)
    lab.restart(away_s=100)
    assert lab.experiment.groups[0].deadlines.until == pytest.approx(lab.now + 20)
    lab.now += 19.9
    lab.keep(lab.experiment.tick())
    assert len(lab.experiment.groups[0].group.game.rounds) == 2
    lab.now += 0.1
    lab.keep(lab.experiment.tick())
    assert len(lab.experiment.groups[0].group.game.rounds) == 3


def test_a_group_that_cannot_be_played_again_is_broken_and_paid(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = lab.group()
    lab.play_round(names)
    with lab.store.engine.begin() as connection:
        made = DECISION.c.role == "mechanism"
        connection.execute(DECISION.update().where(made).values(action="[9.0, 0.0, 0.0, 0.0]"))
    lab.restart()
    assert [lab.page(name).told["end"] for name in names] == ["broken"] * 4
    assert lab.page(names[0]).told["show_up"] == "2.00"
    assert lab.rows(GRP)[0].state == "broken" and "broken" in [row.what for row in lab.rows(EVENT)]
    lab.restart()
    assert [lab.page(name).told["end"] for name in names] == ["broken"] * 4


def test_who_does_not_go_on_ends(lab: Callable[..., Lab]) -> None:
    lab = lab()
    slow = lab.join()
    names = lab.group()
    lab.until("questions", *names)
    lab.tick(20 * 60)
    assert lab.stages([slow]) == [("end", "left")]
    assert lab.stages(names) == [("end", "done")] * 4, "they have played to the end"


def test_an_open_poll_ends_once_the_page_changes(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = lab.group()

    def decide(name: str) -> list[Write]:
        return lab.experiment.take(lab.person(name), {"at": lab.experiment.at(lab.person(name)), "choice": "1"})

    def expire() -> list[Write]:
        lab.now += 60
        return lab.experiment.tick()

    lab.send(names[0])
    assert not lab.rings(names[0], lambda: decide(names[1])) and not lab.rings(names[0], lab.experiment.tick)
    lab.send(names[2])
    assert lab.rings(names[0], lambda: decide(names[3])), "all have decided"
    assert lab.rings(names[0], expire)


def test_an_open_poll_ends_once_one_may_leave_the_waiting_room(lab: Callable[..., Lab]) -> None:
    lab = lab()
    name = lab.join()
    lab.until("waiting", name)
    lab.tick(5 * 60 - 1)
    assert not lab.rings(name, lab.experiment.tick)
    lab.now += 1
    assert lab.rings(name, lab.experiment.tick) and lab.page(name).told["may_leave"]


def test_who_polls_is_present(lab: Callable[..., Lab]) -> None:
    lab = lab()
    name = lab.join()
    lab.until("waiting", name)
    lab.away.add(name)

    def pass_time() -> list[Write]:
        lab.now += 60
        return lab.experiment.tick()

    lab.rings(name, pass_time)
    assert lab.experiment.room.present(name, lab.now), "the poll was open all the time"
    lab.tick(44)
    assert lab.experiment.room.present(name, lab.now)
    lab.tick(1)
    assert not lab.experiment.room.present(name, lab.now)


def test_who_leaves_once_the_games_are_over_is_done(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = lab.group()
    lab.until("questions", *names)
    lab.leave(names[0])
    told = lab.page(names[0]).told
    assert (told["end"], told["show_up"]) == ("done", "2.00") and lab.experiment.valid == 1


@pytest.mark.parametrize("seen", [True, False])
def test_a_complete_study_is_over_once_everybody_has_seen_their_last_page(lab: Callable[..., Lab], seen: bool) -> None:
    lab = lab(groups="1", until_complete=True)
    names = lab.group()
    lab.until("questions", *names)
    lab.until("end", *names[1:])
    assert lab.experiment.valid == 1 and not lab.experiment.over, "one is still answering"
    lab.send(names[0])
    assert not lab.experiment.over
    if seen:
        lab.page(names[0])
    else:
        lab.now += 59.75
        assert not lab.experiment.over
        lab.now += 0.25
    assert lab.experiment.over


def test_what_is_sent_for_another_page_changes_nothing(lab: Callable[..., Lab]) -> None:
    lab = lab()
    name = lab.join()
    for _ in range(6):
        page = lab.page(name)
        for at in ("consent.0.0", "quiz.0.0", "practice.0.0", "play.0.0", "end.0.0", "", "ready.0.1"):
            if at != page.at:
                assert not lab.experiment.take(lab.person(name), {"at": at, "consent": "1", "choice": "0"})
        assert lab.page(name) == page
        lab.send(name)


def test_a_study_is_open_once(lab: Callable[..., Lab]) -> None:
    lab = lab()
    with pytest.raises(Exception, match="in use"), closing(open_study(lab.study)):
        pass
