"""Matching: two sides, or participants and places with priorities, are matched by the lists that they report."""

from lawgiver.envs.matching.game import Matching

__all__ = ["Matching"]
