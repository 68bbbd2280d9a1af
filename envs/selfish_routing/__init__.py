"""Selfish routing: agents choose their ways through a network, and a mechanism sets tolls."""

from lawgiver.envs.selfish_routing.game import SelfishRouting

__all__ = ["SelfishRouting"]
