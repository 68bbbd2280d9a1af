"""The learner: a network that climbs welfare less regret by Adam."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lawgiver.trainers.misreports.bound import Bound
from lawgiver.trainers.ordinal.profiles import Profiles, Terms
from lawgiver.trainers.ordinal.settings import OrdinalTrainer
from lawgiver.trainers.settings.annealing import cosine


class Learner:
    """A network that learns to choose, update by update.

    Args:
        network: described profiles to lotteries.
        profiles: where those of an update come from.
        settings: of the trainer.
    """

    def __init__(self, network: nn.Module, profiles: Profiles, settings: OrdinalTrainer) -> None:
        self.network, self.profiles, self.settings = network, profiles, settings
        self.optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
        self.bound = None if settings.target is None else Bound(settings.target, settings.lagrangian)

    def update(self, number: int) -> dict[str, float]:
        """Take one step; return its metrics. ``number`` counts from 1."""
        found = self.profiles.terms(self.network, number)
        loss = self._loss(found)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * cosine(number, self.settings)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        return {
            "loss": float(loss.detach()),
            "welfare": float(found.welfare.detach()),
            "regret": float(found.regret.detach()),
            "gradient_norm": float(norm),
            **self._priced(),
        }

    def _loss(self, found: Terms) -> torch.Tensor:
        if self.bound is not None:
            return self.bound.cost(found.regret) - found.welfare
        return self.settings.weight * found.regret - found.welfare

    def _priced(self) -> dict[str, float]:
        """Update multiplier and penalty of the bound, if there is one; return both."""
        if self.bound is None:
            return {}
        self.bound.move()
        return {"multiplier": self.bound.multiplier, "penalty": self.bound.penalty}

    def state(self) -> dict[str, Any]:
        """Collect all that the next update depends on."""
        state: dict[str, Any] = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        return state if self.bound is None else {**state, "bound": self.bound.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.bound is not None:
            self.bound.restore(state["bound"])
