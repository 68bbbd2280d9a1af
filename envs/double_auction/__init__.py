"""Double auctions: buyers and sellers of a good that is sold by the unit bid at once."""

from lawgiver.envs.double_auction.game import DoubleAuction

__all__ = ["DoubleAuction"]
