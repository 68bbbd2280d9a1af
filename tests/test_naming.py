"""Rules are named by their parameters and a formula, and what is loaded says what it is."""

from __future__ import annotations

import re

import numpy as np
import pytest

import lawgiver
from lawgiver.agents.exs_net import LearnedExSNet
from lawgiver.agents.follower import LearnedFollower
from lawgiver.agents.graph_network import LearnedGraphMechanism
from lawgiver.agents.learned import load_policy, save_policy
from lawgiver.agents.naming import rule_of, rule_text
from lawgiver.agents.network_policies import LearnedMechanism, LearnedParticipants
from lawgiver.agents.reporting import AffineMaximiser

ANNOUNCED = [
    ("public_investment", {"mechanism_mode": "announce"}, (2.87, 0.57), "p = 2.87, q = 0.57", "e_i^q (c_i / e_i)^p"),
    (
        "public_investment",
        {"mechanism_mode": "announce", "rule_family": "manifold"},
        (0.5, 0.25),
        "w = 0.5, v = 0.25",
        "v m_",
    ),
    ("taxed_dilemma", {}, (0.3,), "tax = 0.3", "pooled"),
    ("lanes", {"degree": 3}, (1.0, -2.0, 0.5), "w_1 = 1, w_2 = -2, w_3 = 0.5", "w_1 z + w_2 z^2 + w_3 z^3"),
    (
        "divisible_good",
        {},
        (0.5, 0.25, 0.125, 0.05),
        "price_1 = 0.5, price_2 = 0.25, price_3 = 0.125, slope = 0.05",
        "price_t k",
    ),
    ("divisible_good", {"prices": "flat"}, (0.5, 0.05), "price = 0.5, slope = 0.05", "cost price k"),
    ("selfish_routing", {"tolled": ("v-w",)}, (0.25,), "toll_v-w = 0.25", "pays its toll"),
    (
        "measured_effort",
        {"tests": ((1, 0), (1, -0.5))},
        (0.5, 0.25),
        "weight_1 = 0.5, weight_2 = 0.25",
        "weight_1 (1 effort_1) + weight_2 (1 effort_1 - 0.5 effort_2)",
    ),
    ("supply_demand", {}, (0.5, 0.0, -0.5), "bonus_0 = 0.5, bonus_1 = 0, bonus_2 = -0.5", "bonus"),
    (
        "payment_free_allocation",
        {"mechanism_mode": "announce"},
        (0.5, 0.25),
        "burning = 0.5, sharing = 0.25",
        "PA^burning",
    ),
    (
        "repeated_allocation",
        {"stage": {"n": 3, "m": 2, "mechanism_mode": "announce"}},
        (0.5, 0.25),
        "burning = 0.5, sharing = 0.25",
        "water filling",
    ),
]


@pytest.mark.parametrize(("name", "params", "numbers", "told", "formula"), ANNOUNCED)
def test_an_announced_rule_is_named_whoever_announces_it(name, params, numbers, told, formula):
    game = lawgiver.make_game(name, **params)
    learned = LearnedMechanism(game, start=numbers, hidden=None)
    for policy in (learned, lawgiver.make_policy(game, "mechanism", "rule", parameters=numbers)):
        rule = rule_of(game, policy)
        assert list(rule["parameters"].values()) == pytest.approx(numbers, abs=1e-6)
        assert rule_text(rule).startswith(told) and formula in rule["formula"]
    assert told in repr(learned) and game.name in repr(learned)


@pytest.mark.parametrize("family", ["power", "manifold"])
def test_the_formula_of_public_investment_is_what_is_played(family):
    game = lawgiver.make_game(
        "public_investment", endowments=(10, 2, 4, 6), mechanism_mode="announce", rule_family=family
    )
    e, c = np.array([10.0, 2, 4, 6]), np.array([3.0, 2, 1, 4])
    first, second = 0.8, 0.3
    played = game.family.weights(np.array([[first, second]]), e[None], c[None])[0]
    if family == "power":
        shares = e**second * (c / e) ** first
        told = shares / shares.sum()
    else:

        def mixed(x: np.ndarray) -> np.ndarray:
            s = x / x.sum()
            return first * s + (1 - first) * (1 - s) / (len(s) - 1)

        told = second * mixed(c) + (1 - second) * mixed(c / e)
    assert played == pytest.approx(told)


def test_a_rule_that_depends_on_the_endowments_is_named_for_each_condition():
    game = lawgiver.make_game("public_investment", endowments=[(10, 2, 2, 2), (10, 4, 4, 4)], mechanism_mode="announce")
    learned = LearnedMechanism(game, start=(1.0, 1.0), hidden=[4])
    for parameter in learned.network.parameters():
        parameter.data.normal_(0, 0.5)
    rule = rule_of(game, learned)
    assert [each["endowments"] for each in rule["by_condition"]] == [[10, 2, 2, 2], [10, 4, 4, 4]]
    assert re.match(r"\(10, 2, 2, 2\): p = \S+, q = \S+; \(10, 4, 4, 4\): p = ", rule_text(rule))
    assert "network of [4] hidden units" in repr(learned)


def test_rules_of_several_seeds_are_named_by_their_mean_and_ends():
    from lawgiver.trainers.statistics.seeds import aggregate

    rules = [{"formula": "f", "parameters": {"p": p}} for p in (2.0, 4.0)]
    assert rule_text(aggregate(rules)) == "p = 3 [2 to 4 by seed] (f)"


def test_an_affine_maximiser_is_named_by_weights_and_boosts():
    game = lawgiver.make_game("sequential_sales", n=2, m=1)
    boosts = np.zeros((game.mdp.n_states, game.mdp.n_actions))
    boosts[0, 0] = -0.5
    policy = AffineMaximiser(game, log_weights=np.log([1.0, 2.0]), boosts=boosts)
    rule = rule_of(game, policy)
    assert rule["parameters"] == {
        "weight_0": 1.0,
        "weight_1": pytest.approx(2.0),
        "least boost": -0.5,
        "greatest boost": 0.0,
        "boosts": boosts.size,
    }
    assert "weights 1, 2" in repr(policy) and "-0.5 to 0" in repr(policy)


@pytest.mark.parametrize("name", ["libertarian", "ex_post_equaliser"])
def test_what_announces_nothing_has_no_rule(name):
    game = lawgiver.make_game("public_investment")
    assert rule_of(game, lawgiver.make_policy(game, "mechanism", name)) is None


@pytest.mark.parametrize(
    ("game", "make", "told"),
    [
        (
            "public_investment",
            lambda game: LearnedGraphMechanism(game),
            r"LearnedGraphMechanism\(n_units=32, [\d,]+ weights\)",
        ),
        (
            "public_investment",
            lambda game: LearnedParticipants(game, hidden=[8]),
            r"LearnedParticipants\(hidden=\[8\], anchor='uniform', [\d,]+ weights\)",
        ),
        ("payment_free_allocation", LearnedExSNet, r"LearnedExSNet\(architecture='equivariant', .* weights\)"),
        ("goal_collection", LearnedFollower, r"LearnedFollower\(width=32, layers=3, heads=4, [\d,]+ weights\)"),
    ],
)
def test_what_is_loaded_says_what_it_is(game, make, told, tmp_path):
    made = lawgiver.make_game(game)
    save_policy(tmp_path / "policy", make(made))
    assert re.fullmatch(told, repr(load_policy(tmp_path / "policy", made)))
