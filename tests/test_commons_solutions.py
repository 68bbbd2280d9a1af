"""Known solutions of the common-pool trust game."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from lawgiver.envs.commons_trust.rule_family import MEMBERS
from lawgiver.envs.commons_trust.solutions import (
    consumption_programme,
    most_consumed,
    played_pools,
    reciprocal_pools,
    reciprocation_matrix,
)
from lawgiver.envs.core.make import make_game

growths = st.floats(0.3, 3.0)
first_shares = st.floats(0.01, 1.0)


def game_of(growth=1.4, first_share=1.0, **params):
    return make_game("commons_trust", growth=growth, first_pool=200 * first_share, **params)


def test_the_papers_parameters():
    found = {solution.name: solution.value() for solution in make_game("commons_trust").known_solutions()}
    expected = {
        "planner": (39 * (200 - 200 / 1.4) + 200) / 160,
        "0.8 of each offer": 0.2 * 200 / 4,  # 1.4 * 0.8 > 1: the pool stays full
        "keeps up": 1 / 1.4,
        "equal offers": 1.25,
        "proportional": 37.5,
    }
    assert len(found) == len(expected)
    for words, value in expected.items():
        (name,) = (name for name in found if words in name)
        assert found[name] == pytest.approx(value, abs=1e-9), name


@settings(max_examples=40)
@given(growths, first_shares, st.integers(1, 45), st.integers(2, 6))
def test_known_solutions_satisfy_their_equations(growth, first_share, n_rounds, n):
    for solution in game_of(growth, first_share, n_rounds=n_rounds, n=n).known_solutions():
        assert solution.residual() <= 1e-9, solution.name


@pytest.mark.parametrize(
    ("params", "known", "why"),
    [
        ({"growth": 0.9}, 3, "growth below 1"),
        ({"growth": 4.0}, 4, "growth of n or more"),
        ({"n_rounds": 1}, 4, "two rounds or more"),
        ({"n_rounds": 201}, 0, "up to 200 rounds"),
        ({"preset": "experiment_4"}, 1, "fixed number of rounds"),
    ],
)
def test_what_is_not_known_has_its_reason(params, known, why):
    game = make_game("commons_trust", **params)
    assert len(game.known_solutions()) == known and len(game.unknown_solutions()) == 5 - known
    assert any(why in str(reason) for reason in game.unknown_solutions().values())


@settings(max_examples=40)
@given(growths, first_shares, st.integers(1, 25))
def test_no_planner_consumes_more_than_the_closed_form(growth, first_share, n_rounds):
    """A linear programme: consumption s_t, what is held back h_t and what is returned, of which the rest is."""
    first_pool = 200 * first_share
    most = most_consumed(first_pool, 200.0, growth, n_rounds)
    assert consumption_programme(first_pool, 200.0, growth, n_rounds) == pytest.approx(most, abs=1e-7)
    pools, consumed, held = (np.arange(n_rounds) + k * n_rounds for k in range(3))
    rows, limits = [], []
    for t in range(n_rounds):
        within = np.zeros(3 * n_rounds)
        within[[consumed[t], held[t], pools[t]]] = 1, 1, -1
        rows.append(within)
        limits.append(0.0)
        if t + 1 < n_rounds:
            ahead = np.zeros(3 * n_rounds)
            ahead[[pools[t + 1], pools[t], consumed[t], held[t]]] = 1, -growth, growth, growth - 1
            rows.append(ahead)
            limits.append(0.0)
    bounds = [(0, 200)] * n_rounds + [(0, None)] * (2 * n_rounds)
    bounds[0] = (first_pool, first_pool)
    reward = np.zeros(3 * n_rounds)
    reward[consumed] = -1
    found = linprog(reward, A_ub=np.array(rows), b_ub=limits, bounds=bounds)
    assert -found.fun == pytest.approx(most, rel=1e-7)


@given(growths, first_shares, st.floats(0.0, 1.0), st.sampled_from(sorted(MEMBERS)))
def test_pools_of_equal_reciprocators_do_not_depend_on_the_rule(growth, first_share, fraction, name):
    game = game_of(growth, first_share)
    played, _ = played_pools(game, MEMBERS[name], np.array(fraction))
    assert played == pytest.approx(reciprocal_pools(game, fraction), abs=1e-9 * 200)


@given(
    st.floats(0.5, 1.5),
    st.floats(0.0, 1.0),
    st.lists(st.floats(0.05, 1.0), min_size=4, max_size=4),
)
def test_offers_to_unequal_reciprocators_follow_the_matrix_below_the_capacity(growth, weight, fractions):
    game = make_game("commons_trust", growth=growth, first_pool=1.0, capacity=1e4, n_rounds=12)
    played, _ = played_pools(game, (weight, 0.0, 0.0), np.array(fractions))
    matrix = reciprocation_matrix(growth, weight, np.array(fractions))
    expected = [np.linalg.matrix_power(matrix, t).sum() / 4 for t in range(13)]
    assert played == pytest.approx(np.array(expected), rel=1e-9)


@pytest.mark.parametrize(("fraction", "survives"), [(0.72, True), (0.70, False)])
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_the_pool_survives_from_the_spectral_radius_of_one_on(fraction, survives, weight):
    """Equal reciprocators around 1 / 1.4 = 0.714, and unequal ones scaled to the same spectral radius."""
    shape = np.array([1.0, 0.9, 0.8, 0.7])
    radius = np.abs(np.linalg.eigvals(reciprocation_matrix(1.4, weight, shape))).max()
    for fractions in (np.full(4, fraction), shape * 1.4 * fraction / radius):
        game = make_game("commons_trust", n_rounds=200, first_pool=100.0)
        pools, _ = played_pools(game, (weight, 0.0, 0.0), fractions)
        assert (pools[-1] > pools[150] or pools[-1] == 200.0) if survives else pools[-1] < pools[150]
