"""Welfare and regret of a network over profiles of rankings: all of them, or fresh ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, cast

import torch

from lawgiver.agents.ordinal_net import told
from lawgiver.envs.families.choice_game import ChoiceGame
from lawgiver.envs.solvers.social_choice.dominance import fosd_regret
from lawgiver.envs.solvers.social_choice.orbits import Orbits
from lawgiver.envs.solvers.social_choice.profiles import orders, positions
from lawgiver.trainers.statistics.streams import torch_generator

Rule: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""A voting rule: described profiles (..., m, 2 m), see :func:`lawgiver.agents.ordinal_net.told`, to lotteries."""
CHUNK = 1_024
"""Profiles whose lotteries are computed at once where no gradient is needed: few enough for a processor's cache."""
SAMPLES = 1
"""Stream of random numbers."""


@dataclass(frozen=True)
class Terms:
    """Both sides of the objective.

    Attributes:
        welfare: mean utility of the voters.
        regret: mean over voters of what their best other ballot brings in the sense of stochastic dominance.
    """

    welfare: torch.Tensor
    regret: torch.Tensor

    @property
    def loss(self) -> torch.Tensor:
        """Minus welfare, which is to be small."""
        return -self.welfare


@dataclass(frozen=True)
class Listed:
    """All profiles of n voters with independent uniform rankings, one for each orbit.

    Attributes:
        orbits: of the profiles.
        described: their representatives, (O, m, 2 m).
    """

    orbits: Orbits
    described: torch.Tensor

    @classmethod
    def of(cls, orbits: Orbits, device: str) -> Listed:
        """Describe the representatives."""
        counts = torch.tensor(orbits.counts, dtype=torch.float32, device=device)
        each = told(torch.tensor(orbits.places, device=device), counts)
        return cls(orbits, torch.einsum("ot,tab->oab", counts, each) / orbits.n)

    def terms(self, rule: Rule, number: int) -> Terms:
        """Compute both sides exactly."""
        lotteries = rule(self.described).double()
        return Terms(self.orbits.welfare(lotteries), self.orbits.regret(lotteries))


@dataclass(frozen=True)
class Sampled:
    """Fresh profiles of a game at each update, in which some voters try every ballot.

    Attributes:
        game: the game.
        batch: profiles an update.
        deviators: voters of each who try every ballot.
        seed: of the profiles.
        device: of torch.
    """

    game: ChoiceGame
    batch: int
    deviators: int
    seed: int
    device: str

    def terms(self, rule: Rule, number: int) -> Terms:
        """Estimate both sides; the worst ballots are found without a gradient, as Danskin's theorem allows."""
        rng = torch_generator(self.device, self.seed, SAMPLES, number)
        utilities = self.game.private(self.game.initial_state(self.batch, rng).types).float()
        places = positions(utilities)
        seats = torch.rand(places.shape[:2], generator=rng, device=self.device).argsort(-1)[:, : self.deviators]
        return terms(rule, utilities, places, seats)


def terms(rule: Rule, utilities: torch.Tensor, places: torch.Tensor, seats: torch.Tensor) -> Terms:
    """Compute both sides over profiles, differentiable in the rule.

    Args:
        rule: voting rule.
        utilities: (B, n, m).
        places: of each alternative in the ranking of each voter, (B, n, m).
        seats: voters who try every ballot, each alone, (B, d).
    """
    n, m = places.shape[1:]
    each = told(places, utilities)
    ballots = told(torch.tensor(orders(m), device=places.device), utilities)
    total = each.sum(1)
    index = torch.arange(len(places), device=places.device)[:, None]
    others = total[:, None] - each[index, seats]  # (B, d, m, 2m)
    own = places[index, seats]
    with torch.no_grad():
        # Sums of whole numbers are exact, so that a tie stays one however it comes about.
        cast_ = (others[:, :, None] + ballots) / n
        after = torch.cat([rule(part) for part in cast_.flatten(0, 2).split(CHUNK)]).view(*cast_.shape[:-1])
        truth = rule(total / n)
        worst = cast(torch.Tensor, fosd_regret(truth[:, None].expand(own.shape), after, own)).argmax(-1)
    chosen = (others + ballots[worst]) / n
    lotteries = rule(torch.cat([total / n, chosen.flatten(0, 1)]))
    truth, after = lotteries[: len(places)], lotteries[len(places) :].view(*own.shape)
    regret = fosd_regret(truth[:, None].expand(own.shape), after[:, :, None], own)
    return Terms((utilities.mean(1) * truth).sum(-1).mean(), regret.mean())
