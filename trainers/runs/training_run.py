"""A run during training: its folder is locked, and every write to it is atomic."""

from __future__ import annotations

import fcntl
import logging
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Self, TypeAlias

from lawgiver.agents.learned import LearnedPolicy, save_policy
from lawgiver.envs.files.json_text import plain
from lawgiver.trainers.runs.atomic_files import (
    LockedError,
    RunError,
    read_manifest,
    write_folder,
    write_json,
    write_text,
    writing,
)
from lawgiver.trainers.runs.provenance import commit, versions
from lawgiver.trainers.runs.run import CHECKPOINT, STAMP, Run
from lawgiver.trainers.runs.summary import FORMAT
from lawgiver.trainers.runs.yaml_text import LARGEST, write_yaml
from lawgiver.trainers.settings.base import AnyConfig
from lawgiver.trainers.statistics.estimate import with_estimates

LINES = 20
"""Lines of progress that a training logs where there is no terminal for a progress bar."""
KEPT = 2
"""Checkpoints that a run keeps."""
Watch: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Takes a line of metrics, nested as it was logged."""
_LOGGER = logging.getLogger("lawgiver")


class TrainingRun(Run):
    """A run that is trained in this process. Made by :meth:`create` or :meth:`resume`.

    Attributes:
        resumed: whether an interrupted training is being continued.
        show_progress: whether there is a terminal, for a progress bar.
        watch: called with each line of metrics once it is written; None for nobody.
    """

    def __init__(self, path: Path, settings: dict[str, Any], name: str, resumed: bool = False) -> None:
        """Not for direct use: see the class."""
        super().__init__(path, settings, name)
        self.resumed = resumed
        self.show_progress = sys.stderr.isatty()
        self.watch: Watch | None = None
        self._started = time.monotonic()
        self._wall_before = 0.0
        self._lock: IO[str] | None = None
        self._commit: str | None = None
        self._made: list[Path] = []  # by this process, a folder before what is in it

    @classmethod
    def create(cls, name: str, config: AnyConfig) -> Self:
        """Make a new run's folder: ``config.run_dir``, or ``runs/<name>/<time>-s<seed>`` (``-seeds`` for several).

        Raises:
            RunError: if the folder holds a run already or cannot be written, or the config is too large to be read.
        """
        path = config.run_dir or new_folder(name, f"s{config.seed}" if config.seeds is None else "seeds")
        run = cls(path, config.model_dump(mode="json") | {"run_dir": str(path)}, name)
        if any((path / part).exists() for part in ("config.yaml", "metrics.jsonl", "summary.json")):
            raise RunError(f"{path} already holds a run: choose another run_dir, or continue it with --resume {path}")
        run._config_text()  # its own check, before anything is made
        inner = (run.checkpoints, run.policies, run.figures_folder) if config.seeds is None else ()
        with writing(path):
            for folder in (*reversed(path.parents), path, *inner):
                if not folder.exists():
                    folder.mkdir(exist_ok=True)
                    run._made.append(folder)
        run._acquire()
        run._made += [path / ".lock", path / "config.yaml"]
        run._write_config()
        return run

    def discard(self) -> None:
        """Remove everything that :meth:`create` has made, unless some training has been written since."""
        trained = ("metrics.jsonl", "summary.json", "checkpoints/*", "policies/*", "s*/config.yaml")
        if any(any(self.path.glob(pattern)) for pattern in trained):
            return
        for made in reversed(self._made):
            if not made.is_dir():
                made.unlink(missing_ok=True)
            else:
                with suppress(OSError):  # somebody else's files are in it by now
                    made.rmdir()

    @classmethod
    def resume(cls, path: str | os.PathLike[str], config: AnyConfig | None = None) -> Self:
        """Open a run's folder to continue the training, with ``config`` in place of its own where given.

        Raises:
            RunError: as :meth:`open`; or if another process is training in it.
        """
        run = cls.open(path)
        run.resumed = True
        run._acquire()
        if config is not None:
            former, run.settings = run.settings, config.model_dump(mode="json") | {"run_dir": str(run.path)}
            if run.settings["trainer"] != former["trainer"]:  # a summary that stayed would speak for the new config
                (run.path / "summary.json").unlink(missing_ok=True)
            run._write_config()
        return run

    def _acquire(self) -> None:
        """Lock the folder against other processes; the system releases the lock when this process ends."""
        with writing(self.path):
            self._lock = (self.path / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(f"{self.path} is being trained by another process") from error
        self._commit = commit()  # now: the source may change while this process runs

    def _config_text(self) -> str:
        stamp = {STAMP: {"version": version("lawgiver"), "config": self.name}}
        text = write_yaml(stamp | self.settings)
        if len(text) > LARGEST:
            size = f"config {self.name!r} takes {len(text):,} characters in a run's folder"
            raise RunError(f"{size}, allowed: {LARGEST:,}; tables that are larger belong into a file of numbers")
        return text

    def _write_config(self) -> None:
        write_text(self.path / "config.yaml", self._config_text())

    def log(self, iteration: int, metrics: Mapping[str, Any], timing: Mapping[str, float]) -> None:
        """Append one line to metrics.jsonl, and the numbers to TensorBoard's events.

        Args:
            iteration: counted from 1; greater than any that has been logged.
            metrics: numbers, lists or mappings of them; nothing that depends on the clock.
            timing: what depends on the clock: seconds and rates.

        Raises:
            RunError: if it cannot be written, or the iteration has been logged before.
        """
        self._log.append(iteration, metrics, timing)
        if self.watch is not None:
            self.watch({"iteration": iteration, **metrics, "timing": timing})

    def require_finite(self, iteration: int, losses: Mapping[str, float]) -> None:
        """Stop the training if a loss is NaN or infinite.

        Raises:
            RunError: naming the loss, the iteration and the last good checkpoint.
        """
        for name, loss in losses.items():
            if not math.isfinite(loss):
                raise RunError(
                    f"{name} is {loss} at iteration {iteration}: training has stopped; {self.last_good_checkpoint()}"
                )

    def last_good_checkpoint(self) -> str:
        """Describe where the newest checkpoint is, for error messages; raises RunError if it is damaged."""
        last = self.latest_checkpoint()
        return f"the last good checkpoint is {last[1]}" if last else "there is no checkpoint yet"

    def save_checkpoint(
        self,
        iteration: int,
        write: Callable[[Path], None],
    ) -> Path:
        """Save a checkpoint by calling ``write`` on a folder, atomically, and drop all but the newest ``KEPT``.

        Raises:
            RunError: if it cannot be written; the older checkpoints are then intact.
        """
        path = self.checkpoints / f"{iteration:08d}"
        self._log.flush()
        write_folder(path, write, iteration=iteration, logged=self._log.last, wall_s=self.wall_s)
        for old in self._checkpoint_folders()[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return path

    def save_policy(self, role: str, policy: LearnedPolicy) -> Path:
        """Save a learned policy of a role, or the voters, in the run's folder, atomically.

        Raises:
            RunError: if it cannot be written.
        """
        path = self.policies / role
        write_folder(path, lambda folder: save_policy(folder, policy))
        return path

    def resume_from_checkpoint(self) -> tuple[int, Path] | None:
        """Rewind a resumed run to its newest checkpoint; None for a new run or where there is no checkpoint.

        Returns:
            the iteration, and the checkpoint's folder.
        """
        if not self.resumed:
            return None
        found = self.latest_checkpoint()
        self.rewind(found[0] if found else 0)
        return found

    def rewind(self, iteration: int) -> None:
        """Drop the metrics of all iterations after ``iteration``, from whose checkpoint the training continues.

        Args:
            iteration: of a checkpoint, or 0 to start over.

        Raises:
            RunError: if the checkpoint is damaged, or metrics from before it are missing.
        """
        if not iteration:
            self._log.rewind(0, last=0)
            return
        facts = read_manifest(self.checkpoints / f"{iteration:08d}", **CHECKPOINT)
        self._log.rewind(iteration, last=facts["logged"])
        self._wall_before = facts["wall_s"]

    @property
    def wall_s(self) -> float:
        """Seconds spent on this run so far, those before an interruption included."""
        return self._wall_before + time.monotonic() - self._started

    @contextmanager
    def progress(self, total: int, description: str, done: int = 0) -> Iterator[Callable[..., None]]:
        """Show a progress bar; yields ``update(completed, note="")``."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        console = Console(stderr=True)
        with Progress(*columns, console=console, disable=not self.show_progress, transient=True) as bar:
            task = bar.add_task(description, total=total, completed=done, note="")

            shown = done

            def update(completed: int, note: str = "") -> None:
                nonlocal shown
                bar.update(task, completed=completed, note=note)
                if not self.show_progress and (completed >= total or LINES * (completed - shown) >= total):
                    shown = completed
                    _LOGGER.info("%s: %s of %s%s", description, completed, total, f", {note}" if note else "")

            yield update

    def finish(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Write summary.json, with its format and provenance, and return its content.

        Everything that depends on the clock belongs under ``summary["timing"]``; ``timing.wall_s`` is added.
        """
        key = "seed" if self.settings.get("seeds") is None else "seeds"
        facts = {"config": self.name, key: self.settings[key], "commit": self._commit, "versions": versions()}
        timing = {"wall_s": self.wall_s, **summary.get("timing", {})}
        whole: dict[str, Any] = plain({"format": FORMAT, **summary, **facts, "timing": timing})
        write_json(self.path / "summary.json", whole)
        known: dict[str, Any] = with_estimates(whole)
        return known

    def close(self) -> None:
        """Close the log and release the lock."""
        self._log.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def new_folder(name: str, suffix: str) -> Path:
    """Choose a new folder under ``runs/<name>/``, named by the time and ``suffix``."""
    stem = time.strftime("%Y%m%d-%H%M%S")
    path, count = Path("runs", name, f"{stem}-{suffix}"), 1
    while path.exists():
        count += 1
        path = Path("runs", name, f"{stem}.{count}-{suffix}")
    return path
