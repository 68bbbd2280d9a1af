"""Double auctions: trades and prices, the linear equilibrium, McAfee's rule, and what is not taken."""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

from lawgiver.envs.core.errors import LawgiverError, NoSolution
from lawgiver.envs.core.make import make_game
from lawgiver.envs.double_auction import solutions
from lawgiver.envs.double_auction.solutions import (
    Linear,
    equilibrium_bids,
    equilibrium_outcome,
    first_best,
    largest_revenue,
    largest_welfare,
)

DRAWS = 200_000


def auction(**params):
    return make_game("double_auction", **params)


def traded(game, offers, w):
    """Return shares and payments (n,) of one auction."""
    offers = np.asarray(offers, float)[None]
    found = game.allocate(np.zeros((1, game.n, 2)), offers, np.asarray(w, float)[None])[0]
    return found[:, 0], found[:, 1]


def played(game, w, draws=DRAWS):
    """Return types and allocations when everybody plays the equilibrium."""
    types = game.initial_types(np.random.default_rng(0).random((draws, game.n, 2)))
    offers = np.stack([equilibrium_bids(game, w, i)(types[:, i, 0]) for i in range(game.n)], axis=-1)
    return types, game.allocate(types, offers, np.broadcast_to(np.asarray(w, float), (draws, len(w))))


# -- the rules -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offers", "w", "shares", "payments"),
    [
        ([0.7, 0.5], (0.25, 0.0), [1, 1], [0.55, -0.55]),
        ([0.5, 0.5], (0.25, 0.0), [1, 1], [0.5, -0.5]),  # at equal offers there is trade
        ([0.5, 0.75], (0.25, 0.0), [0, 0], [0, 0]),
        ([0.75, 0.5], (0.5, 0.25), [1, 1], [0.75, -0.5]),  # the market keeps the spread
        ([0.75, 0.5], (0.5, 0.125), [1, 1], [0.6875, -0.5625]),
        ([0.75, 0.625], (0.5, 0.25), [0, 0], [0, 0]),
    ],
)
def test_one_buyer_and_one_seller(offers, w, shares, payments):
    found = traded(auction(), offers, w)
    assert found[0].tolist() == shares and found[1].tolist() == pytest.approx(payments)


@pytest.mark.parametrize(
    ("offers", "k", "shares", "price"),
    [
        # bids 9 7 4, asks 2 5: two trades, between max(5, 4) and min(7, -)
        ([9, 4, 7, 5, 2], 0.0, [1, 0, 1, 1, 1], 5),
        ([9, 4, 7, 5, 2], 1.0, [1, 0, 1, 1, 1], 7),
        # bids 9 6 4, asks 2 8: one trade, between max(2, 6) and min(9, 8)
        ([9, 4, 6, 8, 2], 0.0, [1, 0, 0, 0, 1], 6),
        ([9, 4, 6, 8, 2], 0.5, [1, 0, 0, 0, 1], 7),
        # two buyers tie for the second unit, three for two
        ([9, 7, 7, 5, 2], 0.0, [1, 0.5, 0.5, 1, 1], 7),
        ([7, 7, 7, 5, 2], 1.0, [2 / 3, 2 / 3, 2 / 3, 1, 1], 7),
        # sellers tie for the one trade
        ([9, 1, 1, 4, 4], 1.0, [1, 0, 0, 0.5, 0.5], 4),
    ],
)
def test_the_price_lies_between_the_offers_at_the_margin(offers, k, shares, price):
    found = traded(auction(n=5, sellers=2, high=10), offers, (k, 0.0))
    assert found[0].tolist() == pytest.approx(shares)
    assert found[1].tolist() == pytest.approx(
        [price * share for share in shares[:3]] + [-price * x for x in shares[3:]]
    )


def test_the_price_is_an_order_statistic_of_all_offers():
    """m units go to the m highest offers; the price is the last of these or the next (k = 1, k = 0)."""
    game, rng = auction(n=7, sellers=3), np.random.default_rng(0)
    offers = rng.random((500, 7))
    ranked = -np.sort(-offers, axis=-1)
    for k in (0.0, 1.0):
        found = game.allocate(np.zeros((500, 7, 2)), offers, np.tile([k, 0.0], (500, 1)))
        some = found[:, 0:4, 0].sum(-1) > 0
        price = found[:, :4, 1].sum(-1)[some] / found[:, :4, 0].sum(-1)[some]
        np.testing.assert_allclose(price, ranked[some, 3 - int(k)])


@pytest.mark.parametrize(
    ("offers", "shares", "payments"),
    [
        # bids 9 7 4, asks 2 5 6: two efficient trades; (4 + 6) / 2 = 5 lies in [5, 7]
        ([9, 4, 7, 5, 2, 6], [1, 0, 1, 1, 1, 0], [5, 0, 5, -5, -5, 0]),
        # bids 9 7 1, asks 2 5 6: (1 + 6) / 2 = 3.5 does not, and one trade is left, at 7 and 5
        ([9, 1, 7, 5, 2, 6], [1, 0, 0, 0, 1, 0], [7, 0, 0, 0, -5, 0]),
        # all three trades are efficient, and the next offers are 0 and 10: 5 lies in [4, 6]
        ([9, 6, 7, 4, 2, 3], [1, 1, 1, 1, 1, 1], [5, 5, 5, -5, -5, -5]),
        # 5 is above 4: of three trades two are left; two buyers tie for the second, three sellers for both
        ([9, 4, 4, 2, 2, 2], [1, 0.5, 0.5, 2 / 3, 2 / 3, 2 / 3], [4, 2, 2, -4 / 3, -4 / 3, -4 / 3]),
        ([1, 1, 1, 9, 9, 9], [0] * 6, [0] * 6),
    ],
)
def test_mcafee(offers, shares, payments):
    found = traded(auction(n=6, sellers=3, high=10, pricing="mcafee"), offers, (0.0,))
    assert found[0].tolist() == pytest.approx(shares) and found[1].tolist() == pytest.approx(payments)


@pytest.mark.parametrize("pricing", ["k_double", "mcafee"])
@pytest.mark.parametrize(("n", "sellers"), [(2, 1), (5, 1), (5, 4), (6, 3)])
def test_every_auction_clears_and_keeps_its_promises(pricing, n, sellers):
    """Offers on a coarse grid, so that they tie: the market clears, keeps what it announced, and nobody overpays."""
    game, rng = auction(n=n, sellers=sellers, pricing=pricing), np.random.default_rng(1)
    offers = rng.integers(0, 9, (2000, n)) / 8
    w = rng.integers(0, 5, (2000, len(game.rule_names))) / 8
    types = game.initial_types(rng.random((2000, n, 2)))
    found = game.allocate(types, offers, w)
    shares, payments = found[..., 0], found[..., 1]
    buyers = n - sellers
    assert ((shares >= 0) & (shares <= 1)).all()
    np.testing.assert_allclose(shares[:, :buyers].sum(-1), shares[:, buyers:].sum(-1), atol=1e-12)
    kept = payments.sum(-1) - w[:, -1] * shares[:, :buyers].sum(-1)
    assert (kept > -1e-12).all() and (pricing == "mcafee" or (abs(kept) < 1e-12).all())
    assert (payments[:, :buyers] <= offers[:, :buyers] * shares[:, :buyers] + 1e-12).all()
    assert (payments[:, buyers:] <= -offers[:, buyers:] * shares[:, buyers:] + 1e-12).all()
    for order in (np.r_[rng.permutation(buyers), buyers + rng.permutation(sellers)] for _ in range(3)):
        np.testing.assert_allclose(game.allocate(types, offers[:, order], w), found[:, order], atol=1e-12)


def test_prices_that_are_named_are_even():
    game = make_game("double_auction", n_bids=5, high=2.0)
    assert game.announcements(np.arange(5.0)[None]).tolist() == [[0, 0.5, 1, 1.5, 2]]


# -- equilibria ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("spread", [0.0, 0.2, 1 / 3, 1.0])
def test_nobody_gains_from_another_offer(k, spread):
    assert Linear(k, spread).regret() <= 1e-12


class _Shaded(Linear):
    def bid(self, values):
        return 0.9 * super().bid(values)


class _Raised(Linear):
    def ask(self, costs):
        return super().ask(costs) + 0.05


@pytest.mark.parametrize("other", [_Shaded, _Raised])
def test_other_offers_are_found_to_lose(other):
    assert other(0.5, 0.1).regret() > 5e-4


def test_regret_is_that_of_the_rules():
    """The expected payoff of an offer, in closed form, is what the game pays it on average."""
    k, spread, value, offer = 0.25, 0.125, 0.8, 0.6
    game, rng = auction(), np.random.default_rng(3)
    linear = Linear(k, spread)
    others = rng.random(DRAWS)
    bids = np.full(DRAWS, offer)
    types = np.stack([np.stack([np.full(DRAWS, value), others], -1), np.tile([0.0, 1.0], (DRAWS, 1))], -1)
    w = np.tile([k, spread], (DRAWS, 1))
    for seat, offers, expected in (
        (0, [bids, linear.ask(others)], linear._buyer(np.array([[value]]), np.array([[offer]]))),
        (1, [linear.bid(others), bids], linear._seller(np.array([[value + spread]]), np.array([[offer + spread]]))),
    ):
        types[:, :, 0] = np.stack([np.full(DRAWS, value), others][:: 1 - 2 * seat], -1)
        found = game.allocate(types, np.stack(offers, -1), w)
        paid = (game.utility(types, found) - found[..., 1])[:, seat]
        assert abs(paid.mean() - expected.item()) <= 4 * paid.std() / DRAWS**0.5


@pytest.mark.parametrize(("k", "welfare"), [(0.0, 1 / 8), (0.25, 0.13671875), (0.5, 9 / 64), (1.0, 1 / 8)])
def test_gains_in_the_linear_equilibrium(k, welfare):
    outcome = equilibrium_outcome(auction(), (k, 0.0))
    assert outcome["welfare"] == pytest.approx(welfare, abs=1e-12) and outcome["revenue"] == 0
    assert [outcome["payoff"].sum(), outcome["surplus"]] == pytest.approx([welfare] * 2)
    assert welfare <= largest_welfare(auction())


def test_the_even_split_offers_what_the_paper_says():
    game, values = auction(), np.linspace(0, 1, 9)
    bids, asks = (equilibrium_bids(game, (0.5, 0.0), seat)(values) for seat in (0, 1))
    np.testing.assert_allclose(bids[values >= 0.25], (2 * values / 3 + 1 / 12)[values >= 0.25])
    np.testing.assert_allclose(asks[values <= 0.75], (2 * values / 3 + 1 / 4)[values <= 0.75])


@pytest.mark.parametrize("params", [{}, {"high": 3.0}, {"pricing": "mcafee"}, {"pricing": "mcafee", "high": 0.5}])
@pytest.mark.parametrize("spread", [0.0, 0.25])
def test_play_is_worth_what_the_closed_form_says(params, spread):
    game = auction(**params)
    w = (0.3, spread * game.high)[-len(game.rule_names) :]
    outcome = equilibrium_outcome(game, w)
    outcome = {**outcome, **dict(zip(("buyer", "seller"), outcome["payoff"], strict=True))}
    types, found = played(game, w)
    worth = game.utility(types, found)
    paid = worth - found[..., 1]
    for name, sample in {
        "welfare": worth.sum(-1),
        "revenue": found[..., 1].sum(-1),
        "trade": found[:, 0, 0],
        "buyer": paid[:, 0],
        "seller": paid[:, 1],
    }.items():
        assert abs(sample.mean() - outcome[name]) <= 4 * sample.std() / DRAWS**0.5 + 1e-12, name


@pytest.mark.parametrize("params", [{}, {"pricing": "mcafee"}])
def test_the_largest_revenue_is_at_the_best_spread(params):
    game = auction(**params)
    rules = [(k, d) for k in (np.linspace(0, 1, 11) if not params else [0.5]) for d in np.linspace(0, 1, 301)]
    found = [equilibrium_outcome(game, w[-len(game.rule_names) :])["revenue"] for w in rules]
    assert max(found) <= largest_revenue(game) + 1e-12 and max(found) >= largest_revenue(game) - 1e-6
    assert rules[int(np.argmax(found))] == pytest.approx((0.5, 1 / 3))
    assert replace(game, objective="revenue").ceiling() == largest_revenue(game)
    assert game.ceiling() == largest_welfare(game)


@pytest.mark.parametrize(
    ("size", "share", "kept"),
    [(1, 0.75, 0.0), (2, 0.824, 0.013), (3, 0.888, 0.045), (5, 0.947, 0.096), (10, 0.984, 0.157)],
)
def test_mcafees_share_of_the_gains(size, share, kept):
    """Of all gains, as many draws show; what the market keeps is in money."""
    game = auction(n=2 * size, sellers=size, pricing="mcafee")
    types, found = played(game, (0.0,))
    gains, revenue = game.utility(types, found).sum(-1), found[..., 1].sum(-1)
    assert abs(gains.mean() / first_best(game) - share) <= 5e-4 + 4 * gains.std() / DRAWS**0.5 / first_best(game)
    assert abs(revenue.mean() - kept) <= 5e-4 + 4 * revenue.std() / DRAWS**0.5
    assert (revenue >= -1e-12).all()


@pytest.mark.parametrize(("n", "sellers"), [(2, 1), (5, 2), (6, 3)])
@pytest.mark.parametrize("spread", [0.0, 0.25])
def test_truth_is_dominant_under_mcafees_rule(n, sellers, spread):
    """On a grid of all that the others may offer, so that offers tie with each other and with the deviation."""
    game, rng = auction(n=n, sellers=sellers, pricing="mcafee"), np.random.default_rng(5)
    offers = rng.integers(0, 9, (3000, n)) / 8
    w = np.full((3000, 1), spread)
    types = game.initial_types(rng.random((3000, n, 2)))
    types[..., 0] = offers

    def paid(sent):
        found = game.allocate(types, sent, w)
        return game.utility(types, found) - found[..., 1]

    honest, gains = paid(offers), []
    for seat in (0, n - 1):
        for lie in np.arange(17) / 16:
            sent = offers.copy()
            sent[:, seat] = lie
            gains.append((paid(sent) - honest)[:, seat].max())
    assert max(gains) <= 1e-12


@pytest.mark.parametrize("params", [{}, {"n": 5, "sellers": 2, "high": 3.0}, {"n": 9, "sellers": 8}])
def test_first_best(params):
    game = auction(**params)
    types = game.initial_types(np.random.default_rng(6).random((DRAWS, game.n, 2)))
    found = game.allocate(types, types[..., 0], np.zeros((DRAWS, 2)))
    gains = game.utility(types, found).sum(-1)
    assert abs(gains.mean() - first_best(game)) <= 4 * gains.std() / DRAWS**0.5
    assert game.first_best() == first_best(game) == game.welfare_scale


def test_what_is_not_known_says_so():
    game = auction(n=4, sellers=2)
    for found in (equilibrium_bids(game, (0.5, 0.0), 0), equilibrium_outcome(game, (0.5, 0.0))):
        assert isinstance(found, NoSolution) and "4 traders" in str(found)
    assert largest_welfare(game) is None and largest_revenue(game) is None and game.ceiling() is None
    assert game.baselines == ("sellers_offer", "split_the_difference", "buyers_bid")


def test_examples():
    assert doctest.testmod(solutions).failed == 0


# -- what is not taken ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"n": 1}, r"n is 1, allowed: an integer in 2\.\."),
        ({"sellers": 0}, r"sellers is 0, allowed: an integer in 1\.\.1"),
        ({"n": 4, "sellers": 4}, r"sellers is 4, allowed: an integer in 1\.\.3"),
        ({"high": 0}, "high is 0, allowed: a number in"),
        ({"high": float("nan")}, "high is nan, allowed"),
        ({"pricing": "first"}, "pricing is 'first': .*k_double, mcafee"),
        ({"n_bids": 1}, r"n_bids is 1, allowed: an integer in 2\.\."),
        ({"objective": "profit"}, "profit.*revenue"),
    ],
)
def test_bad_parameters_are_named(params, said):
    with pytest.raises(LawgiverError, match=said):
        make_game("double_auction", **params)


@pytest.mark.parametrize("w", [(0.5,), (0.5, np.nan), (0.5, 0.0, 0.0)])
def test_bad_rules_are_named(w):
    for ask in (lambda: equilibrium_bids(auction(), w, 0), lambda: equilibrium_outcome(auction(), w)):
        with pytest.raises(LawgiverError, match=r"allowed.*k: 1 in \[0, 1\], spread: 1 in \[0, 1\]"):
            ask()
