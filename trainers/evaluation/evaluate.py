"""What the policies that a run has learned are worth, on random numbers that the training has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.registry import PACKAGES, TRAINERS, entry, names, require_extras
from lawgiver.trainers.runs.config import Natural, Seed, Settings, apply_overrides
from lawgiver.trainers.runs.config_errors import complaint
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.trainer import trainer_of
from lawgiver.trainers.statistics.seeds import over_seeds

GAMES = 4_096
STREAM = 0x6576616C
"""Sets the evaluation's random numbers apart from those of a training with the same seed."""


class EvaluationSettings(Settings):
    """What an evaluation on the command line is about."""

    games: Natural = GAMES
    """Games at once, or elections of a run that is about those; a trainer that counts otherwise keeps to its config."""
    seed: Seed | None = None
    """Of the games; None for the run's own."""


def evaluate_named(path: str | Path, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings that ``key=value`` make of :class:`EvaluationSettings`, and the evaluation with them.

    Raises:
        ParameterError: if an override is wrong.
        RunError: as :func:`evaluate`.
    """
    data = apply_overrides({}, overrides)
    try:
        settings = EvaluationSettings.model_validate(data)
    except ValidationError as error:
        raise ParameterError(complaint(EvaluationSettings, data, error)) from None
    return settings.model_dump(), evaluate(path, settings.games, settings.seed)


def evaluate(path: str | Path, games: int = GAMES, seed: int | None = None) -> dict[str, Any]:
    """Evaluate a run as its trainer does; of a run over several seeds, return the aggregate of theirs.

    Args:
        path: the run's folder.
        games: how many are played, or elections held, where the trainer's config does not say.
        seed: of everything that is drawn; None for the run's own.

    Returns:
        What the trainer's ``evaluate`` tells; see :class:`lawgiver.trainers.runs.trainer.Trainer`.

    Raises:
        RunError: if the folder is not a run, is damaged, or there is no mechanism.
        MissingExtraError: if packages are missing that the evaluation needs.
    """
    run = Run.open(path)
    require_extras(f"the evaluation of {run.path}", *_needed(run))
    if run.settings.get("seeds") is None:
        return _evaluate(run, games, seed)
    members = {member: run.path / f"s{member}" for member in run.settings["seeds"]}
    found = {member: _evaluate(Run.open(folder), games, seed) for member, folder in members.items()}
    return {"runs": [str(folder) for folder in members.values()], **over_seeds(found)}


def _evaluate(run: Run, games: int, seed: int | None) -> dict[str, Any]:
    return trainer_of(run).evaluate(run, games, [STREAM, run.settings["seed"] if seed is None else seed])


def _needed(run: Run) -> Iterator[str]:
    """Yield the extras that an evaluation needs: those of the training, without those for sampling and learning."""
    trainer = run.settings["trainer"]["name"]
    declared = entry(TRAINERS, trainer).extras if trainer in names(TRAINERS) else []
    yield from dict.fromkeys("torch" if extra == "rllib" else extra for extra in declared if extra in PACKAGES)
