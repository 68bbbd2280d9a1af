"""A group of people in play: equal to the simulation, to its own replay, and to what is promised about dropouts."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lawgiver.envs.core.errors import ActionError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.registry import GAMES, lookup, names
from lawgiver.envs.election.game import Election
from lawgiver.envs.testing.people import filled_in
from lawgiver.envs.views.screen import FormError
from lawgiver.trainers.elections.records.records import Records
from lawgiver.trainers.evaluation.vote_shares import hold
from lawgiver.trainers.hcmd_zero.acquire import acquire
from lawgiver.trainers.people.group import Group, replayed
from lawgiver.trainers.people.happenings import Back, Decision, Left, Vote, as_data, from_data
from lawgiver.trainers.people.setup import Dropouts, Setup

GAME = make_game("public_investment", endowments=(3, 2, 2), n_rounds=2)


def policies(game, *mechanisms):
    return tuple(make_policy(game, "mechanism", name) for name in mechanisms)


def small(seats=(0, 1, 2), mechanisms=("libertarian", "strict_egalitarian"), seed=5, game=GAME, **others):
    people = make_policy(game, "participant", "simulated_people")
    return Setup(game, policies(game, *mechanisms), people, seed, seats, **others)


def sent_on(log):
    """Return a log after a journey through JSON, as a store has it."""
    return [from_data(json.loads(json.dumps(as_data(one)))) for one in log]


def play_round(group, actions=None):
    """Let everybody decide: the least choice, or what ``actions`` say by seat."""
    at = group.at
    for seat in group.waiting:
        group.answer(seat, at, {"choice": str((actions or {}).get(seat, 0))})


@pytest.mark.parametrize(
    ("name", "groups", "off"),
    [("liberal_egalitarian", 50, 0), ("graph_network", 10, 1e-12)],  # a network's sums may depend on the batch
)
def test_a_group_whose_people_choose_as_simulated_ones_is_the_simulated_group(name, groups, off):
    if name == "graph_network":
        pytest.importorskip("torch")
    game, election, seed = make_game("public_investment"), Election(), (11,)
    (mechanism,) = policies(game, name)
    simulated = acquire(election, game, mechanism, groups, seed)
    rng, conditions = np.random.default_rng(seed), np.array(game.conditions, float)
    opening = game.initial_state_from(conditions[np.arange(groups) % 5])
    order = np.tile(np.arange(2), (groups, 1))
    lived = election.experience(hold(election, [mechanism, mechanism], opening, rng, order))
    before, idle = game.observe(opening, "participant"), make_policy(game, "participant", "random")
    rows = {
        name: np.zeros_like(getattr(simulated, name)) for name in ("endowments", "contributions", "payouts", "votes")
    }
    for number in range(groups):
        condition = list(game.initial_states_by_condition(1, rng))[number % 5]
        setup = Setup(game, (mechanism,) * 2, idle, number, (0, 1, 2, 3), condition=condition, third_game=False)
        group = Group(setup)
        while group.stage != "ended":
            stage, at, episode, rounds = group.stage, group.at, group.game.number, len(group.game.rounds)
            for seat in group.waiting:
                seen = np.array(json.loads(json.dumps(group.view(seat).observation)))
                expected = lived[number, seat, episode, rounds - 1, : seen.size] if rounds else before[number, seat]
                choice = simulated.votes[number, seat]
                if stage == "play":
                    assert np.abs(seen - expected).max() <= off
                    choice = simulated.contributions[number, episode, rounds, seat]
                group.answer(seat, at, {"choice": int(choice)})
        layout = {"endowments": 0, "contributions": 1, "payouts": 5}
        for name, column in layout.items():
            found = np.array([[one.after[:, column] for one in played.rounds] for played in group.games])
            rows[name][number] = found[0, 0] if name == "endowments" else found
        rows["votes"][number] = [group.votes[seat] for seat in range(4)]
    played = Records(**rows)
    for name in rows:
        assert np.abs(getattr(played, name) - getattr(simulated, name)).max() <= off


class LivesOfAGroup(RuleBasedStateMachine):
    """Whatever people do, and whenever the server stops, the group that is played again from its log is the same."""

    @initialize(
        seats=st.sampled_from([(0, 1, 2), (0, 2), (1,)]), mechanisms=st.sampled_from(["lib", "two"]), data=st.data()
    )
    def begin(self, seats, mechanisms, data):
        rules = ("libertarian",) if mechanisms == "lib" else ("libertarian", "strict_egalitarian")
        others = None if len(seats) == 3 else make_policy(GAME, "participant", "random")
        dropouts = Dropouts(gone_after=2, removed_after=2, end_group_at=data.draw(st.integers(1, 3)))
        third = data.draw(st.booleans())
        self.setup = small(
            seats, rules, seed=data.draw(st.integers(0, 9)), others=others, dropouts=dropouts, third_game=third
        )
        self.group = Group(self.setup)
        self.stored = list(self.group.log)

    def store(self, happened):
        self.stored += happened

    @property
    def under_way(self):
        return self.group.stage in ("play", "vote")

    @rule(who=st.integers(0, 2), choice=st.integers(0, 3))
    def answer(self, who, choice):
        seat = self.setup.seats[who % len(self.setup.seats)]
        before = len(self.group.log)
        try:
            happened = self.group.answer(seat, self.group.at, {"choice": choice})
        except FormError:
            happened = ()
            assert len(self.group.log) == before
        self.store(happened)

    @rule(who=st.integers(0, 2))
    def answer_too_late(self, who):
        seat = self.setup.seats[who % len(self.setup.seats)]
        assert self.group.answer(seat, "play.0.-1", {"choice": 0}) == ()
        assert self.group.expire("vote.7.7") == ()

    @precondition(lambda self: self.under_way)
    @rule()
    def time_is_up(self):
        self.store(self.group.expire(self.group.at))

    @rule(who=st.integers(0, 2))
    def come_back(self, who):
        self.store(self.group.back(self.setup.seats[who % len(self.setup.seats)]))

    @rule(who=st.integers(0, 2), really=st.integers(0, 5))
    def leave(self, who, really):
        if really == 0:
            self.store(self.group.leave(self.setup.seats[who % len(self.setup.seats)]))

    @rule()
    def restart(self):
        self.group = replayed(self.setup, sent_on(self.stored))

    @invariant()
    def the_log_is_the_group(self):
        assert self.stored == self.group.log
        again = replayed(self.setup, sent_on(self.stored))
        assert facts(again) == facts(self.group)

    @invariant()
    def points_add_up(self):
        for seat, person in self.group.people.items():
            own = [
                one.rewards[seat] for game in self.group.games for one in game.rounds if one.sources[seat] == "person"
            ]
            assert person.points == sum(own)

    @invariant()
    def nobody_who_is_gone_is_waited_for(self):
        assert not any(self.group.people[seat].gone for seat in self.group.waiting)
        assert bool(self.group.waiting) is self.under_way


def facts(group):
    """Everything there is to know about a group, its future included."""
    views = [group.view(seat).as_data() for seat in group.setup.seats]
    session = group.game._session
    inside = (session.state, session.memory, session.rng.bit_generator.state, session.partners_rng.bit_generator.state)
    future = pickle.dumps(inside) if group.stage == "play" and group.game.pending == {} else b""
    return json.dumps(views), group.log, group.votes, {seat: vars(one) for seat, one in group.people.items()}, future


LivesOfAGroup.TestCase.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLivesOfAGroup = LivesOfAGroup.TestCase


def test_first_decision_counts():
    group = Group(small())
    at = group.at
    assert len(group.answer(0, at, {"choice": "3"})) == 1
    assert group.answer(0, at, {"choice": "1"}) == ()
    assert group.waiting == (1, 2)
    assert group.view(0).form is None and group.view(0).awaited == 2 and group.view(1).awaited == 1
    group.answer(1, at, {"choice": "0"})
    happened = group.answer(2, at, {"choice": "2"})
    assert [type(one).__name__ for one in happened] == ["Decision", "Decision"]
    assert happened[1].source == "mechanism" and sum(happened[1].action) == 1
    assert group.game.rounds[0].actions.tolist() == [3, 0, 2]
    assert group.answer(1, at, {"choice": "0"}) == () and group.at == "play.0.2"


@pytest.mark.parametrize(
    "sent", [{}, {"choice": None}, {"choice": "4"}, {"choice": -1}, {"choice": 3.5}, {"choice": "x"}]
)
def test_what_is_no_legal_choice_is_refused_and_changes_nothing(sent):
    group = Group(small())
    with pytest.raises(FormError):
        group.answer(0, group.at, sent)
    assert group.log == [] and group.waiting == (0, 1, 2)


def test_more_than_the_endowment_is_not_legal():
    group = Group(small())
    for action, told in ((3, "is not legal now"), (4, "Discrete"), (1.0, "dtype")):
        with pytest.raises(ActionError, match=told):
            group.decide(1, group.at, action)
    assert group.decide(1, "play.0.2", 1) == group.vote(1, group.at, 0) == () and group.log == []


@pytest.mark.parametrize("winner", [0, 1])
def test_votes_decide_what_is_played_last(winner):
    group = Group(small())
    while group.stage == "play":
        play_round(group)
    with pytest.raises(FormError):
        group.answer(0, group.at, {"choice": "2"})
    assert [option.label for option in group.view(0).form.options] == ["A", "B"]
    for seat, vote in enumerate((winner, 1 - winner, winner)):
        group.answer(seat, group.at, {"choice": str(vote)})
    view = group.view(2)
    assert (view.votes, view.winner) == ((2, 1) if winner == 0 else (1, 2), winner)
    assert (view.letter, view.stage, group.game.mechanism) == ("C", "play", winner)
    while group.stage == "play":
        play_round(group)
    assert group.stage == "ended" and group.waiting == () and not group.cut_short


def test_ties_are_drawn_evenly():
    won = []
    for seed in range(100):
        group = Group(small(seed=seed, third_game=False))
        while group.stage == "play":
            play_round(group)
        assert group.expire(group.at)[:3] == tuple(Vote(seat, None, "missed") for seat in range(3))
        won.append(group.winner)
    assert 35 <= sum(won) <= 65


def test_one_mechanism_is_played_once_without_a_vote():
    group = Group(small(mechanisms=("libertarian",)))
    play_round(group), play_round(group)
    assert group.stage == "ended" and len(group.games) == 1 and group.votes == {}


def test_who_misses_two_deadlines_is_gone_and_comes_back_for_the_next_round():
    long = make_game("public_investment", endowments=(3, 2, 2), n_rounds=8)
    group = Group(small(game=long, seats=(0, 1, 2)))
    for _ in range(2):
        at = group.at
        group.answer(0, at, {"choice": 1}), group.answer(1, at, {"choice": 1})
        group.expire(at)
    assert group.people[2].gone and group.waiting == (0, 1)
    assert group.view(2).gone and group.view(2).missed and not group.view(0).missed
    assert [player.gone for player in group.view(1).players] == [False, False, True]
    assert group.back(2) == (Back(2),) and group.waiting == (0, 1)
    play_round(group)
    assert group.waiting == (0, 1, 2)
    sources = [one.sources[2] for one in group.game.rounds]
    assert sources == ["missed", "missed", "gone"]
    assert group.people[2].points == 0 and group.people[0].points > 0


def test_deadlines_are_missed_in_a_row_or_not():
    group = Group(small(game=make_game("public_investment", endowments=(3, 2, 2), n_rounds=8)))
    for _ in range(3):
        group.answer(0, group.at, {"choice": 1}), group.answer(1, group.at, {"choice": 1}), group.expire(group.at)
        play_round(group)
    assert (group.people[2].missed, group.people[2].gone) == (3, False)


@pytest.mark.parametrize("rounds", [2, 3])
def test_who_is_gone_too_long_cannot_come_back(rounds):
    long = make_game("public_investment", endowments=(3, 2, 2), n_rounds=9)
    group = Group(small(game=long, dropouts=Dropouts(gone_after=1, removed_after=3)))
    group.answer(0, group.at, {"choice": 1}), group.answer(1, group.at, {"choice": 1}), group.expire(group.at)
    for _ in range(rounds):
        assert not group.view(2).left
        play_round(group)
    assert group.view(2).left is (rounds == 3)
    assert bool(group.back(2)) is (rounds == 2)
    play_round(group)  # which a program plays for who has come back during it
    assert group.view(2).left is (rounds == 3) and group.waiting == ((0, 1) if rounds == 3 else (0, 1, 2))


def test_a_group_ends_after_the_round_in_which_too_many_are_gone():
    group = Group(small())
    group.leave(0)
    assert group.waiting == (1, 2)
    group.leave(1)
    assert group.stage == "play"
    group.answer(2, group.at, {"choice": 2})
    assert (group.stage, group.cut_short, len(group.game.rounds)) == ("ended", True, 1)
    assert group.people[2].points == group.game.rounds[0].rewards[2]


def test_who_has_left_has_no_vote_and_holds_up_nobody():
    group = Group(small())
    group.leave(2)
    while group.stage == "play":
        play_round(group)
    assert group.votes == {2: None}
    group.answer(0, group.at, {"choice": 1}), group.answer(1, group.at, {"choice": 1})
    assert group.winner == 1 and group.view(0).votes == (0, 2)


def test_a_single_person_among_programs_plays_on_alone():
    others = make_policy(GAME, "participant", "random")
    group = Group(small(seats=(1,), others=others))
    while group.stage != "ended":
        play_round(group)
    played = [one for one in group.log if isinstance(one, Decision) and one.role == "participant"]
    assert {(one.seat, one.source) for one in played} == {(0, "program"), (1, "person"), (2, "program")}
    assert [player.program for player in group.view(1).players] == [False, True, True]
    group = Group(small(seats=(1,), others=others))
    assert group.leave(1)[0] == Left(1)
    assert (group.stage, group.cut_short, group.waiting) == ("ended", True, ())


def test_programs_remember_earlier_games_as_they_do_in_elections():
    people = make_policy(GAME, "participant", "simulated_people")
    group = Group(small())
    first = group.game.memory
    before = group.view(1)
    assert [field.name for field in before.fields] == ["endowments"] and before.payoffs is None
    assert before.fields[0].values == (2, 3, 2) and before.awaited == 2
    group.expire(group.at), play_round(group)
    assert (group.game.number, group.game.step) == (1, 0)
    assert np.array_equal(group.game.memory.attitude, first.attitude)
    assert np.array_equal(group.game.memory.evidence, people.next_game(group.games[0].memory).evidence)
    assert not np.array_equal(group.game.memory.evidence, first.evidence)


def test_programs_draw_anew_in_every_game():
    game = make_game("public_investment", endowments=(30, 30), n_rounds=4)
    setup = Setup(
        game, policies(game, "libertarian", "libertarian"), make_policy(game, "participant", "random"), 6, (0,)
    )
    group = Group(setup)
    while group.stage != "ended":
        play_round(group)
    drawn = [[one.actions[1] for one in played.rounds] for played in group.games]
    assert drawn[0] != drawn[1] and drawn[1] != drawn[2]


def test_every_game_of_a_group_begins_alike():
    group = Group(small(game=make_game("public_investment", n_rounds=1), seats=(0, 1, 2, 3), seed=3))
    while group.stage != "ended":
        play_round(group)
    first, second, third = (game.rounds[0].seen for game in group.games)
    assert np.array_equal(first, second) and np.array_equal(first, third)


def test_a_mechanism_that_makes_something_else_than_recorded_breaks_the_group():
    group = Group(small())
    play_round(group, {0: 2})
    log = sent_on(group.log)
    near = [
        Decision(**{**vars(one), "action": [x + 1e-12 for x in one.action]}) if one.source == "mechanism" else one
        for one in log
    ]
    assert replayed(group.setup, near).stage == "play"
    far = [
        Decision(**{**vars(one), "action": [x + 1e-6 for x in one.action]}) if one.source == "mechanism" else one
        for one in log
    ]
    broken = replayed(group.setup, far)
    assert broken.stage == "broken" and broken.waiting == () and "step 1" in broken.fault
    assert broken.view(0).stage == "broken" and broken.view(0).form is None
    assert broken.answer(0, broken.at, {"choice": 0}) == broken.leave(0) == broken.back(0) == ()


def test_what_programs_decided_stands_even_if_they_would_now_decide_otherwise():
    group = Group(small(seats=(0,)))
    play_round(group)
    other = [Decision(**{**vars(one), "action": 0}) if one.source == "program" else one for one in group.log]
    setup = group.setup
    changed = [one for one in other if one.source != "mechanism"]
    again = replayed(setup, changed)
    assert again.game.rounds[0].actions.tolist() == [0, 0, 0]


@pytest.mark.parametrize("change", ["seat", "order", "step", "twice"])
def test_a_log_of_another_group_is_refused(change):
    group = Group(small())
    play_round(group, {0: 1})
    log = sent_on(group.log)
    if change == "seat":
        log[1] = Decision(0, 0, "participant", 7, 0, "person")
    elif change == "order":
        log[0], log[3] = log[3], log[0]
    elif change == "step":
        log[2] = Decision(0, 4, "participant", 2, 0, "person")
    else:
        log.insert(1, log[0])
    with pytest.raises(ParameterError):
        replayed(group.setup, log)


def test_a_log_that_was_not_stored_to_its_end_is_completed():
    group = Group(small())
    play_round(group)
    assert group.log[3].source == "mechanism"
    assert replayed(group.setup, group.log[:3]).log == group.log


def test_rules_announced_before_the_first_turn_are_in_the_log():
    game = make_game("public_investment", endowments=(3, 2, 2), n_rounds=2, mechanism_mode="announce")
    rule = make_policy(game, "mechanism", "random")
    group = Group(Setup(game, (rule, rule), make_policy(game, "participant", "random"), 1, (0, 1, 2)))
    assert [(one.role, one.step) for one in group.log] == [("mechanism", 0)] and group.at == "play.0.1"
    assert group.view(0).observation[-2:] == tuple(group.log[0].action)
    while group.stage != "ended":
        group.expire(group.at)
    assert replayed(group.setup, sent_on(group.log)).log == group.log


def test_games_that_people_cannot_play_are_refused():
    with pytest.raises(UnsupportedGameError, match="election-v0 has no participants"):
        small(game=make_game("election"), mechanisms=())
    with pytest.raises(ParameterError, match="one or more"):
        Setup(GAME, (), make_policy(GAME, "participant", "random"), 0, (0,))
    matrix = make_game("matrix")
    with pytest.raises(ParameterError, match="none, as the game has none"):
        Setup(matrix, policies(GAME, "random"), make_policy(matrix, "participant", "random"), 0, (0,))


@pytest.mark.parametrize("seats", [(), (1, 0), (0, 0), (3,), (-1,)])
def test_seats_are_those_of_the_game(seats):
    with pytest.raises(ParameterError, match="allowed: one or more of 0 to 2, in ascending order"):
        small(seats=seats)


@pytest.mark.parametrize("wrong", [{"condition": "9-9"}, {"language": "xx"}, {"seed": -1}])
def test_other_settings_are_checked(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        small(**wrong)


def test_nobody_else_is_answered():
    group = Group(small(seats=(0,)))
    for call in (group.view, group.leave, group.back):
        with pytest.raises(ParameterError, match="seat 1 is nobody's, allowed: 0"):
            call(1)


def every_setting():
    for name in names(GAMES):
        for label, params in {"by default": {}, **lookup(GAMES, name).variants}.items():
            if name != "election-v0":
                yield pytest.param(name, params, id=f"{name}, {label}")


@pytest.mark.parametrize(("name", "params"), list(every_setting()))
def test_people_play_every_game_and_variant_from_forms(name, params):
    game, rng = make_game(name, **params), np.random.default_rng(2)
    programs = make_policy(game, "participant", "random")
    mechanisms = policies(game, "random", "random") if "mechanism" in game.roles else ()
    group = Group(Setup(game, mechanisms, programs, 4, (0, game.roles["participant"] - 1)))
    while group.stage != "ended":
        for seat in group.waiting:
            view = json.loads(json.dumps(group.view(seat).as_data(), allow_nan=False))
            assert view["stage"] == group.stage and view["at"] == group.at
            assert group.answer(seat, group.at, filled_in(group.view(seat).form, rng))
    assert len(group.games) == (3 if mechanisms else 1) and not group.cut_short
    for seat, person in group.people.items():
        assert person.points == sum(one.rewards[seat] for played in group.games for one in played.rounds)
    assert replayed(group.setup, sent_on(group.log)).log == group.log


def test_where_seats_take_turns_only_those_whose_turn_it_is_are_waited_for():
    game = make_game("online_allocation")
    (mechanism,) = policies(game, "random")
    group = Group(Setup(game, (mechanism,), make_policy(game, "participant", "random"), 3, (0, 2)))
    rng, waited = np.random.default_rng(0), 0
    while group.stage != "ended":
        acts = np.flatnonzero(game.acts(group.game._session.state, "participant")[0]).tolist()
        assert set(group.waiting) <= set(acts) and group.waiting
        waited += group.view(2).form is None
        for seat in group.waiting:
            group.answer(seat, group.at, filled_in(group.view(seat).form, rng))
    assert waited
    for one in group.game.rounds:
        taken = {done.seat for done in group.log if (done.role, done.step) == ("participant", one.step)}
        assert [source == "waited" for source in one.sources] == [
            seat not in taken for seat in range(game.roles["participant"])
        ]
    assert replayed(group.setup, sent_on(group.log)).log == group.log


def test_who_leaves_during_the_vote_has_none():
    group = Group(small())
    while group.stage == "play":
        play_round(group)
    assert group.leave(2) == (Left(2), Vote(2, None, "gone")) and group.waiting == (0, 1)
    play_round(group)
    assert group.stage == "play" and group.view(0).votes == (2, 0) and group.waiting == (0, 1)


def test_a_form_of_a_position_that_is_over_is_not_even_read():
    group = Group(small())
    before = group.at
    play_round(group)
    assert group.answer(1, before, {"choice": "999"}) == () and len(group.log) == 4


def test_autoplay_decides_for_people_and_others_have_their_own_seats():
    nobody, everybody = (make_policy(GAME, "participant", name) for name in ("free_rider", "full_contributor"))
    group = Group(Setup(GAME, policies(GAME, "libertarian"), nobody, 0, (1,), others=everybody))
    group.expire(group.at)
    assert group.game.rounds[0].actions.tolist() == [3, 0, 2]
    assert group.game.rounds[0].sources == ("program", "missed", "program")
