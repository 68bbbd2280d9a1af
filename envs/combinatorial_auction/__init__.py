"""Combinatorial auctions: bidders want bundles of items, and win one of theirs or nothing."""

from lawgiver.envs.combinatorial_auction.game import CombinatorialAuction

__all__ = ["CombinatorialAuction"]
