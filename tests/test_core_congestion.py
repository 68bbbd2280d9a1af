"""Congestion games against full enumeration, closed forms, random play and finite differences."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lawgiver.envs.core.arrays import softmax
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.solvers.congestion import anonymous as congestion
from lawgiver.envs.solvers.congestion.anonymous import (
    CongestionGame,
    expected_of_loads,
    expected_payoffs,
    expected_welfare,
    payoffs_of,
    transfers_of,
)
from lawgiver.envs.solvers.congestion.pure_congestion import count_profiles, pure_optimum
from lawgiver.envs.solvers.congestion.sharing import ShareCosts, matched_optimum, share_table
from lawgiver.envs.solvers.congestion.system_optimum import least_tolls, system_optimum
from lawgiver.envs.solvers.congestion.wardrop import (
    NonatomicGame,
    PolynomialCosts,
    loads_of_flows,
    option_costs,
    potential,
    total_cost,
    wardrop_equilibrium,
)
from lawgiver.envs.solvers.equilibrium.joint_grid import joint_grid
from lawgiver.envs.solvers.equilibrium.logit import logit_equilibrium


def drawn_game(rng, counts, n_options=3, n_resources=4):
    """Return a game with random options (the last group has one fewer), random strategies and random transfers."""
    legal = np.ones((len(counts), n_options), bool)
    legal[-1, -1] = False
    uses = (rng.random((*legal.shape, n_resources)) < 0.5) * legal[..., None]
    table = rng.normal(size=(n_resources, sum(counts) + 1))
    game = CongestionGame(counts, uses.astype(float), legal, table, rng.normal(size=legal.shape))
    strategies = rng.dirichlet(np.ones(n_options), len(counts)) * legal
    return game, strategies / strategies.sum(-1, keepdims=True), rng.normal(size=n_resources)


def everything(game, strategies):
    """Return every joint choice (S, N) and its probability (S,)."""
    choices = np.array(list(product(*[range(game.legal.shape[1])] * game.n)))
    choices = choices[game.legal[game.groups, choices].all(-1)]
    return choices, np.prod(strategies[game.groups, choices], axis=-1)


def zones(counts, demand, travel):
    """Return the game of agents in groups who choose among zones that share their demands."""
    n_zones = len(demand)
    uses = np.broadcast_to(np.eye(n_zones), (len(counts), n_zones, n_zones))
    table = share_table(np.asarray(demand, float), sum(counts))
    return CongestionGame(counts, uses, np.ones((len(counts), n_zones), bool), table, -np.asarray(travel, float))


def nonatomic_zones(game, demand):
    """Return the same game with a mass of agents in the place of N."""
    costs = ShareCosts(np.asarray(demand) / game.n)
    return NonatomicGame(np.array(game.counts) / game.n, game.uses, game.legal, costs, -game.constants)


# -- expectations -----------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(1,), (2,), (5,), (1, 1), (3, 2), (1, 2, 2)]))
def test_expectations_are_those_of_full_enumeration(seed, counts):
    game, strategies, transfers = drawn_game(np.random.default_rng(seed), counts)
    choices, chance = everything(game, strategies)
    paid = payoffs_of(game, choices, np.broadcast_to(transfers, (len(choices), 4)))
    found = expected_payoffs(game, strategies, transfers)
    for seat, g in enumerate(game.groups):
        for option in np.flatnonzero(game.legal[g]):
            chosen = choices[:, seat] == option
            exact = chance[chosen] @ paid[chosen, seat] / chance[chosen].sum()
            assert found[g, option] == pytest.approx(exact, abs=1e-11)
    used = game.uses[game.groups, choices]
    loads = used.sum(-2).astype(int)
    free = payoffs_of(game, choices, np.zeros((len(choices), 4)))
    values = np.random.default_rng(seed).normal(size=(4, game.n + 1))
    assert expected_welfare(game, strategies) == pytest.approx(chance @ free.sum(-1), abs=1e-11)
    np.testing.assert_allclose(transfers_of(game, choices, transfers), used @ transfers, atol=1e-13)
    by_hand = game.table[np.arange(4), loads] + transfers
    by_hand = (used * by_hand[:, None]).sum(-1) + game.constants[game.groups, choices]
    np.testing.assert_allclose(paid, by_hand, atol=1e-13)
    np.testing.assert_allclose(
        expected_of_loads(game, strategies, values), chance @ values[np.arange(4), loads], atol=1e-11
    )


def test_expectations_are_those_of_random_play():
    rng, batch = np.random.default_rng(0), 20_000
    game, strategies, _ = drawn_game(rng, (30, 20))
    draws = rng.random((batch, game.n, 1))
    choices = (draws > np.cumsum(strategies, -1)[game.groups, :-1]).sum(-1)
    welfare = payoffs_of(game, choices, np.zeros((batch, 4))).sum(-1)
    error = welfare.std() / batch**0.5
    assert abs(welfare.mean() - expected_welfare(game, strategies)) < 4 * error


@pytest.mark.parametrize("n", [1, 2, 50, 2000])
def test_one_group_meets_a_binomial_number_of_others(n):
    binom = pytest.importorskip("scipy.stats").binom
    table = np.random.default_rng(n).normal(size=(3, n + 1))
    game = CongestionGame((n,), np.eye(3)[None], np.ones((1, 3), bool), table, np.zeros((1, 3)))
    for strategy in ((0.2, 0.3, 0.5), (0.0, 0.0, 1.0), (1e-6, 0.5, 0.5 - 1e-6)):
        exact = [binom.pmf(np.arange(n), n - 1, q) @ table[r, 1:] for r, q in enumerate(strategy)]
        np.testing.assert_allclose(expected_payoffs(game, np.array([strategy]))[0], exact, atol=1e-11)


def exactly(game, strategies):
    """Return what a member of each group expects of each option, by rational arithmetic, (G, O)."""
    usage = [
        [sum(map(Fraction, p[row == 1]), Fraction(0)) for row in uses.T]
        for p, uses in zip(strategies, game.uses, strict=True)
    ]
    paid = np.zeros((len(game.counts), game.uses.shape[2]), object)
    for g, r in np.ndindex(paid.shape):
        chances = [Fraction(1)]
        for h, count in enumerate(game.counts):
            for _ in range(count - (h == g)):
                q = usage[h][r]
                chances = [stay * (1 - q) + come * q for stay, come in zip([*chances, 0], [0, *chances], strict=True)]
        paid[g, r] = sum(chance * Fraction(value) for chance, value in zip(chances, game.table[r, 1:], strict=True))
    return (game.uses.astype(int) * paid[:, None]).sum(-1).astype(float)


@pytest.mark.parametrize("counts", [(1,), (10,), (3, 2), (1, 1, 2, 2), (7, 5, 4)])
@pytest.mark.parametrize("sparse", [False, True])
def test_expectations_of_steep_tables_are_exact_relative_to_each(counts, sparse):
    rng, n = np.random.default_rng(len(counts)), sum(counts)
    x = np.arange(n + 1) / n
    steep = [1e16 * x**16, 1e-12 * x**30, 1 - x * (1 - 1e-9), np.where(x > 0.5, 1e16, 0), np.maximum(x, 1 / n) ** -20]
    uses = (rng.random((len(counts), 3, 5)) < 0.6).astype(float)
    uses[:, 0] = np.eye(5)[0]
    game = CongestionGame(counts, uses, np.ones(uses.shape[:2], bool), np.array(steep), np.zeros(uses.shape[:2]))
    strategies = rng.dirichlet(np.full(3, 0.1 if sparse else 2.0), len(counts))
    exact = exactly(game, strategies)
    np.testing.assert_allclose(expected_payoffs(game, strategies), exact, rtol=1e-13)
    theirs = expected_payoffs(game, torch.tensor(strategies))
    np.testing.assert_allclose(theirs.numpy(), exact, rtol=1e-13)
    welfare = (np.array(counts)[:, None] * strategies * exact).sum()
    assert expected_welfare(game, strategies) == pytest.approx(welfare, rel=1e-13)
    alone = replace(game, uses=np.broadcast_to(np.eye(3, 5), uses.shape))
    of_loads = expected_of_loads(alone, strategies, np.arange(n + 1) * alone.table)[:3].sum()
    assert of_loads == pytest.approx(expected_welfare(alone, strategies), rel=1e-13)


def test_both_ways_to_expectations_agree(monkeypatch):
    game, strategies, transfers = drawn_game(np.random.default_rng(8), (30, 1, 12, 5, 2))
    game = replace(game, table=1 + np.abs(game.table))
    assert not game.steep
    by_transform = expected_payoffs(game, strategies, transfers)
    monkeypatch.setattr(congestion, "LARGEST_TRANSFORM", 0)
    np.testing.assert_allclose(expected_payoffs(game, strategies, transfers), by_transform, rtol=1e-12)
    several = replace(game, table=np.stack([game.table, 2 * game.table]))
    np.testing.assert_allclose(
        expected_payoffs(several, strategies)[1], 2 * expected_payoffs(game, strategies) - game.constants, rtol=1e-12
    )


def test_steep_tables_have_their_gradients():
    game, strategies, _ = drawn_game(np.random.default_rng(2), (3, 2))
    game = replace(game, table=np.linspace(0.1, 1, 6) ** 12 + np.zeros((4, 1)))
    assert game.steep
    for p in (strategies, np.eye(3)[[0, 1]]):
        assert torch.autograd.gradcheck(lambda p: expected_payoffs(game, p), (torch.tensor(p, requires_grad=True),))


def test_tables_that_take_too_much_memory_are_refused():
    many = np.full((300_000, 1, 2), 0.5)
    game = CongestionGame((1000,), np.eye(2)[None], np.ones((1, 2), bool), np.ones((2, 1001)), np.zeros((1, 2)))
    with pytest.raises(
        UnsupportedGameError, match=r"300,000 games of 1,000 agents .*, as of 134,083 games, or of 446 agents$"
    ):
        expected_payoffs(game, many)


def test_what_is_kept_of_a_table_is_not_kept_from_gradients_or_other_tables():
    game, strategies, _ = drawn_game(np.random.default_rng(5), (3, 2))
    first = expected_payoffs(game, strategies)
    table = torch.tensor(game.table, requires_grad=True)
    for _ in range(2):
        again = expected_payoffs(replace(game, table=table), torch.tensor(strategies))
        (slope,) = torch.autograd.grad(again.sum(), table)
        assert (slope != 0).any()
        np.testing.assert_allclose(again.detach().numpy(), first, atol=1e-13)
    constants = expected_payoffs(replace(game, table=0 * game.table), strategies)
    twice = expected_payoffs(replace(game, table=2 * game.table), strategies)
    np.testing.assert_allclose(twice, 2 * first - constants, atol=1e-13)


def test_a_batch_is_its_games_one_by_one():
    rng = np.random.default_rng(3)
    games = [drawn_game(rng, (3, 2)) for _ in range(4)]
    first = games[0][0]
    together = replace(first, table=np.stack([game.table for game, _, _ in games]))
    strategies, transfers = np.stack([p for _, p, _ in games]), np.stack([t for _, _, t in games])
    choices = np.stack([everything(first, games[0][1])[0][i] for i in (0, 5, 17, 80)])
    found = expected_payoffs(together, strategies, transfers), payoffs_of(together, choices, transfers)
    for i, (game, p, t) in enumerate(games):
        alone = replace(first, table=game.table)
        np.testing.assert_allclose(found[0][i], expected_payoffs(alone, p, t), atol=1e-13)
        np.testing.assert_allclose(found[1][i], payoffs_of(alone, choices[i], t), atol=1e-13)


def test_torch_gives_the_same_numbers():
    game, strategies, transfers = drawn_game(np.random.default_rng(1), (30, 20))
    p, t = torch.tensor(strategies), torch.tensor(transfers)
    choices = np.random.default_rng(1).integers(0, 2, (7, game.n))
    free = np.zeros((7, 4))
    pairs = [
        (expected_payoffs(game, strategies, transfers), expected_payoffs(game, p, t)),
        (expected_welfare(game, strategies), expected_welfare(game, p)),
        (expected_of_loads(game, strategies, game.table), expected_of_loads(game, p, game.table)),
        (payoffs_of(game, choices, free), payoffs_of(game, torch.tensor(choices), torch.tensor(free))),
        (transfers_of(game, choices, transfers), transfers_of(game, torch.tensor(choices), t)),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-9, rtol=0)
    single = payoffs_of(game, torch.tensor(choices), torch.zeros(7, 4))
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.numpy(), payoffs_of(game, choices, free), atol=1e-5)


@pytest.mark.parametrize("pure", [False, True])
def test_gradients_are_finite_differences(pure):
    game, strategies, transfers = drawn_game(np.random.default_rng(2), (3, 2))
    if pure:  # where logarithms of probabilities would have no derivative
        strategies = np.eye(3)[[0, 1]]
    parts = (strategies, game.table, game.constants, transfers)

    def payoffs(p, table, constants, t):
        return expected_payoffs(replace(game, table=table, constants=constants), p, t)

    assert torch.autograd.gradcheck(payoffs, tuple(torch.tensor(x, requires_grad=True) for x in parts))

    def welfare(p, table):
        return expected_welfare(replace(game, table=table), p), expected_of_loads(game, p, table)

    assert torch.autograd.gradcheck(welfare, tuple(torch.tensor(x, requires_grad=True) for x in parts[:2]))


# -- logit equilibria -------------------------------------------------------------------------------------------------


def logit_by_iteration(payoffs, inverse_temperature, start):
    """Return the fixed point of the logit replies by damped iteration."""
    strategies = start
    for _ in range(500):
        reply = softmax(inverse_temperature * payoffs(strategies))
        strategies = strategies + 0.3 * (reply - strategies)
    assert np.abs(reply - strategies).max() < 1e-12
    return strategies


@pytest.mark.parametrize("counts", [(2,), (4,), (1, 1), (2, 2)])
def test_small_logit_equilibria_are_those_of_the_joint_grid(counts):
    rng = np.random.default_rng(4)
    n = sum(counts)
    game = zones(counts, (1.0, 2.0, 0.5), rng.random((len(counts), 3)))
    grid = joint_grid((3,) * n, tuple(game.groups.tolist()))
    paid = payoffs_of(game, grid.actions, np.zeros((len(grid.actions), 3)))
    exact = logit_equilibrium(grid, paid[None], tuple(np.zeros(3) for _ in counts), np.array([3.0]))
    found = logit_by_iteration(lambda p: expected_payoffs(game, p), 3.0, np.full((len(counts), 3), 1 / 3))
    np.testing.assert_allclose(found, np.concatenate(exact.strategies), atol=1e-9)


def test_large_logit_equilibria_tend_to_the_nonatomic_one():
    demand, travel, start = np.array([0.2, 0.5, 0.1]), np.array([[0.0, 0.1, 0.2]]), np.full((1, 3), 1 / 3)
    gaps = []
    for n in (20, 200, 2000):
        game = zones((n,), n * demand, travel)
        limit = nonatomic_zones(game, n * demand)
        exact = logit_by_iteration(lambda p, limit=limit: -option_costs(limit, p), 5.0, start)
        found = logit_by_iteration(lambda p, game=game: expected_payoffs(game, p), 5.0, start)
        gaps.append(np.abs(found - exact).max())
    assert gaps[0] > 5 * gaps[1] > 25 * gaps[2] and gaps[2] < 1e-3


# -- pure profiles ----------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_the_pure_optimum_is_the_best_of_all_joint_choices(seed):
    game, strategies, _ = drawn_game(np.random.default_rng(seed), (3, 2))
    choices, _ = everything(game, strategies)
    welfare = payoffs_of(game, choices, np.zeros((len(choices), 4))).sum(-1)
    assert pure_optimum(game).welfare == pytest.approx(welfare.max(), abs=1e-12)


def test_profiles_are_all_different_and_complete():
    game, _, _ = drawn_game(np.random.default_rng(0), (3, 2))
    profiles = count_profiles(game)
    assert len(np.unique(profiles.reshape(len(profiles), -1), axis=0)) == len(profiles) == 10 * 3
    assert (profiles.sum(-1) == game.counts).all() and (profiles >= 0).all() and not profiles[:, 1, 2].any()


# -- shared demand ----------------------------------------------------------------------------------------------------


def test_expected_shares_are_those_of_enumeration():
    game = zones((4,), (1.0, 2.0, 0.0), np.zeros((1, 3)))
    strategy = np.array([[0.5, 0.3, 0.2]])
    for option, (demand, q) in enumerate(zip((1.0, 2.0, 0.0), strategy[0], strict=True)):
        by_hand = sum(
            min(1, demand / (1 + others)) * ways * q**others * (1 - q) ** (3 - others)
            for others, ways in enumerate((1, 3, 3, 1))
        )
        assert expected_payoffs(game, strategy)[0, option] == pytest.approx(by_hand, abs=1e-13)
    matched = np.minimum(np.arange(5), np.array([[1.0], [2.0], [0.0]]))
    assert expected_welfare(game, strategy) == pytest.approx(expected_of_loads(game, strategy, matched).sum())


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_shared_demand_has_its_equilibrium_and_optimum(seed):
    rng = np.random.default_rng(seed)
    demand, travel = rng.integers(0, 5, 3), rng.random((2, 3)) * rng.integers(0, 2)
    game = zones((4, 3), demand, travel)
    limit = nonatomic_zones(game, demand)
    best, selfish = matched_optimum(limit), wardrop_equilibrium(limit)
    assert -7 * best.total_cost == pytest.approx(pure_optimum(game).welfare, abs=1e-8)
    assert best.total_cost <= selfish.total_cost + 1e-9
    costs = np.where(selfish.flows > 1e-9, option_costs(limit, selfish.flows), 0)
    least = option_costs(limit, selfish.flows).min(1, keepdims=True)
    assert np.abs((costs - least)[selfish.flows > 1e-9]).max() < 1e-9
    for _ in range(20):  # a minimum of the potential
        other = rng.dirichlet(np.ones(3), 2) * limit.shares[:, None]
        assert potential(limit, selfish.flows) <= potential(limit, other) + 1e-12
    tolls = least_tolls(limit, best.flows)
    tolled = option_costs(limit, best.flows, tolls)
    assert (tolled - tolled.min(1, keepdims=True))[best.flows > 1e-7].max() < 1e-7
    assert np.abs(tolls) @ best.loads < 1


def test_the_area_under_shares_is_their_integral():
    costs, step = ShareCosts(np.array([0.3, 0.0, 2.0])), 1e-6
    for x in (0.1, 0.29, 0.5, 1.0):
        at = np.full(3, x)
        slope = (costs.area(at + step) - costs.area(at - step)) / (2 * step)
        np.testing.assert_allclose(slope, costs.cost(at), atol=1e-6)
    assert (costs.area(np.zeros(3)) == 0).all()


# -- what is refused --------------------------------------------------------------------------------------------------


def test_arrays_that_do_not_fit_are_refused_by_name():
    game, _, _ = drawn_game(np.random.default_rng(0), (3, 2))
    padded = game.uses.copy()
    padded[1, 2] = 1
    faults = {
        "counts": {"counts": (3, 0)},
        "table": {"table": game.table[:, :-1]},
        "constants": {"constants": game.constants[:, :-1]},
        "uses has shape": {"uses": game.uses / 2},
        "uses has ones": {"uses": padded},
        "legal": {"legal": np.zeros_like(game.legal)},
    }
    for named, change in faults.items():
        with pytest.raises(ParameterError, match=named):
            replace(game, **change)
    limit = NonatomicGame(np.array([0.6, 0.4]), game.uses, game.legal, PolynomialCosts(np.ones((4, 1))), game.constants)
    with pytest.raises(ParameterError, match="shares"):
        replace(limit, shares=np.array([0.6, 0.6]))
    with pytest.raises(ParameterError, match="fixed"):
        replace(limit, fixed=game.constants[:1])


def test_solvers_refuse_games_that_they_do_not_solve():
    crowd = zones((2000,), (1, 2, 3, 4), np.zeros((1, 4)))
    with pytest.raises(UnsupportedGameError, match="1,337,337,001 ways"):
        pure_optimum(crowd)
    shared = nonatomic_zones(crowd, np.array([1.0, 2.0, 3.0, 4.0]))
    with pytest.raises(UnsupportedGameError, match="no marginal cost"):
        system_optimum(shared)
    smooth = replace(shared, costs=PolynomialCosts(np.ones((4, 2))))
    with pytest.raises(UnsupportedGameError, match="shares no demand"):
        matched_optimum(smooth)
    assert total_cost(smooth, np.full((1, 4), 0.25)) == pytest.approx(1.25)
    np.testing.assert_allclose(loads_of_flows(smooth, np.full((1, 4), 0.25)), 0.25)


def test_flows_that_no_tolls_implement_are_refused():
    uses = np.array([[[1.0], [1.0]]])  # the same road by two names, one of them longer: tolls cannot tell them apart
    game = NonatomicGame(
        np.ones(1), uses, np.ones((1, 2), bool), PolynomialCosts(np.ones((1, 1))), np.array([[0.0, 1.0]])
    )
    with pytest.raises(UnsupportedGameError, match="no tolls"):
        least_tolls(game, np.array([[0.5, 0.5]]))
