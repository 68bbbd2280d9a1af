"""Auctions of several items to bidders who report what each item is worth to them."""

from lawgiver.envs.multi_item_auction.game import MultiItemAuction

__all__ = ["MultiItemAuction"]
