"""The traders' subgame of a double auction in tables: levels of values, costs and offers, on the auction's own rule.

Values and costs are the midpoints of cells of equal size, offers the levels that the game has, or as many as it takes
to stand for all in between. A level stands for the cell around it: as the spread passes from one distance of levels to
the next, the trades at that distance fade out, so that measures have a slope in the spread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.arrays import Array, detached, namespace
from lawgiver.envs.solvers.auctions.bidders import Bidders, private_bidders
from lawgiver.envs.solvers.auctions.joint_kernel import JointKernel
from lawgiver.envs.solvers.auctions.kernel_subgame import KernelSubgame

if TYPE_CHECKING:
    from lawgiver.envs.double_auction.game import DoubleAuction

OFFERS = 65
"""Levels of offers, where the game allows any."""
TYPES = 128
"""Levels of values and of costs."""


JUST_ABOVE = 1e-9
"""By how much a spread passes a distance of levels, as a share of the greatest value: beyond rounding."""


class SpreadKernel(JointKernel):
    """Outcomes of joint offers under a spread d between two distances of levels, j h <= d < (j + 1) h.

    Offers that are more than j levels apart trade, as the rule has it. Of those that are j apart a share of
    1 - (d - j h) / h trades, for nothing but the spread of j h.
    """

    def _outcomes(self, parameters: Array) -> Array:
        """Play the rule under w (B, D) on all joint offers, (B, G, 2, A, M)."""
        xp, step = namespace(parameters), self.groups[0].step
        spread = parameters[:, -1:]
        passed = xp.floor(detached(spread) / step + JUST_ABOVE)
        share = 1 - (spread - step * passed) / step
        above = JUST_ABOVE * (step * (self.levels - 1))

        def under(other: Array) -> Array:
            return super(SpreadKernel, self)._outcomes(xp.concat([parameters[:, :-1], other], axis=-1))

        level = step * passed
        fading = under(level) - under(level + above)
        return under(spread + above) + xp.reshape(share, (-1, 1, 1, 1, 1)) * fading


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
    return KernelSubgame(game, groups, SpreadKernel(game, groups))
