"""The objective of a dynamic affine maximiser, exact and smoothed so that its gradient sees changes of policy.

Revenue is a social welfare and differences of affine ones,

    revenue = sw(pi*) + sum_i (asw_{-i} - asw) / w_i.

Its expectation is differentiable in w and b, but sw(pi*) is piecewise constant in them for a given profile: its whole
gradient sits in the jumps between policies, which automatic differentiation cannot see. Smoothed at a temperature, pi*
becomes a soft policy, and asw the greatest *regularised* affine welfare, entropy included, whose gradient is the soft
policy's occupancy as if that were held fixed. The same temperature everywhere matters: with exact asw beside a smooth
sw the two terms disagree about which of many equal paths counts, and ascent stops early.

Everything is a function of types (B, n, k) on torch; nothing here draws at random but :meth:`Problem.sample`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch

from lawgiver.envs.core.arrays import evolve
from lawgiver.envs.families.mdp_game import WEIGHT_BOUND, MDPGame
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL
from lawgiver.envs.solvers.mdp.affine import problems
from lawgiver.envs.solvers.mdp.model import Regulariser
from lawgiver.envs.solvers.mdp.tree import Tree
from lawgiver.trainers.affine_maximiser.menu import Menu, menu_of

NUMBERS = 2**22
"""Numbers that one array holds at most, 32 MiB, unless a single profile takes more; several such are alive at once."""


@dataclass(frozen=True)
class Parameters:
    """Log w, (..., n), and b, (..., S, A)."""

    log_weights: torch.Tensor
    boosts: torch.Tensor


@dataclass(frozen=True)
class Outcome:
    """Utilities, payments and objective of B profiles, regularised where smoothed.

    Attributes:
        utilities: value of the policy to each participant, before payments, (B, n).
        payments: of each participant, (B, n); None where the objective does not depend on them.
        measure: the objective in the game's units, (B,).
    """

    utilities: torch.Tensor
    payments: torch.Tensor | None
    measure: torch.Tensor


class Lower(Protocol):
    """A solver of the lower level: the policy that maximises affine welfare, and the payments."""

    @property
    def numbers(self) -> int:
        """Size of the largest array for one profile and one set of parameters."""

    def outcome(self, types: torch.Tensor, parameters: Parameters, temperature: float | None) -> Outcome:
        """Compute the outcome for types (B, n, k), exact for a temperature of None."""

    def response(self, types: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        """Compute, for G parameters, the part of the objective that depends on the exact policy alone, (G, B)."""


@dataclass(frozen=True)
class OnMenu:
    """The lower level of a game on a tree, solved on its menu."""

    game: MDPGame
    menu: Menu

    @property
    def numbers(self) -> int:
        """See :class:`Lower`: the scores of entries, or each worker's load where these are paths that are measured."""
        return (self.game.n + 1) * self.menu.features.shape[-1]

    def outcome(self, types: torch.Tensor, parameters: Parameters, temperature: float | None) -> Outcome:
        """See :class:`Lower`."""
        weights, menu = parameters.log_weights.exp(), self.menu
        each, entry_boosts = weights[None], menu.entry_boosts(parameters.boosts, temperature)[None]
        if depends_on_payments(self.game):
            each = torch.cat([each, each * (1 - torch.eye(self.game.n, dtype=types.dtype, device=types.device))])
            entry_boosts = torch.cat([entry_boosts, entry_boosts.masked_fill(menu.closed, ILLEGAL)])
        scores, features = menu.scores(types, each, entry_boosts), menu.features.flatten(0, 1)
        worth = self.game.path_measures(types)
        if temperature is None:
            welfare, chosen = scores.amax(1), scores[0].argmax(0)
            expected = features[:, chosen]
            along = None if worth is None else worth.gather(1, chosen[:, None])[:, 0]
        else:
            welfare = temperature * torch.logsumexp(scores / temperature, 1)
            chances = torch.softmax(scores[0] / temperature, 0)
            expected = features @ chances
            along = None if worth is None else (chances.T * worth).sum(-1)
        utilities = (expected.T.reshape(types.shape) * types).sum(-1)
        return _outcome(self.game, types, weights, utilities, welfare.T, along)

    def response(self, types: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        """See :class:`Lower`."""
        entry_boosts = self.menu.entry_boosts(parameters.boosts, None)
        chosen = self.menu.scores(types, parameters.log_weights.exp(), entry_boosts).argmax(1)
        worth = self.game.path_measures(types)
        if worth is None:
            worth = types.flatten(1) @ self.menu.features.flatten(0, 1)
        return worth.T.gather(0, chosen)


@dataclass(frozen=True)
class OnStates:
    """The lower level of any Markov decision process, by its own solvers."""

    game: MDPGame
    regulariser: Regulariser

    @property
    def numbers(self) -> int:
        """See :class:`Lower`: policies; with the occupancy's entropy, off trees, equations for every state."""
        shape, tree = self.game.mdp.policy_shape, isinstance(self.game.mdp, Tree)
        equations = 1 if tree or self.regulariser == "policy" else math.prod(shape[:-1])
        return (self.game.n + 1) * math.prod(shape) * equations

    def outcome(self, types: torch.Tensor, parameters: Parameters, temperature: float | None) -> Outcome:
        """See :class:`Lower`."""
        game, mdp, weights = self.game, self.game.mdp, parameters.log_weights.exp()
        rewards = game.rewards(types)
        affine = problems(rewards, weights, parameters.boosts, game.excluded)
        if not depends_on_payments(game):
            affine = affine[:, :1]
        if temperature is None:
            welfare, policies = mdp.optimal(affine)
        else:
            welfare, policies = mdp.soft(affine, temperature, self.regulariser)
        policy = policies[:, 0]
        utilities = (mdp.occupancy(policy)[:, None] * rewards).sum((-2, -1))
        worth, along = game.path_measures(types), None
        if worth is not None and isinstance(mdp, Tree):
            along = (mdp.path_probabilities(policy) * worth).sum(-1)
        return _outcome(game, types, weights, utilities, welfare, along)

    def response(self, types: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        """See :class:`Lower`."""
        mdp, rewards = self.game.mdp, self.game.rewards(types)
        weighted = torch.einsum("gi,bisa->gbsa", parameters.log_weights.exp(), rewards)
        _, policy = mdp.optimal(weighted + parameters.boosts[:, None])
        worth = self.game.path_measures(types)
        if worth is not None and isinstance(mdp, Tree):
            found: torch.Tensor = (mdp.path_probabilities(policy) * worth).sum(-1)
        else:
            found = (mdp.occupancy(policy) * rewards.sum(1)).sum((-2, -1))
        return found


def depends_on_payments(game: MDPGame) -> bool:
    """Check whether the objective depends on payments, which need the problems without each participant."""
    return game.objective == "revenue"


def _outcome(
    game: MDPGame,
    types: torch.Tensor,
    weights: torch.Tensor,
    utilities: torch.Tensor,
    welfare: torch.Tensor,
    along: torch.Tensor | None,
) -> Outcome:
    """Compute payments from affine welfare (B, P), and the objective, unless it is that of paths, ``along`` (B,)."""
    if along is not None:
        return Outcome(utilities, None, along)
    payments = None
    if depends_on_payments(game):
        payments = utilities + (welfare[:, 1:] - welfare[:, :1]) / weights
    state = evolve(game.initial_state_from(types), utilities=utilities, payments=payments)
    return Outcome(utilities, payments, game.measure(state))


@dataclass(frozen=True)
class Problem:
    """The search for w and b: a game, and how its lower level is solved.

    Args:
        game: a Markov decision process with reports.
        device: of torch.
        chunk: profiles that are solved at once, fewer where their arrays exceed ``NUMBERS``.
        regulariser: of the smoothed problem.
    """

    game: MDPGame
    device: str = "cpu"
    chunk: int = 4096
    regulariser: Regulariser = "policy"

    @cached_property
    def exact(self) -> Lower:
        """The exact lower-level problem, without entropy."""
        if isinstance(self.game.mdp, Tree):
            return OnMenu(self.game, menu_of(self.game, self.device))
        return OnStates(self.game, "policy")  # nothing is regularised

    @cached_property
    def smooth(self) -> Lower:
        """The lower-level problem with entropy; of the two entropies only that of the policy leaves a tree a menu."""
        return self.exact if self.regulariser == "policy" else OnStates(self.game, self.regulariser)

    @cached_property
    def unit(self) -> float:
        """The size of a private number: the mean of the participants' greatest ones."""
        return sum(max(abs(each.low), abs(each.high)) for each in self.game.distributions) / self.game.n

    @property
    def vcg(self) -> Parameters:
        """Weights of 1, no boosts: where ascent starts from, and the mechanism that maximises welfare."""
        game = self.game
        return Parameters(
            torch.zeros(game.n, dtype=torch.float64, device=self.device),
            torch.zeros(game.mdp.n_states, game.mdp.n_actions, dtype=torch.float64, device=self.device),
        )

    def sample(self, profiles: int, rng: torch.Generator) -> torch.Tensor:
        """Draw types (profiles, n, k)."""
        shape = (profiles, self.game.n, self.game.draw_size)
        draws = torch.rand(shape, generator=rng, dtype=torch.float64, device=rng.device)
        types: torch.Tensor = self.game.types_of(draws)
        return types

    def bounded(self, parameters: Parameters) -> Parameters:
        """Clip parameters to the box of those that the game allows."""
        bound = self.game.boost_bound
        return Parameters(
            parameters.log_weights.clamp(-WEIGHT_BOUND, WEIGHT_BOUND), parameters.boosts.clamp(-bound, bound)
        )

    def parts(self, lower: Lower, types: torch.Tensor, several: int = 1) -> Iterator[torch.Tensor]:
        """Yield types (B, n, k) in parts that are solved at once, each for ``several`` parameters."""
        size = max(1, min(self.chunk, NUMBERS // (lower.numbers * several)))
        return (types[start : start + size] for start in range(0, len(types), size))

    @torch.no_grad()
    def evaluate(self, parameters: Parameters, types: torch.Tensor) -> torch.Tensor:
        """Compute the objective (B,) of the exact affine maximiser, in the game's units, for types (B, n, k)."""
        exact = self.exact
        return torch.cat([exact.outcome(part, parameters, None).measure for part in self.parts(exact, types)])

    def smoothed(self, parameters: Parameters, types: torch.Tensor, temperature: float) -> torch.Tensor:
        """Compute the objective (B,) smoothed at a temperature in the units of rewards, of all types at once."""
        return self.smooth.outcome(types, parameters, temperature).measure
