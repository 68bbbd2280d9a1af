"""A step of gradient descent, as all trainers take it."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn


class Optimiser(Protocol):
    """An optimiser of torch, or several in one."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups of parameters, each with its learning rate under ``lr``."""

    def zero_grad(self) -> None:
        """Forget all gradients."""

    def step(self) -> Any:
        """Take one step by the gradients."""


LARGEST_NORM = 1.0
"""Norm to which longer gradients are cut."""


def descend(loss: torch.Tensor, network: nn.Module, optimiser: Optimiser, learning_rate: float | None = None) -> float:
    """Take one step down a loss; return the norm of its gradient before that is cut to ``LARGEST_NORM``.

    Args:
        loss: a number that depends on the network.
        network: whose parameters are moved.
        optimiser: of these parameters.
        learning_rate: of this step and those that follow; None for that of the last one.
    """
    if learning_rate is not None:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(network.parameters(), LARGEST_NORM)
    optimiser.step()
    return float(norm)
