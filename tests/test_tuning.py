"""Searches: ranges are read and drawn as they say, and a search that is killed goes on where it was."""

from __future__ import annotations

import csv
import json
import os
import select
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lawgiver
from lawgiver.envs.core.errors import LawgiverError, ParameterError, UnknownNameError
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.tuning.plan import make_plan
from lawgiver.trainers.tuning.space import draw_trials, is_range, read_range

# -- ranges ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("uniform(-1, 2)", -1, 2), ("loguniform(1e-4,1e-1)", 1e-4, 1e-1), ("randint(3, 6)", 3, 5)],
)
def test_draws_fill_a_range(text: str, low: float, high: float) -> None:
    each = read_range("key", text)
    drawn = np.array([each.draw(np.random.default_rng(seed)) for seed in range(2000)])
    assert low <= drawn.min() and drawn.max() <= high
    if text.startswith("log"):
        drawn, low, high = np.log(drawn), np.log(low), np.log(high)
    assert drawn.mean() == pytest.approx((low + high) / 2, abs=0.03 * (high - low)), "the middle of what is uniform"
    assert drawn.std() == pytest.approx((2 / 3) ** 0.5 if "int" in text else (high - low) / 12**0.5, rel=0.05)


def test_choices_and_grids_hold_any_values() -> None:
    assert read_range("key", "choice(a, null, 1e-3, [1, {b: 2}])").arguments == ("a", None, 1e-3, [1, {"b": 2}])
    assert is_range("grid(1)") and not is_range("{policy: manifold, w: 1}") and not is_range(3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("loguniform(0, 1)", "loguniform(a, b) with 0 < a < b"),
        ("loguniform(1, .inf)", "loguniform(a, b) with 0 < a < b"),
        ("uniform(2, 1)", "uniform(a, b) with a < b"),
        ("uniform(a, b)", "uniform(a, b) with a < b"),
        ("uniform(1)", "uniform(a, b) with a < b"),
        ("uniform(true, 2)", "uniform(a, b) with a < b"),
        ("randint(1, 2.5)", "randint(a, b) with integers a < b, b excluded"),
        ("choice()", "choice(a, b, ...)"),
        ("grid([1)", "grid(a, b, ...)"),
        ("choice(!!python/object/apply:os.getcwd [])", "choice(a, b, ...)"),
        (
            "normal(0, 1)",
            "loguniform(a, b) with 0 < a < b; uniform(a, b) with a < b; randint(a, b) with integers a < b,",
        ),
    ],
)
def test_what_is_no_range_is_refused(text: str, told: str) -> None:
    with pytest.raises(ParameterError) as refused:
        read_range("trainer.step", text)
    assert str(refused.value).startswith(f"trainer.step is {text!r}, allowed: {told}")
    assert "\n" not in str(refused.value)


def test_more_samples_begin_with_the_same_trials() -> None:
    space = {key: read_range(key, text) for key, text in {"a": "grid(1, 2)", "b": "uniform(0, 1)"}.items()}
    few, many = draw_trials(space, 2, 7), draw_trials(space, 5, 7)
    assert many[:4] == few and [trial["a"] for trial in many] == [1, 2] * 5
    assert len({trial["b"] for trial in many}) == 10, "each trial has a draw of its own"
    assert draw_trials(space, 2, 8) != few


# -- before anything runs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "overrides", "told"),
    [
        ({"trainer.stpe": "uniform(0, 1)"}, {}, "trainer.stpe"),
        ({"trainer.iterations": "choice(3, 0)"}, {}, "trainer.iterations"),
        ({"trainer.step": "uniform(0, 1)"}, {"trainer.step": 1.0}, "override 'trainer.step' would undo 'trainer.step'"),
        ({"trainer.step": "uniform(0, 1)"}, {"run_dir": "out"}, "run_dir is given, allowed in a search: the folder"),
        ({"trainer.step": "uniform(0, 1)"}, {"seeds": [0, 1]}, "seeds is given, allowed in a search: seed, which may"),
        ({}, {}, "no key is searched, allowed: KEY=RANGE"),
    ],
)
def test_a_wrong_key_is_refused_before_anything_runs(space, overrides, told, walk: Path, tmp_path: Path) -> None:
    with pytest.raises(LawgiverError) as refused:
        lawgiver.tune(walk, space, overrides, metric="position", folder=tmp_path / "out")
    assert str(refused.value).startswith(told) or told in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_grids_alone_are_tried_once(walk: Path, tmp_path: Path) -> None:
    space = {"seed": "grid(0, 1)", "trainer.step": "grid(1, 2, 3)"}
    assert len(make_plan(walk, space, {}, None, tmp_path).trials) == 6
    with pytest.raises(ParameterError, match="samples is 2, allowed where there are only grids: 1"):
        make_plan(walk, space, {}, 2, tmp_path)


# -- searches, of which each starts a Ray of its own: see ray_cluster in conftest.py ----------------------------------

WAITS = """

_log = TrainingRun.log
def log(run, iteration, *more):
    _log(run, iteration, *more)
    if os.environ.get("WALK_WAITS_AT") == f"{run.settings['seed']}:{iteration}":
        Path(os.environ["WALK_FIFO"]).write_text("here")
        import threading
        threading.Event().wait()
TrainingRun.log = log
"""


def searching(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lawgiver", "tune", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=os.environ | environment, stdout=pipe, stderr=pipe, text=True)


def searched(*arguments: object) -> tuple[int, str, str]:
    process = searching(*arguments)
    out, err = process.communicate()
    return process.returncode, out, err


def untimed(path: Path) -> list[dict]:
    return [json.loads(line) | {"timing": None} for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_a_killed_search_goes_on_where_it_was(plugin: Path, walk: Path, tmp_path: Path) -> None:
    module = plugin / "fake_trainer.py"
    module.write_text(module.read_text() + WAITS)
    out, fifo = tmp_path / "out", tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    command = (walk, "seed=grid(3,4,5)", "trainer.step=2.0", "--metric", "nested/loss", "--mode=min", "--dir", out)
    process = searching(*command, WALK_WAITS_AT="4:5", WALK_FIFO=str(fifo))
    ready = select.select([reader, os.pidfd_open(process.pid)], [], [])[0]
    assert reader in ready, process.communicate()
    process.kill()
    process.communicate()
    os.close(reader)
    done, cut, none = (out / "trials" / name for name in ("000", "001", "002"))
    assert Run.open(done).finished and not Run.open(cut).finished and not none.exists()
    first = (done / "summary.json").stat().st_mtime_ns

    code, shown, said = searched(*command)
    assert code == 0, said
    assert (done / "summary.json").stat().st_mtime_ns == first, "what is finished is not repeated"
    losses = {}
    for seed, path in zip((3, 4, 5), (done, cut, none), strict=True):
        whole = launch.train(walk, [f"run_dir={tmp_path / str(seed)}", f"seed={seed}", "trainer.step=2.0"])[0]
        assert untimed(path) == untimed(whole), "as if it had not been interrupted"
        losses[seed] = untimed(whole)[-1]["nested"]["loss"]
    best = min(losses, key=losses.__getitem__)
    assert f"best: {out}/trials/00{best - 3}\n" in shown
    assert load_config(out / "best.yaml").seed == best
    rows = list(csv.DictReader((out / "trials.csv").read_text().splitlines()))
    assert {int(row["seed"]): float(row["nested/loss"]) for row in rows} == losses
    assert {row["state"] for row in rows} == {"finished"}
    found = json.loads((out / "trials.json").read_text())
    assert found["best"] == best - 3 and len(found["trials"]) == 3
    assert (out / "parallel.png").stat().st_size > 10_000
    assert not (out / ".ray").exists()

    again = {"space": {"seed": "grid(3,4,5)"}, "overrides": {"trainer.step": 2.0}, "folder": out}
    kept = lawgiver.tune(walk, **again, metric="log_nash_welfare/learned")  # nothing is left to train
    assert kept.best is not None and kept.best.value == max(trial.value or 0 for trial in kept.trials)
    with pytest.raises(UnknownNameError, match=r"unknown metric 'positoin': did you mean 'position'\? allowed: .*loss"):
        lawgiver.tune(walk, **again, metric="positoin")
    with pytest.raises(LawgiverError, match="holds a search with another space: choose another folder"):
        lawgiver.tune(walk, **{**again, "space": {"seed": "grid(3,4)"}}, metric="position")
    with pytest.raises(LawgiverError, match="holds a search with another config: choose another folder"):
        lawgiver.tune(walk, **{**again, "overrides": {"trainer.step": 3.0}}, metric="position")


def test_asha_stops_those_that_are_behind(walk: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    space, shared = {"trainer.step": "grid(8, 2, 1, 9)"}, {"trainer.iterations": 16}
    code, shown, said = searched(
        walk, "trainer.step=grid(8, 2, 1, 9)", "trainer.iterations=16", *("--metric=position", "--scheduler=asha"),
        f"--dir={out}",
    )  # fmt: skip
    assert code == 0, said
    assert "best: " in shown
    again = lawgiver.tune(walk, space, shared, metric="position", scheduler="asha", folder=out)
    # positions are the step times the same positive draw: the second and the third are behind the first at once
    assert [trial.state for trial in again.trials] == ["finished", "stopped", "stopped", "finished"]
    assert [trial.iteration for trial in again.trials] == [16, 1, 1, 16]
    assert not Run.open(out / "trials/001").finished


def test_a_trial_that_fails_is_told_and_a_wrong_metric_ends_the_search(walk: Path, tmp_path: Path) -> None:
    command = (walk, "trainer.mode=grid(steady, diverge)", f"--dir={tmp_path / 'out'}", "--metric")
    code, _, said = searched(*command, "positoin")
    assert code == 2
    assert said.splitlines()[-1].startswith("lawgiver: unknown metric 'positoin': did you mean 'position'? allowed: ")
    code, shown, said = searched(*command, "position")
    assert code == 0, said
    assert "trial 1 has failed: walk loss is nan at iteration 5: training has stopped" in shown
    assert f"best: {tmp_path}/out/trials/000\n" in shown
