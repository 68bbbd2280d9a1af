"""The objective of a payment-free mechanism: Nash welfare, less the gains of misreports."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lawgiver.envs.payment_free_allocation.game import PaymentFreeAllocation
from lawgiver.envs.payment_free_allocation.measures import LEAST, mean_log_utility
from lawgiver.trainers.misreports.search import Cases
from lawgiver.trainers.payment_free.misreports import Rule, worth


@dataclass(frozen=True)
class Terms:
    """Both sides of the objective, means over profiles.

    Attributes:
        mean_log_utility: mean_i w_i log u_i where everybody tells the truth.
        absolute: mean gain of the misreports, none below 0.
        relative: mean of the gains as shares of what the truth brings.
    """

    mean_log_utility: torch.Tensor
    absolute: torch.Tensor
    relative: torch.Tensor


def terms(game: PaymentFreeAllocation, rule: Rule, types: torch.Tensor, own: torch.Tensor) -> Terms:
    """Compute both sides at given misreports, differentiable in the rule.

    By Danskin's theorem the gradient at fixed best misreports is that of the greatest gain.

    Args:
        game: in allocate mode.
        rule: allocation rule.
        types: true types of all participants, (B, n, 2m).
        own: report of each participant when it alone misreports, (B, n, 2m).
    """
    cases = Cases.of(game, types)
    amounts = rule(*game.split(torch.cat([types, cases.reported(own.flatten(0, 1))])))
    truthful = worth(amounts[: len(types)], types)
    misreported = worth(cases.mine(amounts[len(types) :]), cases.own).view_as(truthful)
    gains = (misreported - truthful).clamp_min(0)
    return Terms(
        mean_log_utility(truthful, game.weighting).mean(),
        gains.mean(),
        (gains / truthful.clamp_min(LEAST)).mean(),
    )
