"""The traders' subgame of a double auction in tables: levels of values, costs and offers, on the auction's own rule.

Values and costs are the midpoints of cells of equal size, offers the levels that the game has, or as many as it takes
to stand for all in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.solvers.auctions.bidders import Bidders, private_bidders
from lawgiver.envs.solvers.auctions.joint_kernel import JointKernel
from lawgiver.envs.solvers.auctions.kernel_subgame import KernelSubgame

if TYPE_CHECKING:
    from lawgiver.envs.double_auction.game import DoubleAuction

OFFERS = 65
"""Levels of offers, where the game allows any."""
TYPES = 128
"""Levels of values and of costs."""


def traders(game: DoubleAuction) -> tuple[Bidders, Bidders]:
    """Return the buyers, and the sellers, to whom a unit sold is worth minus its cost."""
    levels = game.high * (np.arange(TYPES) + 0.5) / TYPES
    even, offers = np.full(TYPES, 1 / TYPES), np.linspace(0, game.high, game.n_bids or OFFERS)
    seats = np.arange(game.n)
    buyers, sellers = (tuple(int(i) for i in seats[game.groups == side]) for side in (0, 1))
    return (
        private_bidders(buyers, levels, even, offers),
        Bidders(sellers, levels, even[None], offers, -levels[:, None]),
    )


def subgame(game: DoubleAuction) -> KernelSubgame:
    """Put the traders' subgame in tables.

    Raises:
        UnsupportedGameError: if there are too many joint offers.
    """
    groups = traders(game)
    return KernelSubgame(game, groups, JointKernel(game, groups))
