"""The value of a mechanism at the participants' exact equilibrium, with its exact gradient.

The equilibrium p* solves p = G(p, m), G the logit reply under mechanism m. The solver itself is not differentiated:

    p = p* + (I - J)^-1 (G(p*, m) - p*),    J = dG/dp at p*, held constant,

equals p* and has its derivative with respect to m (implicit function theorem), so that ordinary autograd does the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import OBJECTIVES, lookup
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.envs.public_investment.one_round import after_round, priors_of, refusal, symmetry_classes
from lawgiver.envs.public_investment.solutions import allocating_game
from lawgiver.envs.solvers.equilibrium import logit
from lawgiver.envs.solvers.equilibrium.joint_grid import JointGrid, joint_grid
from lawgiver.envs.solvers.equilibrium.one_round import log_of
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL

Sends = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""A mechanism: what it sends, (S, n) or (S, k), for endowments and contributions (S, n)."""


@dataclass(frozen=True, eq=False)
class Round:
    """One condition of a game: every joint contribution, and the prior of the participants.

    Two of the same game, endowments and priors are equal.

    Attributes:
        game: whose rules apply.
        grid: the joint contributions.
        given: endowments, (S, n), float64.
        contributions: (S, n), float64.
        labels: which seats are alike.
        priors: probabilities (n, largest endowment + 1).
        log_priors: of each group of seats.
    """

    game: PublicInvestment
    grid: JointGrid
    given: torch.Tensor
    contributions: torch.Tensor
    labels: tuple[int, ...]
    priors: np.ndarray
    log_priors: tuple[np.ndarray, ...]

    @property
    def endowments(self) -> tuple[int, ...]:
        """Of each seat."""
        return tuple(int(e) for e in self.given[0])

    def _key(self) -> tuple[object, ...]:
        return self.game, self.endowments, self.labels, self.priors.shape, self.priors.tobytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Round) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


def rounds(game: PublicInvestment, anchor: Policy | None = None, *, weights: bool = False) -> list[Round]:
    """List the conditions of a game, for mechanisms that treat equals equally.

    Args:
        game: whose rules apply.
        anchor: the participants' prior policy; None for uniform. It is asked before anything is announced.
        weights: whether the mechanism sends weights even where the game has it announce rules.

    Raises:
        UnsupportedGameError: if a condition has too many joint contributions.
    """
    made = []
    for endowments in game.conditions:
        priors = priors_of(game, endowments, anchor)
        labels = symmetry_classes(endowments, None, priors)
        too_large = refusal(endowments, labels)
        if too_large is not None:
            raise UnsupportedGameError(too_large.reason)
        grid = joint_grid(tuple(e + 1 for e in endowments), labels)
        contributions = torch.as_tensor(grid.actions, dtype=torch.float64)
        given = torch.tensor(endowments, dtype=torch.float64).expand_as(contributions)
        log_priors = tuple(
            np.maximum(log_of(priors[group.seats[0], : group.n_actions]), ILLEGAL) for group in grid.groups
        )
        played = allocating_game(game) if weights else game
        made.append(Round(played, grid, given, contributions, labels, priors, log_priors))
    return made


def value(at: Round, sends: Sends, inverse_temperature: float) -> torch.Tensor:
    """Compute the expected objective of one round at the equilibrium under a mechanism, differentiable in it.

    Args:
        at: the condition.
        sends: the mechanism.
        inverse_temperature: of the participants, per point, finite.
    """
    after = after_round(at.game, sends(at.given, at.contributions), at.given, at.contributions)
    measure: Any = lookup(OBJECTIVES, at.game.objective)
    tables = logit.utilities(at.grid, after.payoffs[None])
    probabilities = logit.joint_probabilities(at.grid, equilibrium(at, tables, inverse_temperature))
    return torch.sum(probabilities[0] * measure(after))


def equilibrium(at: Round, tables: list[torch.Tensor], inverse_temperature: float) -> tuple[torch.Tensor, ...]:
    """Compute the equilibrium strategies (1, n_actions) of each group, differentiable in the payoff ``tables``."""
    fixed = [table.detach().numpy() for table in tables]
    level = np.array([[float(inverse_temperature)]])
    found = logit.solve_tables(at.grid, fixed, at.log_priors, level[:, 0])
    replies = tuple(found.strategies)
    slopes = logit.log_response_jacobian(at.grid, fixed, level, found.strategies, replies)
    fixed_point = torch.as_tensor(np.concatenate(found.strategies, axis=1))
    jacobian = fixed_point[:, :, None] * torch.as_tensor(slopes)
    strategies = tuple(torch.as_tensor(p) for p in found.strategies)
    log_priors = tuple(torch.as_tensor(prior) for prior in at.log_priors)
    answer = logit.log_response(log_priors, torch.as_tensor(level), logit.expected(at.grid, tables, strategies))
    gap = torch.cat(answer, dim=1).exp() - fixed_point
    eye = torch.eye(gap.shape[1], dtype=gap.dtype)
    moved = fixed_point + torch.linalg.solve(eye - jacobian, gap[:, :, None])[..., 0]
    return torch.split(moved, [p.shape[1] for p in strategies], dim=1)
