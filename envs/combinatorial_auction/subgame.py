"""The bidders' subgame of a combinatorial auction in tables, where everybody wants one bundle.

Values are the midpoints of cells of equal size, bids the levels that the game has, or as many as it takes to stand for
all in between. Values of locals that may be one and the same depend on a latent state: which value they both have, or
that they do not (Bernoulli weights).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.solvers.auctions.bidders import Bidders
from lawgiver.envs.solvers.auctions.joint_kernel import JointKernel
from lawgiver.envs.solvers.auctions.kernel_subgame import KernelSubgame

if TYPE_CHECKING:
    from lawgiver.envs.combinatorial_auction.game import CombinatorialAuction

BIDS = 65
"""Levels of bids up to the own greatest value, where the game allows any."""
TYPES = 128
"""Levels of independent values."""
SHARED_TYPES = 32
"""Levels of values that may be the same: there is a latent state for each."""


def bidders(game: CombinatorialAuction) -> tuple[np.ndarray, tuple[Bidders, ...]]:
    """Return the probability of each latent state, (N,), and the groups of bidders."""
    gamma = game.correlation
    size = SHARED_TYPES if gamma else TYPES
    quantiles = (np.arange(size) + 0.5) / size
    latent = np.array([1.0]) if not gamma else np.append(np.full(size, gamma / size), 1 - gamma)
    even = np.full((len(latent), size), 1 / size)
    shared = even if not gamma else np.concatenate([np.eye(size), even[:1]])
    latent, even, shared = latent[latent > 0], even[latent > 0], shared[latent > 0]
    groups = []
    for group in range(int(game.groups.max()) + 1):
        seats = tuple(int(i) for i in np.flatnonzero(game.groups == group))
        high = game.high[seats[0]]
        bids = np.linspace(0, high, game.n_bids or BIDS)
        chances = shared if gamma and seats[0] < 2 else even
        groups.append(Bidders(seats, high * quantiles, chances, bids, np.tile(high * quantiles[:, None], len(latent))))
    return latent, tuple(groups)


def subgame(game: CombinatorialAuction) -> KernelSubgame:
    """Put the bidders' subgame in tables.

    Raises:
        UnsupportedGameError: if somebody wants several bundles, or there are too many joint bids.
    """
    if game.places > 1:
        raise UnsupportedGameError(
            f"{game.name} has tables of its bidders' subgame where everybody has one bundle, not up to {game.places}"
        )
    latent, groups = bidders(game)
    return KernelSubgame(game, groups, JointKernel(game, groups), latent)
