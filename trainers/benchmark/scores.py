"""Scores of a run on its task: 0 for the baseline, 1 for the optimum, before both of the task's populations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.trainers.benchmark.metrics import measure
from lawgiver.trainers.benchmark.task import POPULATIONS, Reference, Task, given_policy
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.statistics.estimate import Estimate

STREAM = 19
"""First entropy of the games of a score, which no training draws from."""


@dataclass(frozen=True)
class Score:
    """Of a policy before one population.

    Attributes:
        found: the metric of the policy.
        baseline: of what scores 0.
        optimum: of what scores 1.
    """

    found: Estimate
    baseline: Estimate
    optimum: Estimate

    @property
    def value(self) -> float:
        """(found - baseline) / (optimum - baseline)."""
        return (self.found.mean - self.baseline.mean) / (self.optimum.mean - self.baseline.mean)

    def data(self) -> dict[str, Any]:
        """Write everything as plain data."""
        parts = {name: getattr(self, name).to_data() for name in ("found", "baseline", "optimum")}
        return {"score": self.value, **parts}


def score_run(task: Task, folder: Path, size: str, seed: int) -> dict[str, Score]:
    """Score what a run has learned, by population; the references play on the same random numbers.

    Raises:
        RunError: if the run has learned no policy of the task's role.
        UnsupportedGameError: if the policy cannot be scored.
    """
    return score_policy(task, lambda game: load(folder, role=task.role, game=game), size, seed)


def score_policy(task: Task, make: Callable[[Game[Any]], Policy], size: str, seed: int) -> dict[str, Score]:
    """Score a policy, made for the game of each population, as :func:`score_run` does."""
    games, scores = task.budget(size).games, {}
    for population in POPULATIONS:
        entropy = [STREAM, POPULATIONS.index(population), seed]

        def of(reference: Reference, population: str = population, entropy: list[int] = entropy) -> Estimate:
            return _reference(task, reference, population, games, entropy)

        found = Score(
            measure(task, population, make, games, entropy), of(task.baseline), of(task.optimum_of(population))
        )
        if found.optimum.mean <= found.baseline.mean:
            raise ParameterError(
                f"task {task.name!r}: the optimum, {found.optimum.mean:.4g}, is not above the baseline,"
                f" {found.baseline.mean:.4g}, before the {population} population"
            )
        scores[population] = found
    return scores


def _reference(task: Task, reference: Reference, population: str, games: int, entropy: list[int]) -> Estimate:
    given = reference.policy
    if given is None:
        assert reference.value is not None
        return Estimate.exact(reference.value)
    return measure(task, population, lambda game: given_policy(game, task.role, given), games, entropy)
