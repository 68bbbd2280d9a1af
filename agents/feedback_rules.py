"""Rules by name that make a policy of annotators' feedback; those that count votes are in :mod:`.voting`."""

from __future__ import annotations

from typing import Any

from lawgiver.agents.reporting import named_rule
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy


def mean(game: Game[Any]) -> Policy:
    """Return the rule that goes by the mean of what is reported of each alternative; it pays to exaggerate."""
    return named_rule(game, "mean")


def trimmed_mean(game: Game[Any]) -> Policy:
    """Return the rule that goes by the mean of what is reported without a quarter of the participants at either end."""
    return named_rule(game, "trimmed_mean")


def bradley_terry(game: Game[Any]) -> Policy:
    """Return the rule that goes by the rewards that fit everybody's comparisons best, as RLHF and DPO do."""
    return named_rule(game, "bradley_terry")


def nash_lottery(game: Game[Any]) -> Policy:
    """Return the rule that makes the policy that no other is preferred to, at a price on leaving the reference."""
    return named_rule(game, "nash_lottery")


def maxmin(game: Game[Any]) -> Policy:
    """Return the rule that makes the policy that is best for whoever is worst off."""
    return named_rule(game, "maxmin")


def mosaic(game: Game[Any]) -> Policy:
    """Return the rule that makes the best policy, and charges everybody what the others lose by its presence."""
    return named_rule(game, "mosaic")
