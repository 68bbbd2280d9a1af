"""What people see of a game and answer: words, forms, and seats of a session that are played from outside."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.registry import GAMES, lookup, names
from lawgiver.envs.core.wording import Question, Wording, default_wording, filled, plain, wording_fault
from lawgiver.envs.matrix.game import MatrixGame
from lawgiver.envs.testing.people import check_people
from lawgiver.envs.testing.play import GameCheckError
from lawgiver.envs.views.screen import Entry, Form, FormError, Option, form, read_form, shown
from lawgiver.envs.views.session import Session

INVESTMENT = make_game("public_investment", endowments=(10, 4, 4))
WORDS = default_wording(INVESTMENT)


def every_setting():
    for name in names(GAMES):
        yield pytest.param(name, {}, id=name)
        for label, params in lookup(GAMES, name).variants.items():
            yield pytest.param(name, params, id=f"{name}, {label}")


@pytest.mark.parametrize(("name", "params"), list(every_setting()))
def test_every_game_and_variant_is_played_to_the_end_from_forms(name, params):
    check_people(make_game(name, **params))


@dataclass(frozen=True)
class OthersFirst(MatrixGame):
    """Shows everybody the choices in the order of seats, although it declares own first."""

    def observe(self, state, role):
        return np.repeat(np.asarray(state.choices)[:, None], self.n, axis=1)


@dataclass(frozen=True)
class Wrong(MatrixGame):
    """Says what does not fit."""

    says: Any = None

    def wording(self, language="en"):
        return replace(super().wording(language), **self.says)


def test_a_game_that_does_not_show_own_numbers_first_is_found():
    with pytest.raises(GameCheckError, match="at step 1 'choices' does not hold everybody's own number first"):
        check_people(OthersFirst(rounds=2))


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ({"act": "You have {coins}?"}, r"has \{coins\}: .*allowed: choices_1, choices_2"),
        ({"echo": "You keep {left}."}, r"has \{left\}: .*allowed: choice, rest"),
        ({"hidden": ("round",)}, "hidden has 'round'"),
        ({"past": ("choice",)}, "past has 'choice': did you mean 'choices'?"),
        ({"chosen": ("choices",)}, "'choices' is to be shown by the labels of choices, of which there are none"),
        ({"choices": ("A", "B", "C")}, "choices have 3 labels, allowed: one for each of the 2 actions, or none"),
        ({"labels": {"coins": "had"}}, "labels have 'coins'"),
        ({"story": ()}, "title, story and act have to say something"),
        ({"quiz": (Question("?", ("1", "1"), 0, "so"),)}, "allowed: different ones, and the right one"),
        ({"quiz": (Question("?", ("1", "2"), 2, "so"),)}, "allowed: different ones, and the right one"),
        ({"quiz": (Question("?", ("1", "2"), 1, ""),)}, "has no explanation"),
    ],
)
def test_words_that_do_not_fit_are_found(says, told):
    with pytest.raises(GameCheckError, match=told):
        check_people(Wrong(rounds=2, says=says))


def test_default_words_are_those_of_docstring_and_layouts():
    words = default_wording(make_game("taxed_dilemma"))
    assert words.title == "A prisoner's dilemma repeated for a random number of rounds, with a tax"
    assert words.story[0].startswith("Two participants choose 0 (defect) or 1 (cooperate); the mechanism sets")
    assert "`" not in words.story[0] and words.unit == "points" and words.label("rule_tax") == "rule tax"
    assert WORDS.hidden == ("round",)
    with pytest.raises(UnsupportedGameError, match="election-v0 has no participants"):
        make_game("election").wording()
    with pytest.raises(ParameterError, match="language is 'xx': allowed: "):
        INVESTMENT.wording("xx")


def test_markup_is_left_out_of_plain_text():
    assert plain("A :class:`~lawgiver.x.Thing` of ``k`` *real* people, a * b * c.\n   And more.") == (
        "A Thing of k real people, a * b * c. And more."
    )


def test_values_are_put_into_texts_once():
    assert filled("{a} and {b}", {"a": "{b}", "b": "2"}) == "{b} and 2"
    with pytest.raises(ParameterError, match=r"the text '\{c\}' has \{c\}: allowed: a"):
        filled("{c}", {"a": "1"})


def seen(game=INVESTMENT, seat=0):
    return game.observe(game.initial_state(1, np.random.default_rng(0)), "participant")[0, seat]


def test_few_choices_are_listed_and_more_are_entered():
    few = form(INVESTMENT, WORDS, seen(), np.arange(11) <= 4)
    assert few.options == tuple(Option(value, str(value)) for value in range(5)) and few.entries == ()
    many = make_game("public_investment", endowments=(40, 4, 4))
    (entry,) = form(many, WORDS, seen(many), np.arange(41) <= 30).entries
    assert (entry.key, entry.low, entry.high, entry.whole) == ("choice", 0, 30, True)
    holes = form(many, WORDS, seen(many), np.arange(41) % 2 == 0)
    assert [option.value for option in holes.options] == list(range(0, 41, 2))
    named = replace(WORDS, choices=tuple(f"road {value}" for value in range(41)))
    assert form(many, named, seen(many), None).options[40] == Option(40, "road 40")


def test_questions_name_what_the_person_sees():
    words = replace(WORDS, act="You have {own_endowment} of {endowments_3}.", echo="You keep {rest}.")
    asked = form(INVESTMENT, words, seen(seat=1), None)
    assert (asked.ask, asked.echo) == ("You have 4 of 4.", "You keep {rest}.")


def test_fields_are_shown_in_words():
    words = replace(WORDS, labels={"endowments": "had", "contributions": "put in"}, hidden=("own_endowment", "round"))
    fields = {field.label: field for field in shown(INVESTMENT, words, seen(seat=1))}
    assert list(fields) == ["had", "put in", "payouts"]  # in the order of labels, then in that of the layout
    assert fields["had"].own_first and fields["had"].values == (4, 10, 4) and fields["had"].parts == ()
    roads = make_game("selfish_routing")
    (tolls,) = shown(roads, default_wording(roads), seen(roads))
    assert tolls.parts == tuple(f"rule tolls {place}" for place in range(1, 6)) and not tolls.own_first
    matrix = make_game("matrix")
    chosen = replace(default_wording(matrix), choices=("X", "Y"), chosen=("choices",))
    assert shown(matrix, chosen, seen(matrix))[0].options == ("X", "Y")
    assert wording_fault(matrix, chosen) is None


CHOICES = Form("?", options=(Option(0, "A"), Option(2, "C")))
WHOLE = Form("?", entries=(Entry("choice", "coins", "", "", 0, 30, True),))
NUMBERS = Form(
    "?", entries=(Entry("action_0", "x", "", "", -1.5, 2, False), Entry("action_1", "y", "", "", 0, 1, False))
)


@pytest.mark.parametrize(
    ("form", "sent", "action"),
    [
        (CHOICES, {"choice": "2"}, 2),
        (CHOICES, {"choice": 0, "at": "play.0.0"}, 0),
        (WHOLE, {"choice": "30"}, 30),
        (WHOLE, {"choice": " 7 "}, 7),
        (NUMBERS, {"action_0": "-1.5", "action_1": ".5"}, (-1.5, 0.5)),
        (NUMBERS, {"action_0": "1e0", "action_1": 0}, (1.0, 0.0)),
        (NUMBERS, {"action_0": repr(math.pi / 3), "action_1": 1e-300}, (math.pi / 3, 1e-300)),
    ],
)
def test_forms_are_read_exactly(form, sent, action):
    read = read_form(form, sent)
    assert read == action and type(read) is type(action)


@pytest.mark.parametrize(
    ("form", "value", "fault"),
    [
        *((each, value, "missing") for each in (CHOICES, WHOLE, NUMBERS) for value in (None, "")),
        *((CHOICES, value, "choice") for value in ("1", "11", -1, "-1")),
        *(
            (each, value, "whole")
            for each in (CHOICES, WHOLE)
            for value in (
                3.5,
                "3.5",
                "x",
                True,
                [],
                {},
                "1e0",
                1e308,
                math.nan,
                "1" * 23,
                10**22,
                "٣",
                "1\n",
                "+1",
                b"1",
            )
        ),
        (WHOLE, "31", "range"),
        (WHOLE, -1, "range"),
        *(
            (NUMBERS, value, "number")
            for value in (
                "x",
                True,
                [],
                {},
                math.nan,
                math.inf,
                "nan",
                "inf",
                "1e999",
                "1_0",
                "0x1",
                "١",
                10**400,
                "--1",
            )
        ),
        *((NUMBERS, value, "range") for value in ("-1.50001", 2.5, "1e300", 1e300)),
    ],
)
def test_what_is_no_legal_action_is_refused(form, value, fault):
    key = form.entries[0].key if form.entries else "choice"
    with pytest.raises(FormError) as refused:
        read_form(form, {key: value, "action_1": "0"})
    assert (refused.value.key, refused.value.fault) == (key, fault)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400
    assert (refused.value.entry is None) is bool(form.options)


# -- the seats of a session ----------------------------------------------------------------------------------------


def session(seats, seed=3, partners="simulated_people", own=True):
    made = Session(
        INVESTMENT,
        {"mechanism": make_policy(INVESTMENT, "mechanism", "libertarian")},
        make_policy(INVESTMENT, "participant", partners),
        seats,
    )
    made.rng = np.random.default_rng(seed)
    made.partners_rng = np.random.default_rng([seed, 1]) if own else None
    return made


def test_partners_consider_every_seat_and_play_those_not_given():
    for seats in ((0,), (1, 2), (0, 1, 2)):
        played = session(seats)
        played.reset(2)
        for _ in range(3):
            considered = played.considered
            assert considered.shape == (2, 3) and played.considered is considered
            played.step(np.full((2, len(seats)), 3))
            made = np.array(considered)
            made[:, seats] = 3
            assert np.array_equal(played.state.contributions, made)


def test_looking_at_what_partners_consider_changes_nothing():
    looked, other = session((1,), own=False), session((1,), own=False)
    for each in (looked, other):
        each.reset(4)
    while not looked.terminated.any():
        assert looked.considered is not None
        for each in (looked, other):
            each.step(np.full((4, 1), 2))
        assert np.array_equal(looked.state.payoffs, other.state.payoffs)


@pytest.mark.parametrize("own", [True, False])
def test_partners_with_a_generator_of_their_own_shift_no_other_draws(own):
    drawn = []
    for partners in ("simulated_people", "free_rider"):
        played = session((1,), partners=partners, own=own)
        played.reset(2)
        played.step(np.full((2, 1), 2))
        drawn.append(played.rng.random())
    assert (drawn[0] == drawn[1]) is own


def test_whoever_sends_what_partners_consider_plays_their_game():
    alone, sent = session((0,)), session((0, 1, 2))
    for each in (alone, sent):
        each.reset(3)
    while not alone.terminated.any():
        alone.step(np.array(alone.considered)[:, :1])
        sent.step(np.array(sent.considered))
        assert np.array_equal(alone.state.payoffs, sent.state.payoffs)


def test_a_session_starts_where_it_is_told_to():
    played = session((0,))
    opening = INVESTMENT.initial_state_from(np.array([[1.0, 2.0, 3.0]]))
    played.reset(1, opening)
    assert played.state is opening and played.played == []
    played.step(np.array([[1]]))
    ((role, outcome),) = played.played
    assert role == "mechanism" and outcome.shape == (1, 3)


@pytest.mark.parametrize("seats", [(), (1, 0), (0, 0), (3,), (-1, 0)])
def test_seats_from_outside_are_those_of_the_role(seats):
    with pytest.raises(ParameterError, match="allowed: one or more of 0 to 2, in ascending order"):
        session(seats)


def test_words_are_plain_data():
    assert Wording("t", ("s",), "a", "u") == Wording("t", ("s",), "a", "u")
    assert Question("?", ("a", "b"), 1, "so").right == 1
