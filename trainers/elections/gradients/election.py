"""The gradient of a mechanism's share of the votes in an election (Balaguer et al. 2022, section 3.5).

Two mechanisms, A and B, run the same game with virtual participants, who then vote. A's value V is its expected share
of the votes. A acts through the payouts y(theta) alone, on which votes depend directly, and later contributions through
their probabilities p; contributions c are sampled. The gradient of E[V] is the expectation of that of

    V(y, c)  +  stop(V - b) * sum over rounds and participants of log p(c | earlier rounds)

(Schulman et al. 2015): pathwise through payouts and votes, a score function through what payouts make people
contribute, both with respect to the payouts of the rounds that were played. Votes are probabilities, never sampled.
Two things make it less noisy and leave its expectation as it is: every game under A is put to the vote against several
games under B of the same condition, and the baseline b of a game is the mean value of the condition's other games.

Arrays run over rounds T, rows R, participants n and games m of a row. Rows are the game's conditions C under A,
followed by the same conditions under B, R = 2 C. Amounts are in points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from lawgiver.trainers.elections.gradients.joint_table import JointTable

OPPONENTS = 32
"""Games under B that each game under A is put to the vote against; fewer where a condition has fewer."""


class Players(Protocol):
    """The contribution model, for all rows at once; it may store what :meth:`score` needs of a game."""

    def play(self, round: int, contributions: torch.Tensor, payouts: torch.Tensor) -> torch.Tensor:
        """Compute the probabilities of contributions in this round, (R, n_actions, n, m).

        Args:
            round: from 0, which starts new games, in order.
            contributions: in points in the previous round, (R, n, m); 0 before the first.
            payouts: in points in the previous round, (R, n, m).
        """

    def score(self, contributions: torch.Tensor, payouts: torch.Tensor, advantages: torch.Tensor) -> torch.Tensor:
        """Compute the gradient with respect to payouts, (T, C, n, m), in the games under A that were just played.

        It is that of the sum over games of advantage times log-likelihood of the contributions.

        Args:
            contributions: in points, (T, C, n, m).
            payouts: in points, (T, C, n, m).
            advantages: weight of each game, (C, m).
        """


class Voters(Protocol):
    """The vote model."""

    def __call__(self, contributions: torch.Tensor, payouts: torch.Tensor) -> torch.Tensor:
        """Compute a logit for each game and participant, (R, n, m), differentiable in payouts.

        The vote between two games is the softmax of their logits. Both arguments are (T, R, n, m), R = 2 C.
        """


@dataclass(frozen=True)
class Elections:
    """Games of both mechanisms, those under A in the first half of the rows.

    Attributes:
        contributions: in points, (T, R, n, m).
        payouts: in points, (T, R, n, m).
        places: index of each payout in the flattened table of the mechanism, (T, R, n, m).
    """

    contributions: torch.Tensor
    payouts: torch.Tensor
    places: torch.Tensor


class Campaign:
    """Elections of one size, and the gradient of their value.

    Results are views of preallocated memory, which the next call overwrites.

    Args:
        joint: the joint contributions of the game.
        players: contribution model.
        voters: vote model.
        games: number m of games of each condition, under each mechanism.
    """

    def __init__(self, joint: JointTable, players: Players, voters: Voters, games: int) -> None:
        self.joint, self.players, self.voters = joint, players, voters
        conditions, n = len(joint.game.conditions), joint.game.n
        shape = (joint.game.n_rounds, 2 * conditions, n, games)
        like = joint.contributions
        self._nothing = like.new_zeros(shape[1:])
        self._uniforms = like.new_empty(shape)
        actions = joint.game.largest_endowment + 1
        self._triangle = like.new_ones(shape[1], actions, actions).tril()  # sums up, faster than cumsum
        self._below = like.new_empty((shape[1], actions - 1, n, games))
        places = torch.empty(shape, dtype=torch.int64, device=like.device)
        self._played = Elections(like.new_empty(shape), like.new_empty(shape), places)
        self._conditions = conditions

    def play(self, table: torch.Tensor, rival: torch.Tensor, generator: torch.Generator) -> Elections:
        """Play all games.

        Args:
            table: payouts of A at every joint contribution, (S, n), without gradient.
            rival: payouts of B, (S, n); may be the same tensor.
            generator: of the contributions, which are drawn by inverting their distribution function.
        """
        tables = torch.stack([table.reshape(-1), rival.reshape(-1)])
        played, sides = self._played, (slice(0, self._conditions), slice(self._conditions, None))
        uniforms = torch.rand(self._uniforms.shape, generator=generator, out=self._uniforms)
        contributions = payouts = self._nothing
        for t in range(len(uniforms)):
            chances = self.players.play(t, contributions, payouts)
            cumulative = torch.matmul(self._triangle, chances.flatten(2)).view(chances.shape)
            level = uniforms[t, :, None] * cumulative[:, -1:]
            torch.le(cumulative[:, :-1], level, out=self._below)
            contributions = torch.sum(self._below, dim=1, out=played.contributions[t])
            self.joint.places(contributions, out=played.places[t])
            for side, of_side in zip(sides, tables, strict=True):
                torch.index_select(of_side, 0, played.places[t, side].view(-1), out=played.payouts[t, side].view(-1))
            payouts = played.payouts[t]
        return played

    def value(self, played: Elections) -> torch.Tensor:
        """Compute A's expected share of the votes in each game under A, (C, m)."""
        return votes(*self.voters(played.contributions, played.payouts).chunk(2))[0]

    def slopes(self, played: Elections) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute values (C, m) and the gradient of the surrogate of their sum with respect to A's payouts.

        The second is (T, C, n, m). ``played`` is what :meth:`play` has just returned.
        """
        contributions, payouts = played.contributions, played.payouts.detach().requires_grad_()
        logits = self.voters(contributions, payouts)
        values, by_logit = votes(*logits.detach().chunk(2))
        (slopes,) = torch.autograd.grad(logits[: self._conditions], payouts, by_logit)
        own = slice(0, self._conditions)
        slopes = slopes[:, own]
        slopes += self.players.score(contributions[:, own], played.payouts[:, own], advantages(values))
        return values, slopes

    def gradient(self, played: Elections) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute values (C, m) and the gradient of their mean with respect to A's table, (S, n)."""
        values, slopes = self.slopes(played)
        return values, self.joint.collect(played.places[:, : self._conditions], slopes / values.numel())


def votes(logits: torch.Tensor, rival: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the expected share of the votes of each game, and its derivative by the game's logits.

    Args:
        logits: of the games under A, (C, n, m).
        rival: of the games under B, (C, n, m); game g of A meets the games g, g + 1, ... of B.

    Returns:
        (C, m) and (C, n, m).
    """
    opponents = min(OPPONENTS, rival.shape[-1])
    met = torch.cat([rival, rival[..., : opponents - 1]], dim=-1).unfold(-1, opponents, 1)
    shares = (logits[..., None] - met).sigmoid_()
    mean = shares.mean(-1)
    return mean.mean(1), (mean - shares.square_().mean(-1)) / logits.shape[1]


def advantages(values: torch.Tensor) -> torch.Tensor:
    """Subtract from values (C, m) the mean of the condition's other games, or one half where there are none."""
    games = values.shape[1]
    if games == 1:
        return values - 0.5
    return (values - values.mean(1, keepdim=True)) * (games / (games - 1))
