"""Adam on the value of a mechanism at the participants' exact equilibrium."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from lawgiver.trainers.runs.loop import Report

STEEPEST = 50.0
"""Inverse temperature at which a mechanism for more rational participants is designed: beyond it gradients vanish."""


class Ascent:
    """Adam on the value at the exact equilibrium, the learning rate falling to 0 along a cosine.

    Above 1 the inverse temperature itself rises to its target during the first half, geometrically: at once at a high
    one, the ascent ends in poor local optima.

    Args:
        parameters: to be moved.
        value_at: the value to be raised, at an inverse temperature.
        inverse_temperature: the target, at most ``STEEPEST`` of it is used.
        updates: over which the rise and the fall take place; both stay at their end afterwards.
        learning_rate: at the start.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        value_at: Callable[[float], torch.Tensor],
        *,
        inverse_temperature: float,
        updates: int,
        learning_rate: float,
    ) -> None:
        """Begin with the parameters as they are."""
        self.parameters, self.value_at = list(parameters), value_at
        self.target, self.over = min(inverse_temperature, STEEPEST), updates
        self.optimiser = torch.optim.Adam(self.parameters, lr=learning_rate, betas=(0.9, 0.99))
        self.learning_rates = _cosine(learning_rate, updates)

    def update(self, number: int) -> dict[str, float]:
        """Take one step; return the ``score`` before it, and the ``inverse_temperature`` of that score."""
        level = self.target ** min(1.0, 2 * number / self.over) if self.target > 1 else self.target
        self.optimiser.param_groups[0]["lr"] = self.learning_rates[min(number, self.over) - 1]
        self.optimiser.zero_grad()
        reached = self.value_at(level)
        (-reached).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parameters, 5.0)
        self.optimiser.step()
        return {"score": float(reached.detach()), "inverse_temperature": level}

    def report(self, numbers: Mapping[str, float]) -> Report:
        """Report the score of the last update."""
        return Report(numbers, f"score {numbers['score']:.3f}")

    def state(self) -> dict[str, Any]:
        """Collect the parameters and the state of Adam."""
        return {"parameters": [each.detach() for each in self.parameters], "optimiser": self.optimiser.state_dict()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        with torch.no_grad():
            for own, kept in zip(self.parameters, state["parameters"], strict=True):
                own.copy_(kept)
        self.optimiser.load_state_dict(state["optimiser"])


def _cosine(start: float, updates: int) -> list[float]:
    """Compute the learning rate of each update, by the recursion of torch's ``CosineAnnealingLR``."""

    def fallen(rate: float, done: int) -> float:
        before, after = (1 + math.cos(math.pi * at / updates) for at in (done - 1, done))
        return after / before * rate

    return list(itertools.accumulate(range(1, updates), fallen, initial=start))
