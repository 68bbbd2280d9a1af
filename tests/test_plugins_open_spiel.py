"""Games and solvers beside OpenSpiel's: conversion both ways, alpha-rank, CFR, and Kuhn poker by best responses."""

from __future__ import annotations

import numpy as np
import pytest

import lawgiver
from lawgiver.envs.solvers.equilibrium.normal_form import normal_form
from lawgiver.envs.solvers.normal_form.alpha_rank import alpha_rank
from lawgiver.envs.solvers.normal_form.double_oracle import double_oracle, opened_in, tabulated
from lawgiver.envs.solvers.normal_form.forms import NormalForm, SymmetricForm
from lawgiver.envs.solvers.normal_form.methods import one_equilibrium
from lawgiver.envs.solvers.normal_form.nash import minimax
from lawgiver.envs.views.open_spiel import from_open_spiel, to_open_spiel

pyspiel = pytest.importorskip("pyspiel")
VALUE = -1 / 18
"""Of Kuhn poker to the first player (Kuhn 1950)."""


@pytest.mark.parametrize("sizes", [(2, 3), (2, 3, 2)])
def test_forms_come_back_as_they_were(sizes):
    names = tuple(tuple(f"{player}{action}" for action in range(size)) for player, size in enumerate(sizes))
    form = NormalForm(np.random.default_rng(0).normal(size=(len(sizes), *sizes)), names)
    back = from_open_spiel(to_open_spiel(form))
    assert np.array_equal(back.payoffs, form.payoffs) and back.names == names


def test_its_matrix_games_are_ours():
    rps = from_open_spiel(pyspiel.load_game("matrix_rps"))
    assert rps.names[0] == ("Rock", "Paper", "Scissors")
    assert all(mixture == pytest.approx([1 / 3] * 3) for mixture in minimax(rps))


@pytest.mark.parametrize("sizes", [(3, 4), (2, 3, 2)])
def test_alpha_rank_is_its(sizes):
    from open_spiel.python.egt import alpharank

    payoffs = np.random.default_rng(1).normal(size=(len(sizes), *sizes))
    for intensity, population in ((0.1, 50), (2.0, 10)):
        known = alpharank.compute(list(payoffs), m=population, alpha=intensity)[2]
        assert alpha_rank(NormalForm(payoffs), intensity, population).ravel() == pytest.approx(known, abs=1e-10)


def test_alpha_rank_of_one_population_is_its():
    from open_spiel.python.egt import alpharank

    wins = np.array([[0, -0.5, 1], [0.5, 0, -0.1], [-1, 0.1, 0]])
    pool = SymmetricForm([[0, -0.5, 1, 0, 0, 0], [0, 0.5, 0, 0, -0.1, 0], [0, 0, -1, 0, 0.1, 0]], 2)
    known = alpharank.compute([wins], m=50, alpha=0.1)[2]
    assert alpha_rank(pool, 0.1) == pytest.approx(known, abs=1e-10)
    assert known == pytest.approx([0.2130, 0.6771, 0.1099], abs=5e-5)


def test_its_cfr_agrees_about_a_round_of_ours():
    from open_spiel.python.algorithms import cfr, exploitability

    form = normal_form(lawgiver.make_game("public_investment", endowments=(3, 2)), "strict_egalitarian")
    game = pyspiel.convert_to_turn_based(to_open_spiel(form))
    solver = cfr.CFRPlusSolver(game)
    for _ in range(100):
        solver.evaluate_and_update_policy()
    average = solver.average_policy()
    assert exploitability.nash_conv(game, average) < 1e-2
    mixtures = one_equilibrium(form)
    assert form.regrets(mixtures).max() < 1e-9
    state = game.new_initial_state()
    for mixture in mixtures:
        probabilities = average.action_probabilities(state)
        assert [probabilities.get(a, 0) for a in range(len(mixture))] == pytest.approx(mixture.tolist(), abs=0.02)
        state.apply_action(int(mixture.argmax()))


def test_cfr_of_kuhn_poker():
    from open_spiel.python.algorithms import cfr, expected_game_score, exploitability

    game = pyspiel.load_game("kuhn_poker")
    solver = cfr.CFRSolver(game)
    for _ in range(1_000):
        solver.evaluate_and_update_policy()
    average = solver.average_policy()
    assert exploitability.exploitability(game, average) < 0.001
    value = expected_game_score.policy_value(game.new_initial_state(), [average] * 2)[0]
    assert value == pytest.approx(VALUE, abs=1e-3)


def test_kuhn_poker_as_a_matrix_has_its_value():
    form = from_open_spiel(pyspiel.load_game("kuhn_poker"))
    assert form.sizes == (64, 64) and form.zero_sum
    assert form.values(minimax(form))[0] == pytest.approx(VALUE, abs=1e-9)
    found = opened_in(form, one_equilibrium)
    assert form.values(form_mixtures := expanded_mixtures(found, 64))[0] == pytest.approx(VALUE, abs=1e-9)
    assert form.regrets(form_mixtures).max() < 1e-9 and max(map(len, found.opened)) < 32


def expanded_mixtures(found, size):
    return tuple(np.array([weights.get(a, 0.0) for a in range(size)]) for weights in found.weights)


def test_best_responses_in_the_tree_find_the_value_of_kuhn_poker():
    """Strategies are whole policies, the oracle is exact and knows the tree: policy-space response oracles."""
    from open_spiel.python import policy
    from open_spiel.python.algorithms import best_response, expected_game_score, policy_aggregator

    game = pyspiel.load_game("kuhn_poker")
    aggregator = policy_aggregator.PolicyAggregator(game)

    class Pure(policy.Policy):
        def __init__(self, actions):
            super().__init__(game, [0, 1])
            self.actions = dict(actions)

        def action_probabilities(self, state, player_id=None):
            return {self.actions.get(state.information_state_string(), 0): 1.0}

    def mixed(weights):
        held = [[Pure(strategy) for strategy in of_one] for of_one in weights]
        return aggregator.aggregate([0, 1], held, [list(of_one.values()) for of_one in weights])

    def payoffs(cell):
        return expected_game_score.policy_value(game.new_initial_state(), [Pure(strategy) for strategy in cell])

    def respond(weights):
        played, replies = mixed(weights), []
        value = expected_game_score.policy_value(game.new_initial_state(), [played] * 2)
        for player in (0, 1):
            reply = best_response.BestResponsePolicy(game, player, played)
            better = reply.value(game.new_initial_state()) > value[player] + 1e-9
            states = (key for key in reply.infosets)
            replies.append(tuple(sorted((key, reply.best_response_action(key)) for key in states)) if better else None)
        return replies

    found = double_oracle(((), ()), tabulated(payoffs), one_equilibrium, respond)
    assert found.form.values(found.mixtures)[0] == pytest.approx(VALUE, abs=1e-9)
    assert respond(found.weights) == [None, None] and max(map(len, found.opened)) < 32
