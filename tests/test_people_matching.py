"""People who wait for each other: who is called and seated, what groups play, and when their time is up."""

from __future__ import annotations

import heapq
from collections import Counter
from itertools import count

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.people.balance import drawn, next_condition_and_order
from lawgiver.trainers.people.clock import Deadlines, Times
from lawgiver.trainers.people.group import Group
from lawgiver.trainers.people.matching import Asleep, Called, Returned, Seated, WaitingRoom
from lawgiver.trainers.people.setup import Setup

PRESENT_S, READY_S = 45.0, 30.0
CONDITIONS = ("10-2-2-2", "10-4-4-4", "10-6-6-6", "10-8-8-8", "10-10-10-10")
ORDERS = (("A", "B"), ("B", "A"))


def room_of(*people, size=2, now=0.0):
    """Return a room with people who have entered a second after each other, all with a poll open."""
    room = WaitingRoom(size, PRESENT_S, READY_S)
    for place, person in enumerate(people):
        room.enter(person, now + place)
        room.seen(person, now + place, open_poll=True)
    return room


# -- the waiting room -------------------------------------------------------------------------------------------------


def test_the_first_who_are_present_are_called_and_seated_once_all_confirm():
    room = room_of("a", "b", "c")
    assert room.tick(2) == [Called(("a", "b"), 32)]
    assert (room.stage("a"), room.until("a"), room.stage("c"), room.until("c")) == ("ready", 32, "waiting", None)
    room.confirm("b", 3)
    assert room.tick(3) == [] and room.stage("b") == "confirmed" and room.due == 32
    room.confirm("a", 31.9)
    assert room.tick(31.9) == [Seated(("a", "b"))]
    assert "a" not in room and "b" not in room and room.waiting == ("c",) and room.due is None


def test_as_many_groups_are_called_as_there_are_people_for():
    room = room_of(*"abcde")
    assert room.tick(5) == [Called(("a", "b"), 35), Called(("c", "d"), 35)]
    for person in "cd":
        room.confirm(person, 6)
    assert room.tick(6) == [Seated(("c", "d"))], "one group does not wait for another"


def test_who_does_not_confirm_is_asleep_and_the_others_are_first_again():
    room = room_of("a", "b", "c", size=3)
    room.tick(2)
    room.enter("d", 3)
    room.confirm("a", 4)
    room.confirm("c", 5)
    assert room.tick(31.9) == []
    assert room.tick(32) == [Asleep("b"), Returned(("a", "c")), Called(("a", "c", "d"), 62)]
    room.seen("b", 33, open_poll=True)
    assert room.stage("b") == "asleep", "a page that is open does not wake anybody"
    room.enter("e", 34)
    room.wake("b", 35)
    assert room.waiting == ("e", "b")


def test_a_confirmation_on_the_deadline_comes_too_late():
    room = room_of("a", "b")
    room.tick(1)
    room.confirm("a", 30)
    room.confirm("b", 31)
    assert room.tick(31) == [Asleep("b"), Returned(("a",))]


def test_a_confirmation_of_a_call_that_is_over_does_not_count_for_the_next():
    room = room_of("a", "b", "c")
    room.tick(2)
    room.confirm("a", 3)
    room.leave("b")
    assert room.tick(4) == [Returned(("a",)), Called(("a", "c"), 34)]
    assert room.stage("a") == "ready"
    room.confirm("c", 5)
    assert room.tick(5) == []


@pytest.mark.parametrize("again", [False, True])
def test_who_leaves_when_called_sets_the_others_free_at_once(again):
    room = room_of("a", "b", "c", size=3)
    room.tick(2)
    room.leave("a")
    if again:
        room.enter("a", 3)
    changes = room.tick(3)
    assert changes[0] == Returned(("b", "c"))
    assert changes[1:] == ([Called(("b", "c", "a"), 33)] if again else [])


@pytest.mark.parametrize(("after", "called"), [(44.9, True), (45.0, False)])
def test_presence_ends_after_the_last_poll(after, called):
    room = room_of("a")
    room.poll_ended("a", 100)
    room.enter("b", 100 + after)
    assert room.present("a", 100 + after) is called
    assert bool(room.tick(100 + after)) is called


def test_a_poll_that_is_open_is_presence_however_long():
    room = room_of("a")
    assert room.present("a", 1e6)


def test_the_end_of_an_older_poll_leaves_the_newer_one_open():
    room = room_of("a")
    room.seen("a", 10, open_poll=True)
    room.poll_ended("a", 10)
    assert room.present("a", 1000)
    room.poll_ended("a", 1000)
    assert not room.present("a", 1045)


def test_a_poll_from_before_they_entered_ends_without_effect_on_later_ones():
    room = WaitingRoom(2, PRESENT_S, READY_S)
    room.enter("a", 0)
    room.poll_ended("a", 1)
    room.seen("a", 2, open_poll=True)
    assert room.present("a", 1000)


def test_an_absent_person_keeps_their_place_and_is_passed_over():
    room = room_of("ghost", "a", "b", size=3)
    room.poll_ended("ghost", 5)
    assert room.tick(1) != [] and room.tick(31) == [Asleep("ghost"), Asleep("a"), Asleep("b")]
    room = room_of("ghost", size=2)
    room.poll_ended("ghost", 5)
    room.enter("a", 60)
    room.enter("b", 61)
    assert room.tick(61) == [Called(("a", "b"), 91)] and room.waiting == ("ghost",)
    room.enter("c", 62)
    room.seen("ghost", 63)
    assert room.tick(63) == [Called(("ghost", "c"), 93)]


def test_entering_twice_and_what_concerns_nobody_changes_nothing():
    room = room_of("a", "b", size=3)
    room.enter("a", 9)
    assert room.waiting == ("a", "b")
    for act in (room.confirm, room.wake, room.seen, room.poll_ended):
        act("nobody", 9)
    room.leave("nobody")
    room.confirm("a", 9)
    room.wake("a", 9)
    assert room.waiting == ("a", "b") and room.stage("a") == "waiting" and room.stage("nobody") is None


def test_waking_who_is_called_changes_nothing():
    room = room_of("a", "b")
    room.tick(1)
    room.wake("a", 2)
    assert room.stage("a") == "ready" and room.waiting == () and room.tick(2) == []


def test_a_room_that_is_restored_has_everybody_in_order_as_seen_now():
    room = WaitingRoom(3, PRESENT_S, READY_S)
    room.restore(["a", "b"], ["c"], 1000)
    assert room.waiting == ("a", "b") and room.stage("c") == "asleep"
    assert room.present("a", 1044.9) and not room.present("a", 1045)
    room.wake("c", 1001)
    assert room.tick(1001) == [Called(("a", "b", "c"), 1031)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((0, 45, 30), "size is 0, allowed: an integer >= 1"),
        ((4, 0, 30), r"present_s is 0, allowed: a number in \(0, inf\)"),
        ((4, 45, -1), r"ready_s is -1, allowed: a number in \(0, inf\)"),
        ((4, 45, 45.5), "ready_s is 45.5, allowed: up to present_s, 45"),
    ],
)
def test_a_room_that_could_seat_the_absent_is_refused(arguments, told):
    with pytest.raises(ParameterError, match=told):
        WaitingRoom(*arguments)


class LivesOfAWaitingRoom(RuleBasedStateMachine):
    """Whatever people do, and whenever the server stops, the queue is kept and nobody is seated who is not there.

    The test keeps its own record of the queue, of presence and of confirmations.
    """

    @initialize(size=st.integers(1, 4))
    def open(self, size):
        self.size, self.now = size, 0.0
        self.room = WaitingRoom(size, PRESENT_S, READY_S)
        self.line, self.calls, self.asleep = [], {}, set()
        self.confirmed, self.polls, self.last, self.seated = set(), Counter(), {}, Counter()
        self.names = (f"person{number}" for number in count())

    @property
    def inside(self):
        return sorted(set(self.line) | set(self.calls) | self.asleep)

    def is_there(self, person):
        return self.polls[person] > 0 or self.now - self.last[person] < PRESENT_S

    def see(self, person):
        self.last[person] = self.now

    def somebody(self, which):
        return self.inside[which % len(self.inside)]

    @rule(seconds=st.sampled_from([0.5, 10, 29.5, 30, 44.5, 45, 300]))
    def time_passes(self, seconds):
        self.now += seconds
        self.tick()

    @rule(poll=st.booleans())
    def enter(self, poll):
        person = next(self.names)
        self.room.enter(person, self.now)
        self.room.seen(person, self.now, open_poll=poll)
        self.line.append(person)
        self.polls[person] += poll
        self.see(person)
        self.tick()

    @precondition(lambda self: self.inside)
    @rule(which=st.integers(0, 99), poll=st.booleans())
    def sign_of_life(self, which, poll):
        person = self.somebody(which)
        self.room.seen(person, self.now, open_poll=poll)
        self.polls[person] += poll
        self.see(person)
        self.tick()

    @precondition(lambda self: any(self.polls[person] for person in self.inside))
    @rule(which=st.integers(0, 99))
    def end_of_a_poll(self, which):
        polling = [person for person in self.inside if self.polls[person]]
        person = polling[which % len(polling)]
        self.room.poll_ended(person, self.now)
        self.polls[person] -= 1
        self.see(person)
        self.tick()

    @precondition(lambda self: self.inside)
    @rule(which=st.integers(0, 99))
    def confirm(self, which):
        person = self.somebody(which)
        self.room.confirm(person, self.now)
        self.see(person)
        if person in self.calls:
            self.confirmed.add(person)
        self.tick()

    @precondition(lambda self: self.calls)
    @rule()
    def everybody_confirms(self):
        for person in list(self.calls):
            self.room.confirm(person, self.now)
            self.confirmed.add(person)
            self.see(person)
        self.tick()
        assert not self.calls or set(self.calls).isdisjoint(self.confirmed), "all who confirmed in time are seated"

    @precondition(lambda self: self.inside)
    @rule(which=st.integers(0, 99))
    def leave(self, which):
        person = self.somebody(which)
        self.room.leave(person)
        self.line = [one for one in self.line if one != person]
        self.calls.pop(person, None)
        self.asleep.discard(person)
        self.tick()

    @precondition(lambda self: self.asleep)
    @rule(which=st.integers(0, 99))
    def wake(self, which):
        person = sorted(self.asleep)[which % len(self.asleep)]
        self.room.wake(person, self.now)
        self.asleep.remove(person)
        self.line.append(person)
        self.see(person)
        self.tick()

    @rule(away=st.sampled_from([1, 600]))
    def restart(self, away):
        self.now += away
        self.line = list(self.calls) + self.line
        self.calls, self.polls, self.confirmed = {}, Counter(), set()
        self.last = dict.fromkeys(self.inside, self.now)
        self.room = WaitingRoom(self.size, PRESENT_S, READY_S)
        self.room.restore(self.line, sorted(self.asleep), self.now)
        self.tick()

    def tick(self):
        returned = []
        for change in self.room.tick(self.now):
            if isinstance(change, Seated):
                assert len(change.people) == self.size and self.confirmed.issuperset(change.people)
                assert all(self.is_there(person) for person in change.people)
                assert all(self.now < self.calls.pop(person) for person in change.people)
                self.seated.update(change.people)
            elif isinstance(change, Asleep):
                assert change.person not in self.confirmed and self.calls.pop(change.person) <= self.now
                self.asleep.add(change.person)
            elif isinstance(change, Returned):
                assert all(self.calls.pop(person) for person in change.people)
                self.confirmed.difference_update(change.people)
                returned += change.people
            else:
                self.line, returned = returned + self.line, []
                first = [person for person in self.line if self.is_there(person)][: self.size]
                assert list(change.people) == first, "the first of the queue who are present"
                assert change.until == self.now + READY_S
                self.line = [person for person in self.line if person not in change.people]
                self.calls |= dict.fromkeys(change.people, change.until)
        self.line = returned + self.line

    @invariant()
    def everybody_is_in_one_place(self):
        assert list(self.room.waiting) == self.line
        assert max(self.seated.values(), default=1) == 1
        stages = {person: self.room.stage(person) for person in self.inside}
        assert len(self.inside) == len(self.line) + len(self.calls) + len(self.asleep)
        for person, stage in stages.items():
            called = "confirmed" if person in self.confirmed else "ready"
            assert stage == ("asleep" if person in self.asleep else called if person in self.calls else "waiting")
        assert not any(person in self.room for person in self.seated)

    @invariant()
    def nobody_waits_who_could_play(self):
        assert sum(self.is_there(person) for person in self.line) < self.size
        assert all(until > self.now for until in self.calls.values()) and self.room.due == min(
            self.calls.values(), default=None
        )

    def teardown(self):
        """Let everybody wake and confirm: fewer than a group are left."""
        for person in self.inside:
            self.room.seen(person, self.now, open_poll=True)
            self.polls[person] += 1
            self.see(person)
        while self.asleep:
            self.wake(0)
        self.tick()
        while self.calls:
            self.everybody_confirms()
        assert len(self.inside) < self.size


TestLivesOfAWaitingRoom = LivesOfAWaitingRoom.TestCase
TestLivesOfAWaitingRoom.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


# -- what groups play -------------------------------------------------------------------------------------------------


class Arrivals:
    """A study with people who arrive one after another: some vanish, some are slow, some groups fail later.

    Args:
        ghosts: fraction of those who arrive that vanish within a minute, and confirm nothing.
        slow: fraction of calls that somebody else does not see in time; they wake a little later.
        failing: fraction of groups that become invalid within ten minutes.
        enough: valid groups at which no more begin.
    """

    def __init__(self, ghosts, slow=0.0, failing=0.0, enough=None, seed=0):
        self.rng = np.random.default_rng(seed)
        self.slow, self.failing, self.enough = slow, failing, enough
        self.room = WaitingRoom(4, PRESENT_S, READY_S)
        self.ghosts = {number for number in range(1000) if self.rng.random() < ghosts}
        self.counts, self.seats, self.seated, self.groups = Counter(), [], [], 0
        self.todo, self.number = [], count()
        when = np.cumsum(self.rng.exponential(15, 1000))
        for number in range(1000):
            self.later(when[number], self.arrive, number)

    def later(self, when, act, *arguments):
        heapq.heappush(self.todo, (when, next(self.number), act, arguments))

    def run(self):
        while self.todo:
            now, _, act, arguments = heapq.heappop(self.todo)
            act(now, *arguments)
            self.look(now)
        return self

    def arrive(self, now, number):
        if self.enough is not None and self.counts.total() >= self.enough:
            return  # whether more are needed later is known by those who still wait
        person = f"{number:03}"
        self.room.enter(person, now)
        self.room.seen(person, now, open_poll=True)
        if number in self.ghosts:
            self.later(now + self.rng.uniform(0, 60), lambda now: self.room.poll_ended(person, now))

    def look(self, now):
        for change in self.room.tick(now):
            if isinstance(change, Called):
                self.later(change.until, lambda now: None)
                for person in change.people:
                    self.answer(now, person)
            elif isinstance(change, Seated):
                self.begin(now, change.people)
            elif isinstance(change, Asleep) and int(change.person) not in self.ghosts:
                self.later(now + 10, lambda now, person=change.person: self.room.wake(person, now))

    def answer(self, now, person):
        if int(person) not in self.ghosts:
            within = self.rng.uniform(31, 60) if self.rng.random() < self.slow else self.rng.uniform(1, 29)
            self.later(now + within, lambda now: self.room.confirm(person, now))

    def begin(self, now, people):
        if self.enough is not None and self.counts.total() >= self.enough:
            return
        group = drawn(3, self.groups, self.counts, CONDITIONS, ORDERS, 4, 4)
        self.groups += 1
        self.counts[group.condition, group.order] += 1
        self.seats.append(group.seats)
        self.seated += people
        if self.rng.random() < self.failing:
            self.later(now + self.rng.uniform(0, 600), lambda now: self.fail(group))

    def fail(self, group):
        self.counts[group.condition, group.order] -= 1

    def spread(self):
        """Return how far groups by condition, and by order in each condition, are apart."""
        cells = np.array([[self.counts[condition, order] for order in ORDERS] for condition in CONDITIONS])
        return np.ptp(cells.sum(1)), np.ptp(cells, axis=1).max(), np.ptp(cells)


def test_of_a_thousand_arrivals_with_ghosts_the_conditions_and_orders_are_even():
    study = Arrivals(ghosts=0.1, slow=0.05).run()
    real = 1000 - len(study.ghosts)
    assert 80 < len(study.ghosts) < 120
    assert study.groups == study.counts.total() == real // 4, "all who are there have played, but a rest"
    assert len(set(study.seated)) == len(study.seated) == 4 * study.groups
    assert not study.ghosts & {int(person) for person in study.seated}
    assert max(study.spread()) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_groups_that_fail_are_made_up_for(seed):
    study = Arrivals(ghosts=0.1, slow=0.05, failing=0.2, enough=123, seed=seed).run()
    assert study.counts.total() == 123 < study.groups
    assert max(study.spread()) <= 1


def test_the_condition_that_was_played_least_comes_next_then_the_order():
    rng = np.random.default_rng(0)
    counts = {("x", ORDERS[0]): 2, ("x", ORDERS[1]): 1, ("y", ORDERS[1]): 2, ("z", ORDERS[0]): 1, ("z", ORDERS[1]): 1}
    assert next_condition_and_order(counts, "xyz", ORDERS, rng) == ("y", ORDERS[0]), "the first of two with 2"
    counts["z", ORDERS[1]] = 0
    assert next_condition_and_order(counts, "xyz", ORDERS, rng) == ("z", ORDERS[1])
    drawn_first = {next_condition_and_order({}, "xyz", ORDERS, rng) for _ in range(50)}
    assert drawn_first == {("x", ORDERS[0]), ("x", ORDERS[1])}, "the first condition, and either order"


def test_without_dropouts_conditions_take_turns_as_in_the_simulation():
    counts, conditions = Counter(), []
    for number in range(40):
        group = drawn(7, number, counts, CONDITIONS, ORDERS, 4, 4)
        counts[group.condition, group.order] += 1
        conditions.append(group.condition)
    assert conditions == [CONDITIONS[number % 5] for number in range(40)]
    assert set(counts.values()) == {4}


@pytest.mark.parametrize("people", [4, 3, 1])
def test_everybody_is_as_likely_to_get_any_seat(people):
    groups = 2000
    seats = np.array([drawn(1, number, {}, ("all",), (("A",),), 4, people).seats for number in range(groups)])
    assert seats.shape == (groups, people) and all(len(set(row)) == people for row in seats.tolist())
    found = np.array([[np.mean(seats[:, place] == seat) for seat in range(4)] for place in range(people)])
    assert np.abs(found - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / groups)


def test_seed_and_seats_of_a_group_depend_on_no_other_group():
    first = drawn(1, 5, {}, CONDITIONS, ORDERS, 4, 4)
    other = drawn(1, 5, {(CONDITIONS[0], ORDERS[0]): 3}, CONDITIONS, ORDERS[:1], 4, 4)
    assert (first.seed, first.seats) == (other.seed, other.seats)
    assert len({drawn(seed, number, {}, CONDITIONS, ORDERS, 4, 4).seed for seed in (1, 2) for number in (0, 1)}) == 4


def test_no_condition_and_too_many_people_are_refused():
    with pytest.raises(ParameterError, match="0 conditions and 2 orders are given, allowed: one or more"):
        drawn(0, 0, {}, (), ORDERS, 4, 4)
    with pytest.raises(ParameterError, match=r"people is 5, allowed: an integer in 1\.\.4"):
        drawn(0, 0, {}, CONDITIONS, ORDERS, 4, 5)


# -- deadlines --------------------------------------------------------------------------------------------------------


def test_deadlines_of_a_session_are_exact():
    deadlines = Deadlines(Times(decide_s=30, first_s=60, vote_s=45))
    assert deadlines.until is None and not deadlines.expired(1e9)
    assert deadlines.deadline("play.0.0", 0, 100) == 160
    assert deadlines.deadline("play.0.0", 0, 150) == 160, "asking does not extend it"
    assert not deadlines.expired(159.999) and deadlines.expired(160)
    assert deadlines.deadline("play.0.2", 1, 160.5) == 220.5
    assert deadlines.deadline("play.0.4", 2, 200) == 230
    assert deadlines.deadline("play.0.6", 3, 201) == 231
    assert deadlines.deadline("play.1.0", 0, 240) == 300, "a new game has new first rounds"
    assert deadlines.deadline("vote.1.20", 10, 300) == 345
    assert deadlines.deadline("play.2.0", 0, 310) == 370
    assert deadlines.deadline("ended.2.20", 10, 320) is None and not deadlines.expired(1e9)
    assert deadlines.at == "ended.2.20"
    assert deadlines.deadline("broken.2.20", 10, 320) is None


def test_a_group_waits_for_somebody_who_has_vanished_until_two_deadlines_and_no_longer():
    game = make_game("public_investment", endowments=(3, 2, 2), n_rounds=5)
    rules = tuple(make_policy(game, "mechanism", name) for name in ("libertarian", "strict_egalitarian"))
    group = Group(Setup(game, rules, make_policy(game, "participant", "random"), 5, (0, 1, 2)))
    deadlines, now, ended = Deadlines(Times(decide_s=30, first_s=60, vote_s=45)), 1000.0, []
    while group.stage != "ended":
        until = deadlines.deadline(group.at, len(group.game.rounds), now)
        for seat in (1, 2):
            group.answer(seat, deadlines.at, {"choice": 0})
        if group.at == deadlines.at:
            assert group.waiting == (0,)
            now = until
            ended.append((deadlines.at, now))
            group.expire(deadlines.at)
    assert ended == [("play.0.0", 1060), ("play.0.2", 1120)]
    assert group.people[0].gone and not group.cut_short and len(group.games) == 3


@pytest.mark.parametrize(
    ("outage_s", "now", "until"),
    [(50, 170, 210), (1, 121, 161), (0, 159, 179), (90, 250, 270), (5, 500, 520), (-3, 130, 160)],
)
def test_an_outage_extends_a_deadline_and_leaves_twenty_seconds(outage_s, now, until):
    deadlines = Deadlines(Times(first_s=60))
    deadlines.deadline("play.0.0", 0, 100)
    assert deadlines.after_outage(outage_s, now) == until
    assert deadlines.deadline("play.0.0", 0, now) == until
    assert not deadlines.expired(until - 1e-6) and deadlines.expired(until)


def test_an_outage_sets_no_deadline_where_there_is_none():
    deadlines = Deadlines(Times())
    deadlines.deadline("ended.2.20", 10, 100)
    assert deadlines.after_outage(60, 160) is None


@pytest.mark.parametrize("name", ["decide_s", "first_s", "vote_s"])
def test_times_that_are_none_are_refused(name):
    for wrong in (0, -1, float("inf"), float("nan"), "30"):
        with pytest.raises(ParameterError, match=f"{name} is .*, allowed: a (finite )?number in"):
            Times(**{name: wrong})
