"""What selfish routing and supply and demand share: play against tables, other solvers, and the mixtures' optimum."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lawgiver.agents.tables import TablePolicy, tabulate
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.solvers.congestion.anonymous import expected_welfare
from lawgiver.envs.solvers.congestion.mixing import best_mixture, best_transfers, equilibrium_mixture, regret
from lawgiver.envs.solvers.equilibrium.joint_grid import joint_grid
from lawgiver.envs.solvers.equilibrium.logit import logit_equilibrium
from lawgiver.envs.solvers.equilibrium.subgame import RATIONAL, uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import prior_table, scores, solve

TWO_PAIRS = {
    "edges": [["a", "t", [0, 2]], ["a", "b", [0.25]], ["b", "t", [0.5, 0, 1]], ["a", "t", [1.5]]],
    "demands": [["a", "t", 0.75], ["b", "t", 0.25]],
}
GAMES = {
    "braess": ("selfish_routing", {"n": 8}),
    "two pairs": ("selfish_routing", {"n": 4, "network": TWO_PAIRS}),
    "one home": ("supply_demand", {}),
    "two homes": ("supply_demand", {"n": 10, "homes": [0.8, 0.2, 0.0]}),
}


@pytest.fixture(params=GAMES)
def game(request):
    name, params = GAMES[request.param]
    return make_game(name, **params)


def some_parameters(game, rng, batch=()):
    box = game.action_space("mechanism")
    return box.low + rng.random((*batch, *box.shape)) * (box.high - box.low)


def some_policy(game, rng):
    policy = rng.random(game.subgame.shape) * game.subgame.legal()
    return policy / policy.sum(-1, keepdims=True)


def played(game, parameters, choices):
    """Return the state after participants have chosen (B, n) under w (D,)."""
    state = game.initial_state(len(choices), np.random.default_rng(0))
    state, *_ = game.step(state, np.broadcast_to(parameters, (len(choices), 1, len(parameters))), {})
    return game.step(state, choices, {})[0]


def test_play_is_what_the_tables_expect(game):
    rng, batch = np.random.default_rng(5), 4000
    w, policy = some_parameters(game, rng), some_policy(game, rng)
    with np.errstate(divide="ignore"):
        table = TablePolicy(game, np.log(policy))
    state = game.initial_state(batch, rng)
    state, *_ = game.step(state, np.broadcast_to(w, (batch, 1, len(w))), {})
    seen, legal = game.observe(state, "participant"), game.legal_actions(state, "participant")
    choices, _ = table.act(seen, legal, None, rng)
    state, rewards, *_ = game.step(state, choices, {})
    subgame, z = game.subgame, game.subgame.aggregates(policy)
    shares = subgame.occupancy(policy)
    expected = {
        "welfare": (rewards["mechanism"][:, 0], float(subgame.welfare(policy))),
        "budget": (game.deficit(state), game.n * float((shares * subgame.transfers(w, z)).sum())),
        "utilities": (state.utilities.sum(-1), game.n * float((shares * subgame.utilities(w, z)).sum())),
        "payoffs": (rewards["participant"].sum(-1), game.n * float((shares * subgame.rewards(w, z)).sum())),
    }
    for name, (found, exact) in expected.items():
        assert abs(found.mean() - exact) < 4 * found.std() / batch**0.5 + 1e-9, name


@pytest.mark.parametrize("level", [0.0, 2.0, 30.0])
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("selfish_routing", {"n": 4}),
        ("selfish_routing", {"n": 4, "network": TWO_PAIRS}),
        ("supply_demand", {"n": 5, "demand": [1, 2, 1]}),
        ("supply_demand", {"n": 5, "demand": [1, 2, 1], "homes": [0.6, 0.0, 0.4]}),
    ],
)
def test_the_equilibrium_is_that_of_the_joint_grid_of_played_games(name, params, level):
    game = make_game(name, **params)
    rng = np.random.default_rng(3)
    w, counts = some_parameters(game, rng), game.congestion.counts
    options = game.congestion.legal.sum(1)
    grid = joint_grid(tuple(options[game.congestion.groups].tolist()), tuple(game.congestion.groups.tolist()))
    payoffs = played(game, w, grid.actions).payoffs
    priors = tuple(np.zeros(options[g]) for g in range(len(counts)))
    exact = logit_equilibrium(grid, payoffs[None], priors, np.array([level]))
    found = solve(game.subgame, w, level, uniform_prior(game.subgame))
    assert found.residual < 1e-8 and exact.residual[0] < 1e-8
    for g, strategy in enumerate(exact.strategies):
        np.testing.assert_allclose(found.policy[0, g, : options[g]], strategy[0], atol=1e-7)
        assert (found.policy[0, g, options[g] :] == 0).all()


def test_equilibria_are_found_at_any_temperature(game):
    rng = np.random.default_rng(8)
    prior = uniform_prior(game.subgame)
    for w in (np.zeros(game.action_space("mechanism").shape), some_parameters(game, rng)):
        for level in (0.1, 1.0, 10.0, 100.0, 1000.0):
            found = solve(game.subgame, w, level, prior)
            assert found.residual < 1e-8
            report = scores(game, w, level)
            assert report["regret"] <= 2 * np.log(game.congestion.legal.shape[1]) / level


def test_nobody_exceeds_the_optimum_and_the_optimum_not_the_planner(game):
    rng = np.random.default_rng(2)
    assert game.optimum() <= game.first_best() + 1e-9
    low, high = game.welfare_bounds
    assert low <= game.first_best() <= high
    for _ in range(200):
        assert game.subgame.welfare(some_policy(game, rng)) <= game.optimum() + 1e-9


def test_without_several_thousand_ways_to_spread_a_mass_stands_for_the_planner():
    for n in (300, 2000):  # 45,451 ways and 2,003,001
        game = make_game("selfish_routing", n=n)
        assert game.first_best() == pytest.approx(-1.5 * n)
    with pytest.raises(UnsupportedGameError, match="2 groups"):
        best_mixture(make_game(GAMES["two homes"][0], **GAMES["two homes"][1]).congestion)


# -- one group that mixes -------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_mixtures_are_equilibria_and_optima(seed, n):
    rng = np.random.default_rng(seed)
    demand, travel = rng.uniform(0.5, n, 3).tolist(), rng.uniform(0, 1, (3, 3)).tolist()
    game = make_game("supply_demand", n=n, demand=demand, travel=travel)
    network = {
        "edges": [
            ["s", "a", rng.uniform(0, 1, 3).tolist()],
            ["a", "t", rng.uniform(0, 1, 2).tolist()],
            ["s", "t", rng.uniform(0, 2, 2).tolist()],
            ["a", "t", rng.uniform(0, 1, 4).tolist()],
        ],
        "demands": [["s", "t", 1]],
    }
    for crowd in (game.congestion, make_game("selfish_routing", n=n, network=network).congestion):
        transfers = rng.normal(size=crowd.uses.shape[-1]) / 3
        assert regret(crowd, equilibrium_mixture(crowd, transfers).strategies, transfers) < 1e-8
        best = best_mixture(crowd)
        assert regret(crowd, best.strategies, best_transfers(crowd)) < 1e-8
        for other in rng.dirichlet(np.ones(crowd.legal.shape[1]), 20):
            assert expected_welfare(crowd, other[None]) <= best.welfare + 1e-9
            nearby = best.strategies + 1e-3 * (other - best.strategies)
            assert expected_welfare(crowd, nearby) <= best.welfare + 1e-9


@pytest.mark.parametrize("name", ["braess", "one home"])
def test_rational_participants_arrive_at_the_optimum_under_the_best_transfers(name):
    game = make_game(GAMES[name][0], **GAMES[name][1])
    w = game.payments @ best_transfers(game.congestion)  # payments are zeros and ones (or minus ones), so their inverse
    assert game.resource_transfers(w) == pytest.approx(best_transfers(game.congestion))
    found = scores(game, w, 3000.0)
    assert found["welfare"] == pytest.approx(game.optimum(), rel=1e-3)
    rational = solve(game.subgame, w, RATIONAL, uniform_prior(game.subgame))
    assert float(game.subgame.welfare(rational.policy)) == pytest.approx(game.optimum(), rel=1e-5)


# -- views ------------------------------------------------------------------------------------------------------------


def test_what_participants_see_is_where_the_table_is_read(game):
    rng = np.random.default_rng(6)
    w, policy = some_parameters(game, rng), some_policy(game, rng)
    with np.errstate(divide="ignore"):
        logs = np.log(policy)
    again = np.exp(tabulate(game, TablePolicy(game, logs), w))
    np.testing.assert_allclose(again, policy, atol=1e-12)
    state = game.initial_state(2, rng)
    state, *_ = game.step(state, np.broadcast_to(w, (2, 1, len(w))), {})
    seen = game.observe(state, "participant")
    assert seen.shape[-1] == game.subgame.observations(w).shape[-1]
    np.testing.assert_allclose(seen[1], game.subgame.observations(w)[0, game.congestion.groups])
    legal = game.legal_actions(state, "participant")
    expected = game.congestion.legal[game.congestion.groups]
    assert expected.all() if legal is None else (legal == expected).all()


def test_torch_gives_the_same_tables(game):
    rng = np.random.default_rng(7)
    w, policy = some_parameters(game, rng, (3,)), np.stack([some_policy(game, rng) for _ in range(3)])
    z = game.subgame.aggregates(policy)
    one, other = (torch.as_tensor(x) for x in (w, policy))
    subgame, prior = game.subgame, prior_table(game, None, w[0])
    pairs = [
        (subgame.rewards(w, z), subgame.rewards(one, subgame.aggregates(other))),
        (subgame.utilities(w, z), subgame.utilities(one, subgame.aggregates(other))),
        (subgame.transfers(w, z), subgame.transfers(one, subgame.aggregates(other))),
        (subgame.welfare(policy), subgame.welfare(other)),
        (
            np.exp(subgame.log_response(w, z, 5.0, prior)),
            subgame.log_response(one, subgame.aggregates(other), 5.0, torch.as_tensor(prior)).exp(),
        ),
    ]
    for ours, theirs in pairs:
        assert ours.shape == tuple(theirs.shape)
        np.testing.assert_allclose(theirs.numpy(), ours, atol=1e-12)
    for i in range(3):
        np.testing.assert_allclose(pairs[0][0][i], subgame.rewards(w[i], z[i]), atol=1e-12)


def test_participants_play_the_equilibrium_by_name(game):
    nothing = np.array(game.members["no_mechanism"])
    rule = {"policy": "rule", "parameters": nothing.tolist()}
    players = make_policy(game, "participant", "logit_equilibrium", mechanism=rule, inverse_temperature=4.0)
    found = solve(game.subgame, nothing, 4.0, uniform_prior(game.subgame))
    np.testing.assert_allclose(np.exp(tabulate(game, players, nothing)), found.policy, atol=1e-12)
