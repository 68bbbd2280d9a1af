"""Rules of sealed-bid auctions: ties, ranks, prices, terms and risk aversion, each against the rule one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from lawgiver.envs.core.make import make_game
from lawgiver.envs.sealed_bid.slots import PRICINGS, Terms, by_order, by_rank, highest, hold, of_one

RNG = np.random.default_rng(0)


def one_by_one(bids, alpha, pricing, reserve=0.0, fee=0.0, mix=None, weights=None, handicaps=None):
    """Hold one auction by the definition: average over all orders in which the ties may be broken."""
    n = len(bids)
    weights = np.ones(n) if weights is None else weights
    handicaps = np.zeros(n) if handicaps is None else handicaps
    scores = weights * (bids - handicaps)
    inside = [i for i in range(n) if bids[i] > 0 and scores[i] >= reserve]
    alpha = [*alpha, *[0.0] * (n + 1)]
    shares, payments, orders = np.zeros(n), np.zeros(n), 0
    for order in itertools.permutations(inside):
        if any(scores[i] < scores[j] for i, j in itertools.pairwise(order)):
            continue
        orders += 1
        ranked = [*(scores[i] for i in order), *[reserve] * (len(alpha) + 2)]
        for k, i in enumerate(order):
            price = {
                "first": ranked[k],
                "next": ranked[k + 1],
                "skip": ranked[k + 2],
                "all_pay": 0.0,
                "vcg": sum((alpha[j] - alpha[j + 1]) * ranked[j + 1] for j in range(k, len(alpha) - 1))
                / (alpha[k] or 1.0),
            }[pricing]
            price = price if mix is None else mix * ranked[k] + (1 - mix) * ranked[k + 1]
            shares[i] += alpha[k]
            if pricing != "all_pay":
                payments[i] += alpha[k] * (price / weights[i] + handicaps[i])
    shares, payments = shares / max(orders, 1), payments / max(orders, 1)
    for i in inside:
        payments[i] += fee + (bids[i] if pricing == "all_pay" else 0.0)
    return shares, payments


def tied_bids(n, games, levels=5):
    return RNG.integers(0, levels, (games, n)) / 4.0


@pytest.mark.parametrize("pricing", PRICINGS)
@pytest.mark.parametrize("alpha", [(1.0,), (1.0, 0.5), (0.75, 0.75, 0.25), (1.0, 1.0, 0.5, 0.25)])
def test_ties_are_the_average_over_all_orders(pricing, alpha):
    for n in (2, 3, 4, 5):
        bids, reserve = tied_bids(n, 60), RNG.integers(0, 4, 60) / 4
        terms = Terms(np.array(alpha[:n]), pricing, reserve=reserve)
        shares, payments = hold(bids.T, terms)
        for game in range(60):
            expected = one_by_one(bids[game], alpha, pricing, reserve[game])
            np.testing.assert_allclose(shares[:, game], expected[0], atol=1e-12)
            np.testing.assert_allclose(payments[:, game], expected[1], atol=1e-12)


@pytest.mark.parametrize("pricing", ["first", "next"])
def test_fee_mix_weights_and_handicaps(pricing):
    n, alpha, games = 4, (1.0, 0.5, 0.25), 60
    bids, weights = tied_bids(n, games), np.array([1.0, 0.5, 0.5, 2.0])
    fee, mix, reserve = (RNG.integers(0, 4, games) / 4 for _ in range(3))
    handicaps = RNG.integers(0, 3, (n, games)) / 4
    terms = Terms(np.array(alpha), pricing, reserve, fee, mix, weights[:, None], handicaps)
    shares, payments = hold(bids.T, terms)
    for g in range(games):
        expected = one_by_one(bids[g], alpha, pricing, reserve[g], fee[g], mix[g], weights, handicaps[:, g])
        np.testing.assert_allclose(shares[:, g], expected[0], atol=1e-12)
        np.testing.assert_allclose(payments[:, g], expected[1], atol=1e-12)


@pytest.mark.parametrize("pricing", PRICINGS)
@pytest.mark.parametrize(("n", "slots"), [(2, 1), (3, 1), (5, 2), (9, 3), (12, 12), (20, 9)])
def test_the_ways_to_compute_ranks_agree(pricing, n, slots):
    alpha = -np.sort(-RNG.integers(1, 9, slots) / 8)
    scores = np.where(RNG.random((n, 200)) < 0.3, -1.0, RNG.integers(1, 6, (n, 200)) / 4)
    terms = Terms(alpha, pricing, reserve=np.full(200, 0.25))
    rules = [by_rank, by_order, *([of_one] if slots == 1 and pricing != "skip" else [])]
    for shares, charges in (rule(scores, terms) for rule in rules):
        np.testing.assert_allclose(shares, by_rank(scores, terms)[0], atol=1e-12)
        np.testing.assert_allclose(charges, by_rank(scores, terms)[1], atol=1e-12)
    assert (by_rank(scores, terms)[0].sum(0) <= alpha.sum() + 1e-12).all()


@pytest.mark.parametrize("m", [1, 2, 3, 4, 6])
def test_highest_scores_keep_ties(m):
    scores = RNG.integers(-1, 4, (5, 500)) * 1.0
    expected = -np.sort(-np.vstack([scores, np.full((1, 500), -1.0)]), axis=0)[:m]
    assert np.array_equal(highest(scores, m), expected)


@pytest.mark.parametrize("pricing", PRICINGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "slots"), [(3, (1.0,)), (4, (1.0, 0.5)), (10, (1.0,) * 9)])
def test_numpy_equals_torch_with_ties(pricing, dtype, n, slots):
    game = make_game("sealed_bid", n=n, pricing=pricing, slots=slots, n_bids=9)
    types = RNG.random((300, n, 1)).astype(dtype)
    bids = game.announcements(RNG.integers(0, 9, (300, n)).astype(dtype))
    w = (RNG.integers(0, 4, (300, 1)) / 8).astype(dtype)
    there = game.allocate(*(torch.as_tensor(x) for x in (types, bids, w)))
    here = game.allocate(types, bids, w)
    assert here.dtype == dtype and there.dtype == torch.as_tensor(types).dtype
    np.testing.assert_allclose(here, there.numpy(), rtol=2e-6 if dtype is np.float32 else 1e-14, atol=1e-7)
    assert np.array_equal(here[..., 0] > 0, there[..., 0].numpy() > 0)


def test_levels_that_are_no_dyadic_numbers_tie_alike_in_both_precisions():
    game = make_game("sealed_bid", n=3, n_bids=11, high=0.7)
    levels = RNG.integers(0, 11, (2000, 3))
    w = np.zeros((2000, 1))
    shares = []
    for dtype in (np.float32, np.float64):
        bids = game.announcements(levels.astype(dtype))
        shares.append(game.allocate(bids[..., None], bids, w.astype(dtype))[..., 0])
        there = game.announcements(torch.as_tensor(levels.astype(dtype)))
        shares.append(game.allocate(there[..., None], there, torch.as_tensor(w.astype(dtype)))[..., 0].numpy())
    for one in shares[1:]:
        np.testing.assert_allclose(one, shares[0], rtol=1e-6)


@pytest.mark.parametrize("pricing", PRICINGS)
@pytest.mark.parametrize("n", [3, 9])
def test_permuting_bidders_permutes_outcomes(pricing, n):
    game = make_game("sealed_bid", n=n, pricing=pricing, slots=(1.0, 0.5))
    bids = RNG.integers(0, 4, (400, n)) / 4
    w, seats = np.full((400, 1), 0.25), RNG.permutation(n)
    straight = game.allocate(bids[..., None], bids, w)
    np.testing.assert_allclose(game.allocate(bids[:, seats, None], bids[:, seats], w), straight[:, seats], atol=1e-14)


def test_a_bid_of_zero_and_one_below_the_reserve_stay_out():
    for n_bids in (None, 5):
        game = make_game("sealed_bid", n=2, pricing="all_pay", announced=["reserve", "entry_fee"], n_bids=n_bids)
        state = game.initial_state(3, np.random.default_rng(0))
        state, *_ = game.step(state, np.full((3, 1, 2), [0.5, 0.125]), {})
        sent = np.array([[0.0, 0.0], [0.25, 0.0], [0.5, 0.25]])
        actions = sent[..., None] if n_bids is None else (sent * 4).astype(int)
        state, *_ = game.step(state, actions, {})
        assert np.array_equal(-state.transfers, [[0, 0], [0, 0], [0.625, 0]])
        assert np.array_equal(state.utilities[:2], np.zeros((2, 2)))


def test_a_bid_at_the_reserve_wins_at_the_reserve():
    game = make_game("sealed_bid", n=2, pricing="next")
    found = game.allocate(np.ones((1, 2, 1)), np.array([[0.5, 0.25]]), np.array([[0.5]]))
    assert np.array_equal(found, [[[1, 0.5], [0, 0]]])


def test_quality_scales_shares_and_payments_per_click():
    game = make_game(
        "sealed_bid", n=3, pricing="next", slots=(1, 0.5), quality=(1, 0.5, 0.8), announced=["squash", "reserve"]
    )
    bids, w = np.array([[0.4, 0.9, 0.3]]), np.array([[0.0, 1.0]])
    shares, payments = np.moveaxis(game.allocate(bids[..., None], bids, w)[0], -1, 0)  # scores .4, .45, .24
    np.testing.assert_allclose(shares, [0.5, 0.5, 0])  # the second bidder is first
    np.testing.assert_allclose(payments, [0.5 * 0.24, 0.5 * 0.4 / 0.5, 0])
    shares, payments = np.moveaxis(game.allocate(bids[..., None], bids, w * 0)[0], -1, 0)  # squashed to equal weights
    np.testing.assert_allclose(payments, [0.5 * 0.3, 0.5 * 0.4, 0])


def test_a_fee_is_the_same_whatever_the_quality():
    game = make_game("sealed_bid", quality=0.5, announced=["entry_fee"])
    found = game.allocate(np.ones((1, 2, 1)), np.array([[0.6, 0.4]]), np.array([[0.1]]))
    np.testing.assert_allclose(found, [[[0.5, 0.4], [0, 0.1]]])


def test_risk_averse_bidders_are_paid_the_power_of_what_they_gain():
    game = make_game("sealed_bid", n=2, risk_aversion=0.5)
    state = game.initial_state(3, np.random.default_rng(0))
    state, *_ = game.step(state, np.zeros((3, 1, 1)), {})
    values = state.types[..., 0]
    bids = np.array([[0.25, 0.0], [0.5, 0.5], [0.0, 1.0]])
    state, rewards, *_ = game.step(state, bids[..., None], {})
    share = np.array([[1, 0], [0.5, 0.5], [0, 1]])
    gain = values - bids
    np.testing.assert_allclose(rewards["participant"], share * np.sign(gain) * np.abs(gain) ** 0.5, atol=1e-12)
    np.testing.assert_allclose(rewards["mechanism"][:, 0], (share * bids).sum(-1))
    types = torch.ones((1, 2, 1), dtype=torch.float64)
    price = torch.tensor([[1.0, 0.0]], dtype=torch.float64, requires_grad=True)  # gains exactly nothing
    found = game.allocate(types, price, torch.zeros((1, 1), dtype=torch.float64))
    paid = game.attributed(types, found, game.utility(types, found)) + game.transfer(types, found, price[:, :1])
    assert torch.isfinite(torch.autograd.grad(paid.sum(), price)[0]).all()


def test_rules_do_not_write_into_their_arguments():
    game = make_game("sealed_bid", n=4, pricing="vcg", slots=(1, 0.5), announced=["reserve", "handicaps"])
    arrays = RNG.random((50, 4, 1)), RNG.random((50, 4)), RNG.random((50, 5)) / 4
    kept = [x.copy() for x in arrays]
    game.allocate(*arrays)
    assert all(np.array_equal(x, y) for x, y in zip(arrays, kept, strict=True))


def test_one_slot_more_than_bidders_stays_empty():
    bids = RNG.random((100, 2))
    for pricing in PRICINGS:
        few, many = (make_game("sealed_bid", n=2, pricing=pricing, slots=s) for s in ((1, 0.5), (1, 0.5, 0.25)))
        w = np.full((100, 1), 0.2)
        assert np.array_equal(few.allocate(bids[..., None], bids, w), many.allocate(bids[..., None], bids, w))


def test_the_top_bidder_gains_by_shading_in_the_generalised_second_price_auction():
    game = make_game("sealed_bid", preset="gsp", values=(0, 3))
    values = np.array([[[3.0], [2.8], [1.0]]])

    def payoff(bid):
        bids = np.array([[bid, 2.8, 1.0]])
        found = game.allocate(values, bids, np.zeros((1, 1)))
        return float((game.utility(values, found) + game.transfer(values, found, np.zeros((1, 1))))[0, 0])

    assert payoff(3.0) == pytest.approx(0.2) and payoff(2.0) == pytest.approx(1.0)


def test_vcg_revenue_may_fall_when_a_bidder_joins():
    """Where quality does not count in scores, one who is seldom clicked on may win."""
    revenue = []
    for n in (2, 3):
        game = make_game("sealed_bid", n=n, pricing="vcg", quality=(1, 1, 0.1)[:n], squash=0, values=(0, 2))
        bids = np.array([[1.0, 0.9, 1.1]])[:, :n]
        revenue.append(float(game.allocate(bids[..., None], bids, np.zeros((1, 1)))[..., 1].sum()))
    assert revenue == pytest.approx([0.9, 0.1])


@pytest.mark.parametrize("signals", [0.25, 1.0, 1.75])
def test_worth_of_mineral_rights_given_signals(signals):
    game = make_game("sealed_bid", preset="mineral_rights")
    types = game.initial_types(np.random.default_rng(1).random((2_000_000, 3, 2)))
    assert np.ptp(types[..., 1], axis=1).max() == 0
    z = types[..., 0].max(axis=1)
    near = np.abs(z - signals) < 0.02
    worth = types[near, 0, 1]
    expected = 2 * z[near] / (2 + z[near])
    assert abs((worth - expected).mean()) < 4 * (worth - expected).std() / near.sum() ** 0.5


def test_affiliated_signals():
    game = make_game("sealed_bid", preset="affiliated")
    draws = np.random.default_rng(1).random((200_000, 2, 2))
    types = game.initial_types(draws)
    np.testing.assert_allclose(types[..., 1], types[..., 0].mean(axis=1)[:, None] + np.zeros(2), rtol=1e-12)
    assert np.corrcoef(types[..., 0].T)[0, 1] == pytest.approx(0.5, abs=0.01)
    assert game.see_types(game.initial_state(5, np.random.default_rng(0))).shape == (5, 2, 1)
