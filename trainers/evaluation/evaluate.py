"""Evaluation of a run's policies with random numbers that the training has not used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from lawgiver.envs.core.registry import PACKAGES, TRAINERS, entry, names, require_extras
from lawgiver.trainers.runs.config import checked
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.trainer import trainer_of
from lawgiver.trainers.settings.base import Natural, Seed, Settings
from lawgiver.trainers.statistics.seeds import over_seeds
from lawgiver.trainers.statistics.streams import EVALUATION

GAMES = 4_096


class EvaluationSettings(Settings):
    """Settings of an evaluation."""

    games: Natural = GAMES
    """Games at once, or elections of a run that is about those; a trainer that counts otherwise keeps to its config."""
    seed: Seed | None = None
    """Of the games; None for the run's own."""


def evaluate(run: str | os.PathLike[str], games: int = GAMES, seed: int | None = None) -> dict[str, Any]:
    """Evaluate a run as its trainer does, on fresh seeds; of a run over several seeds, aggregate theirs.

    Args:
        run: a finished run, or its folder.
        games: how many are played, or elections held, where the trainer's config does not say, >= 1.
        seed: of everything that is drawn, >= 0; None for the run's own, whose random numbers the training has not seen.

    Returns:
        results of the trainer's ``evaluate``; see :class:`lawgiver.trainers.runs.trainer.Trainer`.

    Raises:
        ParameterError: if ``games`` or ``seed`` is out of range.
        RunError: if the folder is not a run, is damaged, or there is no mechanism.
        MissingExtraError: if packages are missing that the evaluation needs.

    Example:
        >>> import lawgiver
        >>> lawgiver.evaluate("out", games=1000, seed=1)["simulated"]  # doctest: +SKIP
    """
    checked(EvaluationSettings, {"games": games, "seed": seed})
    opened = Run.open(run)
    require_extras(f"the evaluation of {opened.path}", *_needed(opened))
    if opened.settings.get("seeds") is None:
        return _evaluate(opened, games, seed)
    members = {member: opened.path / f"s{member}" for member in opened.settings["seeds"]}
    found = {member: _evaluate(Run.open(folder), games, seed) for member, folder in members.items()}
    return {"runs": [str(folder) for folder in members.values()], **over_seeds(found)}


def _evaluate(run: Run, games: int, seed: int | None) -> dict[str, Any]:
    return trainer_of(run).evaluate(run, games, [EVALUATION, run.settings["seed"] if seed is None else seed])


def _needed(run: Run) -> Iterator[str]:
    """Yield the extras that an evaluation needs: those of the training, without those for sampling and learning."""
    trainer = run.settings["trainer"]["name"]
    declared = entry(TRAINERS, trainer).extras if trainer in names(TRAINERS) else []
    yield from dict.fromkeys("torch" if extra == "rllib" else extra for extra in declared if extra in PACKAGES)
