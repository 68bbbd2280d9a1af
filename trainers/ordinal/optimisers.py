"""Optimisers of learned rules: Adam, and Muon for the inner maps of a deep network."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lawgiver.agents.matching_net import MatchingNet


def adam(network: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Make Adam for all parameters of a network."""
    return torch.optim.Adam(network.parameters(), lr=learning_rate)


class Muon:
    """Muon for the maps between the layers of a network, Adam for its first and last ones and all biases.

    Muon (Jordan et al. 2024) takes steps of the same length in all directions that the mean gradient of a matrix spans.
    Lengths are scaled to those of Adam, so that one learning rate serves both (Liu et al. 2025, arXiv 2502.16982).

    Args:
        network: to be trained.
        learning_rate: of both.
    """

    def __init__(self, network: MatchingNet, learning_rate: float) -> None:
        inner = [p for layers in (network.cells, network.lines, network.better) for p in layers.parameters()]
        maps = [p for p in inner if p.ndim == 2]
        others = [p for p in network.parameters() if all(p is not other for other in maps)]
        self.parts: dict[str, torch.optim.Optimizer] = {"adam": torch.optim.Adam(others, lr=learning_rate)}
        if maps:
            self.parts["muon"] = torch.optim.Muon(
                maps, lr=learning_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
            )

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups of parameters of both, each with its learning rate under ``lr``."""
        return [group for part in self.parts.values() for group in part.param_groups]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for part in self.parts.values():
            part.zero_grad()

    def step(self) -> None:
        """Take one step by the gradients."""
        for part in self.parts.values():
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Collect the state of both, by name."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
