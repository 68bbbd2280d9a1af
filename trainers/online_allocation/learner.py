r"""An allocator that descends cumulative regret, by a score function whose baseline is the same problem.

A round's decision is an assignment x and a pair (i, k) to ask about. Its regret r(x) is known for every assignment, and
what comes after depends on the pair alone. So with pi the probabilities of assignments and rho those of pairs, both by
what is known in the round, the gradient of cumulative regret is that of

    sum_t [ sum_x pi_t(x) r(x) + A_t log rho_t(i_t, k_t) ],     A_t = G_t - b_t,    G_t = sum_{s > t} g^{s - t} R_s

with R_s = sum_x pi_s(x) r(x), the expected regret of a later round. Nothing is sampled in the first term, and in the
second only answers and questions are. The baseline b_t is linear in R_t and in the mean of G_t in the other games of
the same true values and the same noise, fitted in each round: what it costs that these values are hard to learn, and
that answers were unlucky, drops out (common random numbers; Glasserman and Yao 1992). The discount g < 1 counts regret
only that follows soon: the pair that was asked about is one of hundreds, and most of what comes later has nothing to
do with it.

Gradients through the answers do not help: where assignments and questions are relaxed to their probabilities, and
answers to Gaussians of the right variance, regret has a gradient; but small changes of what is known change later
choices, these what is known after them, and over hundreds of rounds it grows without bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch

from lawgiver.agents.allocator_net import LearnedAllocator
from lawgiver.agents.online_allocation import Experienced
from lawgiver.envs.core.arrays import map_arrays
from lawgiver.envs.online_allocation import OnlineAllocation, OnlineState
from lawgiver.envs.solvers.online_allocation.assignments import all_assignments
from lawgiver.trainers.online_allocation.settings import OnlineAllocationTrainer
from lawgiver.trainers.runs.descent import descend
from lawgiver.trainers.settings.annealing import cosine

RIDGE = 1e-3
"""Added to the squares of the baseline's regression, as they may all be 0."""


@dataclass(frozen=True)
class Rounds:
    """Knowledge, questions and regret in T rounds of B games.

    Attributes:
        estimates: mean answers before each round, (T, B, n, n).
        counts: numbers of answers, (T, B, n, n).
        done: completed rounds, (T, B).
        pairs: index i n + k of the pair (i, k) that was asked about, (T, B).
        regret: expected regret over the assignments of the policy, (T, B).
        losses: regret of every assignment, (B, n!).
    """

    estimates: torch.Tensor
    counts: torch.Tensor
    done: torch.Tensor
    pairs: torch.Tensor
    regret: torch.Tensor
    losses: torch.Tensor


class Learner:
    """Descent of regret.

    Args:
        allocator: that learns, on the device of its network.
        settings: of the trainer.
        rng: generator of values, noise and decisions.
    """

    def __init__(self, allocator: LearnedAllocator, settings: OnlineAllocationTrainer, rng: torch.Generator) -> None:
        """Start Adam."""
        self.allocator, self.settings, self.rng = allocator, settings, rng
        self.game: OnlineAllocation = allocator.game
        self.network, self.answers = allocator.network, Experienced(allocator.game)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate)

    @torch.no_grad()
    def play(self, problems: int, copies: int) -> Rounds:
        """Play games of the policy, ``copies`` of each problem with the same noise."""
        game = self.game
        values = game.initial_state(problems, self.rng).values.repeat_interleave(copies, 0)
        state = game.initial_state_from(values)
        losses = state.optimum[:, None] - game.fairness.values(values, values, all_assignments(game.n))
        rounds: list[tuple[torch.Tensor, ...]] = []
        for _ in range(game.rounds):
            seen = self.allocator.seen(game.observe(state, "mechanism"))
            log_policy, questions = self.network(*seen)
            assignment, pairs = self._drawn(log_policy, questions)
            rounds.append((*seen, pairs, (log_policy.exp() * losses).sum(-1)))
            state = self._asked(state, assignment, pairs, copies)
        estimates, counts, done, pairs, regret = map(torch.stack, zip(*rounds, strict=True))
        return Rounds(estimates, counts, done, pairs, regret, losses)

    def _drawn(self, log_policy: torch.Tensor, questions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw assignments (B, n), and pairs to ask about (B,)."""
        game = self.game
        listed = torch.as_tensor(all_assignments(game.n), device=log_policy.device)
        assignment = listed[torch.multinomial(log_policy.exp(), 1, generator=self.rng)[:, 0]]
        if game.query == "any_pair":
            return assignment, torch.multinomial(questions.flatten(1).softmax(-1), 1, generator=self.rng)[:, 0]
        own = questions.gather(-1, assignment[..., None])[..., 0].softmax(-1)
        agent = torch.multinomial(own, 1, generator=self.rng)
        return assignment, (agent * game.n + assignment.gather(-1, agent))[:, 0]

    def _asked(self, state: OnlineState, assignment: torch.Tensor, pairs: torch.Tensor, copies: int) -> OnlineState:
        """Assign (B, n), ask about pairs (B,) and take the answers; copies of a problem have the same noise."""
        game = self.game
        items = torch.full_like(assignment, -1).scatter(1, (pairs // game.n)[:, None], (pairs % game.n)[:, None])
        draws = map_arrays(lambda x: x.repeat_interleave(copies, 0), game.draw(assignment.shape[0] // copies, self.rng))
        outcome = torch.cat([assignment, items], -1).to(state.values.dtype)
        state, *_ = game.advance(state, outcome, draws)
        answers = self.answers.action(game.observe(state, "participant"))
        state, *_ = game.step(state, answers, {})
        return state

    def surrogate(self, rounds: Rounds, chosen: torch.Tensor) -> torch.Tensor:
        """Compute a number whose gradient estimates that of the regret a round (see the module).

        Args:
            rounds: that were played.
            chosen: rounds whose decisions count, for all of them, integers (k,).
        """
        later = torch.zeros_like(rounds.regret)
        for t in reversed(range(len(later) - 1)):
            later[t] = self.settings.discount * (rounds.regret[t + 1] + later[t + 1])
        advantage = residuals(later, rounds.regret, self.settings.copies)
        known = (part[chosen].flatten(0, 1) for part in (rounds.estimates, rounds.counts, rounds.done))
        log_policy, questions = self.network(*known)
        losses = rounds.losses.repeat(len(chosen), 1)
        asked = self.network.asked(log_policy, questions).flatten(1)
        score = asked.gather(-1, rounds.pairs[chosen].flatten()[:, None])[:, 0] * advantage[chosen].flatten()
        return cast(torch.Tensor, ((log_policy.exp() * losses).sum(-1) + score).mean())

    def update(self, number: int) -> dict[str, float]:
        """Take one step of Adam."""
        settings = self.settings
        rounds = self.play(settings.problems, settings.copies)
        size = max(1, round(settings.decisions * self.game.rounds))
        chosen = torch.randperm(self.game.rounds, generator=self.rng, device=rounds.regret.device)[:size]
        rate = settings.learning_rate * cosine(number, settings)
        norm = descend(self.surrogate(rounds, chosen), self.network, self.optimiser, rate)
        return {"regret": float(rounds.regret.sum(0).mean()), "gradient_norm": norm}

    def state(self) -> dict[str, Any]:
        """Collect weights, the optimiser's state and the generator's."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rng": self.rng.get_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.set_state(state["rng"])


def residuals(later: torch.Tensor, now: torch.Tensor, copies: int) -> torch.Tensor:
    """Compute what is left of discounted later regret once each round's baseline is taken off it, (T, B).

    Args:
        later: discounted regret that comes after each round, (T, B).
        now: expected regret of the round itself, (T, B).
        copies: games of each problem, which lie side by side.
    """
    of_problem = later.reshape(len(later), -1, copies)
    others = ((of_problem.sum(-1, keepdim=True) - of_problem) / (copies - 1)).flatten(1)
    known = torch.stack([torch.ones_like(now), now, others], -1)
    squares = known.mT @ known + RIDGE * torch.eye(known.shape[-1], device=now.device)
    slopes = torch.linalg.solve(squares, known.mT @ later[..., None])
    return cast(torch.Tensor, later - (known @ slopes)[..., 0])
