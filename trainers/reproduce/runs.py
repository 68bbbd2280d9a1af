"""Trainings and figures of a reproduction: existing runs are reused if their settings match, missing ones trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawgiver.envs.files.json_text import plain
from lawgiver.envs.files.reading import read_json
from lawgiver.trainers.plots.drawing import can_draw
from lawgiver.trainers.reproduce.table import NOT_GIVEN, Row
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.atomic_files import RunError, write_json
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def finished(wanted: Sequence[tuple[Path, str | Path, Sequence[str]]], jobs: int) -> tuple[Run, ...]:
    """Train or continue the runs that are not finished; see :func:`lawgiver.trainers.runs.launch.ensure_all`.

    Raises:
        RunError: if an existing run has other settings; nothing has been trained then.
    """
    for place, config, overrides in wanted:
        if (place / "config.yaml").exists():
            asked = load_config(config, overrides).model_dump(mode="json")
            if {**Run.open(place).settings, "run_dir": None} != asked:
                raise RunError(f"{place} holds a run with other settings: remove it, or choose another --out")
    launch.ensure_all(wanted, jobs)
    return tuple(Run.open(place) for place, _, _ in wanted)


def finished_in_time(
    wanted: Sequence[tuple[Path, str | Path, Sequence[str]]], jobs: int, extent: str = "", paper: str = NOT_GIVEN
) -> tuple[tuple[Run, ...], tuple[Row, ...]]:
    """Train or continue runs as :func:`finished` does, and measure the time.

    Args:
        wanted: folder, config and overrides of each run.
        jobs: maximum number of parallel trainings, >= 1.
        extent: addition to the label of the first row.
        paper: times that the paper gives.

    Returns:
        the runs; and the rows of total training time and, if anything was trained now, of elapsed time, in seconds.
    """
    started, trained = time.monotonic(), missing([place for place, *_ in wanted])
    runs = finished(wanted, jobs)
    elapsed = time.monotonic() - started
    seconds = float(sum(run.summary.timing["wall_s"] for run in runs))
    total = Row(f"seconds that {len(runs)} trainings took{extent}, added up", seconds, paper=paper)
    if not trained:
        return runs, (total,)
    now = Row(f"seconds from beginning to end, {trained} trainings of {len(runs)}", elapsed, paper="-")
    return runs, (total, now)


def kept(file: Path, task: Mapping[str, Any], work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Read a result from a file, or compute it and write it there at once, if there is none or of another task.

    Raises:
        RunError: if the file is damaged or cannot be written.
    """
    try:
        data = read_json(file)
        if data["task"] == plain(dict(task)):
            found: dict[str, Any] = data["found"]
            return found
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} is damaged, remove it to have it computed again: {error}") from error
    result = plain(dict(work()))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, {"task": dict(task), "found": result})
    return dict(result)


def slug(name: str) -> str:
    """Write a name as that of a folder: lower-case letters and digits, joined by underscores."""
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


def missing(places: Sequence[Path]) -> int:
    """Count the folders without a finished run."""
    return sum(not launch.is_finished(place) for place in places)


def saved(folder: Path, figures: Iterable[tuple[str, str, Figure]]) -> Iterator[Path]:
    """Write figures, each given by file name and heading, and yield their paths; nothing without matplotlib."""
    if not can_draw():
        return
    from lawgiver.trainers.plots import style

    for name, heading, figure in figures:
        style.save(figure, folder / name, heading)
        yield folder / name
