"""The bidders' subgame of a sealed-bid auction: levels of types and bids, and the auction's own rule.

Up to three bidders meet on all joint bids, whatever the rule is; more of them, if they are alike, by formulas of ranks.
Private values are the midpoints of quantiles of equal probability. Signals that depend on each other have latent
states: of ``affiliated`` ones the part T that both share, on an even grid, and of ``mineral_rights`` the common worth V
itself. Given T a signal is S_i + T with S_i on an even grid; given V it lies in a cell with the share of [0, 2 V] that
the cell has.

A level of bids stands for the cell around it: of the level that a reserve falls into, that share takes part which is
above (:mod:`lawgiver.envs.solvers.auctions.bidders`). So where the reserve lies inside a cell, the tables of a game
with ``n_bids`` levels are not those of what is played there, where a level takes part as a whole or not at all; at the
edges of cells, and without a reserve, they are. Measures are smooth in reserve, fee and mix. In ``squash`` and
``handicaps`` they are not where scores are ranked otherwise: levels of bids jump over one another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.solvers.auctions.bidders import Bidders, private_bidders
from lawgiver.envs.solvers.auctions.joint_kernel import LARGEST, LARGEST_PAYOFFS, JointKernel
from lawgiver.envs.solvers.auctions.kernel_subgame import Kernel, KernelSubgame
from lawgiver.envs.solvers.auctions.rank_kernel import rank_payments, rank_shares

if TYPE_CHECKING:
    from lawgiver.envs.sealed_bid.game import SealedBid

BIDS = 65
"""Levels of bids, where the game allows any."""
TYPES = 128
"""Levels of private values."""
LATENT = 40
"""Latent states of the world, and levels of a signal in a unit of it."""
COARSE = 1 / 4
"""Largest step of bids that stand for all in between, as a share of the range of a bidder's values."""
JOINT = 3
"""Most bidders who meet on all joint bids."""
LARGEST_RANKS = 10_000
"""Most bidders times slots of formulas of ranks, some seconds for each evaluation of a mechanism."""


class SealedBidSubgame(KernelSubgame):
    """See the module's docstring. Bidders see their value or signal, their group where there are several, and w."""

    game: SealedBid

    def __init__(self, game: SealedBid) -> None:
        """Choose grids and a kernel.

        Raises:
            UnsupportedGameError: if types are drawn from a file; if there are more than three bidders who are not
                alike, or who are not risk neutral and may not pay their own bid; if there are too many joint bids; or
                if any bid is allowed, and the levels that stand for all are too far apart.
        """
        if game.profiles is not None:
            raise UnsupportedGameError(f"{game.name} has tables for types drawn by distribution, not from types_file")
        latent, groups = _bidders(game)
        for group in groups if game.n_bids is None else ():
            least, greatest = float(group.types[0]), float(group.types[-1])
            if group.step > COARSE * (greatest - least):
                raise UnsupportedGameError(
                    f"{game.name} has {BIDS} levels of bids up to {game.largest_bid:g} for values from {least:.6g} to "
                    f"{greatest:.6g}, too coarse to tell them apart: allowed: n_bids, or a lower high"
                )
        risk_neutral = not game.risk_aversion
        rivals_count = 0.5 if game.information == "affiliated" else 0.0
        super().__init__(game, groups, _kernel(game, groups), latent, rivals_count, risk_neutral=risk_neutral)


def _bidders(game: SealedBid) -> tuple[np.ndarray, tuple[Bidders, ...]]:
    """Return the probability of each latent state, (N,), and the groups of bidders."""
    bids = np.linspace(0, game.largest_bid, game.n_bids or BIDS)
    if game.information == "affiliated":
        even = np.arange(LATENT)
        signals = np.arange(1, 2 * LATENT) / LATENT  # (j + 1/2) / LATENT of the own part, and as much of the shared one
        apart = np.arange(1, 2 * LATENT) - 1 - even[:, None]
        chances = ((apart >= 0) & (apart < LATENT)) / LATENT
        worth = np.tile(signals[:, None] / 2, LATENT)
        return np.full(LATENT, 1 / LATENT), tuple(Bidders(seats, signals, chances, bids, worth) for seats in game.alike)
    if game.information == "mineral_rights":
        worths = (np.arange(LATENT) + 0.5) / LATENT
        edges = np.linspace(0, 2 * worths[-1], 2 * LATENT)
        reached = np.clip(edges / (2 * worths[:, None]), 0, 1)
        signals = (edges[1:] + edges[:-1]) / 2
        chances, worth = np.diff(reached), np.tile(worths, (len(signals), 1))
        return np.full(LATENT, 1 / LATENT), tuple(Bidders(seats, signals, chances, bids, worth) for seats in game.alike)
    quantiles, even = (np.arange(TYPES) + 0.5) / TYPES, np.full(TYPES, 1 / TYPES)
    return np.ones(1), tuple(
        private_bidders(members, game.distributions[members[0]].quantile(quantiles), even, bids)
        for members in game.alike
    )


def _kernel(game: SealedBid, groups: tuple[Bidders, ...]) -> Kernel:
    """Choose the joint grid for few bidders, and else the formulas of ranks.

    Raises:
        UnsupportedGameError: if neither is possible.
    """
    levels = len(groups[0].bids)
    ranked = len(groups) == 1 and (not game.risk_aversion or (game.pricing == "first" and not game.mixes))
    size, largest = levels**game.n, LARGEST if not game.risk_aversion else LARGEST_PAYOFFS // groups[0].worth.size
    if game.n <= JOINT and (size <= largest or not ranked):
        return JointKernel(game, groups, risk_neutral=not game.risk_aversion)
    if len(groups) > 1:
        raise UnsupportedGameError(
            f"{game.name} has tables for up to {JOINT} bidders who are not alike, n is {game.n}: allowed: one "
            "distribution and one quality for all, and handicaps neither announced nor different"
        )
    if not ranked:
        raise UnsupportedGameError(
            f"{game.name} with risk_aversion {game.risk_aversion:g}, {game.n} bidders and {levels} levels of bids has "
            "tables for pricing='first' without a mix, or for fewer of them"
        )
    if game.n * len(game.sizes) > LARGEST_RANKS:
        raise UnsupportedGameError(
            f"{game.name} has tables for up to {LARGEST_RANKS:,} bidders times slots, n is {game.n:,} with "
            f"{len(game.sizes):,} slots: allowed: up to {LARGEST_RANKS // game.n} slots"
        )
    return RankKernel(game, groups[0])


class RankKernel:
    """Expected outcomes of bidders who are alike, by rank."""

    def __init__(self, game: SealedBid, bidders: Bidders) -> None:
        """Take the game and its only group."""
        self.game, self.bidders = game, bidders

    def expected(self, parameters: Array, play: Array) -> Array:
        """Compute share and payment of each own bid, (..., 1, 2, N, A), against (..., 1, N, A)."""
        xp, game = namespace(play), self.game
        quality, slots, pricing = game.qualities[0], tuple(game.sizes.tolist()), game.pricing
        prices, rival = self._prices(parameters), play[..., 0, :, :]
        shares = quality * rank_shares(rival, game.n, slots)
        terms = game.terms(xp.reshape(parameters, (-1, parameters.shape[-1])))
        if game.mixes:
            mix = _rows(terms.mix, parameters)
            own, following = (rank_payments(rival, prices, game.n, slots, name) for name in ("first", "next"))
            payments = mix * own + (1 - mix) * following
        else:
            payments = rank_payments(rival, prices, game.n, slots, pricing)
        if pricing != "all_pay":
            payments = quality * payments
        if terms.entry_fee is not None:
            payments = payments + _rows(terms.entry_fee, parameters) * constant(self.bidders.bids > 0, payments)
        return xp.stack([shares + xp.zeros_like(payments), payments], axis=-3)[..., None, :, :, :]

    def _prices(self, parameters: Array) -> Array:
        """Return the prices of bids, (..., 1, A): themselves, or the least bid that takes part."""
        least = self.game.least_bids(parameters)[..., :1, None]
        bids = constant(self.bidders.bids, least)
        return namespace(least).maximum(bids + namespace(least).zeros_like(least), least)

    def signalled(self, parameters: Array, play: Array, signals: Array) -> Array:
        """Refuse: only two bidders are told apart by their signals."""
        raise UnsupportedGameError(f"{self.game.name} has worth that depends on all signals with two bidders only")

    def payoffs(self, parameters: Array, play: Array) -> Array:
        """Compute the payoff of each own bid at each type level, (..., 1, S, A), of winners who pay their own bid."""
        xp, curvature = namespace(play), 1 - self.game.risk_aversion
        quality, slots = self.game.qualities[0], tuple(self.game.sizes.tolist())
        shares = quality * rank_shares(play[..., 0, :, :], self.game.n, slots)  # (..., 1, A)
        gains = constant(self.bidders.types[:, None], play) - self._prices(parameters)  # (..., S, A)
        sizes = xp.abs(gains)
        some = sizes > 0  # the power has no slope at 0
        powers = xp.where(some, xp.where(some, sizes, xp.ones_like(sizes)) ** curvature, xp.zeros_like(sizes))
        return (shares * xp.sign(gains) * powers)[..., None, :, :]


def _rows(number: Any, parameters: Array) -> Any:
    """Return one number a mechanism, (...) of parameters (..., D), as (..., 1, 1)."""
    if isinstance(number, (int, float)):
        return number
    return namespace(number).reshape(number, (*parameters.shape[:-1], 1, 1))
