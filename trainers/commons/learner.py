"""A planner that climbs the welfare of people, through the rules of the pool and through what they return.

People return fractions x of their offers e, drawn by uniform numbers: c = x e. What they draw moves with what they see,
so that most of the gradient is that of one smooth computation: offers, returns, the pool after them, the next offers.
Only which kind of return somebody makes (nothing, everything, anything, an aim) is a jump; where the chances of these
depend on what people see, a score function adds what the path misses:

    E[V]' = E[ V' + (V - b) (sum over rounds and people of log w(kind))' ],

b being the mean of the other games (Schulman et al. 2015, arXiv 1506.05254, corollary 1). Games are of returns on the
continuum; whole points, which people make in earnest, have no gradient.

An offer acts on all that follows, and small offers multiply small offers: over forty rounds the path's gradient has
norms in the thousands, of a sign that says nothing. So what a planner sees passes on only a part of the gradient,
``gradient_discount``: an offer is judged by what it brings within a few rounds, and everything learns. The factor 1
leaves the estimate unbiased but for a step: people do not count what somebody returned of less than a point, and what
crosses that has no gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import torch

from lawgiver.agents.planner import LearnedPlanner
from lawgiver.agents.returned_fractions import ReturnedFraction
from lawgiver.envs.commons_trust.game import SMALLEST_OFFER, CommonsTrust
from lawgiver.envs.core.arrays import Array, Rng, map_arrays, uniform
from lawgiver.envs.core.policy import Memory, Policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.trainers.commons.settings import Ascent
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.descent import descend
from lawgiver.trainers.settings.annealing import cosine

GUARD = 1e-3
"""Points a round added to what is kept before a power or a logarithm of it is taken."""


@runtime_checkable
class Returning(Policy, Protocol):
    """People who are given by the distribution of the fraction that they return."""

    def fractions(self, obs: Array, state: Memory) -> tuple[ReturnedFraction, Memory]:
        """Compute the distributions (B, n), and the new memory."""


class Recorded:
    """People whose draws pass gradients on, and who record how likely the kinds of returns were that they drew last.

    A draw moves with aims and noise; the place of its uniform number within a component is held, since the score
    counts all that weights do.
    """

    def __init__(self, people: Returning) -> None:
        """Begin with a likelihood of 1, of all participants of a group together."""
        self.people = people
        self.log_likelihood: Any = 0.0

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """See the people."""
        return self.people.initial_state(batch, rng)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """See the people."""
        return self.people.distribution(obs, mask, state)

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Draw fractions (B, n, 1), differentiable in what is seen, and make the new memory."""
        found, state = self.people.fractions(obs, state)
        levels = uniform(rng, obs.shape[:2])
        self.log_likelihood = found.log_weight(levels).sum(-1)
        return replace(found, weights=found.weights.detach()).draw(levels)[..., None], state


class Discounted:
    """A planner who passes on a part of the gradient through what it sees, and remembers."""

    def __init__(self, planner: LearnedPlanner, discount: float) -> None:
        """Keep the planner and the part."""
        self.planner, self.discount = planner, discount

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """See the planner."""
        return self.planner.initial_state(batch, rng)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """See the planner."""
        return self.planner.distribution(obs, mask, state)

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Compute the offers (B, 1, n) and the new memory."""
        obs, state = map_arrays(lambda part: self.discount * part + (1 - self.discount) * part.detach(), (obs, state))
        return self.planner.act(obs, mask, state, rng)


def fair_welfare(kept: torch.Tensor, fairness: float) -> torch.Tensor:
    """Compute the alpha-fair welfare (...) of what each participant keeps a round, (..., n), on average over them.

    kept^(1 - alpha) / (1 - alpha), the logarithm for alpha = 1 and the least for alpha = inf (Atkinson 1970; Mo and
    Walrand 2000).
    """
    if fairness == float("inf"):
        return kept.min(-1).values
    if fairness == 0:
        return kept.mean(-1)
    guarded = kept.clamp_min(0) + GUARD
    if fairness == 1:
        return guarded.log().mean(-1)
    return (guarded ** (1 - fairness) / (1 - fairness)).mean(-1)


class Learner:
    """Ascent of welfare.

    Args:
        planner: that learns, on the device of its network.
        game: with returns on the continuum.
        people: whose fractions are returned; of the game in whole points or of this one, which look alike.
        settings: of the ascent.
        rng: generator of people and rules.
    """

    def __init__(
        self,
        planner: LearnedPlanner,
        game: CommonsTrust,
        people: Returning,
        settings: Ascent,
        rng: torch.Generator,
    ) -> None:
        """Start Adam."""
        self.planner, self.game, self.people, self.settings, self.rng = planner, game, people, settings, rng
        self.network = planner.network
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate)

    def surrogate(self, games: int) -> tuple[torch.Tensor, Mapping[str, float]]:
        """Compute a number whose gradient estimates the expected welfare's (see the module), and what was measured."""
        people = Recorded(self.people)
        planner = Discounted(self.planner, self.settings.gradient_discount)
        policies: dict[str, Policy] = {"mechanism": planner, "participant": people}
        state = self.game.initial_state(games, self.rng)
        rounds = log_likelihood = torch.zeros_like(state.pool)
        kept, pool = state.kept, state.pool
        for step in rollout(self.game, policies, state, self.rng):
            if step.role == "participant":  # games that are over are stepped on, and do not count
                rounds = rounds + step.alive
                kept = torch.where(step.alive[:, None], step.after.kept, kept)
                pool = torch.where(step.alive, step.after.pool, pool)
                log_likelihood = log_likelihood + torch.where(step.alive, people.log_likelihood, 0.0)
        kept = kept / rounds[:, None]
        welfare = fair_welfare(kept, self.settings.fairness)
        value = welfare.detach()
        baseline = (value.sum() - value) / (games - 1)
        raised = welfare + (value - baseline) * log_likelihood
        measured = {
            "welfare": float(value.mean()),
            "surplus": float(kept.detach().mean()),
            "sustained": float((pool.detach() > SMALLEST_OFFER).float().mean()),
        }
        return raised.mean(), measured

    def update(self, number: int) -> dict[str, float]:
        """Take one step of Adam."""
        raised, measured = self.surrogate(self.settings.batch)
        rate = self.settings.learning_rate * cosine(number, self.settings)
        norm = descend(-raised, self.network, self.optimiser, rate)
        return {**measured, "gradient_norm": norm}

    def state(self) -> dict[str, Any]:
        """Collect weights, the optimiser's state and the generator's."""
        return {
            "planner": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rng": self.rng.get_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.network.load_state_dict(state["planner"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.set_state(state["rng"])


def described(means: Mapping[str, float]) -> loop.Report:
    """Make a line of metrics of means over updates."""
    return loop.Report(dict(means), f"surplus {means['surplus']:.2f}")


def on_the_continuum(game: CommonsTrust) -> CommonsTrust:
    """Make the same game with returns of any fraction."""
    return replace(game, integer_returns=False)
