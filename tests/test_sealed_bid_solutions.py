"""Equilibria of sealed-bid auctions: best replies by the rule, published figures, play at 4 standard errors."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from lawgiver.envs.core.errors import NoSolution, ParameterError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.sealed_bid.asymmetric import SolvedFirstPrice, UniformFirstPrice
from lawgiver.envs.sealed_bid.solutions import equilibrium, equilibrium_bids, equilibrium_outcome
from lawgiver.envs.sealed_bid.symmetric import CELLS, Alike
from lawgiver.envs.solvers.auctions.distributions import Distribution

UNIT = Distribution(0.0, 1.0)
V = np.linspace(0.0, 1.0, 21)


def game_of(**params):
    return make_game("sealed_bid", **params)


def bids_of(game, w, seat=0):
    bids = equilibrium_bids(game, w, seat)
    assert not isinstance(bids, NoSolution), bids
    return bids


def play(game, w, batch=100_000, seed=0):
    """Play rational bidders, whose bids are interpolated: mean and standard error of all measures and payoffs."""
    state = game.initial_state(batch, np.random.default_rng(seed))
    state, *_ = game.step(state, np.broadcast_to(np.asarray(w, float), (batch, 1, len(w))), {})
    grids = [np.linspace(each.low, each.high, 2049) for each in game.distributions]
    if game.information != "private":
        grids = [np.linspace(0, 2, 2049)] * game.n
    seen = state.types[..., 0].T
    sent = [np.interp(x, grid, bids_of(game, w, i)(grid)) for i, (x, grid) in enumerate(zip(seen, grids, strict=True))]
    state, *_ = game.step(state, np.stack(sent, axis=1)[..., None], {})
    found = {name: measure(state) for name, measure in game.measures().items()} | {"payoff": state.payoffs}
    return {name: (x.mean(axis=0), x.std(axis=0) / batch**0.5) for name, x in found.items()}


def assert_played(game, w):
    expected = equilibrium_outcome(game, w)
    for name, (mean, error) in play(game, w).items():
        assert (np.abs(mean - expected[name]) <= 4 * error + 1e-9).all(), (name, mean, expected[name], error)


# -- revenue equivalence, and what is known of every pricing --------------------------------------------------------


@pytest.mark.parametrize("slots", [(1.0,), (1.0, 1.0), (1.0, 0.5, 0.25)])
@pytest.mark.parametrize("n", [2, 3, 5])
def test_revenue_does_not_depend_on_the_pricing(n, slots):
    expected = None
    for pricing in ("first", "all_pay", "vcg", "next", "skip"):
        game = game_of(n=n, pricing=pricing, slots=slots)
        outcome = equilibrium_outcome(game, [0.0])
        if isinstance(outcome, NoSolution):
            assert pricing in ("next", "skip") or (pricing != "vcg" and slots == (1.0,) * n)
            continue
        expected = expected or outcome
        assert outcome["revenue"] == pytest.approx(expected["revenue"], abs=1e-10)
        assert outcome["surplus"] == pytest.approx(expected["surplus"], abs=1e-10)
        assert_played(game, [0.0])


@pytest.mark.parametrize("params", [
    {"n": 3, "pricing": "first", "slots": (1, 0.5), "w": [0.25, 0.1]},
    {"n": 3, "pricing": "all_pay", "w": [0.2, 0.05]},
    {"n": 4, "pricing": "vcg", "slots": (1, 0.5), "values": (1, 3), "w": [1.5, 0.1]},
    {"n": 3, "pricing": "first", "masses": (1, 3, 2), "quality": 0.5, "w": [0.1, 0.02]},
    {"n": 2, "pricing": "all_pay", "quality": 0.5, "w": [0.1, 0.02]},
    {"n": 3, "pricing": "next", "w": [0.3, 0.1]},
])  # fmt: skip
def test_reserve_and_fee_at_play(params):
    w = params.pop("w")
    game = game_of(**params, announced=["reserve", "entry_fee"])
    assert_played(game, w)
    assert equilibrium(game, w).gain(CELLS) <= 1e-6


@pytest.mark.parametrize(("params", "w"), [
    ({"n": 3, "pricing": "skip"}, [0.4]),
    ({"n": 3, "preset": "gsp"}, [0.0]),
    ({"n": 2, "pricing": "next", "slots": (1, 0.5)}, [0.3]),
    ({"n": 3, "risk_aversion": 0.5}, [0.2]),
    ({"n": 3, "pricing": "next", "risk_aversion": 0.5}, [0.2]),
    ({"n": 3, "pricing": "vcg", "slots": (1, 1), "risk_aversion": 0.5}, [0.2]),
    ({"n": 3, "announced": ["mix"], "pricing": "next", "reserve": 0.3}, [0.5]),
    ({"n": 3, "announced": ["mix"]}, [0.25]),
    ({"n": 3, "announced": ["handicaps"], "reserve": 0.25}, [0.25] * 3),
    ({"preset": "asymmetric"}, [0.0]),
    ({"preset": "asymmetric", "pricing": "next"}, [0.0]),
    ({"n": 3, "pricing": "vcg", "slots": (1, 0.5), "values": ((0, 1), (0.5, 2), (1, 3))}, [0.75]),
    ({"preset": "kaplan_zamir"}, [0.0]),
    ({"values": ((6, 7), (0, 5))}, [0.0]),
    ({"preset": "affiliated"}, [0.0]),
    ({"preset": "affiliated", "pricing": "next"}, [0.0]),
    ({"preset": "mineral_rights"}, [0.0]),
    ({"preset": "mineral_rights", "pricing": "first"}, [0.0]),
    ({"information": "mineral_rights", "pricing": "vcg"}, [0.0]),
], ids=str)  # fmt: skip
def test_outcomes_at_play_and_best_replies(params, w):
    game = game_of(**params)
    assert_played(game, w)
    assert equilibrium(game, w).gain(CELLS) <= 1e-6


# -- figures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "none", "half", "welfare", "payoff"), [
    (2, 1 / 3, 5 / 12, 0.875, 1 / 6), (3, 1 / 2, 17 / 32, 0.9375, 1 / 12), (5, 2 / 3, 43 / 64, 0.984375, 1 / 30),
])  # fmt: skip
def test_one_item_of_uniform_values(n, none, half, welfare, payoff):
    for pricing in ("first", "next", "all_pay"):
        game = game_of(n=n, pricing=pricing, announced=["reserve", "entry_fee"])
        free = equilibrium_outcome(game, [0.0, 0.0])
        assert free["revenue"] == pytest.approx(none, abs=1e-12)
        assert free["payoff"] == pytest.approx(payoff, abs=1e-12)
        reserve = game_of(n=n, pricing=pricing).members["myerson_reserve"][0]
        best = equilibrium_outcome(game, [reserve, 0.0])
        assert best["revenue"] == pytest.approx(half, abs=1e-12) == pytest.approx(game.limit(), abs=1e-12)
        assert best["welfare"] / game.first_best() == pytest.approx(welfare, abs=1e-12)
        fee = equilibrium_outcome(game, [0.0, 0.5**n])
        assert fee["revenue"] == pytest.approx(half, abs=1e-12)


def test_closed_forms_of_bids():
    for n in (2, 3, 5):
        shade = (n - 1) / n
        np.testing.assert_allclose(Alike(n, "first", (1.0,), UNIT).bids(V), shade * V, atol=1e-12)
        np.testing.assert_allclose(Alike(n, "all_pay", (1.0,), UNIT).bids(V), shade * V**n, atol=1e-12)
        for rho in (0.5, 0.25):
            found = Alike(n, "first", (1.0,), UNIT, power=rho).bids(V)
            np.testing.assert_allclose(found, (n - 1) * V / (n - 1 + rho), atol=1e-9)
    np.testing.assert_allclose(Alike(4, "skip", (1.0,), UNIT).bids(V), 1.5 * V, atol=1e-12)
    np.testing.assert_allclose(Alike(3, "first", (1.0, 1.0), UNIT).bids(V), V * (1 - 2 * V / 3) / (2 - V), atol=1e-12)
    np.testing.assert_allclose(Alike(3, "first", (1.0, 0.5), UNIT).bids(V), V / 2, atol=1e-12)
    np.testing.assert_allclose(Alike(3, "next", (1.0, 0.5), UNIT).bids(V), np.log1p(V), atol=1e-12)
    np.testing.assert_allclose(
        Alike(2, "first", (1.0,), UNIT, 0.5).bids(V)[V >= 0.5], ((V**2 + 0.25) / (2 * np.maximum(V, 0.1)))[V >= 0.5]
    )


def test_other_prices_of_uniform_values():
    def revenue(w, **params):
        return equilibrium_outcome(game_of(**params), w)["revenue"]

    assert revenue([0.0], n=3, pricing="vcg", slots=(1, 1)) == pytest.approx(0.5)
    assert revenue([0.0], n=3, slots=(1, 1)) == pytest.approx(0.5)
    assert revenue([0.5], n=3, slots=(1, 0.5)) == pytest.approx(0.625)  # the largest, by Myerson
    for ratio in (0.25, 0.5, 0.75):
        assert revenue([0.0], n=3, pricing="next", slots=(1, ratio)) == pytest.approx(0.5)
    for n, found in ((2, 0.4444), (3, 0.6), (5, 0.7407)):
        assert revenue([0.0], n=n, risk_aversion=0.5) == pytest.approx(found, abs=5e-5)


def test_the_best_reserve_against_risk_averse_bidders():
    game = game_of(risk_aversion=0.5)
    reserves = np.linspace(0, 0.6, 601)
    revenue = [equilibrium_outcome(game, [r])["revenue"] for r in reserves]
    assert reserves[np.argmax(revenue)] == pytest.approx(1 / math.e, abs=1e-3)
    assert max(revenue) == pytest.approx(0.4555, abs=5e-5)
    averse = game_of(risk_aversion=0.75)
    assert all(equilibrium_outcome(averse, [r])["revenue"] <= equilibrium_outcome(averse, [0.0])["revenue"]
               for r in (0.05, 0.1, 0.2, 0.4))  # fmt: skip


def test_bidders_who_differ():
    found = equilibrium_outcome(game_of(preset="asymmetric"), [0.0])
    assert found["revenue"] == pytest.approx(0.45901, abs=5e-6)
    assert found["payoff"] == pytest.approx([0.0970, 0.5066], abs=5e-4)
    assert found["welfare"] / game_of(preset="asymmetric").first_best() == pytest.approx(0.9811, abs=5e-5)
    second = equilibrium_outcome(game_of(preset="asymmetric", pricing="next"), [0.0])
    assert second["revenue"] == pytest.approx(5 / 12, abs=1e-12)
    half = equilibrium_outcome(game_of(values=((0, 0.5), (0, 1))), [0.0])
    assert half["revenue"] == pytest.approx(0.2295, abs=5e-5)
    pair = UniformFirstPrice((UNIT, Distribution(0.0, 2.0)))
    assert pair.top == pytest.approx(2 / 3)
    k = 0.75
    np.testing.assert_allclose(pair.bids(0, V[1:]), (1 - np.sqrt(1 - k * V[1:] ** 2)) / (k * V[1:]), atol=1e-12)


def test_kaplan_and_zamir():
    game = game_of(preset="kaplan_zamir")
    np.testing.assert_allclose(bids_of(game, [0.0], 0)(np.array([2.0, 4.0, 5.0])), [2, 3.7643, 4.3333], atol=5e-5)
    np.testing.assert_allclose(bids_of(game, [0.0], 1)(np.array([6.0, 6.5, 7.0])), [3, 3.9816, 4.3333], atol=5e-5)
    assert equilibrium_outcome(game, [0.0])["revenue"] == pytest.approx(3.9910, abs=5e-5)


def test_signals_of_a_common_worth():
    x = np.linspace(0, 2, 9)
    for pricing, bids, revenue, payoff in (("first", 2 * x / 3, 7 / 9, 1 / 9), ("next", x, 5 / 6, 1 / 12)):
        game = game_of(preset="affiliated", pricing=pricing)
        np.testing.assert_allclose(bids_of(game, [0.0])(x), bids, atol=1e-12)
        found = equilibrium_outcome(game, [0.0])
        assert (found["revenue"], found["payoff"][0]) == pytest.approx((revenue, payoff), abs=1e-12)
    game = game_of(preset="mineral_rights")
    np.testing.assert_allclose(bids_of(game, [0.0])(x), 2 * x / (2 + x), atol=1e-12)
    found = equilibrium_outcome(game, [0.0])
    assert found["revenue"] == pytest.approx(0.3647, abs=5e-4) and found["payoff"][0] == pytest.approx(0.0452, abs=1e-4)


def test_the_winner_is_cursed_who_bids_the_signal():
    game = game_of(preset="mineral_rights")
    state = game.initial_state(1_000_000, np.random.default_rng(5))
    state, *_ = game.step(state, np.zeros((1_000_000, 1, 1)), {})
    state, *_ = game.step(state, state.types[..., :1], {})
    surplus = state.payoffs.sum(axis=1)
    assert abs(surplus.mean()) < 4 * surplus.std() / 1000  # all that the worth is: the price is its mean, E V = 1/2


# -- two independent ways to one equilibrium -------------------------------------------------------------------------


def test_the_differential_equation_agrees_with_closed_forms():
    pytest.importorskip("scipy")
    pair = (UNIT, Distribution(0.0, 2.0))
    solved, closed = SolvedFirstPrice(pair), UniformFirstPrice(pair)
    for seat in (0, 1):
        v = np.linspace(0.05, pair[seat].high, 50)
        np.testing.assert_allclose(solved.bids(seat, v), closed.bids(seat, v), atol=1e-6)
    assert solved.outcome()["revenue"] == pytest.approx(closed.outcome()["revenue"], abs=1e-8)
    alike = SolvedFirstPrice((UNIT, UNIT), 0.5)
    assert alike.outcome()["revenue"] == pytest.approx(5 / 12, abs=1e-7)


def test_two_bidders_with_other_densities_and_a_reserve():
    pytest.importorskip("scipy")
    game = game_of(values=((0, 1), (0, 2)), masses=(1, 3, 2))
    assert equilibrium(game, [0.3]).gain(CELLS) <= 1e-6
    assert_played(game, [0.3])
    assert not equilibrium(game, [0.3]).closed and game.known_solutions() == ()


def test_a_generalised_second_price_auction_of_slots_that_are_too_alike_says_so():
    found = equilibrium_outcome(game_of(n=3, pricing="next", slots=(1, 0.9)), [0.0])
    assert isinstance(found, NoSolution) and "0.9 of the first, above 3/4" in str(found)
    beyond = Alike(3, "next", (1.0, 0.9), UNIT)
    assert (np.diff(beyond.bids(np.linspace(0, 1, 1025))) < 0).any()
    game, draws, levels = game_of(n=3, pricing="next", slots=(1, 0.9)), 20_000, np.linspace(0, 1, 101)
    rivals = beyond.bids(np.random.default_rng(0).random((1, draws, 2)))
    own = np.concatenate([levels, beyond.bids(levels)])[:, None, None]
    bids = np.concatenate([np.broadcast_to(own, (202, draws, 1)), np.broadcast_to(rivals, (202, draws, 2))], axis=-1)
    found = game.allocate(bids.reshape(-1, 3)[..., None], bids.reshape(-1, 3), np.zeros((202 * draws, 1)))
    share, paid = np.moveaxis(found[:, 0].reshape(202, draws, 2).mean(axis=1), -1, 0)
    payoffs = levels[:, None] * share - paid  # of each type at each bid; at its own by the formula from 101 on
    gains = payoffs.max(axis=1) - payoffs[np.arange(101), 101 + np.arange(101)]
    assert gains.max() > 0.033


@pytest.mark.parametrize("setting", [
    Alike(2, "first", (1.0,), UNIT), Alike(3, "all_pay", (1.0, 0.5), UNIT), Alike(3, "next", (1.0, 0.5), UNIT),
    Alike(4, "skip", (1.0,), UNIT), Alike(3, "vcg", (1.0, 0.5), UNIT, 0.2),
])  # fmt: skip
def test_the_residual_notices_bids_that_are_two_percent_off(setting, monkeypatch):
    exact = Alike.bids
    monkeypatch.setattr(Alike, "bids", lambda self, v: 0.98 * exact(self, v))
    if setting.pricing == "vcg":
        pytest.skip("truth is a best reply to any bids that rank by value")
    assert setting.gain() > 1e-6


@pytest.mark.parametrize(("params", "w", "why"), [
    ({"n": 3, "slots": (1, 0.5), "announced": ["mix"]}, [0.5], "a mixture of first and next price"),
    ({"n": 3, "slots": (1, 0.5), "pricing": "vcg", "risk_aversion": 0.5}, [0.0], "not truthful where slots differ"),
    ({"n": 2, "pricing": "skip"}, [0.0], "three bidders or more"),
    ({"n": 3, "pricing": "skip", "announced": ["entry_fee"]}, [0.1], "without an entry fee"),
    ({"n": 3, "pricing": "skip", "masses": (1, 9)}, [0.1], "would not rise"),
    ({"n": 4, "pricing": "next", "slots": (1, 0.5)}, [0.0], "two bidders, or for three"),
    ({"n": 3, "values": ((0, 1), (0, 1), (0, 2))}, [0.0], "of bidders who differ"),
    ({"values": ((0, 1), (5, 6))}, [0.0], "outbids the other"),
    ({"preset": "affiliated"}, [0.1], "without reserve and fee"),
    ({"n": 3, "quality": (1, 0.5, 0.5), "pricing": "vcg"}, [0.0], "weighed alike"),
])  # fmt: skip
def test_where_nothing_is_known_the_reason_is_told(params, w, why):
    found = equilibrium_outcome(game_of(**params), w)
    assert isinstance(found, NoSolution) and why in str(found)


def test_truth_is_known_where_the_outcome_is_not():
    game = game_of(n=3, quality=(1, 0.5, 0.5), pricing="vcg")
    np.testing.assert_allclose(bids_of(game, [0.25], 1)(np.array([0.4, 0.5, 0.9])), [0, 0.5, 0.9])


def test_bad_seats_and_rules_are_named():
    game = game_of()
    for call in (lambda: equilibrium_bids(game, [0.0], 2), lambda: equilibrium_bids(game, [0.0, 1.0], 0)):
        with pytest.raises(ParameterError, match=r"seat is 2|parameters has 2 numbers"):
            call()


def test_nobody_bids_above_a_prohibitive_reserve():
    for pricing, least in itertools.product(("first", "all_pay", "vcg"), (1.0, 1.5)):
        setting = Alike(3, pricing, (1.0,), UNIT, least)
        assert not setting.bids(V).any() and setting.outcome()["revenue"] == 0 and setting.gain() == 0
