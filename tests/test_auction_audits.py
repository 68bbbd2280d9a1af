"""Audits of auctions against rules whose best deviations are known, ex post and ex interim."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pytest
from typer.testing import CliRunner

import lawgiver
from lawgiver.agents.mechanisms import Announcement
from lawgiver.agents.policies import RulePolicy, UniformBox
from lawgiver.envs.combinatorial_auction import CombinatorialAuction
from lawgiver.envs.core.arrays import Array, largest, namespace, total
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.double_auction import DoubleAuction
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.envs.sealed_bid import SealedBid
from lawgiver.envs.solvers.equilibrium.subgame import Subgame
from lawgiver.trainers.audit import ex_interim
from lawgiver.trainers.audit.auctions import audit_auction
from lawgiver.trainers.audit.figures import gains
from lawgiver.trainers.cli import app, main


@dataclass(frozen=True)
class OneItem(AuctionGame):
    """One item to the highest bid, at w of it and 1 - w of the next; ties share.

    Args:
        n: number of bidders, whose values are uniform on [0, 1].
        high: greatest bid.
        levels: number of levels of a Discrete bid, None for a Box.
    """

    n: int = 2
    high: float = 1.0
    levels: int | None = None

    name: ClassVar[str] = "one_item-v0"
    reference: ClassVar[str] = "Krishna 2010, Auction Theory, chapters 2 and 3"

    @property
    def type_size(self) -> int:
        """The value."""
        return 1

    def type_layout(self) -> Layout:
        """Return the field of the value."""
        return (Field("value", 1, 0, 1, "money", "of the item"),)

    def parameter_layout(self) -> Layout:
        """Return the share of the own bid in the price."""
        return (Field("mix", 1, 0, 1, "share", "of the own bid in the price"),)

    def announcement_layout(self) -> Layout | int:
        """Return the bid."""
        return self.levels or (Field("bid", 1, 0, self.high, "money", "for the item"),)

    def announcements(self, actions: Array) -> Array:
        """Return bids (B, n)."""
        return actions[..., 0] if self.levels is None else actions / self.levels

    def initial_types(self, draws: Array) -> Array:
        """Return values (B, n, 1), uniform on [0, 1]."""
        return draws

    def worth(self, types: Array) -> Array:
        """Return the value."""
        return types

    def allocate(self, types: Array, announcements: Array, parameters: Array) -> Array:
        """Share the item among the highest bids."""
        xp = namespace(announcements)
        best = largest(announcements)[:, None]
        won = xp.astype(announcements == best, types.dtype)
        tied = total(won)[:, None]
        below = largest(announcements * (1 - won))[:, None]
        price = parameters * best + (1 - parameters) * xp.where(tied > 1, best, below)
        share = won / tied
        return xp.stack([share, share * price], axis=-1)

    @property
    def welfare_bounds(self) -> tuple[float, float]:
        """Between nothing and the greatest value."""
        return 0.0, 1.0

    @property
    def welfare_scale(self) -> float:
        """The greatest value."""
        return 1.0

    @property
    def members(self) -> dict[str, tuple[float, ...]]:
        """Both formats."""
        return {"first_price": (1.0,), "second_price": (0.0,)}

    @cached_property
    def subgame(self) -> Subgame:
        """There is none."""
        raise UnsupportedGameError("bids are not levels")


def test_the_truth_of_an_auction_is_the_value_and_others_are_drawn_given_ones_own():
    game, rng = OneItem(n=3), np.random.default_rng(0)
    types = game.initial_state(5, rng).types
    np.testing.assert_array_equal(game.truthful_bids(types), types)
    np.testing.assert_array_equal(game.expected_types(types), types)
    seats, draws = np.array([0, 1, 2, 0, 1]), rng.random((5, 3, 1))
    given = game.types_given(types, seats, draws)
    own = np.arange(3) == seats[:, None]
    np.testing.assert_array_equal(given[own], types[own])
    np.testing.assert_array_equal(given[~own], draws[~own])


def test_levels_of_bids_are_no_truth():
    game = OneItem(levels=9)
    with pytest.raises(UnsupportedGameError, match="bids in this one_item-v0 are 9 levels"):
        game.truthful_bids(np.zeros((1, 2, 1)))


# -- known gains ----------------------------------------------------------------------------------------------------


class Shading(RulePolicy):
    """Bids a share of the value."""

    def __init__(self, share: float) -> None:
        """Keep the share."""
        self.share = share

    def action(self, obs: Array) -> Array:
        """Return the bids (B, n, 1)."""
        return self.share * obs[..., :1]


def audited(rule, count=40, share=None, n=2, **options):
    game = OneItem(n=n)
    types = game.initial_state(count, np.random.default_rng(1)).types
    who = None if share is None else Shading(share)
    return audit_auction(game, Announcement(game.members[rule]), types, participants=who, effort=1, **options)


def loss(values, share):
    """Compute the gain of a best bid against one rival that bids this share of a value, over the same share."""
    best = np.minimum(values / 2, share)
    return (values - best) * np.minimum(best / share, 1) - (values - share * values) * values


def test_a_second_price_auction_leaves_the_truth_nothing_to_gain_ex_post_or_ex_interim():
    found = audited("second_price", n=3, rivals=32)
    assert found.largest_gain <= 1e-9 * found.scale
    assert found.ex_interim.regrets["bid"].gains.max() <= 1e-9 * found.scale
    assert abs(found.ex_interim.held_out["bid"]).max() <= 1e-9 * found.scale
    assert found.truthful and (found.payoffs >= 0).all()


def test_ex_post_a_first_price_auction_gains_the_winner_its_margin_in_equilibrium_too():
    for share in (None, 0.5):
        found = audited("first_price", share=share, rivals=0)
        assert found.ex_interim is None and found.data()["ex_interim"] is None
        bids = (share or 1.0) * found.types[..., 0]
        margin = np.where(bids == bids.max(1, keepdims=True), bids - bids.min(1, keepdims=True), 0.0)
        rival = bids[:, ::-1]
        outbid = np.where(bids < rival, np.maximum(found.types[..., 0] - rival, 0.0), 0.0)
        np.testing.assert_allclose(found.joint.gains, margin + outbid, atol=2e-3)
        assert (found.joint.gains <= margin + outbid + 1e-12).all() and found.largest_gain > 0.1


def test_ex_interim_bidders_in_equilibrium_gain_nothing_within_the_stated_bias():
    found = audited("first_price", share=0.5, count=60)
    told = found.data()
    gain = told["ex_interim"]["groups"]["bid"]["absolute"]
    payoff = told["ex_interim"]["payoff"]["mean"]
    assert abs(payoff.mean - 1 / 6) < 4 * payoff.standard_error
    assert gain["mean"].low <= 0 <= gain["mean"].high
    assert gain["bias"] == pytest.approx(gain["in_sample"].mean - gain["mean"].mean)
    assert 0 <= gain["in_sample"].mean < 0.01 / 6
    assert told["groups"]["bid"]["absolute"]["mean"].mean > 0.05, "ex post there is much to gain"
    assert told["played"] == "participants" and "truthful_payoff" not in told


@pytest.mark.parametrize("share", [1.0, 0.8, 0.3])
def test_ex_interim_losses_are_those_of_the_closed_form(share):
    found = audited("first_price", share=share)
    known = loss(found.types[..., 0], share)
    gain = found.ex_interim.gain("bid")
    held, chosen = found.ex_interim.held_out["bid"], found.ex_interim.regrets["bid"].gains
    assert held.mean() <= known.mean() + 4 * (held - known).mean(1).std() / 40**0.5
    assert chosen.mean() >= known.mean() - 4 * (chosen - known).mean(1).std() / 40**0.5
    np.testing.assert_allclose(held, known, atol=0.02)
    assert gain.low < known.mean() < gain.high
    below, above = (x.mean(1).mean() + z * x.mean(1).std(ddof=1) / 40**0.5 for x, z in ((held, -1.96), (chosen, 1.96)))
    assert gain.ends == pytest.approx((below, above), abs=0.01 * (above - below))
    best = found.ex_interim.regrets["bid"].reports[..., 0]
    assert np.abs(best - np.minimum(found.types[..., 0] / 2, share))[found.types[..., 0] > 0.2].mean() < 0.05


def test_a_first_price_auction_that_is_gamed_brings_the_second_value_or_half_of_the_first():
    """Ex post the winner bids just above the other's value; ex interim the best reply to the truth is half a value."""
    found = audited("first_price", count=60)
    values, told = found.types[..., 0], found.data()
    np.testing.assert_allclose(found.gamed.sum(1), values.min(1), atol=2e-3)
    np.testing.assert_allclose(found.ex_interim.gamed.sum(1), values.max(1) / 2, atol=0.1)
    interim = told["ex_interim"]["revenue_gamed"]
    assert interim.mean == pytest.approx(values.max(1).mean() / 2, abs=0.01)
    assert told["revenue"].mean == pytest.approx(values.max(1).mean())
    assert abs(interim.mean - 1 / 3) < 4 * interim.standard_error


def test_in_equilibrium_a_first_price_auction_that_is_gamed_ex_interim_brings_as_much():
    """Ex post the loser outbids the other where its value allows, and else the winner goes down to the loser's bid."""
    found = audited("first_price", share=0.5)
    told, (low, high) = found.data(), np.sort(found.types[..., 0]).T
    assert told["ex_interim"]["revenue_gamed"].mean == pytest.approx(told["revenue"].mean, abs=0.01)
    np.testing.assert_allclose(found.gamed.sum(1), np.where(low > high / 2, high, low) / 2, atol=2e-3)


@pytest.mark.parametrize(
    ("mechanism", "game"),
    [
        ("no_reserve", {"name": "sealed_bid", "pricing": "vcg", "slots": [1, 0.5], "n": 3}),
        ("no_mechanism", {"name": "double_auction", "pricing": "mcafee", "n": 4, "sellers": 2, "objective": "revenue"}),
    ],
)
def test_a_truthful_auction_is_paid_the_same_when_everybody_looks_for_gains(mechanism, game):
    told = lawgiver.audit(mechanism, game, profiles=20, effort=1, rivals=16).data()
    assert told["revenue"] == told["revenue_gamed"] == told["ex_interim"]["revenue_gamed"]
    assert told["revenue"].mean > 0


def test_the_interval_of_ex_interim_gains_covers_the_truth():
    game, share, runs = OneItem(), 0.8, 60
    truth = loss((np.arange(100_000) + 0.5) / 100_000, share).mean()
    covered = []
    for seed in range(runs):
        types = game.initial_state(12, np.random.default_rng([5, seed])).types
        rule, who = Announcement((1.0,)), Shading(share)
        found = audit_auction(game, rule, types, participants=who, rivals=24, effort=1, seed=seed, gradient=False)
        gain = found.ex_interim.gain("bid")
        covered.append(gain.low <= truth <= gain.high)
    assert np.mean(covered) >= 0.95 - 4 * (0.95 * 0.05 / runs) ** 0.5


def test_the_same_seed_draws_the_same_and_blocks_only_bound_memory(monkeypatch):
    first, again = (audited("first_price", count=6, rivals=16) for _ in range(2))
    np.testing.assert_array_equal(first.ex_interim.held_out["bid"], again.ex_interim.held_out["bid"])
    chunked = audited("first_price", count=6, rivals=16, chunk=40)
    np.testing.assert_allclose(chunked.ex_interim.held_out["bid"], first.ex_interim.held_out["bid"], atol=1e-12)
    monkeypatch.setattr(ex_interim, "LARGEST", 1)
    parts = audited("first_price", count=6, rivals=16)
    assert parts.ex_interim.payoffs.shape == (6, 2) and parts.ex_interim.regrets["bid"].reports.shape == (6, 2, 1)
    held = (found.ex_interim.held_out["bid"] for found in (parts, first))
    assert np.not_equal(*held).any(), "every block has draws of its own"


def test_bidders_may_draw_their_bids():
    game = OneItem()
    types = game.initial_state(30, np.random.default_rng(1)).types
    who = UniformBox(game.action_space("participant"))
    found = audit_auction(game, Announcement((1.0,)), types, participants=who, effort=1)
    values = types[..., 0]
    known = values / 2 - 1 / 3  # E (v - b) b, of a uniform bid b
    np.testing.assert_allclose(found.ex_interim.payoffs, known, atol=0.12)
    error = (found.ex_interim.payoffs - known).mean(1)
    assert abs(error.mean()) < 4 * error.std() / 30**0.5
    np.testing.assert_allclose(found.ex_interim.held_out["bid"], values**2 / 4 - known, atol=0.15)


def test_points_of_the_lattice_cover_the_cube():
    for size in (1, 2, 5):
        points = ex_interim.lattice(256, size)
        assert points.shape == (256, size) and (points >= 0).all() and (points < 1).all()
        for column in points.T:
            assert np.diff(np.sort(column)).max() < 4 / 256


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rivals": 1}, "rivals is 1, allowed: 0 for gains ex post alone, or an integer >= 2"),
        ({"rivals": -1}, "rivals is -1"),
        ({"effort": 0}, "effort is 0"),
        ({"participants": 3}, "participant is 3"),
    ],
)
def test_wrong_input_is_named(change, said):
    game = OneItem()
    types = np.full((3, 2, 1), 0.5)
    with pytest.raises(ParameterError, match=said):
        audit_auction(game, Announcement((1.0,)), types, **change)


def test_levels_of_bids_are_refused():
    with pytest.raises(UnsupportedGameError, match="allowed: a game whose bids are a Box"):
        audit_auction(OneItem(levels=9), Announcement((1.0,)), np.full((3, 2, 1), 0.5))


# -- games of the suite ---------------------------------------------------------------------------------------------


def audited_game(game, rule, count=40, seed=3, participants=None, **options):
    types = game.initial_state(count, np.random.default_rng(seed)).types
    who = None if participants is None else make_policy(game, "participant", participants)
    mechanism = make_policy(game, "mechanism", rule)
    return audit_auction(game, mechanism, types, participants=who, **{"effort": 1, **options})


@pytest.mark.parametrize(
    "game",
    [
        SealedBid(n=3, pricing="next"),
        SealedBid(n=3, pricing="vcg", slots=(1.0, 0.5)),
        SealedBid(n=3, pricing="vcg", slots=(1.0, 1.0), reserve=0.4, announced=("entry_fee",)),
        SealedBid(pricing="vcg", values=((0.0, 1.0), (0.0, 2.0)), announced=("handicaps",)),
        DoubleAuction(n=4, sellers=2, pricing="mcafee"),
        CombinatorialAuction(pricing="vcg", correlation=0.5),
        make_game("combinatorial_auction", preset="llllgg"),
    ],
)
def test_truthful_auctions_leave_nothing_to_gain(game):
    rule = "no_mechanism" if isinstance(game, DoubleAuction) else "no_reserve"
    found = audited_game(game, rule, count=40 if game.n < 6 else 4, rivals=16, gradient=game.n < 6)
    assert found.largest_gain <= 1e-9 * found.scale
    assert max(regret.gains.max() for regret in found.ex_interim.regrets.values()) <= 1e-9 * found.scale
    assert found.data()["individual_rationality"]["share"] == 0 and found.data()["budget"]["deficit_share"] == 0


@pytest.mark.parametrize("pricing", ["first", "all_pay"])
def test_auctions_that_are_paid_as_bid_are_not_truthful(pricing):
    found = audited_game(SealedBid(pricing=pricing), "no_reserve", rivals=16)
    assert found.largest_gain > 0.1 * found.scale
    told = found.data()
    assert (told["individual_rationality"]["share"] > 0) == (pricing == "all_pay")
    assert told["ex_interim"]["groups"]["bid"]["absolute"]["mean"].low > 0.01


def test_one_buyer_and_one_seller_in_equilibrium_gain_nothing_ex_interim():
    game = DoubleAuction()
    found = audited_game(game, "split_the_difference", participants="equilibrium", rivals=128)
    gain, payoff = found.ex_interim.gain("bid"), found.data()["ex_interim"]["payoff"]["mean"]
    assert gain.low <= 0 <= gain.high < 0.04 * payoff.mean
    assert abs(payoff.mean - 9 / 128) < 4 * payoff.standard_error
    truth = audited_game(game, "split_the_difference", rivals=64)
    assert truth.ex_interim.gain("bid").low > 0.1 * payoff.mean


def test_locals_in_equilibrium_gain_nothing_ex_interim_whatever_they_know_of_each_other():
    for correlation in (0.0, 0.5):
        game = CombinatorialAuction(pricing="nearest_vcg", correlation=correlation)
        found = audited_game(game, "no_reserve", participants="equilibrium", rivals=64, gradient=False)
        gain, payoff = found.ex_interim.gain("bids"), found.data()["ex_interim"]["payoff"]["mean"]
        assert gain.low <= 0 <= gain.high < 0.1 * payoff.mean
        assert found.largest_gain > 0.01, "ex post locals would understate"


class MineralBids(RulePolicy):
    """Bids 2 x / (2 + x), the equilibrium of a second-price auction of three, or a multiple of it."""

    def __init__(self, factor: float) -> None:
        """Keep the factor."""
        self.factor = factor

    def action(self, obs: Array) -> Array:
        """Return the bids (B, n, 1)."""
        return self.factor * 2 * obs[..., :1] / (2 + obs[..., :1])


def test_where_nobody_knows_the_worth_bidders_in_equilibrium_gain_nothing_ex_interim():
    game = SealedBid(3, pricing="next", information="mineral_rights")
    types = game.initial_state(40, np.random.default_rng(4)).types
    rule = make_policy(game, "mechanism", "no_reserve")
    found = audit_auction(game, rule, types, participants=MineralBids(1.0), effort=1, rivals=64)
    gain, payoff = found.ex_interim.gain("bid"), found.data()["ex_interim"]["payoff"]["mean"]
    assert -1e-9 < gain.low <= gain.high < 1e-9, "ex post too: worth depends on the greatest signal alone"
    assert abs(payoff.mean - 0.0452) < 4 * payoff.standard_error
    signals = audit_auction(game, rule, types, effort=1, rivals=64)
    assert signals.ex_interim.gain("bid").low > 0.01, "whoever bids its signal is cursed"
    np.testing.assert_allclose(signals.types, types[..., :1])


@pytest.mark.parametrize("preset", ["affiliated", "mineral_rights", "asymmetric", "first_price"])
def test_types_given_ones_own_are_of_the_same_distribution(preset):
    game, rng, count = make_game("sealed_bid", preset=preset), np.random.default_rng(6), 40_000
    types = game.initial_state(count, rng).types
    seats = rng.integers(game.n, size=count)
    given = game.types_given(types, seats, rng.random((count, game.n, game.type_size)))
    rows = np.arange(count)
    np.testing.assert_array_equal(given[rows, seats, 0], types[rows, seats, 0])
    assert (given[..., 0] != types[..., 0]).mean() > 0.4, "the others are drawn anew"
    x, y = (each.reshape(count, -1) for each in (types, given))
    for function in (lambda z: z, lambda z: z**2, lambda z: z[:, :, None] * z[:, None, :]):
        before, after = (function(each).reshape(count, -1) for each in (x, y))
        error = np.sqrt((before.var(0) + after.var(0)) / count)
        assert (np.abs(before.mean(0) - after.mean(0)) < 4 * error + 1e-12).all()
    if preset in ("affiliated", "mineral_rights"):
        slopes = [np.cov(each[:, 0, 0] * (seats == 0), each[:, 1, 0] * (seats == 0))[0, 1] for each in (types, given)]
        assert slopes[0] == pytest.approx(slopes[1], rel=0.1)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_expected_worth_given_all_signals_is_the_mean_of_the_worth(n):
    game = SealedBid(n, pricing="next", information="mineral_rights")
    types = game.initial_state(200_000, np.random.default_rng(7)).types
    found = game.expected_types(types)
    np.testing.assert_array_equal(found[..., 0], types[..., 0])
    error, largest_signal = (types - found)[:, 0, 1], types[..., 0].max(1)
    assert abs(error.mean()) < 4 * error.std() / len(error) ** 0.5
    for low in np.arange(0.1, 2, 0.3):
        there = error[(low <= largest_signal) & (largest_signal < low + 0.3)]
        assert abs(there.mean()) < 4 * there.std() / len(there) ** 0.5
    ends = game.expected_types(np.array([[[0.0, 0.3]] * n, [[2.0, 0.3]] * n]))
    np.testing.assert_array_equal(ends[:, 0, 1], [0, 1])
    torch = pytest.importorskip("torch")
    np.testing.assert_allclose(game.expected_types(torch.from_numpy(types[:9])).numpy(), found[:9])


def test_profiles_of_a_file_are_audited_ex_post_alone(tmp_path):
    np.savez(tmp_path / "values.npz", values=np.random.default_rng(0).random((30, 2)))
    game = SealedBid(types_file=tmp_path / "values.npz")
    assert audited_game(game, "no_reserve", count=5, rivals=0).largest_gain > 0
    with pytest.raises(UnsupportedGameError, match="profiles of a types_file"):
        audited_game(game, "no_reserve", count=5)


def test_a_games_members_are_mechanisms_by_name():
    game = SealedBid(announced=("reserve", "mix"))
    for name in ("no_reserve", "myerson_reserve", "first_price", "second_price"):
        np.testing.assert_array_equal(make_policy(game, "mechanism", name).parameters, game.members[name])
    with pytest.raises(UnsupportedGameError, match="'first_price' is not a rule of sealed_bid-v0"):
        make_policy(SealedBid(), "mechanism", "first_price")


def test_equilibrium_bidders_follow_the_rule_that_they_see():
    game = DoubleAuction()
    bidders = make_policy(game, "participant", "equilibrium")
    state = game.initial_state(4, np.random.default_rng(0))
    w = np.array([[0.5, 0.0], [1.0, 0.0], [0.5, 0.0], [0.5, 0.25]])
    waiting = game.advance(state, w, {})[0]
    bids, _ = bidders.act(game.observe(waiting, "participant"), None, None, None)
    for row, seat in np.ndindex(4, 2):
        known = game.equilibrium_bids(w[row], seat)(state.types[row, seat, 0])
        assert bids[row, seat, 0] == pytest.approx(known)
    torch = pytest.importorskip("torch")
    seen = torch.from_numpy(game.observe(waiting, "participant"))
    np.testing.assert_allclose(bidders.act(seen, None, None, None)[0].numpy(), bids)


# -- names and the command line ---------------------------------------------------------------------------------------


SMALL = {"profiles": 6, "effort": 1, "rivals": 16}


def test_every_number_says_whether_it_is_ex_post_or_ex_interim(tmp_path):
    found = lawgiver.audit("no_reserve", "sealed_bid", participants="random", **SMALL)
    told = found.data()
    assert told["stage"] == "ex post" == told["groups"]["bid"]["stage"]
    assert told["ex_interim"]["stage"] == "ex interim" == told["ex_interim"]["groups"]["bid"]["stage"]
    assert found.settings["participants"] == "random" and found.settings["rivals"] == 16
    json_file, figure = found.save(tmp_path)
    kept = json.loads(json_file.read_text())
    assert kept["ex_interim"]["groups"]["bid"]["absolute"]["mean"]["how"] == "normal, held out to in sample"
    assert figure.read_bytes()[:4] == b"\x89PNG"
    labels = [text for axis in gains(found).axes for text in (axis.get_xlabel(), axis.get_title(), axis.get_ylabel())]
    assert sum("ex interim" in text.lower() for text in labels) == 2
    assert sum("ex post" in text.lower() for text in labels) >= 4
    old = lawgiver.audit("vcg", {"name": "sequential_sales", "n": 2, "m": 1}, profiles=3, effort=1).data()
    assert old["stage"] == "ex post" == old["groups"]["value"]["stage"] and old["ex_interim"] is None
    assert old["payoff"] == old["truthful_payoff"]


def test_the_command_prints_both_stages():
    words = ("profiles=6", "effort=1", "rivals=16")
    done = CliRunner().invoke(app, ["audit", "no_reserve", "--game", "sealed_bid", *words])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith("ex post: 6 profiles") and any(line.startswith("ex interim: own") for line in lines)
    shown = " ".join(done.output.split())
    assert re.search(r"ex post: worst example: participant_\d of value [\d.]+, bid [\d.]+ gains [\d.]+ on", shown)
    assert re.search(r"ex interim: the best misreports of bid gain [\d.]+, between [\d.]+ and [\d.]+, of an", shown)
    done = CliRunner().invoke(app, ["audit", "no_reserve", "--game", "sealed_bid", "game.pricing=next", *words])
    assert "ex post: no profitable misreport above" in done.output
    assert "ex interim: no gain told from 0, 0 at most" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no_reserv", "--game", "sealed_bid"], "unknown mechanism 'no_reserv': did you mean 'no_reserve'?"),
        (["first_price", "--game", "sealed_bid"], "'first_price' is not a rule of sealed_bid-v0"),
        (["no_reserve", "--game", "sealed_bid", "game.n_bids=9"], "bids in this sealed_bid-v0 are 9 levels, of which"),
        (
            ["no_reserve", "--game", "sealed_bid", "rivals=1"],
            "rivals is 1: allowed: 0 for gains ex post alone, or an integer >= 2",
        ),
        (["no_reserve", "--game", "sealed_bid", "participants=nobody"], "unknown participant 'nobody'"),
        (["no_reserve", "--game", "sealed_bid", "participants=truthful"], "'truthful' reports its type"),
        (["no_mechanism", "--game", "double_auction", "game.n=4", "participants=equilibrium"], "4 traders under k_dou"),
        (["{policy: rule, parameters: [2]}", "--game", "sealed_bid"], "reserve in parameters is 2"),
        (["vcg", "--game", "sequential_sales", "participants=truthful"], "participants given for sequential_sales-v0"),
        (["vcg", "--game", "sequential_sales", "rivals=9"], "rivals given for sequential_sales-v0"),
        (["vcg"], "game is missing, allowed: .*double_auction-v0, .*sealed_bid-v0"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(arguments, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lawgiver", "audit", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    shown = capsys.readouterr()
    assert stop.value.code == 2 and not shown.out
    assert re.search(said.replace("?", r"\?"), shown.err) and shown.err.count("\n") == 1
