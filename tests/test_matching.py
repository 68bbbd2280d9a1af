"""The game of matching: lists, rules by name, the announced family, exact audits, and the published baselines."""

from __future__ import annotations

import re
from itertools import permutations

import numpy as np
import pytest
import torch

import lawgiver
from lawgiver.agents.policies import RulePolicy
from lawgiver.envs.core.errors import ActionError, ParameterError, UnknownNameError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.matching.game import FAMILY, RULES, shares_of
from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance, immediate_acceptance
from lawgiver.envs.solvers.matching.measures import (
    blocking_pairs,
    justified_envy,
    participation_violation,
    truthfulness_violation,
)
from lawgiver.envs.solvers.matching.preferences import shares
from lawgiver.envs.solvers.matching.serial import serial_dictatorship
from lawgiver.envs.views.parallel import GameParallelEnv
from lawgiver.trainers.statistics.streams import AUDIT


def game_of(**params):
    return make_game("matching", **params)


def drawn(game, batch=50, seed=0):
    return game.initial_state(batch, np.random.default_rng(seed)).types


def mechanism(game, name, **params):
    return make_policy(game, "mechanism", {"policy": name, **params})


# -- lists --------------------------------------------------------------------------------------------------------


def test_types_are_lists_that_are_cut_and_shared_as_often_as_they_should_be():
    game = game_of(n=8, truncation=0.2, correlation=0.5)
    types = drawn(game, 20_000)
    steps = types * 4
    assert np.array_equal(steps, steps.round()) and not (types == 0).any()
    alone = np.sort(np.concatenate([steps, 0 * steps[..., :1]], axis=-1), axis=-1)
    assert (np.diff(alone, axis=-1) == 1).all(), "places of partners and of being alone"
    length = (types > 0).sum(-1)
    assert abs((length < 4).mean() - 0.2) < 0.005
    assert np.allclose([(length == k).mean() for k in range(4)], 0.05, atol=0.004)
    same = (types[:, :4, None] == types[:, None, :4]).all(-1)
    chance = 0.8**2 / 24 + 0.2**2 / 96  # that two lists are alike, apart from the common one
    expected = 0.25 + 0.75 * chance
    assert abs(same[:, 0, 1].mean() - expected) < 0.015 and abs(same[:, 2, 3].mean() - expected) < 0.015
    assert abs((types[:, 0] == types[:, 4]).all(-1).mean() - chance) < 0.005, "sides have lists of their own"
    uniform = drawn(game_of(n=6, truncation=0), 20_000)[:, 0]
    _, counts = np.unique(uniform, axis=0, return_counts=True)
    assert len(counts) == 6 and np.allclose(counts / 20_000, 1 / 6, atol=0.012)


def test_priorities_are_orders_that_everybody_sees():
    game = game_of(sides="one", n=5, m=3, truncation=0)
    types = drawn(game, 4_000)
    assert types.shape == (4_000, 5, 3 + 15) and (types[:, 0, 3:] == types[:, 4, 3:]).all()
    values, priorities = game.both_sides(types)
    assert np.array_equal(np.sort(priorities, axis=1)[0, :, 0], np.arange(1, 6) / 5) and (values > 0).all()
    assert abs((priorities[:, 0] == 1).mean() - 0.2) < 0.02
    given = game_of(sides="one", n=3, m=2, priorities=[[0, 2, 1], [1, 0, 2]])
    _, priorities = given.both_sides(drawn(given, 2))
    assert np.allclose(priorities[1], [[1, 2 / 3], [1 / 3, 1], [2 / 3, 1 / 3]])
    alike = game_of(sides="one", n=4, correlation=1.0)
    values, priorities = alike.both_sides(drawn(alike, 20))
    assert (values == values[:, :1]).all() and (priorities == priorities[..., :1]).all()


def test_the_mechanism_sees_lists_and_nothing_else():
    game = game_of(n=6)
    types = drawn(game, 1)
    done = play_out(game, mechanism(game, "deferred_acceptance"), types, 0.3 * types)
    assert np.array_equal(done.reports, game.read(types)) and game.menu().shape == (16, 3)
    assert game_of(n=12).menu() is None
    assert "there are 1,957 lists of 6 partners, all of which are tried for up to 5" in game_of(n=12).menu_absence
    assert "there are more than 100! lists" in game_of(sides="one", n=2, m=100).menu_absence


# -- rules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("params", [{"n": 6}, {"sides": "one", "n": 5, "m": 3, "capacities": [1, 2, 1]}])
def test_rules_by_name_decide_by_the_lists(name, params):
    game = game_of(**params)
    types = drawn(game)
    done = play_out(game, mechanism(game, name), types, game.private(types))
    chances, (values, priorities) = shares_of(done), game.both_sides(types)
    assert (chances.sum(1) <= game.seats + 1e-9).all() and (chances.sum(2) <= 1 + 1e-9).all()
    assert game.outcome_error(done, game.joined(chances)) is None
    assert (chances * (values <= 0)).sum() < 1e-12, "nobody of the rows has whom it does not accept"
    assert np.allclose(done.utilities[:, : game.rows], (chances * values).sum(-1)) and not done.payments.any()
    if game.two_sided:
        assert np.allclose(done.utilities[:, game.rows :], (chances * priorities).sum(1))
    given = torch.from_numpy(types)
    as_torch = play_out(game, mechanism(game, name), given, game.private(given))
    assert np.allclose(shares_of(as_torch).numpy(), chances, atol=1e-6)


@pytest.mark.parametrize(
    ("params", "name", "told"),
    [
        ({"mechanism_mode": "announce"}, "max_weight", "with mechanism_mode='announce', which mixes others; allowed"),
        ({"mechanism_mode": "announce", "n": 14}, "random_priority", "with 7 rows, whose orders are more than those"),
        ({}, "borda", "'borda' is not a rule of matching-v0"),
    ],
)  # fmt: skip
def test_a_rule_that_the_game_lacks_is_refused(params, name, told):
    with pytest.raises(UnsupportedGameError, match=told):
        mechanism(game_of(**params), name)


def test_of_many_rows_the_order_is_drawn_and_no_audit_takes_it_for_a_rule():
    game = game_of(sides="one", n=7, m=2, capacities=2, truncation=0)
    types = np.tile(drawn(game, 1), (4_000, 1, 1))
    done = play_out(game, mechanism(game, "random_priority"), types, game.private(types), np.random.default_rng(0))
    chances = shares_of(done)
    assert set(np.unique(chances)) == {0, 1} and (chances.sum(1) == 2).all()
    assert np.allclose(chances.sum(2).mean(0), 4 / 7, atol=0.04)
    with pytest.raises(UnsupportedGameError, match="draws at random"):
        lawgiver.audit("random_priority", {"name": "matching", "n": 14}, profiles=5)


def test_announced_weights_mix_the_rules():
    game = game_of(n=6, mechanism_mode="announce", objective="welfare")
    types = drawn(game)
    assert tuple(game.members) == FAMILY and "random_priority" not in game_of(n=14, mechanism_mode="announce").members
    decided = {name: game.decide(np.tile(game.members[name], (50, 1)), types) for name in FAMILY}
    for name in FAMILY:
        assert np.array_equal(decided[name], game.ruled(name, game.read(types)))
    mixed = game.decide(np.tile([0.5, 0, 0, 0.25], (50, 1)), types)
    assert np.allclose(mixed, (2 * decided["deferred_acceptance"] + decided["random_priority"]) / 3)
    assert np.allclose(game.decide(np.zeros((50, 4)), types), sum(decided.values()) / 4)
    state = game.initial_state_from(types)
    assert "1.5 as weight of top_trading_cycles" in game.outcome_error(state, np.array([[0, 1.5, 0, 0]]))


# -- decisions and measures -------------------------------------------------------------------------------------------


def test_an_action_becomes_shares_that_can_be_had():
    game = game_of(sides="one", n=3, m=2, capacities=[2, 1])
    sent = np.random.default_rng(0).random((500, 6))
    chances = game.chances_of(game.decision(sent))
    assert (chances.sum(2) <= 1 + 1e-12).all() and (chances.sum(1) <= game.seats + 1e-12).all()
    fair = game.joined(chances)
    assert np.allclose(game.decision(game.action_of(fair)), fair, atol=1e-15)
    assert game.decision(np.ones((1, 6)))[0].tolist() == [1 / 2, 1 / 3] * 3
    state = game.initial_state_from(drawn(game, 1))
    for wrong, told in (
        ([-0.1, 0, 0, 0, 0, 0], "a share of -0.1, allowed: at least 0"),
        ([0.7, 0.7, 0, 0, 0, 0], "sum to 1.4 in row 0, allowed: at most 1"),
        ([0, 0.7, 0, 0.7, 0, 0], "sum to 1.4 in column 1, allowed: at most 1"),
        ([1, 0, 1, 0, 0.5, 0], "sum to 2.5 in column 0, allowed: at most 2"),
    ):
        assert told in game.outcome_error(state, np.array([wrong]))


def test_without_luck_measures_are_numbers_of_pairs():
    for params in ({"n": 8}, {"sides": "one", "n": 6, "m": 3, "capacities": 2, "truncation": 0.3}):
        game = game_of(**params)
        types = drawn(game, 200)
        values, priorities = game.both_sides(types)
        done = play_out(game, mechanism(game, "immediate_acceptance"), types, game.private(types))
        matching = immediate_acceptance(values, priorities, game.capacities)
        measured = {name: measure(done) for name, measure in game.measures().items()}
        blocked = blocking_pairs(matching, values, priorities, game.capacities)
        assert np.allclose(measured["blocking"], blocked) and blocked.any()
        assert np.allclose(measured["envy"], justified_envy(matching, values, priorities))
        assert np.allclose(measured["welfare"], done.utilities.mean(-1))
        assert ((measured["stability"] > 1e-9) == (blocked > 0)).all()
        assert (measured["rank"] >= 1).all() and (measured["rank"] <= 1 + game.columns).all()


def test_chances_are_multiplied_where_shares_do_not_tell():
    game = game_of(n=4, truncation=0)
    types = np.array([[[1, 0.5], [1, 0.5], [1, 0.5], [1, 0.5]]])  # all agree
    done = play_out(game, mechanism(game, "random_priority"), types, types)
    assert np.array_equal(shares_of(done), np.full((1, 2, 2), 0.5))
    assert game.measures()["blocking"](done) == pytest.approx(0.25)  # row 0, column 0: a half each
    assert game.measures()["rank"](done) == pytest.approx(1.5)


def test_mechanisms_are_paid_minus_what_is_to_be_small():
    for objective, sense in {"stability": -1, "blocking": -1, "rank": -1, "envy": -1, "welfare": 1}.items():
        game = game_of(n=6, objective=objective)
        assert game.sense == sense
        types = drawn(game)
        done = play_out(game, mechanism(game, "serial_dictatorship"), types, types)
        assert np.array_equal(game.measure(done), game.measures()[objective](done))


# -- exact audits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rows", "columns", "ordinal"),
    [
        ("deferred_acceptance", False, True, True),
        ("columns_propose", True, False, True),
        ("top_trading_cycles", False, True, True),
        ("immediate_acceptance", True, True, True),
        ("random_priority", False, False, False),
        ("serial_dictatorship", False, False, False),
    ],
)
def test_exact_audits_know_who_can_gain(name, rows, columns, ordinal):
    found = lawgiver.audit(name, {"name": "matching", "n": 6}, profiles=60)
    gains = found.joint.gains
    assert found.exact and found.menu_size == 16
    assert (gains[:, :3].max() > 0.1) == rows and (gains[:, 3:].max() > 0.1) == columns
    assert gains[:, :3].max() < 1e-12 or rows
    assert (found.ordinal.gains.max() > 1e-9) == ordinal
    assert found.ordinal.gains.max() <= 1 + 1e-12
    if name == "random_priority":
        assert not gains.any() and found.data()["menu"] == {"size": 16, "noun": "lists"}


def test_schools_that_trade_or_defer_are_truthful_and_boston_is_not():
    schools = {"name": "matching", "preset": "schools", "n": 6, "m": 3, "capacities": 2}
    for name in ("deferred_acceptance", "top_trading_cycles", "random_priority"):
        found = lawgiver.audit(name, schools, profiles=40)
        assert found.exact and not found.joint.gains.any() and not found.ordinal.gains.any()
    assert lawgiver.audit("immediate_acceptance", schools, profiles=40).joint.gains.max() > 0.3
    eaten = lawgiver.audit("probabilistic_serial", {**schools, "capacities": 1}, profiles=40)
    assert 0 < eaten.ordinal.gains.mean() < 0.1


def test_an_audit_of_lists_is_the_published_violation_where_nobody_is_matched_unwillingly():
    game = game_of(n=6)
    types = game.initial_state(30, np.random.default_rng([AUDIT, 0])).types
    found = lawgiver.audit("deferred_acceptance", game, profiles=30)
    assert np.array_equal(found.types, types)
    values, priorities = game.both_sides(types)
    rows, columns = truthfulness_violation(lambda v, q: shares(deferred_acceptance(v, q), 3, v), values, priorities)
    assert np.allclose(found.ordinal.gains, np.concatenate([rows, columns], axis=1))


# -- published baselines ------------------------------------------------------------------------------------------


REFERENCE = 2_048
"""Profiles that the reference's stability is a mean of; of truthfulness a quarter of them."""
PUBLISHED = {  # stability with what unwilling ones lose, violation of strategyproofness
    0.0: {"deferred_acceptance": (0, 0.0564), "top_trading_cycles": (0.0235, 0.0225), "random_priority": (0.0791, 0),
          "immediate_acceptance": (0.0193, 0.1316)},
    0.25: {"deferred_acceptance": (0, 0.0479), "top_trading_cycles": (0.0225, 0.0210), "random_priority": (0.0846, 0)},
    0.75: {"deferred_acceptance": (0, 0.0085), "top_trading_cycles": (0.0050, 0.0054), "random_priority": (0.1153, 0)},
}  # fmt: skip


@pytest.mark.parametrize("correlation", PUBLISHED)
def test_baselines_are_the_published_ones(correlation):
    game = game_of(correlation=correlation)
    types = drawn(game, 12_000)
    values, priorities = game.both_sides(types)
    few = slice(400)
    for name, (stability, truthfulness) in PUBLISHED[correlation].items():
        state = game.settle(game.initial_state_from(types), game.ruled(name, types))
        found = game.measures()["stability"](state)
        error = found.std() * (1 / len(found) + 1 / REFERENCE) ** 0.5
        assert abs(found.mean() - stability) < 0.002 + 2 * error, name
        if name != "random_priority":
            lies = truthfulness_violation(lambda v, q, name=name: RULES[name](v, q, [1] * 4), values[few],
                                          priorities[few])  # fmt: skip
            per_game = np.concatenate(lies, axis=1).mean(1)
            error = per_game.std() * (1 / len(per_game) + 4 / REFERENCE) ** 0.5
            assert abs(per_game.mean() - truthfulness) < 0.003 + 2 * error, name


def test_random_priority_costs_unwilling_columns_what_it_should():
    for correlation, matched in ((0.0, 0.05766), (0.75, 0.05587)):
        types = drawn(game := game_of(correlation=correlation), 20_000, seed=5)
        chances = game.chances_of(game.ruled("random_priority", types))
        lost = participation_violation(chances, *game.both_sides(types))
        # Nobody asks columns, and one dislikes a row by 1/16 in the mean: 1/5 of lists are cut, by 5/4 over 4 partners.
        expected = chances.sum((1, 2)) / 16 / 4
        assert abs((lost - expected).mean()) < 4 * (lost - expected).std() / len(lost) ** 0.5
        assert abs(expected.mean() - matched) < 4 * expected.std() / len(lost) ** 0.5 + 0.0001


# -- known solutions and bad input ------------------------------------------------------------------------------------


def test_known_solutions_are_those_of_all_profiles_of_three():
    solutions = game_of(preset="three").known_solutions()
    assert [round(each.value(), 5) for each in solutions] == [1.45833, 1.44444, 1.42593, 0.23611, 0.00386]
    assert all(each.residual() <= each.tolerance for each in solutions)
    assert not game_of().known_solutions()


def test_serial_dictatorship_follows_the_numbers():
    game = game_of(sides="one", n=4, m=4, truncation=0)
    types = drawn(game)
    values, _ = game.both_sides(types)
    done = play_out(game, mechanism(game, "serial_dictatorship"), types, game.private(types))
    assert np.array_equal(shares_of(done), shares(serial_dictatorship(values, np.arange(4)), 4, values))
    every = [shares(serial_dictatorship(values, np.array(order)), 4, values) for order in permutations(range(4))]
    drawn_order = play_out(game, mechanism(game, "random_priority"), types, game.private(types))
    assert np.allclose(shares_of(drawn_order), np.mean(every, axis=0))


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"n": 0}, "n is 0, allowed: an integer in 1..200"),
        ({"n": 7}, "n is 7, allowed with sides='two': an even number, of which half are rows"),
        ({"m": 5}, "m is 5, allowed with sides='two': 4, half of n, or None"),
        ({"sides": "both"}, "sides is 'both': allowed: one, two"),
        ({"capacities": 0}, "capacities is 0, allowed: an integer in 1..1,000,000"),
        ({"capacities": [1, 1, 0, 2]}, r"capacities\[2\] is 0, allowed: an integer in 1.."),
        ({"capacities": [1, 2]}, "capacities has 2 numbers, allowed: one, or 4"),
        ({"capacities": 1.5}, "capacities is 1.5, allowed: a whole number >= 1, or a list of 4"),
        ({"priorities": [[0, 1]]}, "priorities are given, allowed with sides='two': None"),
        ({"sides": "one", "n": 3, "m": 1, "priorities": [[0, 1, 1]]},
         r"priorities\[0\] is \[0, 1, 1\], allowed: each of 0 to 2 once, in an order"),
        ({"sides": "one", "n": 3, "m": 2, "priorities": [[0, 1, 2]]}, r"allowed: a list of 2 orders"),
        ({"sides": "one", "n": 2, "m": 1, "priorities": ["01"]}, r"priorities\[0\] is '01', allowed: each of 0 to 1"),
        ({"truncation": 1.2}, r"truncation is 1.2, allowed: a number in \[0, 1\]"),
        ({"correlation": "high"}, r"correlation is 'high', allowed: a number in \[0, 1\]"),
        ({"sides": "one", "n": 100}, "100 participants and 100 columns make 1,010,000 numbers, priorities with them"),
        ({"objective": "stable"}, "stable"),
    ],
)  # fmt: skip
def test_bad_parameters_are_named(params, told):
    with pytest.raises((ParameterError, UnknownNameError), match=told) as error:
        game_of(**params)
    assert "\n" not in str(error.value)


def test_a_supplied_mechanism_that_shares_too_much_is_stopped():
    class Greedy(RulePolicy):
        def action(self, obs):
            return np.ones((len(obs), 1, 16))

        def outcome(self, obs, mask, state, rng):
            return np.ones((len(obs), 16)), state

    env = GameParallelEnv(game_of(), mechanism=Greedy())
    env.reset(seed=0)
    with pytest.raises(ActionError, match=re.escape("has shares that sum to 4 in row 0, allowed: at most 1")):
        for _ in range(2):
            env.step({agent: env.action_space(agent).sample() for agent in env.agents})
