"""A graph network over the participants as a mechanism that shares a fund by contributions."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from torch import nn

from lawgiver.agents.mechanisms import Weights
from lawgiver.agents.memory import Recurrence, memory_setting
from lawgiver.agents.networks import Networked, evaluated
from lawgiver.envs.core.arrays import Array, Rng, zeros
from lawgiver.envs.core.errors import UnsupportedGameError, integer
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory, Policy
from lawgiver.envs.public_investment.game import PublicInvestment


class GraphNetwork(nn.Module):
    """One block of a fully connected graph network over the participants, as a mechanism.

    Nodes carry e, c (both divided by the largest endowment) and c / e; every node sees the mean message of the
    others. With a memory every node also carries the state of a recurrence over these three numbers, the same for all
    nodes. Permuting the participants permutes the logits (Battaglia et al. 2018; widths are this library's choice,
    the papers do not give them).
    """

    def __init__(self, largest_endowment: float, n_units: int = 32, memory: int = 0) -> None:
        """Build the network, with ``memory`` units of memory for each participant."""
        super().__init__()
        self.largest_endowment = largest_endowment
        width = 3 + memory
        self.edge = nn.Sequential(nn.Linear(2 * width, n_units), nn.Tanh())
        self.node = nn.Sequential(nn.Linear(width + n_units, n_units), nn.Tanh(), nn.Linear(n_units, 1))
        self.memory = Recurrence(3, memory) if memory else None

    def features(self, endowments: torch.Tensor, contributions: torch.Tensor) -> torch.Tensor:
        """Compute node features (..., 3) for endowments and contributions (...)."""
        top = self.largest_endowment
        return torch.stack([endowments / top, contributions / top, contributions / endowments], dim=-1)

    def forward(
        self, endowments: torch.Tensor, contributions: torch.Tensor, state: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compute logits (..., n), whose softmax is the weights.

        Args:
            endowments: (..., n).
            contributions: (..., n).
            state: of the memory once it has taken these in, (..., n, h); None where there is no memory.
        """
        nodes = self.features(endowments, contributions)
        if state is not None:
            nodes = torch.cat([nodes, state], dim=-1)
        n, width = nodes.shape[-2:]
        receivers = nodes.unsqueeze(-2).expand(*nodes.shape[:-2], n, n, width)
        senders = nodes.unsqueeze(-3).expand(*nodes.shape[:-2], n, n, width)
        messages = self.edge(torch.cat([receivers, senders], dim=-1))
        others = 1 - torch.eye(n, dtype=nodes.dtype, device=nodes.device)
        received = (messages * others.unsqueeze(-1)).sum(-2) / (n - 1)
        return cast(torch.Tensor, self.node(torch.cat([nodes, received], dim=-1)).squeeze(-1))


class LearnedGraphMechanism(Networked, Weights):
    """The graph network as a learned mechanism of the public investment game in allocate mode.

    With ``memory`` units its weights depend on earlier rounds of the game, too: :meth:`weights` are then those of a
    first round.
    """

    kind: ClassVar[str] = "graph_mechanism"
    role: ClassVar[str] = "mechanism"

    def __init__(self, game: Game[Any], *, n_units: int = 32, memory: int = 0) -> None:
        """Build the network."""
        if not isinstance(game, PublicInvestment) or game.announces:
            raise UnsupportedGameError(
                "mechanism 'graph_network' shares a fund after the contributions: it plays public_investment with "
                f"mechanism_mode='allocate', not {game!r}"
            )
        n_units = integer("n_units", n_units, 1)
        self.settings = {"n_units": n_units} | memory_setting(memory)
        super().__init__(game)
        self.n = game.n
        self.network: GraphNetwork = GraphNetwork(game.largest_endowment, n_units, memory)

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return zeros (B, n, h), on the backend of ``rng``; None without a memory."""
        memory = self.network.memory
        return None if memory is None else zeros(rng, (batch, self.n, memory.units))

    def next_weights(self, endowments: Array, contributions: Array, state: Memory) -> tuple[Array, Memory]:
        """Compute the softmax of the network's logits (..., n), and the new state of the memory (..., n, h)."""

        def shares(e: torch.Tensor, c: torch.Tensor, *before: torch.Tensor) -> tuple[torch.Tensor, ...]:
            memory = self.network.memory
            after = () if memory is None else (memory.step(self.network.features(e, c), *before),)
            logits: torch.Tensor = self.network(e, c, *after)
            return logits.softmax(-1), *after

        carried = () if state is None else (state,)
        weights, *after = evaluated(self.network, shares, endowments, contributions, *carried)
        return weights, after[0] if after else None

    def weights(self, endowments: Array, contributions: Array) -> Array:
        """Compute the weights (..., n) of a first round, on the backend of the endowments."""
        return self.next_weights(endowments, contributions, None)[0]


def graph_network(game: Game[Any], *, n_units: int = 32, seed: int = 0) -> Policy:
    """Return the graph network as a mechanism with random weights, drawn from ``seed`` (allocate mode)."""
    seed = integer("seed", seed, 0, 2**63 - 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LearnedGraphMechanism(game, n_units=n_units)
