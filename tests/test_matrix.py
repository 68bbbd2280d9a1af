"""Textbook games and payoffs of one's own: what is paid, what is known of each, and forms at fault."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import lawgiver
from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.envs.matrix.presets import PRESETS
from lawgiver.envs.solvers.equilibrium.normal_form import normal_form
from lawgiver.envs.solvers.normal_form.methods import solutions

THREE = np.arange(36.0).reshape(3, 2, 3, 2) % 7


def known(game):
    return {solution.name: solution.value() for solution in game.known_solutions()}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_the_forms_that_they_name(preset):
    game = lawgiver.make_game("matrix", preset=preset, rounds=2)
    form = normal_form(game)
    assert np.array_equal(form.payoffs, game.form.payoffs) and hash(game) == hash(game)
    assert game.form.names == (PRESETS[preset]["names"],) * 2
    symmetric = {"prisoners_dilemma", "chicken", "stag_hunt", "coordination", "rock_paper_scissors"}
    assert np.array_equal(form.payoffs[0], form.payoffs[1].T) == (preset in symmetric)


@pytest.mark.parametrize(
    ("preset", "equilibria", "best", "worst"),
    [
        ("prisoners_dilemma", 1, 2, 2),
        ("chicken", 3, 10.5, 7.2),
        ("matching_pennies", 1, 0, 0),
        ("rock_paper_scissors", 1, 0, 0),
        ("shapley", 1, 1, 2 / 3),
        ("stag_hunt", 3, 8, 6),
        ("coordination", 3, 4, 4 / 3),
    ],
)
def test_what_is_known_of_textbook_games(preset, equilibria, best, worst):
    found = known(lawgiver.make_game("matrix", preset=preset))
    assert found["number of Nash equilibria"] == equilibria
    assert found["sum of payoffs in the best correlated equilibrium"] == pytest.approx(best, abs=1e-9)
    assert found["sum of payoffs in the worst correlated equilibrium"] == pytest.approx(worst, abs=1e-9)
    assert ("value to participant 0" in found) == (preset in ("matching_pennies", "rock_paper_scissors"))


def test_three_participants_are_paid_by_the_table():
    game = lawgiver.make_game("matrix", payoffs=THREE, rounds=2, names=[["a", "b"], ["x", "y", "z"], ["l", "r"]])
    assert normal_form(game).payoffs.tolist() == THREE.tolist()
    joint = np.array(list(itertools.product(range(2), range(3), range(2))))
    state = game.initial_state(len(joint), np.random.default_rng(0))
    assert game.legal_actions(state, "participant")[0].tolist() == [[1, 1, 0], [1, 1, 1], [1, 1, 0]]
    for last in (False, True):
        state, rewards, terminated, truncated = game.step(state, joint, {})
        assert rewards["participant"].tolist() == [THREE[(slice(None), *cell)].tolist() for cell in joint]
        assert (terminated == last).all() and not truncated.any()
    assert game.observe(state, "participant")[4].tolist() == [[0, 2, 0], [2, 0, 0], [0, 0, 2]]
    after, *_ = game.step(state, np.full_like(joint, 2), {})
    assert after.choices[0].tolist() == [1, 2, 1], "what is not legal is played as the nearest that is"
    (best,) = solutions(game.form, "ce")
    assert best.payoffs(game.form).sum() == pytest.approx(
        known(game)["sum of payoffs in the best correlated equilibrium"]
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"payoffs": [[1, 2], [3, 4]]}, "allowed: numbers \\(n, A_0"),
        ({"payoffs": [[[1, 2], [3]], [[1, 2], [3, 4]]]}, "in lists alike long"),
        ({"payoffs": np.zeros((3, 2, 2))}, r"the shape \(3, 2, 2\)"),
        ({"payoffs": np.zeros((2, 101, 2))}, "up to 100 actions"),
        ({"payoffs": np.zeros((3, 90, 90, 90))}, "200,000 joint actions"),
        ({"payoffs": [[[1, np.nan]], [[1, 2]]]}, r"payoffs\[0, 0, 1\] is nan"),
        ({"payoffs": "dilemma.csv"}, "payoffs is 'dilemma.csv'"),
        ({"names": ["a"]}, r"\(1, 1\) names are given, allowed: \(2, 2\)"),
        ({"names": ["a", "a"]}, "'a' is there twice"),
        ({"names": [["a", "b"]]}, "or 2 lists, one for each"),
        ({"names": "ab"}, "names is 'ab'"),
        ({"rounds": 0}, "rounds is 0"),
        ({"preset": "chess"}, "chess"),
    ],
)
def test_wrong_parameters_are_named(wrong, said):
    with pytest.raises(LawgiverError, match=said):
        lawgiver.make_game("matrix", **wrong)


def test_there_is_no_mechanism():
    with pytest.raises(LawgiverError, match="'libertarian' is not a rule of matrix-v0: allowed: none"):
        normal_form(lawgiver.make_game("matrix"), "libertarian")
    with pytest.raises(ParameterError, match="the mechanism of taxed_dilemma-v0 is None, allowed"):
        normal_form(lawgiver.make_game("taxed_dilemma"))
