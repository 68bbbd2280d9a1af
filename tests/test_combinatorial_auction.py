"""Combinatorial auctions: winners, payments, equilibria of two locals and a global, and what is not taken."""

from __future__ import annotations

import doctest
import itertools
from dataclasses import replace

import numpy as np
import pytest

from lawgiver.envs.combinatorial_auction import bundles, core_rules, solutions
from lawgiver.envs.combinatorial_auction.core_rules import RULES, shared
from lawgiver.envs.combinatorial_auction.solutions import (
    Local,
    equilibrium_bids,
    equilibrium_outcome,
    first_best,
    revenue_limit,
)
from lawgiver.envs.core.errors import LawgiverError, NoSolution, ParameterError
from lawgiver.envs.core.make import make_game

DRAWS = 200_000
PRICINGS = ("vcg", *RULES)


def auction(**params):
    return make_game("combinatorial_auction", **params)


def sold(game, bids, reserve=0.0):
    """Return the chances to win (B, n, K) and the payments (B, n) for bids (B, n, K)."""
    bids = np.asarray(bids, float)
    w = np.broadcast_to(np.asarray(reserve, float), (len(bids),))[:, None]
    found = game.allocate(np.zeros((len(bids), game.n, game.type_size)), bids, w)
    return found[..., :-1], found[..., -1]


def random_game(rng, pricing="vcg"):
    """Make an auction of random bundles of 2 to 5 bidders."""
    n, items = int(rng.integers(2, 6)), int(rng.integers(2, 7))
    lists = []
    for _ in range(n):
        own = {tuple(np.flatnonzero(rng.random(items) < 0.5)) for _ in range(rng.integers(1, 4))} - {()}
        lists.append(sorted(own) or [(0,)])
    return auction(n=n, bundles=lists, high=(1.0,) * n, pricing=pricing)


def brute_force(game, bids, reserve=0.0):
    """Enumerate what every bidder may win; return all best allocations, n places each (None: nothing), and the worth.

    Worth is what is bid beyond the reserves. What is bid less than the reserves for is not sold.
    """
    best, most = [], -1.0
    choices = [[None, *range(len(own))] for own in game.bundles]
    for picked in itertools.product(*choices):
        items = [x for i, k in enumerate(picked) if k is not None for x in game.bundles[i][k]]
        net = [bids[i][k] - reserve * len(game.bundles[i][k]) for i, k in enumerate(picked) if k is not None]
        if len(items) > len(set(items)) or min(net, default=0) < 0:
            continue
        if sum(net) > most + 1e-12:
            best, most = [], sum(net)
        if sum(net) >= most - 1e-12:
            best.append(picked)
    maximal = [p for p in best if not any(_extends(q, p) for q in best)]
    return maximal, most


def _extends(more, less):
    return more != less and all(k is None or k == other for other, k in zip(more, less, strict=True))


# -- winners -------------------------------------------------------------------------------------------------


def test_feasible_allocations_of_known_settings():
    assert len(auction().feasible) == 5 and len(auction(preset="llllgg").feasible) == 67
    assert auction().groups.tolist() == [0, 0, 1]
    assert auction(preset="llllgg").groups.tolist() == [0, 0, 0, 0, 1, 1]
    assert auction(high=(1, 2, 2)).groups.tolist() == [0, 1, 2]


def test_bidders_are_told_apart_by_what_their_bundles_have_in_common():
    chain = auction(n=4, bundles=[[[1, 2]], [[2, 3]], [[3, 4]], [[4, 5]]], high=(1,) * 4, pricing="vcg")
    assert chain.groups.tolist() == [0, 1, 1, 0]
    ring = auction(n=4, bundles=[[[1, 2]], [[2, 3]], [[3, 4]], [[4, 1]]], high=(1,) * 4, pricing="vcg")
    assert ring.groups.tolist() == [0] * 4


@pytest.mark.parametrize("seed", range(12))
def test_winners_and_vcg_payments_are_those_of_enumeration(seed):
    """Bids on a coarse grid, so that allocations tie, with reserves that some bids meet exactly."""
    rng = np.random.default_rng(seed)
    game = random_game(rng)
    bids = rng.integers(0, 9, (20, game.n, game.places)) / 8 * (game.sizes > 0)
    reserves = rng.integers(0, 3, 20) / 8
    shares, payments = sold(game, bids, reserves)
    for b in range(20):
        best, most = brute_force(game, bids[b], reserves[b])
        expected = np.zeros((game.n, game.places))
        for picked in best:
            for i, k in enumerate(picked):
                if k is not None:
                    expected[i, k] += 1 / len(best)
        np.testing.assert_allclose(shares[b], expected, atol=1e-12)
        for i in range(game.n):
            without = bids[b].copy()
            without[i] = -1
            own = (expected[i] * bids[b, i]).sum()
            net = (expected[i] * (bids[b, i] - reserves[b] * game.sizes[i])).sum()
            owed = brute_force(game, without, reserves[b])[1] - (most - net) + own - net
            assert payments[b, i] == pytest.approx(owed, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_winners_are_those_of_an_integer_programme(seed):
    scipy = pytest.importorskip("scipy.optimize")  # by HiGHS
    rng = np.random.default_rng(100 + seed)
    items = 12
    lists = [[tuple(np.flatnonzero(rng.random(items) < 0.3)) or (i,) for _ in range(2)] for i in range(8)]
    game = auction(n=8, bundles=[list(dict.fromkeys(own)) for own in lists], high=(1.0,) * 8, pricing="vcg")
    bids = rng.random((10, 8, game.places)) * (game.sizes > 0)
    shares, _ = sold(game, bids)
    flat = [(i, k) for i, own in enumerate(game.bundles) for k in range(len(own))]
    once = np.array([[j == i for j, _ in flat] for i in range(8)], float)
    held = np.array([[x in game.bundles[i][k] for i, k in flat] for x in range(items)], float)
    rows = scipy.LinearConstraint(np.vstack([once, held]), ub=1)
    for b in range(10):
        worth = np.array([bids[b, i, k] for i, k in flat])
        found = scipy.milp(-worth, constraints=rows, integrality=np.ones(len(flat)), bounds=scipy.Bounds(0, 1))
        assert (shares[b] * bids[b]).sum() == pytest.approx(-found.fun, abs=1e-9)


def test_a_tie_between_locals_and_global_has_half_each():
    shares, payments = sold(auction(), [[[0.25], [0.5], [0.75]]])
    assert shares[0, :, 0].tolist() == [0.5, 0.5, 0.5]
    assert payments[0].tolist() == pytest.approx([0.125, 0.25, 0.375])


def test_a_bid_at_the_reserve_wins_at_the_reserve():
    for pricing in ("first", *PRICINGS):
        shares, payments = sold(auction(pricing=pricing), [[[0.25], [0.125], [0.25]], [[0.0], [0.0], [0.5]]], 0.25)
        assert shares[..., 0].tolist() == [[1, 0, 0], [0, 0, 1]]
        np.testing.assert_allclose(payments, [[0.25, 0, 0], [0, 0, 0.5]])


def test_bids_of_nothing_win_what_nobody_bids_for():
    for pricing in ("first", *PRICINGS):
        shares, payments = sold(auction(pricing=pricing), [[[0.0], [0.0], [0.0]], [[0.5], [0.0], [0.25]]])
        assert shares[..., 0].tolist() == [[0.5, 0.5, 0.5], [1, 1, 0]]
        assert payments.tolist() == [[0, 0, 0], [0.5 if pricing == "first" else 0.25, 0, 0]]


def test_exchanged_bidders_exchange_what_they_get():
    rng = np.random.default_rng(2)
    bids = rng.integers(0, 5, (500, 3, 1)) / 4 * [[1], [1], [2]]
    reserves = rng.integers(0, 3, 500) / 8
    for pricing in ("first", *PRICINGS):
        shares, payments = sold(auction(pricing=pricing), bids, reserves)
        swapped = sold(auction(pricing=pricing), bids[:, [1, 0, 2]], reserves)
        np.testing.assert_allclose(swapped[0], shares[:, [1, 0, 2]], atol=1e-12)
        np.testing.assert_allclose(swapped[1], payments[:, [1, 0, 2]], atol=1e-12)
        assert (payments <= (shares * bids).sum(-1) + 1e-12).all() and (payments >= -1e-12).all()


def test_bids_are_not_written_into():
    game, rng = auction(), np.random.default_rng(3)
    for pricing in ("first", *PRICINGS):
        bids = rng.random((50, 3, 1))
        kept = bids.copy()
        sold(replace(game, pricing=pricing), bids, 0.25)
        assert np.array_equal(bids, kept)
        if not isinstance(play := equilibrium_bids(replace(game, pricing=pricing), (0.0,), 0), NoSolution):
            values = rng.random(9)
            kept = values.copy()
            play(values)
            assert np.array_equal(values, kept)


# -- payments in the core ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_core_payments_are_the_nearest_point_of_the_minimum_core(rule):
    cvxpy = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(4)
    for _ in range(25):
        b = rng.random(2)
        g = rng.uniform(0, b.sum())
        least = np.maximum(0, g - b[::-1])
        near = {"nearest_vcg": least, "nearest_zero": np.zeros(2), "nearest_bid": b}[rule]
        pay = cvxpy.Variable(2)
        bounds = [pay >= least, pay <= b, cvxpy.sum(pay) == g]
        cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(pay - near)), bounds).solve(solver="CLARABEL")
        np.testing.assert_allclose(shared(rule, b[:, None], np.array([g]))[:, 0], pay.value, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_payments_are_in_the_core_of_what_is_bid_beyond_the_reserves(rule):
    rng = np.random.default_rng(5)
    bids = rng.random((2000, 3, 1)) * [[1], [1], [2]]
    shares, payments = sold(auction(pricing=rule), bids, 0.2)
    net = np.maximum(bids[..., 0] - [0.2, 0.2, 0.4], 0)
    beyond = payments - 0.2 * shares[..., 0] * [1, 1, 2]
    locals_win = shares[:, 2, 0] == 0
    assert 0.2 < locals_win.mean() < 0.8
    np.testing.assert_allclose(beyond[locals_win, :2].sum(-1), net[locals_win, 2], atol=1e-12)
    np.testing.assert_allclose(beyond[~locals_win, 2], net[~locals_win, :2].sum(-1), atol=1e-12)
    assert (beyond[locals_win] >= sold(auction(pricing="vcg"), net[..., None])[1][locals_win] - 1e-12).all()


# -- equilibria ----------------------------------------------------------------------------------------------


TABLE = {
    ("vcg", 0.0): (5 / 24, 7 / 24, 7 / 12, 1.0),
    ("vcg", 1.0): (1 / 4, 1 / 3, 1 / 2, 1.0),
    ("nearest_zero", 0.0): (0.13399, 0.46403, 0.5360, 0.9816),
    ("nearest_zero", 1.0): (1 / 6, 1 / 3, 2 / 3, 1.0),
    ("nearest_vcg", 0.0): (0.133165, 0.46734, 0.5329, 0.9804),
    ("nearest_vcg", 1.0): (4 / 27, 13 / 27, 14 / 27, 0.9723),
    ("nearest_bid", 0.0): (1 / 8, 1 / 2, 1 / 2, 0.9677),
    ("nearest_bid", 1.0): (1 / 8, 7 / 12, 5 / 12, 0.9374),
}
"""Payoffs of a local and of the global, revenue and efficiency; sampled figures are within 5e-6, and 5e-4."""


@pytest.mark.parametrize(("pricing", "gamma"), TABLE)
def test_what_the_equilibria_are_worth(pricing, gamma):
    found = equilibrium_outcome(auction(pricing=pricing, correlation=gamma), (0.0,))
    local, everything, revenue, efficiency = TABLE[pricing, gamma]
    assert found["payoff"] == pytest.approx([local, local, everything], abs=5e-6)
    assert found["revenue"] == pytest.approx(revenue, abs=5e-4)
    assert found["efficiency"] == pytest.approx(efficiency, abs=5e-4)


@pytest.mark.parametrize("pricing", PRICINGS)
@pytest.mark.parametrize("gamma", [0.0, 0.3, 0.999999, 1.0])
def test_nobody_gains_from_another_bid(pricing, gamma):
    assert Local(pricing, gamma).regret() <= 1e-9


class _Shaded(Local):
    def bid(self, values):
        return 0.9 * super().bid(values)


@pytest.mark.parametrize("pricing", PRICINGS)
def test_other_bids_are_found_to_lose(pricing):
    assert _Shaded(pricing, 0.5).regret() > 5e-4


@pytest.mark.parametrize("pricing", PRICINGS)
@pytest.mark.parametrize(("gamma", "high"), [(0.0, 1.0), (0.5, 3.0), (1.0, 1.0)])
def test_play_is_worth_what_the_closed_form_says(pricing, gamma, high):
    game = auction(pricing=pricing, correlation=gamma, high=(high, high, 2 * high))
    types = game.initial_types(np.random.default_rng(6).random((DRAWS, 3, 2)))
    values = types[..., 0]
    bids = np.stack([equilibrium_bids(game, (0.0,), i)(values[:, i]) for i in range(3)], axis=-1)
    found = game.allocate(types, bids, np.zeros((DRAWS, 1)))
    worth, paid = game.utility(types, found), found[..., -1]
    outcome = equilibrium_outcome(game, (0.0,))
    outcome = {**outcome, "local": outcome["payoff"][1], "global": outcome["payoff"][2]}
    samples = {"local": (worth - paid)[:, 1], "global": (worth - paid)[:, 2], "revenue": paid.sum(-1)}
    for name, sample in {**samples, "welfare": worth.sum(-1)}.items():
        assert abs(sample.mean() - outcome[name]) <= 4 * sample.std() / DRAWS**0.5, name
    best = np.maximum(values[:, :2].sum(-1), values[:, 2])
    assert abs(best.mean() - first_best(game)) <= 4 * best.std() / DRAWS**0.5
    assert outcome["welfare"] == pytest.approx(outcome["efficiency"] * first_best(game))


@pytest.mark.parametrize(
    ("pricing", "right", "circulating"), [("nearest_vcg", 4 / 27, 0.0741), ("nearest_bid", 1 / 8, 0.0417)]
)
def test_figures_in_circulation_count_the_bid_in_place_of_the_value(pricing, right, circulating):
    """The game's own rule on an even grid of the locals' common value and the global's decides which are right."""
    game, local = auction(pricing=pricing, correlation=1.0), Local(pricing, 1.0)
    value, other = (x.ravel() for x in np.meshgrid((np.arange(400) + 0.5) / 400, (np.arange(800) + 0.5) / 400))
    types = np.zeros((value.size, 3, 2))
    types[..., 0] = np.stack([value, value, other], axis=-1)
    bids = np.stack([local.bid(value), local.bid(value), other], axis=-1)
    found = game.allocate(types, bids, np.zeros((value.size, 1)))
    payoff = game.utility(types, found)[:, 0] - found[:, 0, -1]
    mistaken = bids[:, 0] * found[:, 0, 0] - found[:, 0, -1]
    assert payoff.mean() == pytest.approx(right, abs=2e-5) and local.local_payoff() == pytest.approx(right, abs=1e-12)
    assert mistaken.mean() == pytest.approx(circulating, abs=6e-5)
    assert local.local_payoff("bid") == pytest.approx(circulating, abs=5e-5)


@pytest.mark.parametrize("pricing", RULES)
def test_bids_go_over_into_those_of_equal_values(pricing):
    values = np.linspace(0, 1, 33)
    near, limit = Local(pricing, 1 - 1e-9).bid(values), Local(pricing, 1.0).bid(values)
    np.testing.assert_allclose(near, limit, atol=1e-8)
    np.testing.assert_allclose(limit, {"nearest_zero": 1, "nearest_vcg": 2 / 3, "nearest_bid": 1 / 2}[pricing] * values)
    assert Local(pricing, 0.0).bid(np.array(0.0)) == 0


def test_truth_is_dominant_under_vcg():
    rng = np.random.default_rng(7)
    game = random_game(rng)
    types = game.initial_types(rng.random((2000, game.n, game.type_size)))
    w = rng.integers(0, 3, (2000, 1)) / 8

    def paid(bids):
        found = game.allocate(types, bids, w)
        return game.utility(types, found) - found[..., -1]

    honest = paid(types[..., :-1])
    for seat in range(game.n):
        for _ in range(20):
            bids = types[..., :-1].copy()
            bids[:, seat] = rng.random((2000, game.places)) * (game.sizes[seat] > 0)
            assert (paid(bids) - honest)[:, seat].max() <= 1e-12


def test_four_locals_and_two_globals_under_vcg():
    game = auction(preset="llllgg")
    types = game.initial_types(np.random.default_rng(8).random((DRAWS, 6, 3)))
    found = game.allocate(types, types[..., :-1], np.zeros((DRAWS, 1)))
    worth, paid = game.utility(types, found), found[..., -1]
    for sample, figure in (
        (paid.sum(-1), 1.525),
        (worth.sum(-1), 2.800),
        ((worth - paid)[:, :4].mean(-1), 0.242),
        ((worth - paid)[:, 4:].mean(-1), 0.154),
    ):
        # the figure is of as many other draws, and has three digits
        assert abs(sample.mean() - figure) <= 4 * 2**0.5 * sample.std() / DRAWS**0.5 + 5e-4


@pytest.mark.parametrize("gamma", [0.25, 1.0])
def test_types_given_ones_own(gamma):
    """Drawn anew given the type of each seat in turn, types are distributed as before."""
    game, rng = auction(correlation=gamma), np.random.default_rng(9)
    types = game.initial_types(rng.random((DRAWS, 3, 2)))
    for seat in range(3):
        again = game.types_given(types, np.full(DRAWS, seat), rng.random((DRAWS, 3, 2)))
        assert np.array_equal(again[:, seat], types[:, seat]) and np.array_equal(again[..., 1], types[..., 1])
        for drawn in (types, again):
            same = (drawn[:, 0, 0] == drawn[:, 1, 0]).mean()
            assert abs(same - gamma) <= 4 * (gamma * (1 - gamma) / DRAWS) ** 0.5
        np.testing.assert_allclose(again[..., 0].mean(0), [0.5, 0.5, 1.0], atol=4 * 0.6 / DRAWS**0.5)
        kept = (again[:, 0, 0] == types[:, 0, 0]).mean()
        assert kept == 1 if seat == 0 else kept < gamma + 0.01 if seat == 1 else kept == 0


def test_revenue_stays_below_the_bound():
    """The optimal auction for independent values is given by virtual values (Myerson 1981)."""
    values = np.random.default_rng(10).random((DRAWS, 3)) * [1, 1, 2]
    virtual = np.maximum(2 * values - [1, 1, 2], 0)
    best = np.maximum(virtual[:, :2].sum(-1), virtual[:, 2])
    limit = revenue_limit(auction())
    assert abs(best.mean() - limit) <= 4 * best.std() / DRAWS**0.5
    assert auction().ceiling() == limit and revenue_limit(auction(correlation=0.5)) is None
    for reserve in np.linspace(0, 1, 9):
        paid = sold(auction(pricing="vcg"), values[..., None], reserve)[1].sum(-1)
        assert paid.mean() <= limit + 4 * paid.std() / DRAWS**0.5


def test_what_is_not_known_says_so():
    for params, w, said in (
        ({"pricing": "first"}, (0.0,), "first-price package auctions"),
        ({}, (0.25,), "without a reserve alone"),
        ({"high": (1, 2, 2)}, (0.0,), "twice their greatest value"),
    ):
        for ask in (equilibrium_outcome, lambda *given: equilibrium_bids(*given, 0)):
            found = ask(auction(**params), w)
            assert isinstance(found, NoSolution) and said in str(found)
    game = auction(preset="llllgg")
    assert isinstance(equilibrium_outcome(game, (0.0,)), NoSolution)
    assert equilibrium_bids(game, (0.1,), 5)(np.array([0.3, 0.4])).tolist() == [0.3, 0.4]
    assert game.first_best() is None and game.ceiling() is None and game.known_solutions() == ()


@pytest.mark.parametrize("module", [bundles, core_rules, solutions])
def test_examples(module):
    assert doctest.testmod(module).failed == 0


# -- what is not taken ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"n": 4}, r"bundles is .*, allowed: a list of 4 entries, one a bidder"),
        ({"bundles": "llg"}, "bundles is 'llg', allowed: a list of 3 entries"),
        ({"bundles": [[[1]], [], [[1, 2]]]}, r"bundles\[1\] is \[\], allowed: a list of one entry or more"),
        ({"bundles": [[[1]], [[]], [[1, 2]]]}, r"bundles\[1\]\[0\] is \[\], allowed: a list of one entry or more"),
        ({"bundles": [[[1]], [["A"]], [[1, 2]]]}, r"bundles\[1\]\[0\]\[0\] is 'A', allowed: an integer"),
        ({"bundles": [[[1]], [[2, 2]], [[1, 2]]]}, r"bundles\[1\]\[0\] is \(2, 2\), allowed: every item once"),
        ({"bundles": [[[1]], [[2], [2]], [[1, 2]]]}, r"bundles\[1\] is .*, allowed: every bundle once"),
        ({"high": (1, 1)}, r"high is \(1, 1\), allowed: a list of 3 entries, one a bidder"),
        ({"high": (1, 0, 2)}, r"high\[1\] is 0, allowed: a number in"),
        ({"correlation": 1.5}, r"correlation is 1.5, allowed: a number in \[0, 1\]"),
        ({"correlation": float("nan")}, r"correlation is nan, allowed: a number in \[0, 1\]"),
        ({"preset": "llllgg", "correlation": 0.5}, "correlation is 0.5, allowed: 0; it takes two locals"),
        ({"preset": "llllgg", "pricing": "nearest_vcg"}, "pricing is 'nearest_vcg', allowed: vcg, first; it takes two"),
        ({"bundles": [[[1]], [[1]], [[1, 2]]]}, "pricing is 'nearest_vcg', allowed: vcg, first; it takes two locals"),
        ({"pricing": "core"}, "pricing is 'core': .*nearest_bid, nearest_vcg"),
        ({"preset": "llllgg", "n_bids": 9}, "n_bids is 9, allowed: None, where bidders bid for 2 bundles each"),
        ({"n_bids": 1}, r"n_bids is 1, allowed: an integer in 2\.\."),
        ({"preset": "ggg"}, "preset is 'ggg': .*llg, llllgg"),
    ],
)
def test_bad_parameters_are_named(params, said):
    with pytest.raises(LawgiverError, match=said):
        auction(**params)


def test_too_many_allocations_are_named():
    apart = [[[i]] for i in range(20)]
    with pytest.raises(ParameterError, match="bundles has more than 10,000 feasible allocations, allowed: up to that"):
        auction(n=20, bundles=apart, high=(1,) * 20, pricing="vcg")
