"""The bidders' subgame of the combinatorial auction in tables, against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lawgiver.envs.combinatorial_auction.core_rules import RULES
from lawgiver.envs.combinatorial_auction.solutions import equilibrium_bids, equilibrium_outcome, first_best
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.solvers.equilibrium.incentives import incentives
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import solve

NOTHING = np.array([0.0])


def auction(**params):
    return make_game("combinatorial_auction", **{"n_bids": 65, **params})


def outcome(game, policy, w=NOTHING):
    """Return revenue, welfare, and the payoffs of both locals and the global."""
    subgame = game.subgame
    rewards = subgame.rewards(w, subgame.aggregates(policy))
    paid = (rewards * policy).sum(-1).reshape(2, -1)
    local, everything = (subgame.marginals * paid).sum(-1)
    measures = {name: float(value) for name, value in subgame.measures(w, policy).items()}
    return {**measures, "payoff": [local, local, everything]}


@pytest.mark.parametrize("pricing", ["vcg", *RULES])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
def test_the_closed_form_is_an_equilibrium_in_tables(pricing, gamma, played):
    """With correlation the locals' common value is a latent state, and a local knows more of the other."""
    game = auction(pricing=pricing, correlation=gamma, n_bids=33)
    policy, exact = played(game, NOTHING), equilibrium_outcome(replace(game, n_bids=None), (0.0,))
    found = outcome(game, policy)
    for name in ("revenue", "welfare", "payoff"):
        assert found[name] == pytest.approx(exact[name], abs=0.006), name
    assert incentives(game, NOTHING, policy)["regret"] <= 0.003  # a level is 1/32 wide


@pytest.mark.parametrize("pricing", ["vcg", *RULES])
def test_the_logit_equilibrium_comes_close_to_the_closed_form(pricing):
    game = auction(pricing=pricing)
    found = solve(game.subgame, NOTHING, 1000.0, uniform_prior(game.subgame))
    assert found.residual < 1e-9
    bids, values = game.subgame.mean_bids(found.policy), game.subgame.types
    local = equilibrium_bids(replace(game, n_bids=None), NOTHING, 0)(values[0])
    assert np.sqrt(np.mean((bids[0] - local) ** 2)) <= 0.012  # a level is 1/64 wide
    # The global's loss is flat in its bid wherever locals seldom bid as much: it is judged by what it loses.
    assert incentives(game, NOTHING, found.policy)["regret"] <= 0.003
    exact, reached = equilibrium_outcome(replace(game, n_bids=None), (0.0,)), outcome(game, found.policy)
    for name in ("revenue", "welfare", "payoff"):
        assert reached[name] == pytest.approx(exact[name], abs=0.006), name


def test_first_price():
    """Of bids there is no closed form; figures are of fictitious play on other tables, with a loss of 1.2e-4."""
    game = auction(pricing="first")
    found = solve(game.subgame, NOTHING, 1000.0, uniform_prior(game.subgame))
    assert found.residual < 1e-9
    bids, values = game.subgame.mean_bids(found.policy), game.subgame.types
    local = np.interp([0.25, 0.5, 0.75, 1], values[0], bids[0])
    everything = np.interp([0.5, 1, 1.5, 2], values[1], bids[1])
    np.testing.assert_allclose(local, [0.035, 0.195, 0.341, 0.442], atol=1 / 64)
    np.testing.assert_allclose(everything, [0.278, 0.498, 0.638, 0.743], atol=2 / 64)
    reached = outcome(game, found.policy)
    assert reached["revenue"] == pytest.approx(0.551, abs=0.004)
    assert reached["welfare"] / first_best(game) == pytest.approx(0.986, abs=0.002)
    assert reached["payoff"] == pytest.approx([0.148, 0.148, 0.425], abs=0.003)
    assert incentives(game, NOTHING, found.policy)["regret"] <= 0.002


@pytest.mark.parametrize("reserve", [0.1, 0.3, 0.5, 0.8])
def test_what_a_reserve_earns_is_what_play_earns(reserve, played):
    """Under truth; between levels too, as a level stands for the cell around it."""
    game, draws = auction(pricing="vcg"), 200_000
    w = np.array([reserve])
    types = game.initial_types(np.random.default_rng(0).random((draws, 3, 2)))
    found = game.allocate(types, types[..., 0], np.full((draws, 1), reserve))
    revenue, worth = found[..., 1].sum(-1), game.utility(types, found).sum(-1)
    measures = game.subgame.measures(w, played(game, w))
    assert abs(measures["revenue"] - revenue.mean()) <= 0.004 + 4 * revenue.std() / draws**0.5
    assert abs(measures["welfare"] - worth.mean()) <= 0.004 + 4 * worth.std() / draws**0.5


def test_a_reserve_earns_more_than_none():
    game = auction(pricing="nearest_vcg", n_bids=33)
    paid = []
    for reserve in (0.0, 0.25, 0.4):
        w = np.array([reserve])
        found = solve(game.subgame, w, 300.0, uniform_prior(game.subgame))
        assert found.residual < 1e-9
        paid.append(float(game.subgame.measures(w, found.policy)["revenue"]))
    assert paid[0] < paid[1] < paid[2] < game.ceiling()


def test_groups_have_their_own_grids():
    assert [bids[-1] for bids in auction().subgame.bids] == [1, 2]
    subgame = make_game("combinatorial_auction").subgame
    assert subgame.announcements()[[0, -1], -1, 0].tolist() == [1, 2]
    assert auction(high=(1, 2, 2)).subgame.shape[1] == 3 * auction().subgame.n_types


def test_what_has_no_tables_says_so():
    with pytest.raises(UnsupportedGameError, match="where everybody has one bundle, not up to 2"):
        auction(preset="llllgg", n_bids=None).subgame  # noqa: B018
    with pytest.raises(UnsupportedGameError, match="3 bidders and 66 levels of bids has"):
        auction(n_bids=66).subgame  # noqa: B018
