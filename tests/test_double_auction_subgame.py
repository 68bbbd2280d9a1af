"""The traders' subgame of the double auction in tables, against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.double_auction.solutions import equilibrium_outcome, largest_welfare
from lawgiver.envs.solvers.equilibrium.incentives import incentives
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import solve


@pytest.mark.parametrize("params", [{}, {"high": 4.0}])
@pytest.mark.parametrize("w", [(0.0, 0.0), (0.25, 0.0), (0.5, 0.0), (1.0, 0.0), (0.5, 1 / 3)])
def test_the_linear_equilibrium_is_one_in_tables(params, w, played):
    game = make_game("double_auction", n_bids=65, **params)
    w = np.array([w[0], w[1] * game.high])
    policy, exact = played(game, w), equilibrium_outcome(replace(game, n_bids=None), w)
    found = game.subgame.measures(w, policy)
    for name in ("welfare", "revenue"):
        assert found[name] == pytest.approx(exact[name], abs=0.003 * game.high)
    assert found["surplus"] == pytest.approx(found["welfare"] - found["revenue"], abs=1e-12)
    assert incentives(game, w, policy)["regret"] <= 0.002 * game.high  # a level is 1/64 wide


@pytest.mark.parametrize(("params", "w"), [({}, (0.0,)), ({}, (0.25,)), ({"n": 3, "sellers": 2, "n_bids": 33}, (0.0,))])
def test_rational_traders_tell_the_truth_under_mcafees_rule(params, w, played):
    game = make_game("double_auction", pricing="mcafee", **params)
    subgame = game.subgame
    found = solve(subgame, np.array(w), 3000.0, uniform_prior(subgame))
    assert found.residual < 1e-9
    honest = subgame.measures(np.array(w), played(game, w))
    reached = subgame.measures(np.array(w), found.policy)
    for name in ("welfare", "revenue"):
        assert reached[name] == pytest.approx(honest[name], abs=0.006)
    if game.n == 2:
        assert reached["welfare"] == pytest.approx(
            equilibrium_outcome(replace(game, n_bids=None), w)["welfare"], abs=0.004
        )


@pytest.mark.parametrize("k", [0.0, 0.5, 1.0])
def test_the_logit_equilibrium_stays_below_the_second_best(k):
    """It need not be the linear one, of which there are others beside: offers crowd around 1/2."""
    game = make_game("double_auction", n_bids=33)
    w = np.array([k, 0.0])
    found = solve(game.subgame, w, 100.0, uniform_prior(game.subgame))
    assert found.residual < 1e-9
    welfare = game.subgame.measures(w, found.policy)["welfare"]
    assert 0.1 < welfare < largest_welfare(game)
    assert incentives(game, w, found.policy)["regret"] < 0.03


@pytest.mark.parametrize("params", [{}, {"high": 3.0}, {"pricing": "mcafee"}, {"n": 3, "sellers": 1, "n_bids": 9}])
def test_measures_have_no_steps_in_the_spread(params):
    game = make_game("double_auction", **{"n_bids": 17, **params})
    step, rng = game.subgame.groups[0].step, np.random.default_rng(0)
    policy = rng.random(game.subgame.shape) ** 2
    policy /= policy.sum(-1, keepdims=True)
    spreads = step * np.array([0, 0.5, 0.999, 1 - 1e-7, 1, 1 + 1e-7, 1.001, 4 - 1e-7, 4])
    found = []
    for spread in spreads:
        w = np.array([0.25, spread][-len(game.rule_names) :])
        found.append([game.subgame.measures(w, policy)[name] for name in ("welfare", "revenue")])
    welfare, revenue = np.array(found).T / game.high
    for values in (welfare, revenue):
        np.testing.assert_allclose(values[[3, 5, 7]], values[[4, 4, 8]], atol=1e-6)
        assert abs(values[2] - values[4]) < 1e-3
    assert revenue[8] > revenue[0] + 0.01


@pytest.mark.parametrize("w", [(0.3, 0.11), (0.7, 0.3)])
def test_the_gradient_in_k_and_the_spread(w):
    torch = pytest.importorskip("torch")
    game = make_game("double_auction", n_bids=17, objective="revenue")
    subgame, rng = game.subgame, np.random.default_rng(1)
    policy = rng.random(subgame.shape)
    policy /= policy.sum(-1, keepdims=True)
    at = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    for name in ("welfare", "revenue"):
        value = subgame.measures(at, torch.as_tensor(policy))[name]
        (slope,) = torch.autograd.grad(value, at)
        for i in range(2):
            apart = np.eye(2)[i] * 1e-5
            up, down = (subgame.measures(np.array(w) + sign * apart, policy)[name] for sign in (1, -1))
            assert slope[i].item() == pytest.approx((up - down) / 2e-5, abs=1e-6)


def test_sides_mirror_each_other():
    game = make_game("double_auction", n_bids=33)
    found = [solve(game.subgame, np.array([k, 0.0]), 50.0, uniform_prior(game.subgame)).policy for k in (0.25, 0.75)]
    size = game.subgame.n_types
    buyers, sellers = found[0][0, :size], found[1][0, size:]
    np.testing.assert_allclose(buyers, sellers[::-1, ::-1], atol=1e-8)


def test_observations_are_found_again():
    game = make_game("double_auction")
    subgame, w = game.subgame, np.array([0.5, 0.125])
    seen = subgame.observations(w)
    state = game.initial_state(4, np.random.default_rng(0))
    assert seen.shape == (1, 2 * subgame.n_types, game.observe(state, "participant").shape[-1])
    rounds, states, weights = subgame.locate(seen)
    nearest = np.take_along_axis(states, weights.argmax(-1)[..., None], axis=-1)[0, :, 0]
    assert not rounds.any() and nearest.tolist() == list(range(subgame.shape[1]))
    np.testing.assert_allclose(subgame.announcements()[-1, :, 0], np.linspace(0, 1, 65))


def test_too_many_joint_offers_are_named():
    with pytest.raises(UnsupportedGameError, match="double_auction-v0 with 6 bidders and 65 levels of bids has"):
        make_game("double_auction", n=6, sellers=3).subgame  # noqa: B018
