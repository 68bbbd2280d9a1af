"""A network that assigns items by what is known of their values, and chooses whom to ask next.

It sees the table of participants and items: the mean answer and the number of answers of each pair, and how many rounds
are left. With a uniform prior the value of a pair that N answers summing to S were given about has the mean
(S + 1) / (N + 2); the assignment is the best by these means, each moved by what the network makes of the pair, in
units of its posterior standard deviation, and the question is the pair with the highest score. Permuting participants
or items permutes both. Without training, the assignment is that of the posterior means and the question about the pair
that is known least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, cast

import torch
from torch import nn

from lawgiver.agents.equivariant import ExchangeableLayer, start_at_zero, widths_of
from lawgiver.agents.networks import Networked, evaluated
from lawgiver.agents.online_allocation import Allocator, Questions, highest
from lawgiver.envs.core.arrays import Array, Rng, constant, namespace
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory
from lawgiver.envs.online_allocation.game import OnlineAllocation
from lawgiver.envs.solvers.online_allocation.assignments import all_assignments, combined, picked
from lawgiver.envs.solvers.online_allocation.criteria import COMBINED, Criterion

FEATURES = 7
"""Numbers that each cell, a participant and an item, is described by."""
BOLDNESS = 3.0
"""Standard deviations by which a pair may be moved at most."""
INSISTENCE = 6.0
"""By how much the logarithm of the score of a question may be moved at most."""
SHARPNESS = 1.0, 2.0
"""Logarithm of the weight of a standard deviation in the choice of an assignment, and by how much it may be moved."""
RANGE = 3.0
"""Bound on features that are differences in units of standard deviations, divided by 4."""
TINY = 1e-6


@dataclass(frozen=True)
class Known:
    """Posterior of values after the answers, by a uniform prior.

    Attributes:
        mean: posterior mean of each pair's value, (B, n, n).
        deviation: its standard deviation, (B, n, n).
        pairs: what each pair counts for by the criterion, (B, n, n).
        unit: by how much a standard deviation changes that, (B, n, n).
        scale: mean of these, (B, 1).
    """

    mean: torch.Tensor
    deviation: torch.Tensor
    pairs: torch.Tensor
    unit: torch.Tensor
    scale: torch.Tensor


class AllocatorNet(nn.Module):
    """Probabilities of assignments and scores of questions by what is known.

    Args:
        criterion: of the game, of one side.
        query: query mode, ``own`` or ``any_pair``.
        rounds: number of rounds T.
        hidden: widths of the layers.
    """

    chosen: torch.Tensor

    def __init__(self, criterion: Criterion, query: str, rounds: int, hidden: Sequence[int]) -> None:
        """Draw the weights from torch's global generator."""
        super().__init__()
        self.criterion, self.query, self.rounds = criterion, query, rounds
        listed = torch.as_tensor(all_assignments(criterion.n))
        self.register_buffer("chosen", nn.functional.one_hot(listed).float(), persistent=False)
        self.layers = nn.ModuleList(ExchangeableLayer(*pair) for pair in pairwise([FEATURES, *hidden]))
        self.cell, self.sharpness = nn.Linear(hidden[-1], 2), nn.Linear(2 * hidden[-1], 1)
        start_at_zero(self.cell, self.sharpness)

    def worth(self, pairs: torch.Tensor) -> torch.Tensor:
        """Compute the value of every assignment, (B, C), by what pairs count for, (B, n, n)."""
        criterion = self.criterion
        return cast(torch.Tensor, combined(picked(pairs, all_assignments(criterion.n)), COMBINED[criterion.name]))

    def forward(
        self, estimates: torch.Tensor, counts: torch.Tensor, done: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute log-probabilities of assignments (B, C) and logits of questions about pairs (B, n, n).

        Args:
            estimates: mean answers, (B, n, n).
            counts: numbers of answers, (B, n, n).
            done: completed rounds, (B,).
        """
        known = self.known(estimates, counts)
        cells, pooled = self.hidden(known, counts, done)
        moved, asked = torch.tanh(self.cell(cells)).unbind(-1)
        start, most = SHARPNESS
        weight = (start + most * torch.tanh(self.sharpness(pooled))).exp() / known.scale
        logits = weight * self.worth(known.pairs + BOLDNESS * known.unit * moved)
        return logits.log_softmax(-1), 2 * known.deviation.log() + INSISTENCE * asked

    def known(self, estimates: torch.Tensor, counts: torch.Tensor) -> Known:
        """Compute what answers say of values, and of what pairs count for."""
        mean = (estimates * counts + 1) / (counts + 2)
        deviation = (mean * (1 - mean) / (counts + 3)).sqrt()
        pairs = self.criterion.pair_values(mean, mean)
        above, below = (self.criterion.pair_values(mean + sign * deviation, mean) for sign in (1, -1))
        unit = ((above - below) / 2).clamp_min(TINY)
        return Known(mean, deviation, pairs, unit, unit.mean((1, 2))[:, None])

    def hidden(self, known: Known, counts: torch.Tensor, done: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the last layer of each cell, (B, n, n, h), and of all, (B, 2 h)."""
        cells = self.features(known, counts, done)
        for layer in self.layers:
            cells = torch.relu(layer(cells))
        return cells, torch.cat([cells.mean((1, 2)), cells.amax((1, 2))], -1)

    def features(self, known: Known, counts: torch.Tensor, done: torch.Tensor) -> torch.Tensor:
        """Describe each cell, (B, n, n, 7), all of order 1.

        The posterior's mean and standard deviation; the number of answers and the rounds that are left; by how much
        the best assignment with the pair falls short of the best, and how often good assignments have it; and what the
        pair counts for beside its part of the best assignment.
        """
        worth = self.worth(known.pairs)
        best = worth.amax(-1, keepdim=True)
        without = torch.where(self.chosen > 0, 0.0, -torch.inf)
        short = (worth[..., None, None] + without).amax(1) - best[..., None]
        often = torch.einsum("bc,cij->bij", (2 * worth / known.scale).softmax(-1), self.chosen.to(worth.dtype))
        part = best if COMBINED[self.criterion.name] == "least" else best / self.criterion.n
        left = (self.rounds - done).clamp_min(1).log() / 5 - 1
        scale = 4 * known.scale[..., None]
        cells = [
            2 * known.mean - 1,
            known.deviation.log() / 2 + 1,
            (counts + 1).log() / 4 - 0.5,
            left[:, None, None].expand_as(counts),
            (short / scale).clamp_min(-RANGE),
            2 * often - 1,
            ((known.pairs - part[..., None]) / scale).clamp(-RANGE, RANGE),
        ]
        return torch.stack(cells, -1)

    def asked(self, log_policy: torch.Tensor, questions: torch.Tensor) -> torch.Tensor:
        """Compute the log-probability that a pair is asked about, (B, n, n), over assignments drawn from the policy.

        Args:
            log_policy: log-probabilities of assignments, (B, C).
            questions: logits of questions about pairs, (B, n, n).
        """
        if self.query == "any_pair":
            return questions.flatten(1).log_softmax(-1).view_as(questions)
        of_each = picked(questions, all_assignments(self.criterion.n)).log_softmax(-1)  # (B, C, n)
        likely = torch.einsum("bc,bci,cij->bij", log_policy.exp(), of_each.exp(), self.chosen.to(questions.dtype))
        return likely.clamp_min(TINY**2).log()


class LearnedAllocator(Networked, Allocator):
    """The network as a mechanism of online_allocation: it plays what it finds most likely.

    Args:
        game: by a criterion other than stability.
        hidden: widths of the layers.

    Raises:
        UnsupportedGameError: if the game is another, or its items have values of their own.
        ParameterError: if a setting is outside its range.
    """

    kind: ClassVar[str] = "allocator_net"
    role: ClassVar[str] = "mechanism"
    any_size: ClassVar[bool] = True

    def __init__(self, game: Game[Any], *, hidden: Sequence[int] = (16, 16)) -> None:
        """Build the network."""
        if not isinstance(game, OnlineAllocation) or game.fairness.two_sided:
            raise UnsupportedGameError(
                f"mechanism {self.kind!r} plays online_allocation by a criterion other than 'stability', not {game!r}"
            )
        super().__init__(game)
        widths = widths_of(hidden)
        self.settings = {"hidden": widths}
        self.network: AllocatorNet = AllocatorNet(game.fairness, game.query, game.rounds, widths)

    def decide(
        self, estimates: Array, counts: Array, now: Array, state: Memory, rng: Rng
    ) -> tuple[Array, Questions, Memory]:
        """Return the item of each agent, integers (B, n), the questions, and the memory."""
        log_policy, questions = evaluated(self.network, self.network, estimates, counts, now)
        best = namespace(log_policy).argmax(log_policy, axis=-1)
        assignment = constant(all_assignments(self.game.n), best)[best]
        return assignment, highest(self.game, questions, assignment), state
