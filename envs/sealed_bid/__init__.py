"""A sealed-bid auction of slots, whose rules the mechanism announces."""

from lawgiver.envs.sealed_bid.game import SealedBid

__all__ = ["SealedBid"]
