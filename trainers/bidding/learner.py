"""The learner: networks, their optimiser, and an update by one of the methods."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from lawgiver.agents.bidders import LearnedBidders
from lawgiver.envs.families.mechanism_game import MechanismGame, MechanismState
from lawgiver.trainers.bidding.methods import evolution, smoothed, sorted_bids
from lawgiver.trainers.bidding.seats import announced
from lawgiver.trainers.bidding.settings import BiddingTrainer
from lawgiver.trainers.settings.annealing import stage
from lawgiver.trainers.statistics.streams import torch_generator

SLOPES = {"smoothed": smoothed.slopes, "sorted": sorted_bids.slopes}
"""Methods that find slopes of payoffs in the own bid."""
BETAS = (0.0, 0.99)
"""Adam's averages of gradients and their squares. With momentum, bidders who learn against learners go round in
circles."""
GAMES, PERTURBATIONS = range(2)
"""Streams of random numbers."""


@dataclass
class Learner:
    """Everything that a training changes.

    Attributes:
        game: the auction.
        parameters: the announced w, (D,).
        bidders: whose networks learn, on ``device``.
        settings: of the trainer.
        seed: of everything that is drawn; an update draws by its number alone.
        device: of torch.
    """

    game: MechanismGame
    parameters: np.ndarray
    bidders: LearnedBidders
    settings: BiddingTrainer
    seed: int
    device: str

    @cached_property
    def optimiser(self) -> torch.optim.Adam:
        """Adam without momentum, of the weights of all groups."""
        weights = self.bidders.network.parameters()
        return torch.optim.Adam(weights, lr=self.settings.learning_rate, betas=BETAS)

    @cached_property
    def firsts(self) -> list[int]:
        """The first seat of each group, which learns for all of them."""
        groups = self.bidders.settings["groups"]
        return [groups.index(group) for group in range(len(self.bidders.network))]

    def check(self) -> None:
        """Check that the method applies to the game.

        Raises:
            UnsupportedGameError: if it does not.
        """
        if self.settings.method == "sorted":
            state, _, bids = self._games(0)
            for seat in self.firsts:
                sorted_bids.require_interim(self.game, state, bids, seat)

    def update(self, number: int) -> dict[str, float]:
        """Take one step of Adam in all groups at once; ``number`` counts from 1.

        Returns:
            the mean ``bid``, and the norm of the gradient, ``gradient_norm``.
        """
        settings = self.settings
        at, over = stage(number, settings)
        past = (at - 1) / over
        self.optimiser.param_groups[0]["lr"] = settings.learning_rate * (1 + math.cos(math.pi * past)) / 2
        state, seen, bids = self._games(number)
        rng = torch_generator(self.device, self.seed, PERTURBATIONS, number)
        half = settings.window.start * (settings.window.end / settings.window.start) ** past
        self.optimiser.zero_grad()
        for network, seat in zip(self.bidders.network, self.firsts, strict=True):
            if settings.method == "evolution":
                games, population = (self.game, network, state, seen[:, seat], bids, seat), settings.population
                rise = evolution.gradient(*games, pairs=population.pairs, noise=population.noise, rng=rng)
                for name, weight in network.named_parameters():
                    weight.grad = -rise[name]
            else:
                slopes = SLOPES[settings.method](self.game, state, bids, seat, half)
                (-(slopes * network(seen[:, seat])).sum(-1).mean()).backward()
        norm = torch.nn.utils.get_total_norm([w.grad for w in self.bidders.network.parameters() if w.grad is not None])
        self.optimiser.step()
        return {"bid": float(bids.mean()), "gradient_norm": float(norm)}

    def _games(self, number: int) -> tuple[MechanismState, torch.Tensor, torch.Tensor]:
        """Draw the games of an update: states, what is seen of types (B, n, d), and the bids (B, n, k)."""
        rng = torch_generator(self.device, self.seed, GAMES, number)
        state = announced(self.game, self.parameters, self.settings.batch, rng)
        seen = self.game.observe(state, "participant")[..., : self.bidders.seen]
        with torch.no_grad():
            return state, seen, self.bidders.bids(seen)

    def state(self) -> dict[str, Any]:
        """Collect the weights and the optimiser's state."""
        return {"network": self.bidders.network.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.bidders.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
