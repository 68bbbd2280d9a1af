"""The trainer ``evolution``: CMA-ES over the weights of a mechanism's network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cma
import numpy as np
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from lawgiver.agents.actors import MechanismActor
from lawgiver.trainers.black_box.problem import MECHANISM, opponents, payoff
from lawgiver.trainers.black_box.settings import EvolutionConfig
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.streams import torch_seed, torch_seeded

FULL = 200
"""Weights up to which covariances are learned; of more, variances alone (Ros and Hansen 2008)."""


class Evolution:
    """A search distribution over weights; an update is a generation.

    The state is the payoffs of all generations: asked again in the same order, the strategy makes the same candidates.
    """

    def __init__(self, config: EvolutionConfig) -> None:
        self.config, self.game = config, config.game.make()
        self.others = opponents(config, self.game)
        with torch_seeded(torch_seed(config.seed)):
            self.policy = MechanismActor(self.game, hidden=config.trainer.hidden, greedy=True)
        start = parameters_to_vector(self.policy.network.parameters()).detach().numpy().astype(float)
        options: dict[str, Any] = {"seed": config.seed + 1, "verbose": -9, "CMA_diagonal": len(start) > FULL}
        if config.trainer.population is not None:
            options["popsize"] = config.trainer.population
        self.strategy = cma.CMAEvolutionStrategy(start, config.trainer.sigma, options)
        self.told: list[np.ndarray] = []

    @property
    def _each(self) -> int:
        """Steps of a generation, if no game ends early."""
        return int(self.strategy.popsize) * self.config.trainer.games * self.game.max_steps

    @property
    def generations(self) -> int:
        """Number of generations within the budget, at least one."""
        return max(1, self.config.trainer.steps // self._each)

    def update(self, number: int) -> dict[str, float]:
        """Play a generation."""
        candidates = self.strategy.ask()
        earned = [self._payoff(weights, number) for weights in candidates]
        self.strategy.tell(candidates, [-each for each in earned])
        self.told.append(np.array(earned))
        return {"payoff": float(np.mean(earned)), "best_payoff": max(earned)}

    def _payoff(self, weights: np.ndarray, number: int) -> float:
        self._take(weights)
        seed = [self.config.seed, number]
        return payoff(self.game, {**self.others, MECHANISM: self.policy}, self.config.trainer.games, seed)

    def _take(self, weights: np.ndarray) -> None:
        vector_to_parameters(torch.tensor(weights, dtype=torch.float32), self.policy.network.parameters())

    def learned(self) -> MechanismActor:
        """Return the mechanism of the mean weights."""
        self._take(self.strategy.mean)
        return self.policy

    def report(self, numbers: Mapping[str, float]) -> loop.Report:
        """Describe the generation, and how many steps have been taken."""
        return loop.Report(
            {**numbers, "env_steps": len(self.told) * self._each}, note=f"payoff {numbers['payoff']:.4f}"
        )

    def state(self) -> dict[str, Any]:
        """Collect the payoffs of all generations."""
        return {"told": np.array(self.told)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Ask for, and tell, all generations again; none is played."""
        for earned in state["told"]:
            self.strategy.tell(self.strategy.ask(), (-earned).tolist())
            self.told.append(earned)


def train(config: EvolutionConfig, run: TrainingRun) -> dict[str, Any]:
    """Search, save the mechanism of the mean weights, and return the summary."""
    learner = Evolution(config)
    loop.train(run, learner, updates=learner.generations, checkpoint_every=config.trainer.checkpoint_every)
    run.save_policy(MECHANISM, learner.learned())
    return {"weights": len(learner.strategy.mean), "generations": len(learner.told)}
