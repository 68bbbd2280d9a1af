"""Policies of reporting games: those who tell the truth, and mechanisms that run a process by what is reported."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lawgiver.agents.learned import PolicyFileError, load_policy, save_policy
from lawgiver.agents.reporting import AffineMaximiser
from lawgiver.envs.core.errors import ActionError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.views.parallel import GameParallelEnv

GAMES = {
    "sequential_sales": {"n": 3, "m": 2},
    "task_scheduling": {"n": 2, "m": 3, "high": "3i"},
    "gridworld": {"n": 2, "m": 3},
}


@pytest.fixture(params=GAMES)
def both(request):
    """Return one game in announce and in allocate mode, and types of 50 profiles."""
    modes = [make_game(request.param, **GAMES[request.param], mechanism_mode=mode) for mode in ("announce", "allocate")]
    draws = np.random.default_rng(0).random((50, modes[0].n, modes[0].draw_size))
    return *modes, modes[0].types_of(draws)


def drawn(game, rng):
    """Return the rule of random weights and boosts."""
    boosts = rng.uniform(-0.3, 0.3, (game.mdp.n_states, game.mdp.n_actions))
    return AffineMaximiser(game, log_weights=0.5 * rng.standard_normal(game.n), boosts=boosts)


def test_the_truthful_report_their_types(both):
    announce, allocate, _ = both
    rng = np.random.default_rng(1)
    for game in (announce, allocate):
        state = game.initial_state(6, rng)
        people = make_policy(game, "participant", "truthful")
        for seen in (game.observe(state, "participant"), torch.as_tensor(game.observe(state, "participant"))):
            reports, _ = people.act(seen, None, None, None)
            np.testing.assert_array_equal(reports, state.types)


def test_a_rule_is_the_same_whether_it_is_announced_or_worked_out(both):
    _, allocate, types = both
    rng = np.random.default_rng(2)
    reports = types[::-1].copy()
    for _ in range(3):
        seed = int(rng.integers(1000))
        played = [play_out(game, drawn(game, np.random.default_rng(seed)), types, reports) for game in both[:2]]
        for other in played[1:]:
            np.testing.assert_array_equal(other.utilities, played[0].utilities)
            np.testing.assert_array_equal(other.payments, played[0].payments)
        on_torch = play_out(
            allocate,
            drawn(allocate, np.random.default_rng(seed)),
            torch.tensor(types),
            torch.tensor(reports),
        )
        np.testing.assert_allclose(on_torch.payments, played[0].payments, atol=1e-9)
        np.testing.assert_allclose(on_torch.utilities, played[0].utilities, atol=1e-9)


def test_vcg_is_the_rule_without_weights_and_boosts(both):
    for game in both[:2]:
        same = [
            play_out(game, make_policy(game, "mechanism", name), both[2], both[2]).payments
            for name in ("vcg", "affine_maximiser")
        ]
        np.testing.assert_array_equal(*same)
    sales = make_game("sequential_sales", n=3, m=1, mechanism_mode="allocate")
    values = np.array([[[0.2], [0.9], [0.5]]])
    done = play_out(sales, make_policy(sales, "mechanism", "vcg"), values, values)
    np.testing.assert_allclose(done.payments, [[0, 0.5, 0]], atol=1e-12)


def test_pay_as_bid_charges_what_is_said(both):
    announce, allocate, types = both
    done = play_out(allocate, make_policy(allocate, "mechanism", "pay_as_bid"), types, types)
    np.testing.assert_allclose(done.payoffs, 0, atol=1e-9)
    best, _ = allocate.mdp.optimal(allocate.rewards(types).sum(1))
    np.testing.assert_allclose(done.utilities.sum(1), best, atol=1e-9)
    with pytest.raises(UnsupportedGameError, match=r"pay_as_bid.*mechanism_mode='allocate'"):
        make_policy(announce, "mechanism", "pay_as_bid")


@pytest.mark.parametrize("name", ["vcg", "affine_maximiser", "pay_as_bid"])
def test_as_an_action_a_rule_fits_into_the_box(both, name):
    game, types = both[1], both[2]
    policy = make_policy(game, "mechanism", name)
    obs = game.observe(game.advance(game.initial_state_from(types), types, {})[0], "mechanism")
    action, _ = policy.act(obs, None, None, None)
    assert all(game.action_space("mechanism").contains(each) for each in action[:, 0].astype(np.float32))
    outcome, _ = policy.outcome(obs, None, None, None)
    sent = game.decision(action[:, 0])
    np.testing.assert_allclose(sent[:, : -game.n], outcome[:, : -game.n], atol=1e-6)
    inside = abs(outcome[:, -game.n :]) <= game.boost_bound
    np.testing.assert_allclose(sent[:, -game.n :][inside], outcome[:, -game.n :][inside])
    moments, _ = policy.distribution(obs, None, None)
    np.testing.assert_array_equal(moments[:, :, 0], action)
    assert not moments[:, :, 1].any()


def test_people_play_before_a_given_rule():
    game = make_game("sequential_sales", mechanism_mode="allocate")
    env = GameParallelEnv(game, mechanism="vcg")
    seen, _ = env.reset(seed=0)
    _, paid, over, _, _ = env.step(
        {name: obs[: game.action_space("participant").shape[0]] for name, obs in seen.items()}
    )
    assert all(over.values()) and min(paid.values()) >= -1e-6
    other = GameParallelEnv(game, participants="truthful")
    other.reset(seed=0)
    assert other.agents == ["mechanism"]


def test_learned_rules_survive_saving(both, tmp_path):
    announce, allocate, types = both
    rule = drawn(announce, np.random.default_rng(3))
    save_policy(tmp_path / "mechanism", rule)
    for game in (announce, allocate):
        again = load_policy(tmp_path / "mechanism", game, "mechanism")
        np.testing.assert_array_equal(again.parameters, rule.parameters)
        np.testing.assert_array_equal(
            play_out(game, again, types, types).payments, play_out(announce, rule, types, types).payments
        )
    larger = make_game(announce.name.partition("-")[0], **(GAMES[announce.name.partition("-")[0]] | {"n": 4}))
    with pytest.raises(PolicyFileError, match=r"weights.safetensors does not fit"):
        load_policy(tmp_path / "mechanism", larger)


def test_a_learned_rule_may_lie_outside_of_what_can_be_announced():
    game = make_game("sequential_sales", n=2, m=1)
    rule = AffineMaximiser(game, log_weights=np.array([4.0, 0.0]))
    obs = game.observe(game.initial_state(5, np.random.default_rng(0)), "mechanism")
    assert rule.outcome(obs, None, None, None)[0][0, 0] == 4
    assert rule.act(obs, None, None, None)[0].max() == 3
    with pytest.raises(ActionError, match=r"has 4 among log_weights, allowed: numbers in \[-3, 3\]"):
        GameParallelEnv(game, mechanism=rule).reset(seed=0)
    decided = make_game("sequential_sales", n=2, m=1, mechanism_mode="allocate")
    same = AffineMaximiser(decided, log_weights=rule.log_weights)
    env = GameParallelEnv(decided, mechanism=same)
    seen, _ = env.reset(seed=0)
    env.step({name: obs[:1] for name, obs in seen.items()})
    types = decided.initial_state(5, np.random.default_rng(1)).types
    played = [play_out(each, own, types, types).payments for each, own in ((game, rule), (decided, same))]
    np.testing.assert_array_equal(*played)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"log_weights": 0.5, "boosts": -0.25}, [0.5, 0.5, -0.25, -0.25, -0.25]),
        ({"log_weights": [0.5, -1]}, [0.5, -1, 0, 0, 0]),
        ({"boosts": [[0.1, 0.2, 0.3]]}, [0, 0, 0.1, 0.2, 0.3]),
        ({"boosts": np.array([0.1, 0.2, 0.3])}, [0, 0, 0.1, 0.2, 0.3]),
    ],
)
def test_weights_and_boosts_are_one_for_all_or_one_each(params, expected):
    game = make_game("sequential_sales", n=2, m=1)
    np.testing.assert_allclose(make_policy(game, "mechanism", "affine_maximiser", **params).parameters, expected)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"log_weights": [0.5]}, r"log_weights has shape \(1,\), allowed: one number, or 2"),
        ({"log_weights": [[0.5, 1]]}, r"log_weights has shape \(1, 2\)"),
        ({"log_weights": [0.5, "x"]}, r"log_weights\[1\] is 'x', allowed: a number in \[-3.0, 3.0\]"),
        ({"log_weights": float("nan")}, "log_weights is nan"),
        ({"log_weights": 5}, "log_weights is 5, allowed: a number in"),
        ({"boosts": [0.1, 0.2]}, r"boosts has shape \(2,\), allowed: one number, or 1 x 3"),
        ({"boosts": [0.1, 0.2, 9.0]}, r"boosts\[2\] is 9.0, allowed: a number in \[-2.0, 2.0\]"),
        ({"boosts": [[0.1], [0.2, 0.3], [0.4]]}, r"boosts\[0\] is \[0.1\]"),
        ({"weights": 1}, "no parameter 'weights'"),
    ],
)
def test_wrong_weights_and_boosts_are_named(params, words):
    with pytest.raises(ParameterError, match=words):
        make_policy(make_game("sequential_sales", n=2, m=1), "mechanism", "affine_maximiser", **params)


def test_other_games_are_refused():
    for name in ("public_investment", "lanes"):
        game = make_game(name)
        for mechanism in ("vcg", "affine_maximiser", "pay_as_bid"):
            with pytest.raises(UnsupportedGameError, match=f"'{mechanism}' runs a Markov decision process"):
                make_policy(game, "mechanism", mechanism)
        with pytest.raises(UnsupportedGameError, match="'truthful' reports its type"):
            make_policy(game, "participant", "truthful")
