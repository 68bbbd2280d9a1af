"""The learner: a network that descends both sides of the objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from lawgiver.trainers.misreports.bound import Price
from lawgiver.trainers.ordinal.optimisers import adam
from lawgiver.trainers.ordinal.settings import OrdinalTrainer
from lawgiver.trainers.ordinal.subjects import Profiles
from lawgiver.trainers.runs.descent import descend
from lawgiver.trainers.settings.annealing import cosine, stage

EASED = 1 / 3
"""Part of the schedule over which the weight of the regret moves to its last value."""


def weight(number: int, settings: OrdinalTrainer) -> float:
    """Compute the weight of the regret in an update; ``number`` counts from 1."""
    if settings.first_weight is None:
        return settings.weight
    at, over = stage(number, settings)
    left = max(0.0, 1 - (at - 1) / (EASED * over))
    return settings.weight + left * (settings.first_weight - settings.weight)


class Learner:
    """A network that learns to choose, update by update.

    Args:
        network: described profiles to lotteries, or markets to shares.
        profiles: where those of an update come from.
        settings: of the trainer.
        measure: what is to be good beside the regret, an attribute of the profiles' terms.
        optimiser: makes one, of network and learning rate.
    """

    def __init__(
        self,
        network: nn.Module,
        profiles: Profiles,
        settings: OrdinalTrainer,
        measure: str = "welfare",
        optimiser: Callable[..., Any] = adam,
    ) -> None:
        self.network, self.profiles, self.settings, self.measure = network, profiles, settings, measure
        self.optimiser = optimiser(network, settings.learning_rate)
        self.price = Price(settings.weight, settings.target, settings.lagrangian)

    def update(self, number: int) -> dict[str, float]:
        """Take one step; return its metrics. ``number`` counts from 1."""
        found = self.profiles.terms(self.network, number)
        self.price.weight = weight(number, self.settings)
        loss = self.price.cost(found.regret) + found.loss
        rate = self.settings.learning_rate * cosine(number, self.settings)
        norm = descend(loss, self.network, self.optimiser, rate)
        return {
            "loss": float(loss.detach()),
            self.measure: float(getattr(found, self.measure).detach()),
            "regret": float(found.regret.detach()),
            "gradient_norm": norm,
            **self.price.move(),
        }

    def state(self) -> dict[str, Any]:
        """Collect all that the next update depends on."""
        weights = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        return {**weights, **self.price.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.price.restore(state)
