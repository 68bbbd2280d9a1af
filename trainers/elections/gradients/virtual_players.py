"""Virtual participants for the gradient of an election: their networks, frozen, prepared for the conditions of a game.

Linear maps are multiplied out beforehand. The contribution network's first layer, the arrangement for the focal
participant and the LSTM's input matrix become one matrix a condition, from contributions and payouts to gates; the
vote network's layer becomes one from all contributions and payouts to logits. The matrices are read off the
networks themselves, by their values at unit inputs, so that no part of them is implemented twice.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

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
    """Contribution networks at play, see :class:`~lawgiver.trainers.elections.gradients.election.Players`.

    The LSTM is unrolled by hand: gates by gates over all games, and only those gradients that payouts need. Its
    candidate gate and its output go through tanh x = 2 sigmoid(2 x) - 1, several times as fast on a CPU.

    Args:
        network: shared by all participants; its weights are copied.
        game: base game of the election.
        games: number m of games of each condition, under each mechanism.
        like: a tensor of the floating dtype and the device to work in.
    """

    def __init__(self, network: ContributionNet, game: PublicInvestment, games: int, like: torch.Tensor) -> None:
        conditions, n, units = len(game.conditions), game.n, network.n_hidden
        rows, seats, actions = 2 * conditions, n * games, game.largest_endowment + 1
        exact = copy.deepcopy(network).cpu().double().requires_grad_(False)
        by_input, constant, by_hidden = _gates(exact, game)
        self._by_payouts = by_input[:, :, n:].mT.to(like)  # (C, n, gates * n)
        self._by_input = by_input.repeat(2, 1, 1).to(like)
        self._constant = constant.repeat(2, 1, 1).to(like)
        self._by_hidden = by_hidden.to(like).expand(rows, -1, -1)
        self._output = 2 * exact.output.weight.to(like).expand(rows, -1, -1)
        endowments = torch.tensor(game.conditions).repeat(2, 1)
        impossible = torch.arange(actions)[:, None] > endowments[:, None, :]  # (R, actions, n)
        bias = exact.output.bias[:, None].expand_as(impossible).masked_fill(impossible, -torch.inf)
        self._bias = bias.to(like)[..., None].expand(-1, -1, -1, games).reshape(rows, actions, seats)
        self._logits = like.new_empty(rows, actions, seats)
        self._chances = like.new_empty(game.n_rounds, rows, actions, seats)
        self._inner = like.new_empty(game.n_rounds - 1, conditions, 4 * units, seats)
        self._outer = like.new_empty(conditions, 4 * units, seats)
        self._shape, self._conditions = (rows, actions, n, games), conditions
        self._rounds = _memory(like, game.n_rounds, rows, units, seats)
        self._own = [_Round(*(part[:conditions] for part in parts)) for parts in self._rounds]
        self._unroll(0, like.new_zeros(rows, 2 * n, games))

    def play(self, round: int, contributions: torch.Tensor, payouts: torch.Tensor) -> torch.Tensor:
        """Compute the probabilities of contributions in this round, (R, n_actions, n, m)."""
        if round > 0:
            self._unroll(round, torch.cat([contributions, payouts], dim=1))
        return self._chances[round].view(self._shape)

    def _unroll(self, t: int, inputs: torch.Tensor) -> None:
        at = self._rounds[t]
        torch.baddbmm(self._constant, self._by_input, inputs, out=at.gates.view(len(inputs), -1, inputs.shape[2]))
        at.gates.baddbmm_(self._by_hidden, at.hidden_before).sigmoid_()
        torch.mul(at.forget, at.cell_before, out=at.cell)
        at.cell.addcmul_(at.admit, at.candidate, value=4).sub_(at.admit, alpha=2)
        torch.sigmoid(at.cell, out=at.shown)
        torch.mul(at.show, at.shown, out=at.hidden).sub_(at.show, alpha=0.5)
        torch.baddbmm(self._bias, self._output, at.hidden, out=self._logits)
        torch.softmax(self._logits, 1, out=self._chances[t])

    def score(self, contributions: torch.Tensor, payouts: torch.Tensor, advantages: torch.Tensor) -> torch.Tensor:
        """Compute the gradient of the weighted log-likelihood with respect to payouts, (T, C, n, m)."""
        rounds, conditions, _, games = contributions.shape
        result = torch.zeros_like(contributions)
        if rounds == 1:
            return result
        by_hidden = self._surprise(contributions[1:], advantages)
        by_cell = torch.zeros_like(by_hidden[0])
        back = self._by_hidden[: self._conditions].mT
        outer = self._outer
        of_admit, of_forget, of_show, of_candidate = torch.chunk(outer, 4, dim=1)
        for t in range(rounds - 1, 0, -1):
            at, by_output, inner = self._own[t], by_hidden[t - 1], self._inner[t - 1]
            torch.mul(by_output, at.shown, out=of_show).sub_(by_output, alpha=0.5)
            by_cell += torch.ops.aten.sigmoid_backward(by_output.mul_(at.show), at.shown)
            torch.mul(by_cell, at.candidate, out=of_admit).mul_(4).sub_(by_cell, alpha=2)
            torch.mul(by_cell, at.cell_before, out=of_forget)
            torch.mul(by_cell, at.admit, out=of_candidate).mul_(4)
            torch.ops.aten.sigmoid_backward.grad_input(outer, at.gates, grad_input=inner)
            if t > 1:
                by_cell.mul_(at.forget)
                by_hidden[t - 2].baddbmm_(back, inner)
        torch.matmul(self._by_payouts, self._inner.view(rounds - 1, conditions, -1, games), out=result[:-1])
        return result

    def _surprise(self, contributions: torch.Tensor, advantages: torch.Tensor) -> torch.Tensor:
        """Compute the gradient by hidden state in each round but the first, (T - 1, C, units, n * m).

        The gradient of log p by logits is the indicator of the contribution made less the probabilities.
        """
        rounds, conditions, n, games = contributions.shape
        weights = advantages[:, None, None].expand(-1, 1, n, -1).reshape(conditions, 1, n * games)
        surprise = self._chances[1:, :conditions] * -weights
        made = contributions.long().view(rounds, conditions, 1, n * games)
        surprise.scatter_add_(2, made, weights.expand_as(made))
        by_hidden = self._output[0].T.expand(rounds * conditions, -1, -1)
        return torch.bmm(by_hidden, surprise.flatten(0, 1)).view(rounds, conditions, -1, n * games)


class _Round(NamedTuple):
    """The LSTM in one round, views of one memory, made once: (R, units, n * m) each, ``gates`` (R, 4 units, n * m).

    ``cell`` is twice the LSTM's cell state, ``shown`` its sigmoid, ``hidden`` half of the LSTM's hidden state.
    """

    gates: torch.Tensor
    admit: torch.Tensor
    forget: torch.Tensor
    show: torch.Tensor
    candidate: torch.Tensor
    cell_before: torch.Tensor
    hidden_before: torch.Tensor
    cell: torch.Tensor
    hidden: torch.Tensor
    shown: torch.Tensor


def _memory(like: torch.Tensor, rounds: int, rows: int, units: int, seats: int) -> list[_Round]:
    gates = like.new_empty(rounds, rows, 4 * units, seats)
    cells, hidden = (like.new_zeros(rounds + 1, rows, units, seats) for _ in range(2))
    shown = like.new_empty(rounds, rows, units, seats)
    made = []
    for t in range(rounds):
        admit, forget, show, candidate = torch.chunk(gates[t], 4, dim=1)
        before, after = (cells[t], hidden[t]), (cells[t + 1], hidden[t + 1])
        made.append(_Round(gates[t], admit, forget, show, candidate, *before, *after, shown[t]))
    return made


class LinearVoters:
    """Vote networks, see :class:`~lawgiver.trainers.elections.gradients.election.Voters`.

    Args:
        network: shared by all participants; its weights are copied.
        game: base game of the election.
        like: a tensor of the floating dtype and the device to work in.
    """

    def __init__(self, network: VoteNet, game: PublicInvestment, like: torch.Tensor) -> None:
        exact = copy.deepcopy(network).cpu().double().requires_grad_(False)

        def logits(endowments: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
            arranged, top = arrangement(endowments), game.largest_endowment
            relative = network.relative
            features = vote_features(
                endowments[None], amounts[:, 0], amounts[:, 1], arranged, top=top, relative=relative
            )
            return exact.forward(features)[..., None]

        by_amounts, constant = _affine(logits, game, (2, game.n_rounds, game.n))
        self._by_amounts, self._constant = by_amounts.repeat(2, 1, 1).to(like), constant.repeat(2, 1, 1).to(like)

    def __call__(self, contributions: torch.Tensor, payouts: torch.Tensor) -> torch.Tensor:
        """Compute a logit for each game and participant, (R, n, m)."""
        amounts = torch.cat([contributions, payouts]).transpose(0, 1)
        return torch.baddbmm(self._constant, self._by_amounts, amounts.reshape(len(amounts), -1, amounts.shape[-1]))


def _gates(network: ContributionNet, game: PublicInvestment) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute the linear maps to the LSTM's gates, in the order of :meth:`LstmPlayers._unroll`.

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

    return *_affine(gates, game, (2, game.n)), 2 * scale[:, None] * by_hidden[order]  # the hidden state is halved


def _affine(
    function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], game: PublicInvestment, shape: tuple[int, ...]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the matrix and the constant of an affine function for each condition, from its values at units and at 0.

    Args:
        function: maps endowments (n,) and amounts (K, *shape) to (K, n, d).
        game: whose conditions are used.
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
