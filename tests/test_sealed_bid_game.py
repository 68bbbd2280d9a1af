"""Sealed-bid auctions as games: parameters, bad input, canonical rules, limits, types out of files."""

from __future__ import annotations

import numpy as np
import pytest

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.sealed_bid import SealedBid


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"n": 1}, "n is 1, allowed: an integer in 2..1,000"),
        ({"pricing": "second"}, "pricing is 'second'.*allowed: all_pay, first, next, skip, vcg"),
        ({"announced": []}, "announced is .*, allowed: a list of different names"),
        ({"announced": "reserve"}, "announced is 'reserve', allowed: a list"),
        ({"announced": ["reserve", "reserve"]}, "allowed: a list of different names"),
        ({"announced": ["reserved"]}, r"announced\[0\] is 'reserved': did you mean 'reserve'"),
        ({"slots": (0.5, 1)}, r"slots\[1\] is 1 after 0.5, allowed: sizes that do not rise"),
        ({"slots": (1.5,)}, r"slots\[0\] is 1.5, allowed: a number in \(0, 1\]"),
        ({"slots": ()}, "slots is .*, allowed: a list of one or more numbers"),
        ({"values": (1, 1)}, r"values\[1\] is 1, allowed: a number in \(1.0, 1e12\]"),
        ({"values": (-1, 1)}, r"values\[0\] is -1, allowed"),
        ({"values": ((0, 1),)}, "allowed: least and greatest value, or 2 such pairs"),
        ({"values": ((0, 1), 2)}, "allowed: least and greatest value, or 2 such pairs"),
        ({"values": 3}, "values is 3, allowed: least and greatest value"),
        ({"masses": [0, 0]}, "masses is .*, allowed: the relative probabilities"),
        ({"quality": [1]}, "quality has 1 number, allowed: 2, one a bidder"),
        ({"quality": 0}, r"quality is 0, allowed: a number in \(0, 1\]"),
        ({"risk_aversion": 1}, r"risk_aversion is 1, allowed: a number in \[0, 1\)"),
        ({"risk_aversion": 0.5, "pricing": "all_pay"}, "risk_aversion is 0.5 with pricing='all_pay', allowed: 0"),
        ({"risk_aversion": 0.5, "announced": ["entry_fee"]}, "risk_aversion is 0.5 with an entry fee, allowed: 0"),
        ({"high": 0}, r"high is 0, allowed: a number in \(0, 1e12\]"),
        ({"n_bids": 1}, "n_bids is 1, allowed: an integer >= 2"),
        ({"n_bids": 10**6}, "participants would have 1,000,000 choices"),
        ({"mix": 0.5, "pricing": "vcg"}, "pricing is 'vcg' with a mix of first and next price, allowed: first, next"),
        ({"announced": ["mix"], "pricing": "all_pay"}, "pricing is 'all_pay' with a mix"),
        ({"reserve": 0.5}, "reserve is 0.5, but is announced: allowed: 0.0, or leave it out of announced"),
        ({"handicaps": [0.1, 0.2, 0.3]}, "handicaps has 3 numbers, allowed: 2, one a bidder"),
        ({"information": "affiliated", "n": 3}, "n is 3 with information='affiliated', allowed: 2"),
        ({"information": "mineral_rights", "values": (0, 2)}, "give it with 'private' alone"),
        ({"types_file": "nowhere.npz"}, "types_file 'nowhere.npz' cannot be read"),
        ({"types_file": 3}, "types_file is 3, allowed: the path"),
        ({"objective": "profit"}, "objective is 'profit'"),
    ],
)
def test_bad_parameters_are_named(params, said):
    with pytest.raises(ParameterError, match=said) as found:
        make_game("sealed_bid", **params)
    assert "\n" not in str(found.value)


def test_every_preset_is_a_game_and_plays():
    for preset in SealedBid.presets:
        game = make_game("sealed_bid", preset=preset)
        state = game.initial_state(10, np.random.default_rng(0))
        state, *_ = game.step(state, np.zeros((10, 1, 1)), {})
        game.step(state, np.full((10, game.n, 1), game.largest_bid), {})
        assert set(game.baselines) < set(game.members)
        for action in game.members.values():
            assert game.action_space("mechanism").contains(np.array(action, np.float32))


def test_members_announce_what_is_announced():
    game = make_game("sealed_bid", n=3, announced=["handicaps", "mix", "reserve"])
    assert game.rule_names == ("reserve", "mix", "handicaps_1", "handicaps_2", "handicaps_3")
    assert game.members == {
        "no_mechanism": (0, 0, 0, 0, 0),
        "no_reserve": (0, 1, 0, 0, 0),
        "first_price": (0, 1, 0, 0, 0),
        "second_price": (0, 0, 0, 0, 0),
        "myerson_reserve": (0.5, 1, 0, 0, 0),
    }
    assert "no_mechanism" not in game.baselines
    assert make_game("sealed_bid", pricing="all_pay", n=3).members["myerson_reserve"] == (0.125,)
    assert make_game("sealed_bid", values=(2, 3)).members["myerson_reserve"] == (2.0,)
    assert make_game("sealed_bid", quality=0.5).members["myerson_reserve"] == (0.25,)
    for other in ({"risk_aversion": 0.5}, {"masses": [9, 1]}, {"announced": ["entry_fee"]}, {"entry_fee": 0.1}):
        assert "myerson_reserve" not in make_game("sealed_bid", **other).members, other


@pytest.mark.parametrize(
    ("params", "limit"),
    [
        ({}, 5 / 12),
        ({"n": 3}, 17 / 32),
        ({"n": 5}, 43 / 64),
        ({"n": 3, "slots": (1, 0.5)}, 0.625),
        ({"values": ((0, 1), (0, 2))}, 31 / 48),
        ({"quality": 0.5}, 5 / 24),
        ({"risk_aversion": 0.5}, None),
        ({"information": "mineral_rights"}, None),
    ],
)
def test_limits_of_revenue(params, limit):
    game = make_game("sealed_bid", **params)
    assert game.references()["revenue"]["limit"] == (limit if limit is None else pytest.approx(limit, abs=1e-12))
    assert game.ceiling() == game.limit()


@pytest.mark.parametrize("params", [
    {"n": 3, "pricing": "next"}, {"n": 4, "pricing": "vcg", "slots": (1, 0.5, 0.2)},
    {"n": 3, "pricing": "vcg", "values": ((0, 1), (0.5, 2), (1, 3)), "slots": (1, 1)},
    {"n": 2, "pricing": "next", "values": ((0, 1), (0, 2)), "announced": ["handicaps"]},
    {"n": 3, "pricing": "vcg", "slots": (1, 0.5), "quality": (1, 0.5, 0.3), "announced": ["reserve", "squash"]},
])  # fmt: skip
def test_truthful_bidders_pay_no_more_than_the_limit_and_create_the_first_best(params):
    game = make_game("sealed_bid", **params, n_bids=None)
    rng = np.random.default_rng(3)
    for name, action in game.members.items():
        state = game.initial_state(200_000, rng)
        state, *_ = game.step(state, np.broadcast_to(action, (200_000, 1, len(action))), {})
        state, *_ = game.step(state, state.types, {})
        measures = {key: measure(state) for key, measure in game.measures().items()}
        error = {key: 4 * x.std() / len(x) ** 0.5 for key, x in measures.items()}
        assert measures["revenue"].mean() <= game.limit() + error["revenue"], name
        assert measures["welfare"].mean() <= game.first_best() + error["welfare"], name
        np.testing.assert_allclose(measures["welfare"], measures["revenue"] + measures["surplus"], atol=1e-12)
        if name == "no_reserve":
            assert measures["welfare"].mean() == pytest.approx(game.first_best(), abs=error["welfare"])
        if name == "myerson_reserve":
            assert measures["revenue"].mean() == pytest.approx(game.limit(), abs=error["revenue"])


def test_values_out_of_a_file(tmp_path):
    values = np.random.default_rng(0).random((7, 3)).round(3)
    np.savez(tmp_path / "v.npz", values=values)
    game = make_game("sealed_bid", n=3, types_file=tmp_path / "v.npz", slots=(1, 0.5))
    types = game.initial_state(500, np.random.default_rng(1)).types
    assert {tuple(row) for row in types[..., 0]} == {tuple(row) for row in values}
    ordered = -np.sort(-values, axis=1)
    assert game.first_best() == pytest.approx((ordered[:, 0] + ordered[:, 1] / 2).mean())
    assert game.limit() is None and "myerson_reserve" not in game.members
    np.savez(tmp_path / "w.npz", values=values + 1)
    with pytest.raises(ParameterError, match=r"has values\[.* allowed: numbers in \[0, 1\]"):
        make_game("sealed_bid", n=3, types_file=tmp_path / "w.npz")
