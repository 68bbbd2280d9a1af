"""The expected objective of an affine maximiser, beside VCG on the same profiles and beside the known bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lawgiver.trainers.affine_maximiser.objective import Parameters, Problem
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import torch_seed


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Compare a run's mechanism on fresh profiles, as many as at the end of its training; see :func:`compared`."""
    config = validate(run.settings)
    game: Any = config.game.make()
    mechanism = load(run.path, role="mechanism")
    problem = Problem(game, chunk=config.trainer.chunk)
    types = problem.sample(
        config.trainer.evaluation.profiles, torch.Generator().manual_seed(torch_seed(*seed, bits=32))
    )
    found = Parameters(torch.from_numpy(mechanism.log_weights), torch.from_numpy(mechanism.boosts))
    return compared(problem, found, types)


def compared(problem: Problem, found: Parameters, types: torch.Tensor) -> dict[str, Any]:
    """Estimate the objective of the exact mechanism and of VCG on the same profiles, beside the limit."""
    summary: dict[str, Any] = {}
    for name, parameters in {"objective": found, "vcg": problem.vcg}.items():
        measure = problem.evaluate(parameters, types)
        summary[name] = Estimate.normal(float(measure.mean()), float(measure.std() / len(measure) ** 0.5), len(measure))
    limit = problem.game.limit()
    ratio = summary["objective"].mean / limit if limit is not None and limit > 0 else None  # of losses it would mislead
    return {**summary, "limit": limit, "ratio_to_limit": ratio}
