"""The learner: stored profiles, warm-started misreports, Adam updates, and a multiplier that keeps a budget.

Revenue less y times the sum of regrets is climbed. The multiplier y moves by log(regret / revenue / budget): the same
rate serves all games and units, and a regret far from its budget moves it no more than its order of magnitude says.

Source: Duetting et al. 2019 for the objective and stored misreports; Ivanov, Safiulin, Filippov and Balabaeva 2022 for
the budget relative to revenue and the logarithmic dual step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lawgiver.envs.core.arrays import evolve
from lawgiver.envs.families.reporting_game import ReportingState
from lawgiver.envs.multi_item_auction.game import MultiItemAuction
from lawgiver.trainers.audit.trials import bounds
from lawgiver.trainers.misreports.search import Ascent, Cases, search
from lawgiver.trainers.misreports.stored import StoredProfiles
from lawgiver.trainers.regret_net.settings import Budget, Dual, RegretNetTrainer
from lawgiver.trainers.runs.descent import descend
from lawgiver.trainers.settings.annealing import cosine, stage
from lawgiver.trainers.statistics.streams import torch_generator

PROFILES, ORDER, UPDATE, STARTS = range(4)
"""Streams of random numbers."""
LEAST = 1e-9
"""Regret by budget, and revenue by the scale of the game, below which they count as this: logarithms are finite."""


@dataclass(frozen=True)
class Terms:
    """Both sides of the objective, means over profiles.

    Attributes:
        revenue: where everybody tells the truth.
        regret: sum over bidders of what the misreports gain, none below 0.
    """

    revenue: torch.Tensor
    regret: torch.Tensor


def settled(game: MultiItemAuction, network: nn.Module, state: ReportingState, reports: torch.Tensor) -> ReportingState:
    """Settle auctions in which nobody has reported yet, of reports (B, n, m), under a network."""
    return game.settle(evolve(state, reports=reports), network(reports))


def terms(game: MultiItemAuction, network: nn.Module, cases: Cases, own: torch.Tensor) -> Terms:
    """Compute both sides at given misreports, differentiable in the network.

    By the envelope theorem the gradient at fixed best misreports is that of the regret.

    Args:
        game: the auction.
        network: reports (B, n, m) to decisions.
        cases: all bidders of B profiles, profile by profile.
        own: report of each bidder where it alone misreports, (B n, m).
    """
    truthful = cases.types[:: game.n]
    count, state = len(truthful), game.initial_state_from(torch.cat([truthful, cases.types]))
    done = settled(game, network, state, torch.cat([truthful, cases.reported(own)]))
    payoffs = done.utilities - done.payments
    gains = cases.mine(payoffs[count:]).view(count, game.n) - payoffs[:count]
    return Terms(done.payments[:count].sum(1).mean(), gains.clamp_min(0).sum(1).mean())


class Multiplier:
    """The price of regret.

    Args:
        settings: its start and its rate.
    """

    def __init__(self, settings: Dual) -> None:
        self.value, self.rate = settings.multiplier, settings.rate

    def move(self, excess: float) -> None:
        """Raise or lower it by the logarithm of regret over budget; never below 0."""
        self.value = max(0.0, self.value + self.rate * math.log(max(excess, LEAST)))


def allowed(budget: Budget, past: float) -> float:
    """Compute the budget after a share ``past`` of the training."""
    fallen: float = (budget.end / budget.start) ** min(past / budget.falls, 1.0)
    return budget.start * fallen


class Learner:
    """A network that learns to sell, update by update.

    Args:
        game: in allocate mode.
        network: reported values (B, n, m) to decisions (B, d).
        settings: of the trainer.
        seed: of all random numbers.
        device: of torch.

    Attributes:
        stored: the profiles that are trained on.
        multiplier: the price of regret.
    """

    def __init__(
        self, game: MultiItemAuction, network: nn.Module, settings: RegretNetTrainer, seed: int, device: str
    ) -> None:
        self.game, self.network, self.settings, self.seed, self.device = game, network, settings, seed, device
        self.ascent = Ascent(settings.misreports.steps, settings.misreports.step)
        self.optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
        self.multiplier = Multiplier(settings.dual)
        types = game.initial_state(settings.samples, torch_generator(device, seed, PROFILES)).types.float()
        self.stored = StoredProfiles(types, settings.batch, (seed, ORDER))
        # Searches that all start at the truth stay near it: they miss far misreports, which lose more revenue.
        anywhere = torch.rand(types.shape, generator=torch_generator(device, seed, STARTS), device=device)
        low, high = (torch.as_tensor(end, dtype=types.dtype, device=device) for end in bounds(game.type_layout()))
        self.stored.misreports = low + (high - low) * anywhere

    def update(self, number: int) -> dict[str, float]:
        """Search misreports and take one step; return its metrics. ``number`` counts from 1."""
        game, network = self.game, self.network
        rng = torch_generator(self.device, self.seed, UPDATE, number)
        index = self.stored.turn(number)
        cases = Cases.of(game, self.stored.types[index])
        state = game.initial_state_from(cases.types)

        def payoffs(own: torch.Tensor) -> torch.Tensor:
            done = settled(game, network, state, cases.reported(own))
            return cases.mine(done.utilities - done.payments)

        network.train().requires_grad_(False)
        start = self.stored.misreports[index].flatten(0, 1)
        own = search(payoffs, cases, [start], self.ascent, rng)
        network.requires_grad_(True)
        self.stored.misreports[index] = own.view(len(index), game.n, game.m)
        found = terms(game, network, cases, own)
        loss = self.multiplier.value * found.regret - found.revenue
        norm = descend(loss, network, self.optimiser, self.settings.learning_rate * cosine(number, self.settings))
        at, over = stage(number, self.settings)
        revenue, regret = float(found.revenue.detach()), float(found.regret.detach())
        budget = allowed(self.settings.budget, at / over) * max(revenue, LEAST * game.greatest)
        self.multiplier.move(regret / budget)
        return {
            "batch_revenue": revenue,
            "regret": regret / game.n,
            "budget": budget / game.n,
            "multiplier": self.multiplier.value,
            "gradient_norm": norm,
        }

    def state(self) -> dict[str, Any]:
        """Collect all that the next update depends on."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "multiplier": self.multiplier.value,
            "misreports": self.stored.misreports,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.multiplier.value = state["multiplier"]
        self.stored.misreports = state["misreports"].to(self.device)
