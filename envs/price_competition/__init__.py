"""Firms that set prices round after round, and a regulator that caps, taxes or steers."""

from lawgiver.envs.price_competition.game import PriceCompetition, PriceState

__all__ = ["PriceCompetition", "PriceState"]
