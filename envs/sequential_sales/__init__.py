"""Identical items sold one after the other."""

from lawgiver.envs.sequential_sales.game import SequentialSales

__all__ = ["SequentialSales"]
