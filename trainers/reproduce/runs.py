"""The trainings that a reproduction rests on: made where they are missing, refused where they are others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.atomic_files import RunError
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.run import Run


def finished(wanted: Sequence[tuple[Path, str | Path, Sequence[str]]], jobs: int) -> tuple[Run, ...]:
    """Return finished runs, trained or continued where they are not; see
    :func:`lawgiver.trainers.runs.launch.ensure_all`.

    Raises:
        RunError: if a run that is there was trained with other settings; nothing has been trained then.
    """
    for place, config, overrides in wanted:
        if _exists(place):
            asked = load_config(config, overrides).model_dump(mode="json")
            if {**Run.open(place).settings, "run_dir": None} != asked:
                raise RunError(f"{place} holds a run with other settings: remove it, or choose another --out")
    launch.ensure_all(wanted, jobs)
    return tuple(Run.open(place) for place, _, _ in wanted)


def missing(places: Sequence[Path]) -> int:
    """Return how many of the runs are not there, or not finished."""
    return sum(not _exists(place) or not Run.open(place).finished for place in places)


def _exists(place: Path) -> bool:
    return (place / "config.yaml").exists()
