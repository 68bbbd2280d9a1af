"""The one interface of everything that looks for w and b."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch

from lawgiver.trainers.affine_maximiser.objective import Parameters, Problem
from lawgiver.trainers.affine_maximiser.settings import AffineTrainer, Budget


class Search(ABC):
    """A search for w and b, update by update.

    Args:
        problem: what is searched.
        settings: of the trainer.
        budget: updates and profiles.
        learn_weights: whether w is searched too.
        rng: of everything that is drawn.
    """

    def __init__(
        self, problem: Problem, settings: AffineTrainer, budget: Budget, *, learn_weights: bool, rng: torch.Generator
    ) -> None:
        """Nothing is searched yet."""
        self.problem, self.settings, self.budget, self.rng = problem, settings, budget, rng
        self.learn_weights = learn_weights

    @property
    @abstractmethod
    def parameters(self) -> Parameters:
        """The best that is known so far, in the game's units, without gradient."""

    @abstractmethod
    def update(self, number: int) -> dict[str, float]:
        """Search one step further and return what there is to tell of it; ``number`` counts from 1."""

    def finish(self) -> Parameters:
        """Do what is to be done after the last update, and return the result."""
        return self.parameters

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return all that the search goes on from, but ``rng``."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
