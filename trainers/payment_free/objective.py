"""The objective of a payment-free mechanism: Nash welfare, less the gains of misreports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from lawgiver.envs.payment_free_allocation.game import PaymentFreeAllocation
from lawgiver.envs.payment_free_allocation.measures import LEAST, mean_log_utility
from lawgiver.trainers.misreports.search import Cases
from lawgiver.trainers.payment_free.misreports import Rule, worth
from lawgiver.trainers.payment_free.settings import Lagrangian


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


class Bound:
    """A bound on the mean relative gain, kept by an augmented Lagrangian.

    With multiplier y and penalty p a gain g beyond the level l costs (max(0, y + p (g - l))^2 - y^2) / 2p. From time to
    time y becomes max(0, y + p (mean gain since - l)), and p grows.

    Args:
        level: upper bound l of the mean relative gain, > 0.
        settings: initial multiplier and penalty, and their schedule.
    """

    def __init__(self, level: float, settings: Lagrangian) -> None:
        self.level, self.settings = level, settings
        self.multiplier, self.penalty = settings.multiplier, settings.penalty
        self.seen: list[float] = []

    def cost(self, gain: torch.Tensor) -> torch.Tensor:
        """Compute the cost of a mean relative gain, and record the gain."""
        self.seen.append(float(gain.detach()))
        pressed = (self.multiplier + self.penalty * (gain - self.level)).clamp_min(0)
        cost: torch.Tensor = (pressed.square() - self.multiplier**2) / (2 * self.penalty)
        return cost

    def move(self) -> None:
        """Update multiplier and penalty once enough gains are recorded."""
        if len(self.seen) < self.settings.every:
            return
        mean = sum(self.seen) / len(self.seen)
        self.multiplier = max(0.0, self.multiplier + self.penalty * (mean - self.level))
        self.penalty *= self.settings.growth
        self.seen = []

    def state(self) -> dict[str, Any]:
        """Collect multiplier, penalty and recorded gains."""
        return {"multiplier": self.multiplier, "penalty": self.penalty, "seen": list(self.seen)}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.multiplier, self.penalty, self.seen = state["multiplier"], state["penalty"], list(state["seen"])
