"""The learner: stored profiles, warm-started misreports, Adam updates."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lawgiver.envs.payment_free_allocation.game import PaymentFreeAllocation
from lawgiver.envs.solvers.fair_division.proportional_fairness import solve
from lawgiver.trainers.misreports.bound import Price
from lawgiver.trainers.misreports.search import Ascent, Cases
from lawgiver.trainers.misreports.stored import StoredProfiles
from lawgiver.trainers.payment_free.misreports import Rule, search
from lawgiver.trainers.payment_free.objective import terms
from lawgiver.trainers.payment_free.settings import PaymentFreeTrainer
from lawgiver.trainers.runs.descent import descend
from lawgiver.trainers.settings.annealing import cosine
from lawgiver.trainers.statistics.streams import torch_generator

SMOOTH = 1e-3
"""Barrier of the proportional fairness against which participants of untruthful profiles misreport: it has a slope."""
THOROUGH, ROUNDS = Ascent(steps=10, step=0.15), 4
"""The search without a warm start: steps of one ascent, and the number of ascents, each from the end of the last."""
CHUNK = 4_096
"""Games that are played at once in these."""
PROFILES, ORDER, UPDATE = range(3)
"""Streams of random numbers."""


def thorough(
    game: PaymentFreeAllocation,
    rule: Rule,
    types: torch.Tensor,
    rng: torch.Generator,
    chosen: torch.Tensor | None = None,
) -> torch.Tensor:
    """Search the best misreports under a rule, (B, n, 2m), without a warm start.

    Args:
        game: whose bounds reports keep.
        rule: allocation rule, differentiable in the reports.
        types: true types of all participants, (B, n, 2m).
        rng: generator of the search.
        chosen: participants who misreport, bool (B, n), while the others tell the truth; None for all.
    """
    everybody = Cases.of(game, types)
    wanted = torch.arange(len(everybody), device=types.device) if chosen is None else chosen.flatten().nonzero()[:, 0]
    found = everybody.own.clone()
    for start in range(0, len(wanted), CHUNK):
        part = wanted[start : start + CHUNK]
        cases = Cases(everybody.types[part], everybody.seats[part], everybody.low, everybody.high)
        own = cases.own
        for _ in range(ROUNDS):
            own = search(rule, cases, own, THOROUGH, rng)
        found[part] = own
    return found.view_as(types)


def proportionally_fair(game: PaymentFreeAllocation, barrier: float) -> Rule:
    """Make proportional fairness, smoothed by a barrier, as a rule on torch."""

    def rule(values: torch.Tensor, demands: torch.Tensor) -> torch.Tensor:
        known = (torch.as_tensor(x, dtype=values.dtype, device=values.device) for x in (game.supplies, game.weighting))
        amounts: torch.Tensor = solve(values, demands, *known, barrier=barrier)
        return amounts

    return rule


class Learner:
    """A network that learns to share, update by update.

    Args:
        game: in allocate mode.
        network: maps reported values and demands, (B, n, m) each, to amounts (B, n, m).
        settings: of the trainer.
        seed: of all random numbers.
        device: of torch.

    Attributes:
        stored: the profiles that are trained on; None if each update has fresh ones.
    """

    def __init__(
        self, game: PaymentFreeAllocation, network: nn.Module, settings: PaymentFreeTrainer, seed: int, device: str
    ) -> None:
        self.game, self.network, self.settings, self.seed, self.device = game, network, settings, seed, device
        self.dtype = next(network.parameters()).dtype
        self.ascent = Ascent(settings.misreports.steps, settings.misreports.step)
        self.optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
        self.price = Price(settings.weight, settings.target, settings.lagrangian)
        self.stored: StoredProfiles | None = None
        if settings.samples is not None:
            types = self.profiles(settings.samples, torch_generator(device, seed, PROFILES))
            self.stored = StoredProfiles(types, settings.batch, (seed, ORDER))

    def profiles(self, count: int, rng: torch.Generator) -> torch.Tensor:
        """Draw types (count, n, 2m) to train on, a share ``settings.untruthful`` of them replaced by misreports."""
        types = self.truthful(count, rng)
        if not self.settings.untruthful:
            return types
        liars = torch.rand(types.shape[:2], generator=rng, device=rng.device) < self.settings.untruthful
        return thorough(self.game, proportionally_fair(self.game, SMOOTH), types, rng, liars)

    def truthful(self, count: int, rng: torch.Generator) -> torch.Tensor:
        """Draw types (count, n, 2m) of the game."""
        types: torch.Tensor = self.game.initial_state(count, rng).types.to(self.dtype)
        return types

    def update(self, number: int) -> dict[str, float]:
        """Search misreports and take one step; return its metrics. ``number`` counts from 1."""
        rng = torch_generator(self.device, self.seed, UPDATE, number)
        if self.stored is None:
            types = start = self.profiles(self.settings.batch, rng)
        else:
            index = self.stored.turn(number)
            types, start = self.stored.types[index], self.stored.misreports[index]
        self.network.train()
        self.network.requires_grad_(False)
        own = search(self.network, Cases.of(self.game, types), start.flatten(0, 1), self.ascent, rng).view_as(types)
        self.network.requires_grad_(True)
        if self.stored is not None:
            self.stored.misreports[index] = own
        found = terms(self.game, self.network, types, own)
        gain = found.relative if self.settings.target is not None else getattr(found, self.settings.gain)
        loss = self.price.cost(gain) - found.mean_log_utility
        rate = self.settings.learning_rate * cosine(number, self.settings)
        norm = descend(loss, self.network, self.optimiser, rate)
        return {
            "loss": float(loss.detach()),
            "mean_log_utility": float(found.mean_log_utility.detach()),
            "relative_gain": float(found.relative.detach()),
            "absolute_gain": float(found.absolute.detach()),
            "gradient_norm": norm,
            **self.price.move(),
        }

    def state(self) -> dict[str, Any]:
        """Collect all that the next update depends on."""
        weights = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        state: dict[str, Any] = {**weights, **self.price.state()}
        if self.stored is not None:
            state["misreports"] = self.stored.misreports
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.price.restore(state)
        if self.stored is not None:
            self.stored.misreports = state["misreports"].to(self.device)
