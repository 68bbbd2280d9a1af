"""Huge and odd parameters: every game either works with them, or says in one line which number fits."""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pytest

from lawgiver.envs.core import registry
from lawgiver.envs.core.errors import LawgiverError, ParameterError, brief, distribution, integer, number
from lawgiver.envs.core.fields import LARGEST_WIDTH, Field, box
from lawgiver.envs.core.make import make_game
from lawgiver.envs.testing.play import UniformPlayer

ODD = [10**9, 10**18, 10**400, 10**5000, 1e308, -1e308, 1e-308, math.inf, -math.inf, math.nan, -1, 0, True, "many", [],
       {}, 0.5, 1e16, 1e38, 1e40, 2**31, np.int64(3), np.float32(0.5), np.float64(np.nan), None]  # fmt: skip
FEW = 1000
"""Agents up to which the test plays."""
GAMES = sorted(registry.names(registry.GAMES))


def parameters():
    """Return every parameter of every registered game that has a number or nothing by default."""
    for name in GAMES:
        for field in dataclasses.fields(registry.lookup(registry.GAMES, name)):
            if field.default is None or isinstance(field.default, (int, float, tuple)):
                yield pytest.param(name, field.name, id=f"{name}-{field.name}")


def play(game):
    """Take the first steps of a game."""
    rng = np.random.default_rng(0)
    state = game.initial_state(1, rng)
    for _ in range(min(4, game.max_steps)):
        role = game.phase(state)
        obs, mask = game.observe(state, role), game.legal_actions(state, role)
        actions, _ = UniformPlayer(game, role).act(obs, mask, None, rng)
        state, rewards, terminated, truncated = game.step(state, actions, game.draw(1, rng))
        assert all(np.isfinite(reward).all() for reward in rewards.values())
        if (terminated | truncated).all():
            return


@pytest.mark.parametrize(("name", "parameter"), list(parameters()))
def test_odd_parameters_work_or_are_refused_in_one_line(name, parameter):
    for value in ODD:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                game = make_game(name, **{parameter: value})
            except LawgiverError as error:
                message = str(error)
                assert "\n" not in message and len(message) < 600
                continue
            if sum(game.roles.values()) <= FEW:
                play(game)


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("tabular_mdp", {"n": 10**9}, "n is 1000000000, allowed: an integer in 1..1,000"),
        ("task_scheduling", {"n": 10**18}, "n is 1000000000000000000, allowed: an integer in 2..1,000"),
        ("sequential_sales", {"m": math.inf}, "m is inf, allowed: an integer >= 1"),
        (
            "sequential_sales",
            {"m": 10**400},
            "m is an integer of about 400 digits, allowed: numbers that a float holds",
        ),
        ("sequential_sales", {"n": 2, "m": 20}, "take fewer of n or m, which may be up to 10"),
        ("tabular_mdp", {"horizon": 1e308}, "horizon is 1e.308, allowed: an integer"),
        ("tabular_mdp", {"memory": 1e308}, "memory is 1e.308, allowed: a number in"),
        ("lanes", {"n": 10**7}, "n is 10000000, allowed: an integer in 2..1,000,000"),
        ("lanes", {"movement_cost": 1e300}, "allowed: numbers up to 1e.38 either way; take smaller units"),
        ("divisible_good", {"rounds": 10**9}, r"rounds is 1000000000, allowed: an integer in 1\.\."),
        ("goal_collection", {"n": 10**6}, r"n is 1000000, allowed: an integer in 1..10,000"),
        ("election", {"n_mechanisms": 10**9}, r"n_mechanisms is 1000000000, allowed: an integer in 2..100"),
        ("payment_free_allocation", {"n": 100, "m": 11}, "allowed: 1,000; take m up to 10"),
        ("repeated_allocation", {"stage": {"n": 10**9}}, "n is 1000000000, allowed: an integer in 1..100"),
    ],
)
def test_the_number_that_fits_is_named(name, params, said):
    with pytest.raises(ParameterError, match=said):
        make_game(name, **params)


@pytest.mark.parametrize(
    ("name", "size", "told"),
    [("goal_collection", {"size": 40}, True), ("goal_collection", {"size": 10**9}, False),
     ("gridworld", {"m": 5}, True), ("gridworld", {"m": 100}, False)],
)  # fmt: skip
def test_known_solutions_are_told_where_they_can_be_checked(name, size, told):
    assert bool(make_game(name, n=2, **size).known_solutions()) == told


def test_spaces_are_measured_before_they_are_laid_out():
    wide = (Field("few", 3, 0, 1, "", ""), Field("many", 10**18, 0, 1, "", ""))
    with pytest.raises(
        ParameterError, match=rf"1,000,000,000,000,000,000 numbers of the field 'many', .*{LARGEST_WIDTH:,}"
    ):
        box(wide)
    for bound in (1e39, math.inf, math.nan):
        with pytest.raises(ParameterError, match=r"'high' goes from 0 to .* points, allowed: numbers up to"):
            box((Field("high", 1, 0, bound, "points", ""),))


def test_numbers_that_no_float_holds_are_named():
    for check in (lambda value: number("x", value, "(0, inf)"), lambda value: integer("x", value, 1)):
        with pytest.raises(ParameterError, match="x is an integer of about 5,000 digits, allowed"):
            check(10**5000)
    assert integer("x", np.int64(10**18), 1) == 10**18
    assert len(brief("x" * 10**6)) <= 200 and "\n" not in brief(np.eye(9))


def test_a_distribution_is_taken_within_a_millionth_and_scaled():
    for given in ([0.5, 0.5], np.full(3, 1 / 3, np.float32), (0.25, 0.750001), [1.0000005, 0.0]):
        scaled = distribution("p", given, len(given), "a state")
        assert math.fsum(scaled) == pytest.approx(1, abs=1e-15)
    for given, said in (
        ([0.5, 0.50001], "the sum of p is 1.00001, allowed: 1"),
        ([1.5, -0.5], r"p\[0\] is 1.5"),
        ([0.5, math.nan], r"p\[1\] is nan"),
        ([1.0], "p is .*, allowed: a list of 2 numbers, one a state"),
        ("ab", "p is 'ab'"),
        ([[0.5], [0.5]], r"p\[0\] is \[0.5\]"),
        (np.eye(2), "p is array"),
    ):
        with pytest.raises(ParameterError, match=said):
            distribution("p", given, 2, "a state")
