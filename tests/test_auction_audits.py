"""Audits of auctions against rules whose best deviations are known, ex post and ex interim."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pytest

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.core.errors import NoSolution, UnsupportedGameError
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.envs.solvers.equilibrium.subgame import Subgame


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
        best = xp.max(announcements, axis=-1, keepdims=True)
        won = xp.astype(announcements == best, types.dtype)
        tied = xp.sum(won, axis=-1, keepdims=True)
        below = xp.max(xp.where(won > 0, 0 * announcements, announcements), axis=-1, keepdims=True)
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
