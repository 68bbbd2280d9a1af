"""Evaluation of a run of the trainer, by what it learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lawgiver.trainers.ordinal.subjects import subject_of
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Evaluate a run's rule as its config says; see :func:`lawgiver.trainers.ordinal.voting.judge` and matching's."""
    config = validate(run.settings)
    game: Any = config.game.make()
    learned = load(run.path, role="mechanism", game=game)
    return dict(subject_of(game).judge(game, learned, config.trainer, seed))
