"""The interface of the searches for weights w and boosts b."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch

from lawgiver.trainers.affine_maximiser.objective import Parameters, Problem
from lawgiver.trainers.affine_maximiser.settings import AffineTrainer, Budget


class Search(ABC):
    """A search for w and b, update by update.

    Args:
        problem: the game and the solver of its lower level.
        settings: of the trainer.
        budget: numbers of updates and of profiles.
        learn_weights: search w beside b rather than keep it at 1.
        rng: generator of everything that is drawn.
    """

    def __init__(
        self, problem: Problem, settings: AffineTrainer, budget: Budget, *, learn_weights: bool, rng: torch.Generator
    ) -> None:
        self.problem, self.settings, self.budget, self.rng = problem, settings, budget, rng
        self.learn_weights = learn_weights

    @property
    @abstractmethod
    def parameters(self) -> Parameters:
        """The best parameters so far, in the game's units, without gradient."""

    @abstractmethod
    def update(self, number: int) -> dict[str, float]:
        """Carry out update ``number``, counted from 1; return its metrics."""

    def finish(self) -> Parameters:
        """Choose the final parameters after the last update."""
        return self.parameters

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Collect all that the next update depends on, but ``rng``."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
