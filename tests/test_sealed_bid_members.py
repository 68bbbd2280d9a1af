"""Reserves and supports at the edges of first-price equilibria, and canonical rules that reach Myerson's revenue."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.make import make_game
from lawgiver.envs.sealed_bid.asymmetric import UniformFirstPrice
from lawgiver.envs.sealed_bid.solutions import equilibrium, equilibrium_outcome
from lawgiver.envs.solvers.auctions.distributions import Distribution


def game_of(**params):
    return make_game("sealed_bid", **params)


def played(game, w, bids, batch=2**16):
    """Mean and standard error of revenue and payoffs (n,), of bidders with these functions of their values."""
    state = game.initial_state(batch, np.random.default_rng(5))
    state, *_ = game.step(state, np.broadcast_to(np.asarray(w, float), (batch, 1, len(w))), {})
    sent = np.stack([bids(seat, state.types[:, seat, 0]) for seat in range(game.n)], axis=1)
    state, *_ = game.step(state, sent[..., None], {})
    revenue, payoffs = game.measures()["revenue"](state), state.payoffs
    return [(x.mean(axis=0), x.std(axis=0) / batch**0.5) for x in (revenue, payoffs)]


def assert_near(found, expected):
    mean, error = found
    assert (np.abs(mean - expected) <= 4 * error + 1e-9).all(), (mean, expected, error)


# -- a reserve that the weaker bidder cannot gain by -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "reserve", "revenue"),
    [
        (((0, 1), (0, 2)), 1.0, 0.5),
        (((0, 1), (0, 2)), 1.2, 0.48),
        (((0, 2), (0, 1)), 1.2, 0.48),
        (((0, 1), (0, 2)), 2.0, 0.0),
        (((0, 1), (0, 1.5)), 1.5, 0.0),
        (((0, 5), (6, 7)), 5.5, 5.5),  # whatever the stronger bidder's value is
        (((0, 1), (5, 6)), 5.5, 2.75),
    ],
)
def test_a_reserve_above_all_that_one_bidder_would_pay(values, reserve, revenue):
    game = game_of(values=values)
    told = equilibrium_outcome(game, [reserve])
    strong = int(np.argmax([high for _, high in values]))
    low, high = values[strong]
    start = max(low, reserve)
    expected = np.zeros(2)
    expected[strong] = ((high - reserve) ** 2 - (start - reserve) ** 2) / 2 / (high - low)
    assert told["revenue"] == pytest.approx(revenue, abs=1e-12)
    assert told["payoff"] == pytest.approx(expected, abs=1e-12)
    assert told["welfare"] == pytest.approx(revenue + expected.sum(), abs=1e-12)
    found = equilibrium(game, [reserve])
    assert found.closed
    assert found.gain(64) == 0
    of_revenue, of_payoffs = played(game, [reserve], found.bids)
    assert_near(of_revenue, told["revenue"])
    assert_near(of_payoffs, told["payoff"])


def test_that_reserve_continues_the_ones_below_it():
    game = game_of(values=((0, 1), (0, 2)))
    below, at = (equilibrium_outcome(game, [reserve]) for reserve in (0.99, 1.0))
    for name in ("revenue", "welfare"):
        assert below[name] == pytest.approx(at[name], abs=0.01)


def test_a_reserve_that_only_some_values_pass_within_pieces():
    game = game_of(values=((0, 1), (0, 2)), masses=(0.2, 0.8))
    told = equilibrium_outcome(game, [1.5])
    assert told["revenue"] == pytest.approx(1.5 * 0.4)
    assert told["payoff"] == pytest.approx([0, 0.4 * 0.25])


# -- pieces without mass at the ends -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("masses", "pairs"),
    [
        ((0, 1), ((0.5, 1), (1, 2))),
        ((1, 0), ((0, 0.5), (0, 1))),
        ((0, 1, 1, 0), ((0.25, 0.75), (0.5, 1.5))),
    ],
)
def test_values_that_are_never_drawn_change_nothing(masses, pairs):
    wide, true = game_of(values=((0, 1), (0, 2)), masses=masses), game_of(values=pairs)
    if len(masses) == 4:
        true = game_of(values=pairs, masses=(1, 1))
    one, other = equilibrium_outcome(wide, [0.0]), equilibrium_outcome(true, [0.0])
    if isinstance(other, NoSolution):
        assert one == other
        return
    for name in one:
        assert one[name] == pytest.approx(other[name], rel=1e-12)


def test_a_uniform_upper_half_is_solved_in_closed_form():
    told = equilibrium_outcome(game_of(values=((0, 1), (0, 2)), masses=(0, 1)), [0.0])
    closed = UniformFirstPrice((Distribution(0.5, 1), Distribution(1, 2))).outcome()
    assert told["welfare"] == pytest.approx(closed["welfare"])
    assert told["welfare"] == pytest.approx(1.4784, abs=5e-5)


def test_trimmed_distributions_keep_what_is_drawn():
    wide = Distribution(0, 4, (0, 1, 0, 3))
    assert wide.trimmed == Distribution(1, 4, (1, 0, 3))
    v = np.linspace(-1, 5, 61)
    assert wide.trimmed.cdf(v) == pytest.approx(wide.cdf(v))
    assert wide.trimmed.quantile(v[10:21]) == pytest.approx(wide.quantile(v[10:21]))
    kept = Distribution(0, 1, (1, 0, 1))
    assert kept.trimmed is kept


# -- the auction of the largest revenue --------------------------------------------------------------------------------


def assert_optimal(game):
    """Check that bidders pay Myerson's revenue under ``myerson_reserve``, in equilibrium or, if truthful, at play."""
    w = game.members["myerson_reserve"]
    told = equilibrium_outcome(game, w)
    if not isinstance(told, NoSolution):
        assert told["revenue"] == pytest.approx(game.limit(), rel=1e-6)
        return
    found = equilibrium(game, w)
    assert not isinstance(found, NoSolution), found
    assert_near(played(game, w, found.bids)[0], game.limit())


@pytest.mark.parametrize(
    ("pricing", "quality", "masses", "n"),
    list(itertools.product(("first", "next", "vcg", "all_pay"), (1.0, 0.5), (None, (1, 2)), (2, 3))),
)
def test_one_item_of_bidders_who_are_alike(pricing, quality, masses, n):
    for squash in (0.0, 1.0):
        assert_optimal(game_of(pricing=pricing, quality=quality, masses=masses, n=n, squash=squash))


@pytest.mark.parametrize("pricing", ["first", "vcg", "all_pay"])
def test_slots_of_bidders_who_are_alike(pricing):
    for quality in (1.0, 0.5):
        assert_optimal(game_of(pricing=pricing, quality=quality, slots=(1.0, 0.5), n=3))


@pytest.mark.parametrize("mix", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("pricing", ["first", "next"])
def test_one_item_at_a_mixed_price(pricing, mix):
    assert_optimal(game_of(pricing=pricing, mix=mix))


@pytest.mark.parametrize(
    "params",
    [
        {"announced": ("handicaps",)},
        {"announced": ("handicaps",), "quality": (1.0, 0.5)},
        {"announced": ("handicaps",), "values": ((0, 1), (0, 2))},
        {"announced": ("handicaps",), "values": ((0, 1), (0, 2)), "quality": (0.8, 0.5)},
        {"announced": ("squash", "handicaps"), "quality": (1.0, 0.5)},
        {"announced": ("reserve",), "values": ((0, 1), (0, 2)), "quality": (1.0, 0.5)},  # worth as much to both
    ],
)
@pytest.mark.parametrize("pricing", ["next", "vcg", "first"])
def test_truthful_bidders_who_differ(params, pricing):
    assert_optimal(game_of(pricing=pricing, **({"mix": 0.0} if pricing == "first" else {}), **params))


@pytest.mark.parametrize(
    "params",
    [
        {"announced": ("handicaps",), "pricing": "next", "quality": (1.0, 0.5), "squash": 0.0},
        {"pricing": "next", "values": ((0, 1), (0, 2)), "quality": (1.0, 0.5), "squash": 0.0},
        {"pricing": "all_pay", "values": ((0, 1), (0, 2)), "quality": (1.0, 0.5)},
        {"n": 3, "slots": (1.0, 0.5), "mix": 0.0},
        {"n": 3, "slots": (1.0, 0.5), "mix": 0.5},
        {"n": 3, "slots": (1.0, 0.5), "pricing": "next"},
        {"announced": ("handicaps",), "pricing": "next", "mix": 0.5},
        {"announced": ("handicaps",), "values": ((0, 1), (0, 2))},
    ],
)
def test_no_rule_is_called_optimal_that_is_not_known_to_be(params):
    assert "myerson_reserve" not in game_of(**params).members


def test_slots_of_a_next_price_that_is_a_first_price():
    assert_optimal(game_of(n=3, slots=(1.0, 0.5), pricing="next", mix=1.0))


# -- what bidders see of their groups ----------------------------------------------------------------------------------


def test_groups_are_numbered_by_their_first_seat():
    game = game_of(n=4, values=((0, 2), (0, 1), (0, 2), (0, 3)))
    assert game.alike == ((0, 2), (1,), (3,))
    state = game.initial_state(3, np.random.default_rng(0))
    assert (game.see_types(state)[..., 1] == [0, 1, 0, 2]).all()
