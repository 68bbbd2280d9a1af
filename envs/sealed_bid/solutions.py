"""Equilibria of sealed-bid auctions in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lawgiver.envs.core.game import KnownSolution

if TYPE_CHECKING:
    from lawgiver.envs.sealed_bid.game import SealedBid


def known(game: SealedBid) -> tuple[KnownSolution, ...]:
    """List what is known exactly of a game."""
    return ()
