"""The learner: stored profiles, misreports of every annotator, Adam updates."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lawgiver.envs.core.arrays import constant, evolve
from lawgiver.envs.preference_aggregation.game import PreferenceAggregation
from lawgiver.trainers.aggregation.settings import AggregationTrainer
from lawgiver.trainers.misreports.bound import Price
from lawgiver.trainers.misreports.search import Ascent, Cases, search
from lawgiver.trainers.misreports.stored import StoredProfiles
from lawgiver.trainers.runs.descent import descend
from lawgiver.trainers.settings.annealing import cosine
from lawgiver.trainers.statistics.streams import torch_generator

NEAR = 0.05
"""Distance of a proposal from the truth, where a rule may have a kink, as a share of the range of rewards."""
PROFILES, ORDER, UPDATE = range(3)
"""Streams of random numbers."""


class Learner:
    """A network that learns to aggregate, update by update.

    Args:
        game: in allocate mode, without payments.
        network: maps reported rewards (B, n, K) to policies (B, K).
        settings: of the trainer.
        seed: of all random numbers.
        device: of torch.

    Attributes:
        stored: the profiles that are trained on.
    """

    def __init__(
        self, game: PreferenceAggregation, network: nn.Module, settings: AggregationTrainer, seed: int, device: str
    ) -> None:
        self.game, self.network, self.settings, self.seed, self.device = game, network, settings, seed, device
        self.optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
        self.price = Price(settings.weight, settings.target, settings.lagrangian)
        types = game.initial_state(settings.samples, torch_generator(device, seed, PROFILES)).types
        self.stored = StoredProfiles(types.to(next(network.parameters()).dtype), settings.batch, (seed, ORDER))
        menu = game.menu()
        self.menu = None if menu is None else constant(menu, self.stored.types)
        ascent = settings.misreports
        self.ascent = Ascent(ascent.steps if menu is None else 0, ascent.step)

    def update(self, number: int) -> dict[str, float]:
        """Search misreports and take one step; return its metrics. ``number`` counts from 1."""
        index = self.stored.turn(number)
        types = self.stored.types[index]
        cases = Cases.of(self.game, types)
        self.network.requires_grad_(False)
        rng = torch_generator(self.device, self.seed, UPDATE, number)
        known = self.stored.misreports[index].flatten(0, 1)
        own = search(lambda told: self._payoffs(cases, told), cases, self._starts(cases, known, rng), self.ascent, rng)
        self.network.requires_grad_(True)
        self.stored.misreports[index] = own.view_as(types)
        value, gain = self._terms(types, cases, own)
        loss = self.price.cost(gain) - value
        rate = self.settings.learning_rate * cosine(number, self.settings)
        norm = descend(loss, self.network, self.optimiser, rate)
        return {
            "loss": float(loss.detach()),
            "value": float(value.detach()),
            "gain": float(gain.detach()),
            "gradient_norm": norm,
            **self.price.move(),
        }

    def _policies(self, reports: torch.Tensor) -> torch.Tensor:
        policies: torch.Tensor = self.network(self.game.read(reports))
        return policies

    def _payoffs(self, cases: Cases, told: torch.Tensor) -> torch.Tensor:
        """Compute the true utilities (C,) of those who report ``told`` (C, K)."""
        return (self._policies(cases.reported(told)) * cases.own).sum(-1)

    def _starts(self, cases: Cases, known: torch.Tensor, rng: torch.Generator) -> list[torch.Tensor]:
        """List reports to search from: all that there are; else the previous result, and one of four kinds.

        The four are near the truth, only the favourite, all replies at one end or the other, and uniform.
        """
        if self.menu is not None:
            return [cases.own, *(row.expand_as(cases.own) for row in self.menu)]
        noise, reach = torch.rand(cases.own.shape, generator=rng, device=rng.device), cases.high - cases.low
        best = cases.own.amax(-1, keepdim=True)
        kinds = torch.stack(
            [
                cases.own + NEAR * reach * (2 * noise - 1),
                torch.where(cases.own == best, cases.high, cases.low),
                torch.where(noise < 0.5, cases.high, cases.low),
                cases.low + reach * noise,
            ]
        )
        kind = torch.randint(len(kinds), (len(cases),), generator=rng, device=rng.device)
        proposed = kinds[kind, torch.arange(len(cases), device=rng.device)].clamp(cases.low, cases.high)
        return [known, proposed]

    def _terms(self, types: torch.Tensor, cases: Cases, own: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the mean objective of the truth, and the mean gain of misreports ``own`` (C, K).

        By Danskin's theorem the gradient at fixed best misreports is that of the greatest gain.
        """
        policies = self._policies(torch.cat([types, cases.reported(own)]))
        state = self.game.settle(self.game.initial_state_from(types), self.game.joined(policies[: len(types)]))
        state = evolve(state, payoffs=state.utilities)
        misreported = (policies[len(types) :] * cases.own).sum(-1).view_as(state.utilities)
        value: torch.Tensor = self.game.sense * self.game.measure(state).mean()
        return value, (misreported - state.utilities).clamp_min(0).mean()

    def state(self) -> dict[str, Any]:
        """Collect all that the next update depends on."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "misreports": self.stored.misreports,
            **self.price.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.stored.misreports = state["misreports"].to(self.device)
        self.price.restore(state)
