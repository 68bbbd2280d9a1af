"""All trainings and scores of a benchmark, in one folder: what is finished is kept, what is not goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from lawgiver.agents.learned import PolicyFileError
from lawgiver.envs.core.errors import (
    LawgiverError,
    MissingExtraError,
    ParameterError,
    UnsupportedGameError,
    choice,
    integer,
)
from lawgiver.trainers.benchmark.entries import OWN, Entry, check_algorithm, make_entry
from lawgiver.trainers.benchmark.report import Report
from lawgiver.trainers.benchmark.scores import score_run
from lawgiver.trainers.benchmark.task import SIZES, VERSION, Task, read_task, task_names
from lawgiver.trainers.runs.atomic_files import RunError, made_folder, read_stored, write_json, write_text
from lawgiver.trainers.runs.launch import Interrupted, ensure, in_parallel
from lawgiver.trainers.runs.provenance import commit, versions
from lawgiver.trainers.runs.yaml_text import write_yaml

MARK = "benchmark.json"
"""Names the version of the benchmark that a folder belongs to."""
UNFIT = (UnsupportedGameError, ParameterError, MissingExtraError, PolicyFileError)
"""Errors of a task that does not fit a trainer, or of a policy that cannot play the task's game."""


@dataclass(frozen=True)
class _Work:
    """One training of an entry, for another process.

    Attributes:
        task: it learns.
        algorithm: that learns.
        size: of the task.
        seed: of the training.
        config: file of it, but for the seed.
        folder: of the run.
    """

    task: Task
    algorithm: str
    size: str
    seed: int
    config: Path
    folder: Path


def benchmark(
    algorithms: Sequence[str] = (OWN,),
    tasks: Sequence[str] = (),
    size: str = "small",
    seeds: int = 3,
    jobs: int = 1,
    out: str | Path = "runs/benchmark",
) -> Report:
    """Train algorithms on the benchmark's tasks, score them, and report.

    Args:
        algorithms: names of trainers that take part (:func:`lawgiver.trainers.benchmark.entries.algorithms`); ``own``
            is the algorithm that the library has for each task.
        tasks: their names, or YAML files of one's own; all of the benchmark's by default.
        size: ``small`` or ``full``.
        seeds: trainings of each, from seed 0 on, >= 1.
        jobs: maximum number of parallel trainings, >= 1; more than one use Ray.
        out: folder of the runs and the report. What it holds already of the same configs and commit is not trained
            again; a training that was interrupted goes on.

    Raises:
        LawgiverError: if a name is unknown, a number out of range, or the folder belongs to another version of the
            benchmark; one line.
        Interrupted: if the user stops it.
    """
    choice("size", size, SIZES)
    integer("seeds", seeds, 1)
    integer("jobs", jobs, 1)
    for algorithm in algorithms:
        check_algorithm(algorithm)
    chosen = [read_task(name) for name in (tasks or task_names())]
    folder = _claimed(Path(out))
    work, reasons = list[_Work](), dict[tuple[str, str], str]()
    for task, algorithm in product(chosen, algorithms):
        try:
            entry = make_entry(task, algorithm, size)
        except LawgiverError as error:
            reasons[task.name, algorithm] = str(error)
            continue
        runs = [(seed, entry.folder(folder, seed)) for seed in range(seeds)]
        config = _written(entry, runs[0][1].parent)
        work += [_Work(task, algorithm, size, seed, config, run) for seed, run in runs]
    try:
        rows = [_scored(each) for each in work] if jobs == 1 else in_parallel(_scored, [(each,) for each in work], jobs)
    except KeyboardInterrupt as stop:
        raise Interrupted(folder) from stop
    for row in rows:
        if "reason" in row:
            reasons[row["task"], row["algorithm"]] = row["reason"]
    report = Report(
        size=size,
        seeds=seeds,
        tasks=tuple(chosen),
        algorithms=tuple(algorithms),
        rows=tuple(row for row in rows if "reason" not in row),
        reasons=reasons,
        provenance={"commit": commit(), "versions": versions()},
    )
    report.save(folder)
    return report


def _claimed(folder: Path) -> Path:
    """Make the folder, or check that it is of this version of the benchmark."""
    made_folder(folder)
    mark, ours = folder / MARK, {"version": VERSION, "lawgiver": versions()["lawgiver"]}
    if not mark.exists():
        write_json(mark, ours)
    found = read_stored(mark)
    if found != ours:
        raise RunError(
            f"{folder} was written by {found.get('version')} of lawgiver {found.get('lawgiver')}, allowed:"
            f" {VERSION} of lawgiver {ours['lawgiver']}, or another folder (--out)"
        )
    return folder.absolute()


def _scored(work: _Work) -> dict[str, Any]:
    """Train one entry with one seed, unless it is finished, and score it."""
    about = {"task": work.task.name, "algorithm": work.algorithm, "seed": work.seed}
    try:
        summary = ensure(work.folder, work.config, f"seed={work.seed}")
        return {**about, **_score(work, summary)}
    except UNFIT as error:
        return {**about, "reason": str(error)}


def _written(entry: Entry, folder: Path) -> Path:
    """Write the config of an entry beside its runs, for people and for ``lawgiver train``."""
    made_folder(folder)
    file = folder / "config.yaml"
    if not file.exists():
        settings = entry.config.model_dump(mode="json")
        write_text(file, write_yaml({key: settings[key] for key in ("game", "agents", "trainer", "resources")}))
    return file


def _score(work: _Work, summary: Mapping[str, Any]) -> dict[str, Any]:
    file = work.folder / "score.json"
    if not file.exists():
        scores = score_run(work.task, work.folder, work.size, work.seed)
        found = {population: score.data() for population, score in scores.items()}
        write_json(file, {**found, "wall_s": summary["timing"]["wall_s"]})
    return read_stored(file)
