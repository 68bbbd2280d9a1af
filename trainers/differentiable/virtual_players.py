"""Virtual participants for the gradient of an election: their networks, frozen, prepared for the conditions of a game.

What is linear is multiplied out beforehand. The contribution network's first layer, the arrangement for the focal
participant and the LSTM's input matrix become one matrix a condition, from contributions and payouts to gates; the
vote network's layer becomes one from all contributions and payouts to logits. The matrices are read off the
networks themselves, by showing them one point at a time, so that nothing of them is written twice.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch.nn import functional

from lawgiver.agents.virtual_networks import (
    ContributionNet,
    VoteNet,
    arrangement,
    contribution_features,
    vote_features,
)
from lawgiver.envs.public_investment.game import PublicInvestment


class LstmPlayers:
    """Contribution networks at play, see :class:`~lawgiver.trainers.differentiable.election.Players`.

    The LSTM is unrolled by hand: gates by gates over all games, and only those gradients that payouts need. Its
    candidate gate and its output go through tanh x = 2 sigmoid(2 x) - 1, several times as fast on a CPU.

    Args:
        network: of all participants; its weights are copied.
        game: what is played.
        games: m, of each condition, under each mechanism.
        like: a tensor of the floating dtype and the device to work in.
    """

    def __init__(self, network: ContributionNet, game: PublicInvestment, games: int, like: torch.Tensor) -> None:
        """Multiply out what is linear, and play the first round, which is always the same."""
        conditions, n, units = len(game.conditions), game.n, network.n_hidden
        rows, seats, actions = 2 * conditions, n * games, game.largest_endowment + 1
        exact = copy.deepcopy(network).cpu().double().requires_grad_(False)
        by_input, constant, by_hidden = _gates(exact, game)
        self._by_payouts = by_input[:, :, n:].mT.to(like)  # (C, n, gates * n)
        self._by_input = by_input.repeat(2, 1, 1).to(like)
        self._constant = constant.repeat(2, 1, 1).to(like)
        self._by_hidden = by_hidden.to(like)
        self._output = exact.output.weight.to(like)
        endowments = torch.tensor(game.conditions).repeat(2, 1)
        impossible = torch.arange(actions)[:, None] > endowments[:, None, :]  # (R, actions, n)
        bias = exact.output.bias[:, None].expand_as(impossible).masked_fill(impossible, -torch.inf)
        self._bias = bias.to(like)[..., None].expand(-1, -1, -1, games).reshape(rows, actions, seats)
        self._shape, self._conditions, self._units = (rows, actions, n, games), conditions, units
        rounds = game.n_rounds
        self._gates = like.new_empty(rounds, rows, 4 * units, seats)
        # twice the LSTM's cell state
        self._cells, self._hidden = (like.new_zeros(rounds + 1, rows, units, seats) for _ in range(2))
        self._shown = like.new_empty(rounds, rows, units, seats)
        self._chances = like.new_empty(rounds, rows, actions, seats)
        self._inner = like.new_empty(rounds, conditions, 4 * units, seats)
        self._unroll(0, like.new_zeros(rows, 2 * n, games))

    def play(self, round: int, contributions: torch.Tensor, payouts: torch.Tensor) -> torch.Tensor:
        """Return the probabilities of contributions in this round, (R, n_actions, n, m)."""
        if round > 0:
            self._unroll(round, torch.cat([contributions, payouts], dim=1))
        return self._chances[round].view(self._shape)

    def _unroll(self, t: int, inputs: torch.Tensor) -> None:
        gates, units = self._gates[t], self._units
        by_seat = gates.view(len(gates), -1, inputs.shape[2])
        torch.baddbmm(self._constant, self._by_input, inputs, out=by_seat)
        gates.baddbmm_(self._by_hidden.expand(len(gates), -1, -1), self._hidden[t]).sigmoid_()
        admit, forget, show, candidate = torch.split(gates, units, dim=1)
        cell, shown, hidden = self._cells[t + 1], self._shown[t], self._hidden[t + 1]
        torch.mul(forget, self._cells[t], out=cell).addcmul_(admit, candidate, value=4).sub_(admit, alpha=2)
        torch.sigmoid(cell, out=shown)
        torch.mul(show, shown, out=hidden).mul_(2).sub_(show)
        logits = torch.baddbmm(self._bias, self._output.expand(len(gates), -1, -1), hidden)
        torch.softmax(logits, 1, out=self._chances[t])

    def score(self, contributions: torch.Tensor, payouts: torch.Tensor, advantages: torch.Tensor) -> torch.Tensor:
        """Return the gradient of the weighted log-likelihood with respect to payouts, (T, C, n, m)."""
        own, units = slice(0, self._conditions), self._units
        rounds, conditions, n, games = contributions.shape
        result = torch.zeros_like(contributions)
        if rounds == 1:
            return result
        # by hidden state: of log p at the contribution made, less what is expected
        weights = advantages[:, None, None].expand(-1, 1, n, -1).reshape(conditions, 1, n * games)
        surprise = self._chances[1:, own] * -weights
        made = contributions[1:].long().view(rounds - 1, conditions, 1, n * games)
        surprise.scatter_add_(2, made, weights.expand_as(made))
        flat = surprise.view(-1, *surprise.shape[2:])
        by_hidden = torch.bmm(self._output.T.expand(len(flat), -1, -1), flat).view(rounds - 1, conditions, units, -1)
        carried = torch.zeros_like(by_hidden[0])
        outer = torch.empty_like(self._inner[0])
        back = self._by_hidden.T.expand(conditions, -1, -1)
        for t in range(rounds - 1, 0, -1):
            gates, shown, inner = self._gates[t, own], self._shown[t, own], self._inner[t]
            admit, forget, show, candidate = torch.split(gates, units, dim=1)
            of_admit, of_forget, of_show, of_candidate = torch.split(outer, units, dim=1)
            by_output = by_hidden[t - 1]
            torch.mul(by_output, shown, out=of_show).mul_(2).sub_(by_output)
            torch.mul(by_output, show, out=by_output)
            by_cell = carried.add_(torch.ops.aten.sigmoid_backward(by_output, shown), alpha=2)
            torch.mul(by_cell, candidate, out=of_admit).mul_(4).sub_(by_cell, alpha=2)
            torch.mul(by_cell, self._cells[t, own], out=of_forget)
            torch.mul(by_cell, admit, out=of_candidate).mul_(4)
            torch.ops.aten.sigmoid_backward.grad_input(outer, gates, grad_input=inner)
            if t > 1:
                by_cell.mul_(forget)
                by_hidden[t - 2].baddbmm_(back, inner)
        inner = self._inner[1:].view(rounds - 1, conditions, -1, games)
        torch.matmul(self._by_payouts, inner, out=result[:-1])
        return result


class LinearVoters:
    """Vote networks, see :class:`~lawgiver.trainers.differentiable.election.Voters`.

    Args:
        network: of all participants; its weights are copied.
        game: what is played.
        like: a tensor of the floating dtype and the device to work in.
    """

    def __init__(self, network: VoteNet, game: PublicInvestment, like: torch.Tensor) -> None:
        """Multiply out what is linear."""
        exact = copy.deepcopy(network).cpu().double().requires_grad_(False)

        def logits(endowments: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
            arranged, top = arrangement(endowments), game.largest_endowment
            features = vote_features(endowments, amounts[:, 0], amounts[:, 1], arranged, top=top)
            return exact.forward(features)[..., None]

        by_amounts, constant = _affine(logits, game, (2, game.n_rounds, game.n))
        self._by_amounts, self._constant = by_amounts.repeat(2, 1, 1).to(like), constant.repeat(2, 1, 1).to(like)

    def __call__(self, contributions: torch.Tensor, payouts: torch.Tensor) -> torch.Tensor:
        """Return a logit for each game and participant, (R, n, m)."""
        amounts = torch.cat([contributions, payouts]).transpose(0, 1)
        return torch.baddbmm(self._constant, self._by_amounts, amounts.reshape(len(amounts), -1, amounts.shape[-1]))


def _gates(network: ContributionNet, game: PublicInvestment) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what the LSTM's gates are before their nonlinearity, in the order of :meth:`LstmPlayers._unroll`.

    Returns:
        By contributions and payouts, (C, gates * n, 2 n); constant, (C, gates * n, 1); by hidden state, (gates, units).
    """
    by_input, by_hidden, input_bias, hidden_bias = network.lstm.all_weights[0]
    admit, forget, candidate, show = torch.arange(len(by_input)).chunk(4)
    order = torch.cat([admit, forget, show, candidate])
    scale = torch.ones_like(input_bias)
    scale[-len(candidate) :] = 2  # the candidate's tanh is a sigmoid of twice as much

    def gates(endowments: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
        features = contribution_features(
            endowments.expand_as(amounts[:, 0]),
            amounts[:, 0],
            amounts[:, 1],
            arrangement(endowments),
            sees_payouts=network.sees_payouts,
            top=game.largest_endowment,
        )
        return scale * functional.linear(network.input(features), by_input, input_bias + hidden_bias)[..., order]

    return *_affine(gates, game, (2, game.n)), scale[:, None] * by_hidden[order]


def _affine(
    function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], game: PublicInvestment, shape: tuple[int, ...]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return an affine function as a matrix and a constant for each condition, by its values at units and at nothing.

    Args:
        function: of endowments (n,) and amounts (K, *shape); returns (K, n, d).
        game: whose conditions.
        shape: of the amounts.

    Returns:
        (C, d * n, size of shape) and (C, d * n, 1), float64.
    """
    size = math.prod(shape)
    amounts = torch.cat([torch.zeros(1, size), torch.eye(size)]).double().view(-1, *shape)
    matrices, constants = [], []
    for endowments in game.conditions:
        values = function(torch.tensor(endowments).double(), amounts).permute(2, 1, 0).reshape(-1, 1 + size)
        constants.append(values[:, :1])
        matrices.append(values[:, 1:] - values[:, :1])
    return torch.stack(matrices), torch.stack(constants)
