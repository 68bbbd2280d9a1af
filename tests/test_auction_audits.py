"""Audits of auctions against rules whose best deviations are known, ex post and ex interim."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pytest

from lawgiver.agents.mechanisms import Announcement
from lawgiver.agents.policies import RulePolicy, UniformBox
from lawgiver.envs.core.arrays import Array, largest, namespace, total
from lawgiver.envs.core.errors import NoSolution, ParameterError, UnsupportedGameError
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.envs.solvers.equilibrium.subgame import Subgame
from lawgiver.trainers.audit import ex_interim
from lawgiver.trainers.audit.auctions import audit_auction


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
        raise NoSolution("bids are not levels")


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
    """Return what a best bid gains against one rival that bids this share of a value, over bidding the same share."""
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
    best = found.ex_interim.regrets["bid"].reports[..., 0]
    assert np.abs(best - np.minimum(found.types[..., 0] / 2, share))[found.types[..., 0] > 0.2].mean() < 0.05


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
        ({"rivals": 1}, "rivals is 1, allowed: an integer >= 2"),
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
