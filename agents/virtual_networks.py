"""The networks of the virtual participants (Balaguer et al. 2022, section 3.4), and their features.

A contribution network (linear, LSTM, linear) and a vote network (one linear layer) are applied to each participant
by itself, with the same weights. Everything a network sees is arranged for that focal participant: itself first, then
the others by falling endowment, others of equal endowment replaced by their mean. So permuting the seats permutes
what comes out and changes nothing else, and permuting others who are endowed alike changes nothing at all.

The paper leaves the following open; here the first linear layer has no nonlinearity behind it; contributions above
the endowment are impossible; the contribution network sees the last round's payouts unless told otherwise, because
without them no act of the mechanism could change what people contribute.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import nn

from lawgiver.envs.core.arrays import Array, constant, floats, namespace

LstmState = tuple[torch.Tensor, torch.Tensor]
"""Hidden and cell state of the LSTM, (..., n_hidden) each."""


def arrangement(endowments: Array) -> Array:
    """Return the matrices that arrange numbers of n participants for each of them.

    Args:
        endowments: (..., n), of either backend.

    Returns:
        (..., n, n, n), [focal, slot, participant]: rows that sum to one. Slot 0 holds the focal participant; the others
        follow by falling endowment, and those of equal endowment share their slots evenly.
    """
    return _arrangement(endowments, np.eye(endowments.shape[-1]))


def own_arrangement(endowments: Array) -> Array:
    """Return :func:`arrangement` for the first participant, (..., n, n), [slot, participant]."""
    return _arrangement(endowments, np.eye(1, endowments.shape[-1]))[..., 0, :, :]


def _arrangement(endowments: Array, focal: np.ndarray) -> Array:
    """Return (..., f, n, n) for the focal participants that the rows of ``focal`` (f, n) mark."""
    xp, n = namespace(endowments), endowments.shape[-1]
    itself, others = constant(focal, endowments), constant(1 - focal, endowments)
    here, there = endowments[..., :, None], endowments[..., None, :]  # [richer or equal, participant]
    richer = xp.matmul(others, floats(here > there, endowments))[..., None, :]
    equal = xp.matmul(others, floats(here == there, endowments))[..., None, :]
    slot = constant(np.arange(n - 1)[:, None], endowments)  # among the others
    shares = (slot >= richer) & (slot < richer + equal)
    arranged_others = xp.where(shares, others[:, None, :] / xp.maximum(equal, constant(1.0, endowments)), 0.0)
    first = xp.broadcast_to(itself[:, None, :], (*arranged_others.shape[:-2], 1, n))
    return xp.concat([first, floats(arranged_others, endowments)], axis=-2)


def arranged(values: Array, endowments: Array) -> Array:
    """Return ``values`` (..., n) as each participant sees them, (..., n, n): see :func:`arrangement`."""
    return _seen(values[..., None], arrangement(endowments))


def _seen(values: Array, arrangement: Array) -> Array:
    """Return m numbers of each participant, (..., n, m), arranged by (..., f, n, n): (..., f, n * m), slot by slot."""
    xp, (f, n), m = namespace(values), arrangement.shape[-3:-1], values.shape[-1]
    flat = xp.reshape(arrangement, (*arrangement.shape[:-3], f * n, n))  # one matrix product for all focal ones
    seen = xp.matmul(flat, values)
    return xp.reshape(seen, (*seen.shape[:-2], f, n * m))


def contribution_features(
    endowments: Array, contributions: Array, payouts: Array, arrangement: Array, *, sees_payouts: bool, top: float
) -> Array:
    """Compute the contribution network's features of the last round.

    Args:
        endowments: (..., n), points; never 0. Axes of size 1 broadcast, as those of ``arrangement`` do.
        contributions: contributions of the last round, (..., n), points; 0 before the first round.
        payouts: payouts of the last round, (..., n), points; 0 before the first round.
        arrangement: (..., f, n, n) as :func:`arrangement` returns it (f = n).
        sees_payouts: whether payouts are among the features.
        top: what amounts are divided by, the largest endowment.

    Returns:
        (..., f, d): e / top, c / top, c / e and, where seen, payout / top, for one slot after the other; d = 4n or 3n.
    """
    xp = namespace(contributions)
    repeated = xp.broadcast_to(endowments, contributions.shape)
    numbers = [repeated / top, contributions / top, contributions / repeated]
    if sees_payouts:
        numbers.append(payouts / top)
    return _seen(xp.stack(numbers, axis=-1), arrangement)


def vote_features(
    endowments: Array,
    contributions: Array,
    payouts: Array,
    arrangement: Array,
    *,
    top: float,
    relative: bool = False,
) -> Array:
    """Compute the vote network's features of an episode.

    Args:
        endowments: of each round, (..., T, n), or of all, (..., 1, n), points. Axes of size 1 broadcast, as those of
            ``arrangement`` do.
        contributions: (..., T, n), points.
        payouts: (..., T, n), points.
        arrangement: (..., f, n, n) as :func:`arrangement` returns it (f = n).
        top: what amounts are divided by, the largest endowment.
        relative: whether they are divided by the focal participant's own endowment instead.

    Returns:
        (..., f, T * 3n): round by round, slot by slot, e, c and payout in that unit.
    """
    xp = namespace(contributions)
    repeated = xp.broadcast_to(endowments, contributions.shape)
    numbers = xp.stack([repeated, contributions, payouts], axis=-1) / top
    seen = xp.moveaxis(_seen(numbers, arrangement[..., None, :, :, :]), -3, -2)
    if relative:
        seen = seen / seen[..., :1]  # the first number is the focal participant's own endowment
    return xp.reshape(seen, (*seen.shape[:-2], seen.shape[-2] * seen.shape[-1]))


class ContributionNet(nn.Module):
    """Linear, LSTM, linear: from the last round, arranged for the focal participant, to logits of contributions.

    Args:
        n: participants.
        n_actions: contributions, 0 to the largest endowment.
        n_linear: units of the first linear layer (Table 1: 8, later 32).
        n_hidden: units of the LSTM (Table 1: 4, later 8).
        sees_payouts: whether the last round's payouts are among its features.
    """

    def __init__(self, n: int, n_actions: int, n_linear: int, n_hidden: int, *, sees_payouts: bool = True) -> None:
        """Draw the weights from torch's global generator."""
        super().__init__()
        self.n_hidden, self.sees_payouts = n_hidden, sees_payouts
        self.input = nn.Linear((4 if sees_payouts else 3) * n, n_linear)
        self.lstm = nn.LSTM(n_linear, n_hidden, batch_first=True)
        self.output = nn.Linear(n_hidden, n_actions)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits (N, T, n_actions), not masked, for whole games of features (N, T, d).

        Units are few and sequences many, so the recurrence runs with the sequences on the last axis, and the two linear
        maps before it are made one: half the time of the library's LSTM on a CPU, for the same numbers.
        """
        w_input, w_hidden, b_input, b_hidden = self.lstm.all_weights[0]
        sequences, rounds, _ = features.shape
        weight = (w_input @ self.input.weight).expand(rounds, -1, -1)
        bias = w_input @ self.input.bias + b_input + b_hidden
        h = c = features.new_zeros(self.n_hidden, sequences)
        shown = []
        for seen in torch.baddbmm(bias[:, None], weight, features.permute(1, 2, 0)).unbind():
            h, c = _recur(torch.addmm(seen, w_hidden, h), c, dim=0)
            shown.append(h)
        logits = torch.addmm(self.output.bias[:, None], self.output.weight, torch.cat(shown, dim=1))
        return logits.view(-1, rounds, sequences).permute(2, 1, 0)

    def log_likelihood(self, features: torch.Tensor, most: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Compute log-probabilities of whole points ``chosen`` (N, T), 0 to ``most`` (N, T or 1), of whole games."""
        legal = torch.arange(self.output.out_features) <= most[..., None]
        return legal_log_softmax(self(features), legal).gather(-1, chosen[..., None]).squeeze(-1)

    def step(self, features: torch.Tensor, state: LstmState) -> tuple[torch.Tensor, LstmState]:
        """Return logits (..., n_actions), not masked, and the new state, for one round of features (..., d)."""
        h, c = state
        w_input, w_hidden, b_input, b_hidden = self.lstm.all_weights[0]
        gates = nn.functional.linear(self.input(features), w_input, b_input)
        h, c = _recur(gates + nn.functional.linear(h, w_hidden, b_hidden), c, dim=-1)
        return self.output(h), (h, c)


def _recur(gates: torch.Tensor, c: torch.Tensor, dim: int) -> LstmState:
    """Return the LSTM's next state for its four gates, in the library's order, side by side along ``dim``."""
    admit, forget, candidate, show = gates.chunk(4, dim)
    c = forget.sigmoid() * c + admit.sigmoid() * candidate.tanh()
    return show.sigmoid() * c.tanh(), c


def legal_log_softmax(logits: torch.Tensor, legal: torch.Tensor) -> torch.Tensor:
    """Return log-probabilities over the legal actions, minus infinity elsewhere; both arguments (..., n_actions)."""
    return logits.masked_fill(~legal, -torch.inf).log_softmax(-1)


class VoteNet(nn.Module):
    """One linear layer, the same on every episode; the softmax over the episodes of its outputs is the vote.

    It has no bias, which would cancel in the softmax, and it starts at zero: every episode is as likely. ``relative``
    says in which unit it sees amounts, see :func:`vote_features`.
    """

    def __init__(self, n: int, n_rounds: int, *, relative: bool = False) -> None:
        """Build the layer for n participants and n_rounds rounds."""
        super().__init__()
        self.relative = relative
        self.linear: nn.Linear = nn.utils.skip_init(nn.Linear, n_rounds * 3 * n, 1, bias=False)  # type: ignore[no-untyped-call]
        nn.init.zeros_(self.linear.weight)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return one logit (...) for each episode of features (..., T * 3n)."""
        return cast(torch.Tensor, self.linear(features)).squeeze(-1)
