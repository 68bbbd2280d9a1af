"""A graph network over the participants as a mechanism that shares a fund by contributions."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from torch import nn

from lawgiver.agents.mechanisms import Weights
from lawgiver.agents.networks import Networked, evaluated
from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.errors import UnsupportedGameError, integer
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.public_investment.game import PublicInvestment


class GraphNetwork(nn.Module):
    """A memoryless mechanism: one block of a fully connected graph network over the participants.

    Nodes carry e, c (both divided by the largest endowment) and c / e; every node sees the mean message of the
    others. Permuting the participants permutes the logits (Battaglia et al. 2018; widths are this library's choice,
    the papers do not give them).
    """

    def __init__(self, largest_endowment: float, n_units: int = 32) -> None:
        """Build the network."""
        super().__init__()
        self.largest_endowment = largest_endowment
        self.edge = nn.Sequential(nn.Linear(6, n_units), nn.Tanh())
        self.node = nn.Sequential(nn.Linear(3 + n_units, n_units), nn.Tanh(), nn.Linear(n_units, 1))

    def features(self, endowments: torch.Tensor, contributions: torch.Tensor) -> torch.Tensor:
        """Compute node features (..., 3) for endowments and contributions (...)."""
        top = self.largest_endowment
        return torch.stack([endowments / top, contributions / top, contributions / endowments], dim=-1)

    def forward(self, endowments: torch.Tensor, contributions: torch.Tensor) -> torch.Tensor:
        """Return logits (..., n) for endowments and contributions (..., n); their softmax is the weights."""
        nodes = self.features(endowments, contributions)
        n = nodes.shape[-2]
        receivers = nodes.unsqueeze(-2).expand(*nodes.shape[:-2], n, n, 3)
        senders = nodes.unsqueeze(-3).expand(*nodes.shape[:-2], n, n, 3)
        messages = self.edge(torch.cat([receivers, senders], dim=-1))
        others = 1 - torch.eye(n, dtype=nodes.dtype, device=nodes.device)
        received = (messages * others.unsqueeze(-1)).sum(-2) / (n - 1)
        return cast(torch.Tensor, self.node(torch.cat([nodes, received], dim=-1)).squeeze(-1))


class LearnedGraphMechanism(Networked, Weights):
    """The graph network as a learned mechanism of the public investment game in allocate mode."""

    kind: ClassVar[str] = "graph_mechanism"
    role: ClassVar[str] = "mechanism"

    def __init__(self, game: Game[Any], *, n_units: int = 32) -> None:
        """Build the network."""
        if not isinstance(game, PublicInvestment) or game.announces:
            raise UnsupportedGameError(
                "mechanism 'graph_network' shares a fund after the contributions: it plays public_investment with "
                f"mechanism_mode='allocate', not {game!r}"
            )
        n_units = integer("n_units", n_units, 1)
        self.settings = {"n_units": n_units}
        super().__init__(game)
        self.network: GraphNetwork = GraphNetwork(game.largest_endowment, n_units)

    def weights(self, endowments: Array, contributions: Array) -> Array:
        """Return the softmax of the network's logits, on the backend of the endowments."""

        def shares(*seen: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.network(*seen)
            return logits.softmax(-1)

        return evaluated(self.network, shares, endowments, contributions)


def graph_network(game: Game[Any], *, n_units: int = 32, seed: int = 0) -> Policy:
    """Return the graph network as a mechanism with random weights, drawn from ``seed`` (allocate mode)."""
    seed = integer("seed", seed, 0, 2**63 - 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LearnedGraphMechanism(game, n_units=n_units)
