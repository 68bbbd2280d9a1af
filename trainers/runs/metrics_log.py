"""Log of a run's metrics: one line of JSON an iteration, and the same numbers as TensorBoard events."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.files.json_text import from_json, to_json
from lawgiver.envs.files.reading import read_bytes
from lawgiver.trainers.runs.atomic_files import RunError, write_text, writing
from lawgiver.trainers.statistics.estimate import Estimate


class MetricsLog:
    """Appends to ``metrics.jsonl`` in a folder, and to TensorBoard's events where it is installed.

    A kill or a full disk may truncate the last line, which is then ignored.
    """

    def __init__(self, folder: Path) -> None:
        """Open no file before the first line."""
        self.folder = folder
        self.file = folder / "metrics.jsonl"
        self._events: Any = None
        self._last: int | None = None

    @property
    def last(self) -> int:
        """The iteration of the last whole line, 0 before the first."""
        if self._last is None:
            entries = self.entries()
            self._last = entries[-1]["iteration"] if entries else 0
        return self._last

    def append(self, iteration: int, metrics: Mapping[str, Any], timing: Mapping[str, float]) -> None:
        """Write one line; see :meth:`lawgiver.trainers.runs.run.Run.log`."""
        first_here = self._last is None
        if iteration <= self.last:
            raise RunError(
                f"{self.file} has iteration {self.last} already, {iteration} must not follow it: a trainer that"
                " continues a run goes on from its checkpoint, after run.rewind(iteration)"
            )
        line = to_json({"iteration": iteration, **metrics, "timing": timing})
        if first_here:
            self._cut_torn_line()
        self._last = None  # if this line is cut short, the next one must not be glued to it
        with writing(self.file), self.file.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        self._last = iteration
        if self._events is None:
            self._events = self._open_events(iteration)
        if self._events is not None:
            with writing(self.folder):
                for tag, value in _scalars({**metrics, "timing": timing}):
                    self._events.add_scalar(tag, value, iteration)

    def _open_events(self, iteration: int) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:  # TensorBoard comes with an extra; metrics.jsonl says the same
            return None
        with writing(self.folder):
            return SummaryWriter(str(self.folder), purge_step=iteration)  # hides what was rewound

    def _cut_torn_line(self) -> None:
        """Drop a truncated last line."""
        if not self.file.is_file():
            return
        with writing(self.file), self.file.open("r+b") as stream:
            stream.truncate(stream.read().rfind(b"\n") + 1)

    def entries(self) -> list[dict[str, Any]]:
        """Read all whole lines.

        Raises:
            RunError: if the file cannot be read, or any line but the last is damaged.
        """
        if not self.file.is_file() and not self.file.is_dir():  # nor is a device anything to be read
            return []
        try:
            lines = read_bytes(self.file).decode("utf-8", errors="replace").split("\n")
        except OSError as error:
            raise RunError(f"{self.file} cannot be read: {error.strerror or error}") from error
        entries: list[dict[str, Any]] = []
        for number, line in enumerate(lines[:-1], start=1):
            try:
                entries.append(from_json(line))
                if type(entries[-1]["iteration"]) is not int:
                    raise TypeError("iteration is not an integer")
            except (ValueError, TypeError, KeyError) as error:
                raise RunError(f"{self.file}, line {number}, is damaged: {error!r}") from error
        return entries

    def rewind(self, iteration: int, last: int) -> None:
        """Drop all lines after ``iteration``; the last one that stays must be of iteration ``last``, 0 for none.

        Raises:
            RunError: if it is not, since lines from before the checkpoint are missing.
        """
        kept = [entry for entry in self.entries() if entry["iteration"] <= iteration]
        found = kept[-1]["iteration"] if kept else 0
        if found != last:
            raise RunError(
                f"{self.file} is damaged: it ends with iteration {found}, but the checkpoint of iteration {iteration}"
                f" was written after the line of iteration {last}"
            )
        write_text(self.file, "".join(to_json(entry) + "\n" for entry in kept))
        self._last = found

    def flush(self) -> None:
        """Flush the lines and TensorBoard's events to the disk."""
        if self.file.is_file():
            with writing(self.file), self.file.open("rb") as stream:
                os.fsync(stream.fileno())
        if self._events is not None:
            with writing(self.folder):
                self._events.flush()

    def close(self) -> None:
        """Finish TensorBoard's events."""
        if self._events is not None:
            with writing(self.folder):
                self._events.close()
            self._events = None


def columns(entries: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Turn lines of metrics into a table; see :attr:`lawgiver.trainers.runs.run.Run.metrics`."""
    lines = [dict(leaves(entry)) for entry in entries]
    names = dict.fromkeys(name for line in lines for name in line)
    return {name: _column([line.get(name) for line in lines]) for name in names}


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield numbers and text by their paths, whose parts are joined by slashes."""
    if isinstance(value, Estimate):
        value = value.to_data()
    elif isinstance(value, (list, tuple)) or len(getattr(value, "shape", ())) > 0:
        value = dict(enumerate(value))
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{name}/{key}" if name else str(key))
    else:
        yield name, value


def _column(values: list[Any]) -> np.ndarray:
    """Make an array of a column: of integers, of floats with NaN for missing ones, or of objects."""
    if all(type(value) is int for value in values):
        return np.array(values)
    if all(value is None or isinstance(value, (int, float)) for value in values):
        return np.array([np.nan if value is None else value for value in values], float)
    return np.array(values, object)


def _scalars(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the numbers of metrics by their paths."""
    for name, value in leaves(metrics):
        if isinstance(value, (int, float)) or getattr(value, "shape", None) == ():
            yield name, float(value)
