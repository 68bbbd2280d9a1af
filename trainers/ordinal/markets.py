"""Stability and truthfulness of a network over fresh markets, in each of which somebody holds every list in turn.

Of the lists that others hold, one participant's list is independent but for the side's common one. So a sampled market
stands for as many as there are lists, each with the probability that the participant holds it, and these answer one
another: the outcome of each is what the others gain by reporting it. All of them are decided in one batch, and the
regret of the participant is exact over its own list and all that it may report in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import ClassVar, TypeAlias

import numpy as np
import torch

from lawgiver.envs.core.arrays import uniform
from lawgiver.envs.matching import Matching
from lawgiver.envs.solvers.matching.measures import stability_violation
from lawgiver.envs.solvers.matching.preferences import all_reports
from lawgiver.envs.solvers.social_choice.profiles import positions
from lawgiver.trainers.statistics.streams import torch_generator

Shares: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""A rule of matching: values and priorities (B, r, c) to shares (B, r, c)."""
SAMPLES = 1
"""Stream of random numbers."""


@dataclass(frozen=True)
class MarketTerms:
    """Both sides of the objective.

    Attributes:
        stability: mean violation of stability.
        regret: mean violation of strategyproofness: what a participant's best other list brings in the sense of
            stochastic dominance.
    """

    stability: torch.Tensor
    regret: torch.Tensor

    @property
    def loss(self) -> torch.Tensor:
        """The violation of stability, which is to be small."""
        return self.stability


@dataclass(frozen=True)
class Lists:
    """All lists of m partners.

    Attributes:
        values: what partners are worth by each of them, (A, m).
        chances: probability that a participant holds each who does not hold the side's common one, (A,).
        sets: all sets of partners, as marks (2^m, m).
        best: index of the set of the best k acceptable partners of each list, k from 1 to m, (A, m).
    """

    values: torch.Tensor
    chances: torch.Tensor
    sets: torch.Tensor
    best: torch.Tensor

    @classmethod
    def of(cls, game: Matching, device: str) -> Lists:
        """List those of a game."""
        m = game.columns
        values = all_reports(m)
        length = (values > 0).sum(1)
        chances = np.where(length == m, 1 - game.truncation, game.truncation / m) / np.bincount(length)[length]
        best = (positions(values)[:, None] <= np.arange(m)[:, None]) & (values > 0)[:, None]
        sets = np.array(list(product((0, 1), repeat=m)))
        held, likely, marks = (
            torch.tensor(each, dtype=torch.float32, device=device) for each in (values, chances, sets)
        )
        return cls(held, likely, marks, torch.tensor(best @ 2 ** np.arange(m)[::-1], device=device))

    def regrets(self, shares: torch.Tensor) -> torch.Tensor:
        """Compute what the best other list brings whoever holds each, (..., A), by the shares that each leads to.

        Args:
            shares: of partners, (..., A, m).
        """
        of_sets = shares @ self.sets.T
        most = of_sets.amax(-2, keepdim=True).expand_as(of_sets)
        return (most - of_sets).gather(-1, self.best.expand(*shares.shape)).amax(-1)


@dataclass(frozen=True)
class Markets:
    """Fresh markets of a game at each update, in each of which some participants hold every list in turn.

    Attributes:
        game: the game.
        batch: markets an update.
        deviators: participants of each who hold every list, each alone.
        seed: of the markets.
        device: of torch.
    """

    game: Matching
    batch: int
    deviators: int
    seed: int
    device: str
    measure: ClassVar[str] = "stability"

    @cached_property
    def lists(self) -> Lists:
        """All lists."""
        return Lists.of(self.game, self.device)

    @cached_property
    def _common(self) -> Matching:
        """The game in which all hold the common list of their side."""
        return replace(self.game, correlation=1.0)

    def terms(self, rule: Shares, number: int) -> MarketTerms:
        """Estimate both sides, differentiable in the rule; updates count from 1."""
        rng = torch_generator(self.device, self.seed, SAMPLES, number)
        game, draws = self.game, uniform(rng, (self.batch, self.game.n, self.game.draw_size))
        told, common = (game.read(each.types_of(draws)) for each in (game, self._common))
        seats = torch.rand(told.shape[:2], generator=rng, device=self.device).argsort(-1)[:, : self.deviators]
        return terms(rule, game, self.lists, told, common, seats)


def terms(
    rule: Shares, game: Matching, lists: Lists, told: torch.Tensor, common: torch.Tensor, seats: torch.Tensor
) -> MarketTerms:
    """Compute both sides over markets and all lists of some participants, differentiable in the rule.

    Args:
        rule: of matching.
        game: the game.
        lists: all of them.
        told: lists of all participants, (B, n, m).
        common: the common list of each participant's side, (B, n, m).
        seats: participants who hold every list, each alone, (B, d).
    """
    held = torch.nn.functional.one_hot(seats, told.shape[1]).to(told.dtype)[:, :, None, :, None]
    markets = torch.where(held > 0, lists.values[:, None], told[:, None, None])  # (B, d, A, n, m)
    values, priorities = (side.contiguous() for side in game.both_sides(markets.flatten(0, 2)))
    shares = rule(values, priorities)
    lost = stability_violation(shares, values, priorities).view(markets.shape[:3])
    had = torch.cat([shares, shares.mT], 1).view(markets.shape)
    own = (had * held).sum(-2)  # (B, d, A, m)
    shared = common.gather(1, seats[..., None].expand(-1, -1, common.shape[-1]))[:, :, None]
    among = (shared == lists.values).all(-1).to(told.dtype)
    chances = game.correlation * among + (1 - game.correlation) * lists.chances
    return MarketTerms((chances * lost).sum(-1).mean(), (chances * lists.regrets(own)).sum(-1).mean())
