"""Measured effort: best replies by search, the best weights by closed form and by the solvers, logit effort."""

import math

import numpy as np
import pytest

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.measured_effort import MeasuredEffort, solutions
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import best_in_box, scores, solve

KNOWN = {"unseen_task": (1.0, 0.5), "slanted_test": (1.2, 0.9), "opposed_test": (0.0, 0.0)}
"""The best weight of the only test, and its share of the first best."""


def working(**params):
    return make_game("measured_effort", **params)


def played(game, weights, efforts):
    """Play B games under weights (B, J): payoffs of participants (B, n), and the mechanism's reward (B,)."""
    rng = np.random.default_rng(0)
    state, *_ = game.step(game.initial_state(len(weights), rng), weights[:, None], {})
    state, rewards, terminated, _ = game.step(state, efforts, {})
    assert terminated.all()
    return rewards["participant"], rewards["mechanism"][:, 0], state


@pytest.mark.parametrize("preset", KNOWN)
def test_known_weights_and_shares(preset):
    game = working(preset=preset)
    weight, share, nothing = (known.value() for known in game.known_solutions())
    assert (weight, share) == pytest.approx(KNOWN[preset], abs=1e-12) and nothing == pytest.approx(0, abs=1e-12)
    cosine = np.dot(game.worth, game.tests[0]) / (np.linalg.norm(game.worth) * np.linalg.norm(game.tests[0]))
    assert share == pytest.approx(cosine**2)
    assert game.references()["welfare"] == pytest.approx({"optimum": 2.0, "first_best": 2.0, "best_weights": 2 * share})


def test_two_slanted_tests_that_span_all_tasks_lose_nothing():
    game = working(preset="two_slanted_tests")
    assert [known.value() for known in game.known_solutions()] == pytest.approx([2 / 3, 2 / 3, 1, 0], abs=1e-12)


@pytest.mark.parametrize("preset", MeasuredEffort.presets)
def test_effort_follows_what_is_measured(preset):
    """No effort of a fine grid earns more than M'w, and no weights of another make it worth more than w*."""
    game = working(preset=preset, n=3)
    rng = np.random.default_rng(1)
    weights = rng.uniform(-game.box, game.box, (40, len(game.tests)))
    best = np.repeat((weights @ np.array(game.tests))[:, None], 3, axis=1)
    paid, worth, state = played(game, weights, best)
    others = np.broadcast_to(game.grid(21)[:, None], (21**2, 3, 2))
    for i, w in enumerate(weights):
        assert played(game, np.tile(w, (len(others), 1)), others)[0].max() <= paid[i, 0] + 1e-9
        assert worth[i] == pytest.approx(3 * solutions.net_worth(np.array(game.worth), np.array(game.tests), w))
        assert game.deficit(state)[i] == pytest.approx(3 * w @ np.array(game.tests) @ best[i, 0])
    most = np.array(game.members["best_weights"])
    assert (game.played(weights) <= game.played(most[None]) + 1e-9).all()
    assert game.played(most[None])[0] == pytest.approx(game.references()["welfare"]["best_weights"])


def test_collinear_tests_have_the_smallest_best_weights():
    worth, tests = np.array([1.0, 2.0, 0.5]), np.array([[1.0, 0, 1], [2.0, 0, 2], [0, 1, 0]])
    best = solutions.best_weights(worth, tests)
    np.testing.assert_allclose(solutions.slope(worth, tests, best), 0, atol=1e-12)
    assert best[1] == pytest.approx(2 * best[0])
    rng = np.random.default_rng(0)
    top = solutions.net_worth(worth, tests, best)
    assert all(solutions.net_worth(worth, tests, w) <= top + 1e-12 for w in best + rng.normal(size=(200, 3)))
    game = working(worth=worth, tests=tests)
    assert all(known.residual() < 1e-9 for known in game.known_solutions())


def test_rational_effort_in_tables_is_the_best_reply_but_for_the_grid():
    for params in ({}, {"worth": (1.0,), "tests": ((2.0,),)}, {"worth": (1, 1, 1), "tests": ((1, 0.5, 0),)}):
        game = working(**params)
        subgame, weights = game.subgame, np.full(len(game.tests), 0.7)
        found = solve(subgame, weights, math.inf, uniform_prior(subgame))
        mean = np.array(list(subgame.behaviour(found.policy).values()))
        step = np.diff(np.unique(subgame.efforts[:, 0])).max()
        np.testing.assert_allclose(mean, weights @ np.array(game.tests), atol=step / 2 + 1e-9)


@pytest.mark.parametrize("inverse_temperature", [0.3, 3.0, 30.0])
def test_logit_effort_is_a_normal_variable_cut_off_at_the_ends(inverse_temperature):
    """Density exp(lambda (w . M e - |e|^2 / 2)): M'w in the mean, variance 1 / lambda, within the box."""
    stats = pytest.importorskip("scipy.stats")
    game, weights = working(), np.array([1.2])
    found = solve(game.subgame, weights, inverse_temperature, uniform_prior(game.subgame))
    mean = list(game.subgame.behaviour(found.policy).values())
    sd, centre = inverse_temperature**-0.5, weights @ np.array(game.tests)
    low, high = (-game.largest_effort - centre) / sd, (game.largest_effort - centre) / sd
    exact = stats.truncnorm.mean(low, high, loc=centre, scale=sd)
    np.testing.assert_allclose(mean, exact, atol=2e-3)
    variance = stats.truncnorm.var(low, high, scale=sd)
    told = scores(game, weights, inverse_temperature=inverse_temperature)
    expected = game.n * (np.array(game.worth) @ exact - (variance + exact**2).sum() / 2)
    assert told["welfare"] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("inverse_temperature", [10.0, 50.0])
def test_the_best_mechanism_of_the_box_is_the_closed_forms_whatever_the_temperature(inverse_temperature):
    """Chance costs half the variance in every task, 1 / 2 lambda, whatever the weights are."""
    game = working(levels=65)
    found = best_in_box(game, inverse_temperature)
    assert found.parameters == pytest.approx([1.2], abs=1e-5)
    assert found.value == pytest.approx(1.8 - game.n * 2 / (2 * inverse_temperature), abs=1e-6)


def test_levels_are_efforts():
    game = working(worth=(1, 1, 1), tests=((1, 0, 0),), levels=3)
    actions = np.arange(27).reshape(9, 3)
    np.testing.assert_allclose(game.announcements(actions.astype(float)).reshape(27, 3), game.grid(3))
    assert game.action_layout("participant") == 27 and game.largest_effort == 3
    coarse = working(levels=9)
    mechanism = make_policy(coarse, "mechanism", "best_weights")
    people = make_policy(coarse, "participant", "logit_equilibrium", mechanism=mechanism, inverse_temperature=50.0)
    obs = np.tile([1.2], (1, 2, 1))
    chances = np.exp(people.distribution(obs, None, None)[0])
    assert chances.shape == (1, 2, 81) and np.abs(chances[0, 0] @ coarse.grid(9) - [1.2, 0.6]).max() < 0.6


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"worth": ()}, "worth is"),
        ({"worth": (0, 0)}, "worth is .*one at least is not 0"),
        ({"worth": (1, math.nan)}, r"worth\[1\] is nan"),
        ({"worth": (1,) * 33, "tests": ((1,) * 33,)}, "worth has 33 numbers, allowed: 32"),
        ({"tests": ()}, "tests is .*allowed: 1 to 32 rows of 2 numbers"),
        ({"tests": ((1, 0), (1,))}, r"tests\[1\] has 1 number, allowed: 2, one a task"),
        ({"tests": ((0, 0),)}, r"tests\[0\] is \(0, 0\), allowed: numbers of which one is not 0"),
        ({"tests": (1, 0)}, r"tests\[0\] is 1, allowed: a list of 2 numbers"),
        ({"levels": 1}, "levels is 1"),
        ({"levels": 10**6}, "choices, allowed: up to"),
        ({"box": 0}, "box is 0"),
        ({"n": 1}, "n is 1"),
    ],
)
def test_bad_parameters_are_one_line(params, said):
    with pytest.raises(ParameterError, match=said) as error:
        working(**params)
    assert "\n" not in str(error.value)


def test_too_many_tasks_have_no_tables():
    game = working(worth=(1,) * 4, tests=((1,) * 4,))
    assert "any effort in 4 tasks" in str(game.tables())
    with pytest.raises(UnsupportedGameError, match="tables for up to 20,000 joint levels"):
        _ = game.subgame
