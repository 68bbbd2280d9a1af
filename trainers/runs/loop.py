"""The training loop of every trainer: update, check, log, save a checkpoint, and continue after an interruption.

A trainer supplies a :class:`Learner`. :func:`train` calls its ``update`` with 1, 2, ..., so that a training is
``update`` applied repeatedly to the state: a run that is killed at any moment and resumed ends with the numbers of an
uninterrupted one, provided that all random draws of an update depend on the state or the update's number alone.

    class Climber:
        def update(self, number: int) -> dict[str, float]:
            self.x += 0.1 * (1 - self.x)
            return {"distance": 1 - self.x}  # a number that is not finite stops the training

        def report(self, numbers: Mapping[str, float]) -> Report:
            return Report({"x": self.x, **numbers}, note=f"x {self.x:.3f}")

        def state(self) -> dict[str, Any]:
            return {"x": self.x}

        def restore(self, state: Mapping[str, Any]) -> None:
            self.x = state["x"]

    loop.train(run, Climber(), updates=1_000, log_every=10, checkpoint_every=100)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lawgiver.trainers.runs.state import restoring, save_state
from lawgiver.trainers.runs.training_run import TrainingRun


@dataclass(frozen=True)
class Report:
    """One line of metrics.jsonl.

    Attributes:
        metrics: numbers, lists or mappings of them; nothing that depends on the clock.
        note: a few words for the progress bar.
        timing: seconds and rates beyond those that the loop measures.
    """

    metrics: Mapping[str, Any]
    note: str = ""
    timing: Mapping[str, float] = field(default_factory=dict)


class Learner(Protocol):
    """State of a training and its update."""

    def update(self, number: int) -> Mapping[str, float]:
        """Carry out update ``number``, counted from 1; return the numbers that must be finite."""

    def report(self, numbers: Mapping[str, float]) -> Report:
        """Describe the training after an update that returned ``numbers``; called when a line of metrics is due."""

    def state(self) -> Mapping[str, Any]:
        """Collect everything the next update depends on; see :func:`~lawgiver.trainers.runs.state.save_state`."""

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned; the state of another training may raise any exception."""


class Updated(Protocol):
    """State of a training and its update, for :class:`Averaged`, which reports on it."""

    def update(self, number: int) -> dict[str, float]:
        """Carry out update ``number``; see :class:`Learner`."""

    def state(self) -> Mapping[str, Any]:
        """Collect everything the next update depends on."""

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned."""


@dataclass
class Averaged:
    """A learner whose lines of metrics have the means of the updates since the line before.

    Attributes:
        learner: that is updated.
        described: makes a line of metrics of these means.
        recent: numbers of the updates since the last line.
    """

    learner: Updated
    described: Callable[[Mapping[str, float]], Report]
    recent: list[dict[str, float]] = field(default_factory=list)

    def update(self, number: int) -> Mapping[str, float]:
        """Take one step."""
        self.recent.append(self.learner.update(number))
        return self.recent[-1]

    def report(self, numbers: Mapping[str, float]) -> Report:
        """Describe the training by the means of the recent updates."""
        means = {name: sum(each[name] for each in self.recent) / len(self.recent) for name in numbers}
        self.recent = []
        return self.described(means)

    def state(self) -> dict[str, Any]:
        """Collect the learner's state, and the numbers that no line of metrics has yet."""
        return {"learner": self.learner.state(), "recent": self.recent}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        self.learner.restore(state["learner"])
        self.recent = list(state["recent"])


def train(
    run: TrainingRun,
    learner: Learner,
    *,
    updates: int,
    log_every: int = 1,
    checkpoint_every: int,
    early: Collection[int] = (),
    finished: Callable[[], bool] = lambda: False,
) -> None:
    """Carry out the remaining updates of a run.

    A resumed run continues from its newest checkpoint, and the lines of metrics after it are written again.

    Args:
        run: its folder receives metrics and checkpoints.
        learner: learner in the state of a new training.
        updates: number of updates of the whole training, those before an interruption included; the most, where
            ``finished`` may end it earlier.
        log_every: updates between two lines of metrics; the last update always has one.
        checkpoint_every: updates between two checkpoints; the last update always has one.
        early: numbers of further updates with a line of metrics.
        finished: whether the learner's state needs no further update; asked after each of them.

    Raises:
        RunError: if a number that has to be finite is not, naming the last good checkpoint; if the newest checkpoint is
            damaged or is no state of this training; or if the folder cannot be written.
    """
    done = _resume(run, learner)
    if done and finished():
        return
    logged, since = done, time.monotonic()
    with run.progress(updates, run.name, done) as show:
        for update in range(done + 1, updates + 1):
            numbers = learner.update(update)
            run.require_finite(update, numbers)
            last = update == updates or finished()
            if last or update % log_every == 0 or update in early:
                report = learner.report(numbers)
                now = time.monotonic()
                timing = {"wall_s": run.wall_s, "updates_per_s": (update - logged) / (now - since)}
                logged, since = update, now
                show(update, report.note)
                run.log(update, report.metrics, {**timing, **report.timing})
            if last or update % checkpoint_every == 0:
                run.save_checkpoint(update, lambda folder: save_state(folder, learner.state()))
            if last:
                break


def _resume(run: TrainingRun, learner: Learner) -> int:
    """Restore the newest checkpoint of a resumed run; return its number of completed updates."""
    found = run.resume_from_checkpoint()
    if found is None:
        return 0
    update, folder = found
    with restoring(folder) as state:
        learner.restore(state)
    return update
