"""The training loop: what it writes when, and that a run which is killed anywhere ends like one that is not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lawgiver.trainers.runs import loop
from lawgiver.trainers.runs.atomic_files import RunError
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.state import save_state
from lawgiver.trainers.runs.training_run import TrainingRun

UPDATES = 12
EVERY: dict[str, Any] = {"updates": UPDATES, "log_every": 3, "checkpoint_every": 4}


class Walk:
    """A random walk of two torch numbers, drawn from NumPy; the mean of its recent steps goes into the metrics."""

    def __init__(self, width: int = 2, bad: int = 0) -> None:
        self.rng, self.position, self.bad = np.random.default_rng(5), torch.zeros(width), bad
        self.recent: list[float] = []

    def update(self, number: int) -> Mapping[str, float]:
        self.position += torch.from_numpy(self.rng.normal(size=len(self.position)).astype(np.float32))
        self.recent.append(float(self.position.abs().sum()))
        return {"walk loss": math.nan if number == self.bad else self.recent[-1]}

    def report(self, told: Mapping[str, float]) -> loop.Report:
        mean, self.recent = sum(self.recent) / len(self.recent), []
        return loop.Report({"mean": mean, "last": told["walk loss"]}, f"mean {mean:.2f}", {"own_s": 0.5})

    def state(self) -> dict[str, Any]:
        return {"rng": self.rng.bit_generator.state, "position": self.position, "recent": list(self.recent)}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state, self.recent = state["rng"], state["recent"]
        self.position.copy_(state["position"])


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


def new(walk: Path, folder: Path) -> TrainingRun:
    return TrainingRun.create("walk", load_config(walk, [f"run_dir={folder}"]))


def lines(run: Run) -> list[dict[str, Any]]:
    return [{key: value for key, value in line.items() if key != "timing"} for line in run.lines()]


@pytest.fixture
def whole(walk: Path, tmp_path: Path) -> tuple[list[dict[str, Any]], torch.Tensor]:
    run, learner = new(walk, tmp_path / "whole"), Walk()
    loop.train(run, learner, **EVERY)
    run.close()
    return lines(run), learner.position


def test_lines_and_checkpoints_are_written_where_they_are_due(walk: Path, tmp_path: Path) -> None:
    run = new(walk, tmp_path / "run")
    loop.train(run, Walk(), updates=11, log_every=4, checkpoint_every=5, early=(1, 2))
    assert [line["iteration"] for line in run.lines()] == [1, 2, 4, 8, 11]
    assert [folder.name for folder in sorted(run.checkpoints.iterdir())] == ["00000010", "00000011"]
    for line in run.lines():
        assert line["timing"].keys() == {"wall_s", "updates_per_s", "own_s"}
        assert line["timing"]["updates_per_s"] > 0
    seconds = [line["timing"]["wall_s"] for line in run.lines()]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("moment", ["update", "report", "log", "save_checkpoint"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_run_that_is_killed_ends_like_one_that_is_not(
    walk: Path,
    tmp_path: Path,
    whole: tuple[list[dict[str, Any]], torch.Tensor],
    moment: str,
    after: bool,
    call: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner: Any = Walk if moment in ("update", "report") else TrainingRun
    real, calls = getattr(owner, moment), 0

    def killed(*given: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise Killed
        result = real(*given, **more)
        if calls == call:
            raise Killed
        return result

    run = new(walk, tmp_path / "run")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(owner, moment, killed)
        loop.train(run, Walk(), **EVERY)
    run.close()
    resumed, learner = TrainingRun.resume(run.path), Walk()
    loop.train(resumed, learner, **EVERY)
    resumed.close()
    assert lines(resumed) == whole[0]
    assert torch.equal(learner.position, whole[1])


def test_lines_beyond_the_checkpoint_are_written_again(walk: Path, tmp_path: Path) -> None:
    run = new(walk, tmp_path / "run")
    with pytest.raises(RunError):
        loop.train(run, Walk(bad=8), updates=UPDATES, log_every=1, checkpoint_every=4)
    run.close()
    assert [line["iteration"] for line in run.lines()] == list(range(1, 8))
    resumed = TrainingRun.resume(run.path)
    loop.train(resumed, Walk(), updates=UPDATES, log_every=1, checkpoint_every=4)
    assert [line["iteration"] for line in resumed.lines()] == list(range(1, UPDATES + 1))


def test_a_finished_run_is_left_as_it_is_and_a_prolonged_one_goes_on(
    walk: Path, tmp_path: Path, whole: tuple[list[dict[str, Any]], torch.Tensor]
) -> None:
    run = new(walk, tmp_path / "run")
    loop.train(run, Walk(), **EVERY | {"updates": 6})
    run.close()
    learner = Walk()
    for updates in (6, UPDATES):
        resumed, learner = TrainingRun.resume(run.path), Walk()
        loop.train(resumed, learner, **EVERY | {"updates": updates})
        resumed.close()
    assert lines(run) == whole[0]
    assert torch.equal(learner.position, whole[1])


@pytest.mark.parametrize(("bad", "good"), [(3, "there is no checkpoint yet"), (7, r"last good checkpoint is .*0004$")])
def test_a_number_that_is_not_finite_stops_with_the_last_good_checkpoint(
    walk: Path, tmp_path: Path, bad: int, good: str
) -> None:
    run = new(walk, tmp_path / "run")
    with pytest.raises(RunError, match=rf"walk loss is nan at iteration {bad}: training has stopped; .*{good}"):
        loop.train(run, Walk(bad=bad), **EVERY)
    assert max((line["iteration"] for line in run.lines()), default=0) < bad


@pytest.mark.parametrize(
    ("learner", "state"),
    [
        (Walk(width=3), None),
        (Walk(), {"rng": np.random.default_rng(0).bit_generator.state, "recent": []}),
        (Walk(), {**Walk().state(), "position": [0.0, 0.0]}),
        (Walk(), {**Walk().state(), "rng": {"bit_generator": "MT19937"}}),
    ],
)
def test_a_state_that_does_not_fit_is_refused_in_one_line(
    walk: Path, tmp_path: Path, learner: Walk, state: dict[str, Any] | None
) -> None:
    run = new(walk, tmp_path / "run")
    run.save_checkpoint(4, lambda folder: save_state(folder, Walk().state() if state is None else state))
    run.close()
    with pytest.raises(RunError, match="does not hold a state of this training") as refused:
        loop.train(TrainingRun.resume(run.path), learner, **EVERY)
    assert str(run.checkpoints / "00000004") in str(refused.value)
    assert "\n" not in str(refused.value)
