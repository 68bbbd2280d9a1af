"""The trainer ``bayesian``: Bayesian optimisation of an action that the mechanism always takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lawgiver.agents.network_policies import LearnedMechanism
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.fields import bounds
from lawgiver.trainers.black_box.problem import MECHANISM, opponents, payoff
from lawgiver.trainers.black_box.settings import BayesianConfig
from lawgiver.trainers.mechanism_design.optimisers.bayesian import Bayesian
from lawgiver.trainers.mechanism_design.optimisers.schedules import Schedule
from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.training_run import TrainingRun

NONE = Schedule(initial=1.0, exponent=0.0)
"""Stands for the steps and radii that the optimiser does not use."""


class Search:
    """A Gaussian process over actions; an update is one evaluation."""

    def __init__(self, config: BayesianConfig) -> None:
        self.config, self.game = config, config.game.make()
        self.others = opponents(config, self.game)
        layout = self.game.action_layout(MECHANISM)
        if isinstance(layout, int):
            raise UnsupportedGameError(f"trainer 'bayesian' needs a Box; the mechanism of {self.game.name} has choices")
        low, high = bounds(layout)
        self.optimiser = Bayesian(low=low, high=high, start=(low + high) / 2, step=NONE, radius=NONE)
        self.scale = 0.0
        self.games = max(1, config.trainer.steps // config.trainer.evaluations // self.game.max_steps)

    def update(self, number: int) -> dict[str, float]:
        """Evaluate the most promising action."""
        tried = self.optimiser.ask(np.random.default_rng([self.config.seed, number]))
        seed = [self.config.seed, number, 1]
        earned = payoff(self.game, {**self.others, MECHANISM: self._policy(tried[0])}, self.games, seed)
        self.scale = self.scale or abs(earned) or 1.0
        self.optimiser.tell(np.array([earned / self.scale]))
        return {"payoff": earned}

    def _policy(self, action: np.ndarray) -> LearnedMechanism:
        return LearnedMechanism(self.game, start=action.tolist(), hidden=None)

    def learned(self) -> LearnedMechanism:
        """Return the mechanism that takes the best action."""
        return self._policy(self.optimiser.coefficients)

    def report(self, numbers: Mapping[str, float]) -> loop.Report:
        """Describe the evaluation, and how many steps have been taken."""
        steps = self.optimiser.updates * self.games * self.game.max_steps
        return loop.Report({**numbers, "env_steps": steps}, note=f"payoff {numbers['payoff']:.4f}")

    def state(self) -> dict[str, Any]:
        """Collect the optimiser's numbers and the scale."""
        return {"optimiser": self.optimiser.state(), "scale": self.scale}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` returned."""
        self.optimiser.restore(state["optimiser"])
        self.scale = float(state["scale"])


def train(config: BayesianConfig, run: TrainingRun) -> dict[str, Any]:
    """Search, save the best mechanism, and return the summary."""
    search = Search(config)
    loop.train(run, search, updates=config.trainer.evaluations, checkpoint_every=config.trainer.checkpoint_every)
    run.save_policy(MECHANISM, search.learned())
    return {"action": search.optimiser.coefficients, "games_per_evaluation": search.games}
