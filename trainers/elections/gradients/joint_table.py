"""The payouts of a memoryless mechanism at every joint contribution of a game, tabulated once for many games.

With integer contributions there are few joint contributions (4,235 in the paper's five conditions, participants of
equal endowment grouped), far fewer than the rounds of a batch of elections. Payouts are looked up in the table; a
gradient with respect to the payouts of the rounds played is added up by joint contribution, and goes through the rules
and the network once.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lawgiver.agents.graph_network import GraphNetwork, LearnedGraphMechanism
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.envs.solvers.equilibrium.joint_grid import joint_grid

LARGEST_TABLE = 2_000_000
"""Joint contributions, seats told apart, up to which they are tabulated."""


def require_tabulable(game: PublicInvestment) -> None:
    """Raise UnsupportedGameError if a game has more than ``LARGEST_TABLE`` joint contributions."""
    size = sum(math.prod(e + 1 for e in endowments) for endowments in game.conditions)
    if size > LARGEST_TABLE:
        raise UnsupportedGameError(
            f"{game.name} has {size} joint contributions, allowed: at most {LARGEST_TABLE} to be tabulated"
        )


class JointTable:
    """All joint contributions of a game's conditions, (S, n), where participants of equal endowment are alike.

    Args:
        game: whose rules pay, in allocate mode.
        like: a tensor of the floating dtype and the device to work in.

    Raises:
        UnsupportedGameError: if there are more than ``LARGEST_TABLE`` joint contributions.
    """

    def __init__(self, game: PublicInvestment, like: torch.Tensor) -> None:
        require_tabulable(game)
        self.game = game
        grids = [joint_grid(tuple(e + 1 for e in endowments), endowments).actions for endowments in game.conditions]
        given = [np.tile(e, (len(grid), 1)) for e, grid in zip(game.conditions, grids, strict=True)]
        self.endowments = _as(np.concatenate(given), like)
        self.contributions = _as(np.concatenate(grids), like)
        shapes = [tuple(e + 1 for e in endowments) for endowments in game.conditions]
        strides = [[math.prod(shape[i + 1 :]) for i in range(game.n)] for shape in shapes]
        starts = np.cumsum([0, *(math.prod(shape) for shape in shapes)])
        rows = np.cumsum([0, *(len(grid) for grid in grids)])
        places = [
            _places(grid, shape, endowments) + first * game.n
            for grid, shape, endowments, first in zip(grids, shapes, game.conditions, rows[:-1], strict=True)
        ]
        self._places = torch.as_tensor(np.concatenate(places, axis=1).ravel(), device=like.device)
        self._strides = _as(np.array(strides), like)[:, :, None].repeat(2, 1, 1)
        shifts = starts[:-1, None] + np.arange(game.n) * starts[-1]  # participants one after the other
        self._starts = torch.as_tensor(shifts[:, :, None], device=like.device).repeat(2, 1, 1)
        self._nodes = _Nodes(self.endowments, self.contributions)
        self._contributed, _, _, _ = game.advance(game.initial_state_from(self.endowments), self.contributions, {})

    def weights(self, mechanism: LearnedGraphMechanism) -> torch.Tensor:
        """Compute the mechanism's weights at every joint contribution, (S, n), with their gradient."""
        return self._nodes.logits(mechanism.network).T.contiguous().softmax(0).T  # faster than along a short last axis

    def payouts(self, weights: torch.Tensor) -> torch.Tensor:
        """Compute the payouts by the rules for weights (S, n), in points, (S, n)."""
        after, _, _, _ = self.game.advance(self._contributed, weights, {})
        paid: torch.Tensor = after.payouts
        return paid

    def places(self, contributions: torch.Tensor, *, out: torch.Tensor) -> torch.Tensor:
        """Find the index of each participant of a round in the flattened table (S * n).

        Args:
            contributions: in points, (R, n, games); rows are the game's conditions, once or twice.
            out: array for the result, int64 (R, n, games).
        """
        rows = slice(0, len(contributions))
        joint = (contributions * self._strides[rows]).sum(1, keepdim=True).long()
        torch.index_select(self._places, 0, (joint + self._starts[rows]).view(-1), out=out.view(-1))
        return out

    def collect(self, places: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """Sum gradients of rounds at ``places``, of the same shape, to that of the table, (S, n)."""
        table = torch.zeros_like(self.contributions)
        table.view(-1).index_add_(0, places.reshape(-1), gradient.reshape(-1))
        return table


def _as(values: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(values, dtype=like.dtype, device=like.device)


def _places(grid: np.ndarray, shape: tuple[int, ...], endowments: tuple[int, ...]) -> np.ndarray:
    """Compute the index in the flattened grid of each participant at each joint contribution, (n, J)."""
    n = len(shape)
    joint = np.indices(shape).reshape(n, -1).T
    order = np.empty_like(joint)  # the participant of the sorted row that stands for each
    listed = joint.copy()
    for endowment in set(endowments):
        seats = np.flatnonzero(np.array(endowments) == endowment)
        ranks = np.argsort(joint[:, seats], axis=1, kind="stable")
        listed[:, seats] = np.take_along_axis(joint[:, seats], ranks, axis=1)
        np.put_along_axis(order, seats[ranks], np.broadcast_to(seats, ranks.shape), axis=1)
    index = np.full(shape, -1)
    index[tuple(grid.T)] = np.arange(len(grid))
    return np.asarray((index[tuple(listed.T)][:, None] * n + order).T)


class _Nodes:
    """The graph network at many graphs whose nodes are few different ones.

    A message depends on two nodes only, so that each pair of different nodes is computed once, and the first layer
    that receives them is linear, so that it is applied to messages before they are added up instead of after.
    """

    def __init__(self, endowments: torch.Tensor, contributions: torch.Tensor) -> None:
        """Find the different nodes of graphs (S, n)."""
        pairs = torch.stack([endowments, contributions], dim=-1)
        different, index = torch.unique(pairs.reshape(-1, 2), dim=0, return_inverse=True)
        self.endowments, self.contributions = different.unbind(-1)
        own, count, n = index.view(endowments.shape), len(different), endowments.shape[1]
        terms = [own]
        for shift in range(1, n):  # the others, whose messages follow the nodes in the table
            terms.append(count + own * count + own.roll(shift, dims=1))
        self.terms = torch.stack(terms, dim=-1).view(-1, n)
        order = self.terms.reshape(-1).argsort(stable=True)
        counts = torch.bincount(self.terms.reshape(-1), minlength=count + count * count)
        self.users, self.offsets = order // n, counts.cumsum(0) - counts  # of each entry of the table
        self._shape = endowments.shape
        self._scratch: torch.Tensor | None = None

    def scratch(self, like: torch.Tensor) -> torch.Tensor:
        """Provide memory like ``like``, the same at every call, as allocation costs more than the computation."""
        if self._scratch is None:
            self._scratch = torch.empty_like(like)
        return self._scratch

    def logits(self, network: GraphNetwork) -> torch.Tensor:
        """Compute the network's logits for all graphs, (S, n)."""
        nodes = network.features(self.endowments, self.contributions)
        count = len(nodes)
        receivers, senders = nodes[:, None].expand(-1, count, -1), nodes[None].expand(count, -1, -1)
        messages = network.edge(torch.cat([receivers, senders], dim=-1)).view(count * count, -1)
        first, last = cast(nn.Linear, network.node[0]), cast(nn.Linear, network.node[2])
        of_node, of_message = torch.split(first.weight, [nodes.shape[1], messages.shape[1]], dim=1)
        own = functional.linear(nodes, of_node, first.bias)
        table = torch.cat([own, functional.linear(messages, of_message) / (self._shape[1] - 1)])
        weight = last.weight[0]
        sums: torch.Tensor = _Hidden.apply(2 * table, 2 * weight, self)  # type: ignore[no-untyped-call]
        return (sums + (last.bias - weight.sum())).view(self._shape)


class _Hidden(torch.autograd.Function):
    """The nodes' hidden layer and the product with the weights of the last: sigmoid(sums of the table) @ weight.

    tanh x = 2 sigmoid(2 x) - 1, and the sigmoid is several times as fast on a CPU. The backward pass sums over index
    lists that are sorted once, in preallocated memory, where autograd would sort and allocate at every call.
    """

    @staticmethod
    def forward(ctx: Any, table: torch.Tensor, weight: torch.Tensor, nodes: _Nodes) -> torch.Tensor:
        """Compute (N,) for a table (K, units) and a weight (units,)."""
        hidden = functional.embedding_bag(nodes.terms, table, mode="sum").sigmoid_()
        ctx.save_for_backward(hidden, weight)
        ctx.nodes = nodes
        return torch.mv(hidden, weight)

    @staticmethod
    def backward(ctx: Any, slopes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        """Compute the gradients of table and weight for that of the result, (N,)."""
        hidden, weight = ctx.saved_tensors
        inner = torch.mul(slopes[:, None], weight, out=ctx.nodes.scratch(hidden))
        torch.ops.aten.sigmoid_backward.grad_input(inner, hidden, grad_input=inner)
        table = functional.embedding_bag(ctx.nodes.users, inner, ctx.nodes.offsets, mode="sum")
        return table, torch.mv(hidden.T, slopes), None
