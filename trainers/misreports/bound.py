"""Bounds on what misreports gain on average, as part of the objective of a training."""

from __future__ import annotations

from typing import Any

import torch

from lawgiver.trainers.misreports.settings import Lagrangian


class Bound:
    """A bound on the mean gain of misreports, kept by an augmented Lagrangian.

    With multiplier y and penalty p a gain g beyond the level l costs (max(0, y + p (g - l))^2 - y^2) / 2p. From time to
    time y becomes max(0, y + p (mean gain since - l)), and p grows.

    Args:
        level: upper bound l of the mean gain, > 0.
        settings: initial multiplier and penalty, and their schedule.
    """

    def __init__(self, level: float, settings: Lagrangian) -> None:
        self.level, self.settings = level, settings
        self.multiplier, self.penalty = settings.multiplier, settings.penalty
        self.seen: list[float] = []

    def cost(self, gain: torch.Tensor) -> torch.Tensor:
        """Compute the cost of a mean gain, and record the gain."""
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


class Price:
    """Price of the mean gain of misreports in an objective: a weight of it, or a bound on it.

    Args:
        weight: of the gain where there is no bound, >= 0.
        target: bound on the gain, > 0; None for none.
        settings: of the bound.
    """

    def __init__(self, weight: float, target: float | None, settings: Lagrangian) -> None:
        self.weight = weight
        self.bound = None if target is None else Bound(target, settings)

    def cost(self, gain: torch.Tensor) -> torch.Tensor:
        """Compute the cost of a mean gain; a bound records the gain."""
        return self.weight * gain if self.bound is None else self.bound.cost(gain)

    def move(self) -> dict[str, float]:
        """Update the multiplier and the penalty of a bound; return both, nothing without one."""
        if self.bound is None:
            return {}
        self.bound.move()
        return {"multiplier": self.bound.multiplier, "penalty": self.bound.penalty}

    def state(self) -> dict[str, Any]:
        """Collect the state of a bound under ``bound``; nothing without one."""
        return {} if self.bound is None else {"bound": self.bound.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state that holds what :meth:`state` returned."""
        if self.bound is not None:
            self.bound.restore(state["bound"])
