"""Results of a search: what each trial comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from lawgiver.envs.core.errors import UnknownNameError, allowed
from lawgiver.envs.files.json_text import plain
from lawgiver.trainers.runs.metrics_log import leaves
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import is_number
from lawgiver.trainers.tuning.space import Range

State: TypeAlias = Literal["finished", "stopped", "failed", "waiting"]
"""Of a trial: ``stopped`` by the scheduler; ``waiting`` where it has not begun or was interrupted."""


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Attributes:
        number: counted from 0.
        values: of the searched keys.
        state: how far it is.
        iteration: of its last line of metrics, 0 before the first.
        value: of the metric, None while it is not known.
        run: its folder, an ordinary run.
        error: why it failed, in one line, else empty.
    """

    number: int
    values: Mapping[str, Any]
    state: State
    iteration: int
    value: float | None
    run: Path
    error: str = ""

    def row(self, metric: str) -> dict[str, Any]:
        """Write it as a row of the table, the searched values by their keys."""
        head = {"trial": self.number, "state": self.state, "iteration": self.iteration, metric: self.value}
        return {**head, **self.values, "run": str(self.run), "error": self.error}


@dataclass(frozen=True)
class Tuning:
    """A search and what it has found.

    Attributes:
        folder: of its runs and of everything that it writes.
        metric: that trials are compared by.
        mode: ``max`` or ``min``.
        space: the ranges by key.
        trials: in the order in which they were drawn.
        files: that were written.
    """

    folder: Path
    metric: str
    mode: Literal["max", "min"]
    space: Mapping[str, Range]
    trials: tuple[Trial, ...]
    files: tuple[Path, ...] = ()

    @property
    def best(self) -> Trial | None:
        """The best of the finished trials, the first of several; None while none is finished."""
        known = [trial for trial in self.trials if trial.state == "finished" and trial.value is not None]
        sign = 1 if self.mode == "max" else -1
        return max(known, key=lambda trial: sign * (trial.value or 0.0), default=None)


def measured(run: Run, metric: str) -> float | None:
    """Read a metric of a run: in its last line of metrics that has it, else in the summary.

    Args:
        run: finished or not.
        metric: a column of ``run.metrics``, or a path into the summary, its parts joined by slashes.

    Returns:
        the number; None where an unfinished run has none yet.

    Raises:
        UnknownNameError: naming those that there are, if the finished run has no such number.
    """
    lines = [numbers(line) for line in run.lines()]
    found = next((line[metric] for line in reversed(lines) if metric in line), None)
    if found is not None or not run.finished:
        return found
    summary = numbers(run.summary)
    if metric not in summary:
        raise unknown_metric(metric, [*(lines[-1] if lines else ()), *summary])
    return summary[metric]


def numbers(line: Mapping[str, Any]) -> dict[str, float]:
    """Find the numbers of a line of metrics, or of a summary, by their paths."""
    return {name: float(value) for name, value in leaves(plain(line)) if is_number(value)}


def unknown_metric(metric: str, names: Sequence[str]) -> UnknownNameError:
    """Make the error of a metric that a run has not."""
    return UnknownNameError(f"unknown metric {metric!r}: {allowed(metric, list(dict.fromkeys(names)))}")
