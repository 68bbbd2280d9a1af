"""The one-shot game of payment-free allocation: types, rules by demand, measures, and the mechanisms that play it."""

from __future__ import annotations

import numpy as np
import pettingzoo
import pytest
import torch
from scipy import stats

from lawgiver.agents.allocation import EqualSplit
from lawgiver.agents.exs_net import LearnedExSNet
from lawgiver.agents.rpf_net import LearnedRPFNet
from lawgiver.envs.core.errors import ActionError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.payment_free_allocation.measures import efficiency, mean_log_utility, utilities
from lawgiver.envs.payment_free_allocation.sharing import equal_split, water_filling

RNG = np.random.default_rng(0)


def game_of(**params):
    return make_game("payment_free_allocation", **params)


def drawn(game, batch=200, seed=0):
    return game.initial_state(batch, np.random.default_rng(seed)).types


def honest(game, name, types, **params):
    return play_out(game, make_policy(game, "mechanism", {"policy": name, **params}), types, types)


# -- types --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (4, 1)])
def test_types_have_the_distribution_that_is_asked_for(shape):
    game = game_of(n=2, m=2, value_low=0.5, value_high=2.5, value_beta=shape, demand_beta=shape[::-1])
    values, demands = game.split(drawn(game, 3000))
    law = stats.beta(*shape)
    assert stats.kstest((values.ravel() - 0.5) / 2, law.cdf).pvalue > 1e-3
    assert stats.kstest((demands.ravel() - 0.1) / 0.9, stats.beta(*shape[::-1]).cdf).pvalue > 1e-3


def test_demands_are_there_as_often_as_asked_for_and_nobody_is_left_without_any():
    game = game_of(n=4, m=3, present=0.3)
    _, demands = game.split(drawn(game, 5000))
    there = demands > 0
    none = 0.7**3
    share = (3 * 0.3 + none) / 3  # whoever would have none has one
    assert there.any(-1).all()
    assert there.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / there.size))
    assert (demands[there] >= 0.1).all()
    kept = np.where(there.sum(-1) == 1)
    assert np.ptp(there[kept].mean(0)) < 0.05  # none is kept more often than another


def test_types_come_from_a_file(tmp_path):
    values, demands = RNG.uniform(0, 1, (7, 2, 3)), RNG.uniform(0.1, 1, (7, 2, 3))
    file = tmp_path / "types.npz"
    np.savez(file, values=values, demands=demands)
    game = game_of(n=2, m=3, types_file=file)
    types = drawn(game, 300)
    known = np.concatenate([values, demands], -1)
    found = [np.flatnonzero((known == row).all((1, 2))) for row in types]
    assert {int(each[0]) for each in found if len(each) == 1} == set(range(7)) and all(map(len, found))
    assert game.initial_state(5, torch.Generator().manual_seed(0)).types.shape == (5, 2, 6)


@pytest.mark.parametrize("high", [0.7, 1 / 3])
def test_types_in_a_file_may_be_at_their_bound_in_either_precision(tmp_path, high):
    for dtype in (np.float32, np.float64):
        file = tmp_path / f"{np.dtype(dtype)}.npz"
        np.savez(file, values=np.full((1, 2, 3), high, dtype), demands=np.ones((1, 2, 3), dtype))
        values = drawn(game_of(n=2, m=3, value_high=high, types_file=file), 4)[..., :3]
        assert np.allclose(values, high, rtol=1e-7) and (values <= high).all()
    np.savez(file, values=np.full((1, 2, 3), high + 1e-4), demands=np.ones((1, 2, 3)))
    with pytest.raises(ParameterError, match=r"values\[0, 0, 0\]"):
        game_of(n=2, m=3, value_high=high, types_file=file)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"values": np.ones((4, 2, 3))}, "cannot be read .*demands"),
        ({"values": np.ones((4, 2, 2)), "demands": np.ones((4, 2, 3))}, r"values of shape \(4, 2, 2\), allowed"),
        ({"values": np.ones((4, 2, 3)), "demands": np.ones((5, 2, 3))}, "4 profiles of values and 5 of demands"),
        ({"values": np.ones((4, 2, 3)), "demands": -np.ones((4, 2, 3))}, r"demands\[0, 0, 0\] = -1, allowed"),
        ({"values": np.full((4, 2, 3), np.nan), "demands": np.ones((4, 2, 3))}, r"values\[0, 0, 0\] = nan"),
        ({"values": np.zeros((4, 2, 3)), "demands": np.ones((4, 2, 3))}, "that participant 0 of profile 0 wants"),
    ],
)  # fmt: skip
def test_a_file_of_types_that_cannot_be_used_is_refused(tmp_path, arrays, told):
    file = tmp_path / "types.npz"
    np.savez(file, **arrays)
    with pytest.raises(ParameterError, match=told):
        game_of(n=2, m=3, types_file=str(file))


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"supply": 0}, r"supply is 0, allowed: a number in \(0, 1e12\]"),
        ({"supply": -1.0}, "supply is -1.0"),
        ({"supply": float("nan")}, "supply is nan"),
        ({"supply": [1, 1]}, "supply has 2 numbers, allowed: one, or 3"),
        ({"weights": [1, 1, 1, 1, 0]}, r"weights\[4\] is 0"),
        ({"weights": None}, "weights is None"),
        ({"value_low": 2.0}, r"value_high is 1.0, allowed: a number in \(2.0, inf\)"),
        ({"demand_low": -0.1}, "demand_low is -0.1"),
        ({"value_beta": [1.5, 1]}, r"value_beta\[0\] is 1.5, allowed: an integer in 1..50"),
        ({"demand_beta": "uniform"}, "demand_beta is 'uniform', allowed: two whole numbers"),
        ({"present": 0.0}, r"present is 0.0, allowed: a number in \(0, 1\]"),
        ({"objective": "nash_welfare"}, "is called 'mean_log_utility' now"),
        ({"n": 0}, "n is 0"),
        ({"types_file": "nowhere.npz"}, "'nowhere.npz' cannot be read"),
    ],
)
def test_wrong_parameters_are_refused(params, told):
    with pytest.raises(ParameterError, match=told):
        game_of(**params)


# -- by demand alone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 7])
def test_water_is_filled_to_one_level_that_uses_all_there_is(n):
    demands = RNG.uniform(0, 1, (300, n, 4)) * (RNG.random((300, n, 4)) < 0.8)
    weights, supply = RNG.uniform(0.2, 3, n), np.array([0.1, n / 4, n / 2, 2.0 * n])
    amounts = water_filling(demands, supply, weights)
    assert (amounts >= 0).all() and (amounts <= demands).all()
    assert amounts.sum(1) == pytest.approx(np.minimum(demands.sum(1), supply), abs=1e-12)
    levels = np.where(amounts < demands - 1e-12, amounts / weights[:, None], np.nan)  # of those who want more
    short = np.isfinite(levels).any(1)
    assert (
        np.nanmax(np.where(short[:, None], levels, 0), 1) - np.nanmin(np.where(short[:, None], levels, 0), 1)
    ).max() < 1e-12
    most = np.where(short, np.nanmax(np.where(short[:, None], levels, 0), 1), np.inf)
    assert (amounts <= weights[:, None] * most[:, None] + 1e-12).all()


def test_rules_by_demand_run_on_torch_with_slopes():
    demands = torch.tensor(RNG.uniform(0.1, 1, (6, 4, 2)), requires_grad=True)
    supply, weights = np.array([1.0, 1.7]), np.array([1.0, 2.0, 1.0, 0.5])
    for rule in (water_filling, equal_split):
        assert rule(demands.detach().numpy(), supply, weights) == pytest.approx(
            rule(demands, supply, weights).detach().numpy(), abs=1e-15
        )
        assert torch.autograd.gradcheck(lambda d, rule=rule: rule(d, supply, weights), demands)


# -- measures -----------------------------------------------------------------------------------------------------


def test_measures_by_hand():
    values, demands = np.array([[[1.0, 0.5], [0.2, 2.0]]]), np.array([[[0.4, 0.0], [0.4, 0.3]]])
    amounts = np.array([[[0.5, 0.1], [0.3, 0.2]]])  # more than demand is of no use
    worth = utilities(amounts, values, demands)
    assert worth == pytest.approx(np.array([[0.4, 0.06 + 0.4]]))
    assert mean_log_utility(worth, np.array([1.0, 3.0])) == pytest.approx((np.log(0.4) + 3 * np.log(0.46)) / 2)
    assert mean_log_utility(np.zeros((1, 2)), np.ones(2)) == pytest.approx(np.log(1e-6))
    # resource 0: 0.4 + 0.3 of min(0.6, 0.8); resource 1: 0.2 of min(1, 0.3)
    assert efficiency(amounts, demands, np.array([0.6, 1.0])) == pytest.approx((0.7 / 0.6 + 0.2 / 0.3) / 2)
    nobody = np.concatenate([demands[..., :1], 0 * demands[..., 1:]], -1)  # a resource that nobody wants does not count
    assert efficiency(amounts, nobody, np.array([1.0, 1.0])) == pytest.approx(0.7 / 0.8)


# -- rules and mechanisms -----------------------------------------------------------------------------------------


def test_the_family_of_rules_runs_between_the_three_that_have_names():
    game = game_of(n=4, m=3, mechanism_mode="announce", weights=[1, 2, 1, 0.5])
    types = drawn(game, 50)
    _, demands = game.split(types)
    every = {name: np.broadcast_to(np.array(rule), (50, 2)) for name, rule in game.members.items()}
    amounts = {name: game.amounts_of(game.decide(rule, types)) for name, rule in every.items()}
    assert amounts["water_filling"] == pytest.approx(water_filling(demands, game.supplies, game.weighting), abs=1e-15)
    fair, partial = amounts["proportional_fairness"], amounts["partial_allocation"]
    mixed = np.stack([np.zeros(50), RNG.random(50)], 1)
    between = (1 - mixed[:, 1, None, None]) * fair + mixed[:, 1, None, None] * amounts["water_filling"]
    assert game.amounts_of(game.decide(mixed, types)) == pytest.approx(between, abs=1e-9)
    kept = (partial.sum((1, 2)) / fair.sum((1, 2))).mean()
    assert 0.36 < kept < 1
    half = game.amounts_of(game.decide(np.tile([0.5, 0.0], (50, 1)), types))
    assert half**2 == pytest.approx(fair * partial, abs=1e-8)


@pytest.mark.parametrize("mode", ["allocate", "announce"])
@pytest.mark.parametrize(
    "policy",
    [
        {"policy": "proportional_fairness"},
        {"policy": "proportional_fairness", "sharing": 0.3},
        {"policy": "partial_allocation", "burning": 0.5},
        {"policy": "water_filling"},
    ],
)
def test_mechanisms_play_alike_in_both_modes_and_on_both_backends(policy, mode):
    game, other = game_of(n=3, m=2, mechanism_mode=mode), game_of(n=3, m=2)
    types = drawn(game, 20)
    found = play_out(game, make_policy(game, "mechanism", policy), types, types)
    values, demands = game.split(types)
    expected = play_out(other, make_policy(other, "mechanism", policy), types, types)
    assert found.amounts == pytest.approx(expected.amounts, abs=1e-12)
    assert (found.payments == 0).all() and found.payoffs == pytest.approx(utilities(found.amounts, values, demands))
    tensors = torch.from_numpy(types)
    torched = play_out(game, make_policy(game, "mechanism", policy), tensors, tensors)
    assert torched.amounts.numpy() == pytest.approx(found.amounts, abs=1e-7)


def test_no_rule_has_more_nash_welfare_than_proportional_fairness():
    game = game_of(n=4, m=3, weights=[1, 2, 1, 0.5])
    types = drawn(game, 100)
    best = game.measure(honest(game, "proportional_fairness", types))
    torch.manual_seed(0)
    named = [make_policy(game, "mechanism", name) for name in ("partial_allocation", "water_filling", "equal_split")]
    for mechanism in (*named, LearnedExSNet(game), LearnedRPFNet(game)):
        assert (game.measure(play_out(game, mechanism, types, types)) <= best + 1e-6).all()


def test_nobody_gets_more_than_it_reports_to_demand_or_makes_use_of_more_than_its_demand():
    game = game_of(n=2, m=1, supply=1.0)
    types = np.array([[[1.0, 0.3], [1.0, 1.0]]])
    reports = np.array([[[1.0, 0.5], [1.0, 0.2]]])
    state = play_out(game, make_policy(game, "mechanism", "water_filling"), types, reports)
    assert state.amounts[0, :, 0] == pytest.approx([0.5, 0.2])
    assert state.utilities[0] == pytest.approx([0.3, 0.2])
    assert game_of(n=2, m=1, objective="efficiency").measure(state) == pytest.approx(0.5)


def test_logits_stand_for_shares_and_what_is_burnt():
    game = game_of(n=2, m=2, supply=[1.0, 3.0])
    logits = np.log(np.array([[[0.5, 0.2], [0.3, 0.2], [0.2, 0.6]]])).reshape(1, -1)
    decision = game.decision(logits)
    assert game.amounts_of(decision)[0] == pytest.approx(np.array([[0.5, 0.6], [0.3, 0.6]]))
    assert game.decision(game.action_of(decision)) == pytest.approx(decision)
    nothing = np.zeros((1, 4))
    assert game.decision(game.action_of(nothing)) == pytest.approx(nothing, abs=1e-8)
    all_ = np.array([[1.0, 0.0, 0.0, 3.0]])
    sent = game.action_of(all_)
    assert (np.abs(sent) <= 10).all() and game.decision(sent) == pytest.approx(all_, abs=1e-7)


def test_mechanisms_play_as_agents_as_they_do_when_they_are_folded_in():
    game = game_of(n=3, m=2)
    types = drawn(game, 30)
    for name in ("proportional_fairness", "water_filling", "equal_split"):
        policy = make_policy(game, "mechanism", name)
        state = game.advance(game.initial_state_from(types), types, {})[0]
        obs = game.observe(state, "mechanism")
        sent = policy.act(obs, None, None, RNG)[0]
        assert game.action_space("mechanism").contains(sent[0, 0].astype(np.float32))
        assert game.step(state, sent, {})[0].amounts == pytest.approx(honest(game, name, types).amounts, abs=1e-6)


def test_a_mechanism_that_hands_out_too_much_is_refused():
    class Generous(EqualSplit):
        def allocate(self, values, demands):
            return demands * 0 + 0.9

    class Taking(EqualSplit):
        def allocate(self, values, demands):
            return demands - 2

    game = game_of(n=3, m=2)
    for mechanism, told in (
        (Generous, r"hands out 2.7 of resource 0, allowed: no more than its supply 1.5"),
        (Taking, "at least 0"),
    ):
        env = pettingzoo.make(
            "parallel", "lawgiver/payment_free_allocation-v0", n=3, m=2, mechanism=mechanism(game, "own")
        )
        env.reset(seed=0)
        with pytest.raises(ActionError, match=told):
            env.step({agent: env.action_space(agent).sample() for agent in env.agents})


@pytest.mark.parametrize("mode", ["allocate", "announce"])
def test_reports_are_taken_as_they_are_wherever_the_space_allows_them(mode):
    """The least value and demand bound what is drawn, not what may be said."""
    game = game_of(n=2, m=2, value_low=0.3, demand_low=0.2, mechanism_mode=mode)
    for field in (*game.type_layout(), *game.action_layout("participant")):
        assert (field.low, field.high) == (0, 1)
    sent = np.array([[[0.0, 0.1, 1.0, 0.0], [0.25, 1.0, 0.05, 1.0]]])
    state = game.initial_state_from(game.initial_state(1, np.random.default_rng(0)).types)
    if mode == "announce":
        state = game.advance(state, np.zeros((1, 2)), {})[0]
    np.testing.assert_array_equal(game.outcome(state, sent), sent)


def test_who_reports_no_value_gets_nothing():
    env = pettingzoo.make(
        "parallel", "lawgiver/payment_free_allocation-v0", n=2, m=1, mechanism="proportional_fairness"
    )
    env.reset(seed=0)
    sent = {"participant_0": np.array([0.0, 0.4], np.float32), "participant_1": np.array([0.05, 0.4], np.float32)}
    *_, infos = env.step(sent)
    assert infos["participant_0"]["amounts"].ravel() == pytest.approx([0.0, 0.4])


def test_a_value_below_the_least_pays_under_proportional_fairness():
    """Values (.9, .6) and (.99, .01) of units that each could use whole.

    Up to the other's proportion, 99 : 1, who says (r, 1 - r) gets (2 r - 1) / 2 r of the first unit, and the second.
    """
    game = game_of(n=2, m=2, supply=1.0, value_low=0.1)
    types = np.array([[[0.9, 0.6, 1, 1], [0.99, 0.01, 1, 1]]])
    truthful = play_out(game, make_policy(game, "mechanism", "proportional_fairness"), types, types)
    lied = types.copy()
    lied[0, 0, :2] = 0.89, 0.009
    lying = play_out(game, make_policy(game, "mechanism", "proportional_fairness"), types, lied)
    share = lied[0, 0, 0] / lied[0, 0, :2].sum()
    assert lying.utilities[0, 0] == pytest.approx(0.9 * (2 * share - 1) / (2 * share) + 0.6, abs=1e-6)
    assert lying.utilities[0, 0] > truthful.utilities[0, 0] + 0.1


def test_what_a_game_does_not_offer_is_said():
    with pytest.raises(UnsupportedGameError, match="'equal_split' is none of the rules that can be announced"):
        make_policy(game_of(mechanism_mode="announce"), "mechanism", "equal_split")
    with pytest.raises(UnsupportedGameError, match="'water_filling' shares divisible resources"):
        make_policy(make_game("sequential_sales"), "mechanism", "water_filling")
    with pytest.raises(ParameterError, match=r"burning is 2, allowed: a number in \[0, 1\]"):
        make_policy(game_of(), "mechanism", {"policy": "partial_allocation", "burning": 2})


def test_equal_split_of_one_resource_leaves_what_is_not_wanted():
    game = game_of(n=2, m=1, supply=1.0, weights=[3, 1])
    state = honest(game, "equal_split", np.array([[[1.0, 0.5], [1.0, 1.0]]]))
    assert state.amounts[0, :, 0] == pytest.approx([0.5, 0.25])
    shown = game.picture(state, 0)
    assert shown["left over"] == pytest.approx([0.25]) and shown["amount"] == pytest.approx([0.5, 0.25])
