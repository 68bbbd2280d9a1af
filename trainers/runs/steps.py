"""The steps of a run that goes through the same ones over and over, each a folder that is written atomically.

Completed steps are skipped, so that a run which is killed anywhere is resumed at the step in which it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lawgiver.trainers.runs.atomic_files import RunError, read_manifest, write_folder
from lawgiver.trainers.runs.training_run import TrainingRun


class Steps:
    """The steps of one run under ``iterations/<s>/<name>``, in the order in which they are asked for.

    Every step draws its random numbers from the seed, its iteration and its name alone, so that a run which is
    interrupted anywhere continues as if it had not been.
    """

    def __init__(self, run: TrainingRun) -> None:
        self.run = run
        self.folder = run.path / "iterations"
        self.seconds: dict[str, float] = {}
        """By name, whichever process has spent them."""
        self.spent_here = 0.0
        """Seconds of the steps that this process has carried out."""
        self._logged = 0

    def result(self, iteration: int, name: str) -> dict[str, Any] | None:
        """Read the result of a step, None if it is not completed; raises RunError as :meth:`do` does."""
        path = self._path(iteration, name)
        found: dict[str, Any] | None = read_manifest(path, told=dict)["told"] if path.exists() else None
        return found

    def require_same_people(self, iteration: int, name: str, population_hash: str) -> None:
        """Check that people are those of a step whose result has their ``population_hash``, if it is completed.

        Raises:
            RunError: if they are others, or as :meth:`do` raises it.
        """
        begun = self.result(iteration, name)
        if begun is not None and begun["population_hash"] != population_hash:
            raise RunError(
                f"{self.run.path} was begun with other people: their hash was {begun['population_hash']} and is"
                f" {population_hash} now, as they have been refitted or replaced since; begin a new run, or go on with"
                " the lawgiver of then"
            )

    def _path(self, iteration: int, name: str) -> Path:
        return self.folder / str(iteration) / name

    def do(
        self,
        iteration: int,
        name: str,
        work: Callable[[Path], dict[str, Any]],
        settings: Mapping[str, Any] | None = None,
    ) -> tuple[Path, dict[str, Any]]:
        """Carry out a step unless it is completed; return its folder and result.

        ``work`` fills the folder and returns the result. With ``settings``, as JSON has them, a step that was completed
        with others is carried out again.

        Raises:
            RunError: if a file of a finished step is missing or damaged, or the folder cannot be written.
        """
        if not self._logged and self.run.resumed:
            self.run.rewind(0)  # the log begins anew: the steps that are done are written into it again
        path = self._path(iteration, name)
        if not path.exists() or (settings is not None and read_manifest(path).get("settings") != settings):
            self._carry_out(path, work, {} if settings is None else {"settings": settings})
        facts = read_manifest(path, told=dict, clock=dict)
        result, seconds = facts["told"], float(facts["clock"]["wall_s"])
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self._logged += 1
        self.run.log(self._logged, {"iteration_of_the_loop": iteration, "step": name, **result}, {"step_s": seconds})
        return path, result

    def timing(self) -> dict[str, float]:
        """Compute the seconds of the run, ``wall_s``, and of the steps of each name, in all processes so far."""
        steps = {f"{name}_s": spent for name, spent in self.seconds.items()}
        return {"wall_s": sum(steps.values()) + self.run.wall_s - self.spent_here, **steps}

    def _carry_out(self, path: Path, work: Callable[[Path], dict[str, Any]], facts: Mapping[str, Any]) -> None:
        started = time.monotonic()
        result: dict[str, Any] = {}
        clock: dict[str, float] = {}

        def write(folder: Path) -> None:
            result.update(work(folder))
            clock["wall_s"] = time.monotonic() - started

        write_folder(path, write, told=result, clock=clock, **facts)
        self.spent_here += clock["wall_s"]
