"""Slopes of interim payoffs, where each own bid meets all rivals that are drawn.

With independent private values the payoff of value v and bid b is v X(b) - P(b), whatever the bidder knows of the
draw; X and P are tabulated by sorting the bids to beat (:mod:`lawgiver.trainers.bidding.interim`). In a first-price
auction this is the interim gradient (v - b) g(b) - G(b), with G the distribution of the best bid of the others and g
its density in a window.
"""

from __future__ import annotations

from typing import cast

import torch

from lawgiver.envs.core.arrays import map_arrays
from lawgiver.envs.core.errors import NoSolution, UnsupportedGameError
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.envs.families.mechanism_game import MechanismGame, MechanismState
from lawgiver.trainers.bidding.interim import interim, tabulated
from lawgiver.trainers.bidding.methods.smoothed import window


def require_interim(game: MechanismGame, state: MechanismState, bids: torch.Tensor, seat: int) -> None:
    """Check that a seat's interim payoffs have the form that is needed.

    Raises:
        UnsupportedGameError: if they have not.
    """
    found = interim(game, map_arrays(torch.Tensor.double, state), bids.double(), seat)
    if isinstance(found, NoSolution):
        raise UnsupportedGameError(f"method 'sorted' is for independent private values and one winner: {found}")


def slopes(game: MechanismGame, state: MechanismState, bids: torch.Tensor, seat: int, half: float) -> torch.Tensor:
    """Compute the slope of a seat's smoothed interim payoff in its bid, (B, 1); see the module ``smoothed``."""
    precise = map_arrays(torch.Tensor.double, state)
    auction = cast(AuctionGame, game)
    table = tabulated(auction, precise, bids.double(), seat)
    low, high = window(game, bids.double()[:, seat], half)
    worth = auction.worth(precise.types)[:, seat]
    (share, payment), (less, saved) = table(high), table(low)
    found = (worth * (share - less) - (payment - saved)) / (high - low)
    return cast(torch.Tensor, found.to(bids.dtype))
