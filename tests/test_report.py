"""The figures of a finished run: of any trainer's summary, and never in the way of the run itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lawgiver.agents.network_policies import LearnedMechanism, LearnedParticipants
from lawgiver.trainers.plots import curves as figures
from lawgiver.trainers.plots import run_figures as report
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.atomic_files import RunError
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.run import Run


@pytest.fixture
def run(walk: Path, tmp_path: Path) -> Run:
    made = Run.create("walk", load_config(walk, [f"run_dir={tmp_path / 'run'}"]))
    made.log(1, {"score": [1.0, 2.0], "exact_score": "unknown", "participant": {"anchor_kl": 0.5}}, {})
    return made


def drawn(run: Run) -> set[str]:
    return {file.name for file in run.figures.iterdir()}


@pytest.mark.parametrize(
    "summary",
    [
        {},
        {"log_nash_welfare": 8.2, "gini": 0.3},
        {"log_nash_welfare": {"learned": 8.2}, "gini": 0.3},
        {"log_nash_welfare": {"learned": [8.2], "ceiling": "high"}, "gini": {"learned": 0.1}},
        {"log_nash_welfare": None, "gini": None},
        {"log_nash_welfare": [8.2]},
    ],
)
def test_a_summary_of_another_shape_is_drawn_as_far_as_it_goes(run: Run, summary: dict[str, Any]):
    report.draw(run, summary)
    assert drawn(run) == {"curves.png"}


def test_scores_by_mechanism_are_drawn(run: Run):
    report.draw(run, {"log_nash_welfare": {"learned": 8.2, "ceiling": None}, "gini": {"learned": 0.3}})
    assert drawn(run) == {"curves.png", "welfare_equality.png"}


@pytest.mark.parametrize("participants", [None, "someone", {}, {"inverse_temperature": None}])
def test_agents_of_another_shape_have_no_equilibrium_to_compare_with(walk: Path, tmp_path: Path, participants: Any):
    game = ["game.name=public_investment", "game.mechanism_mode=announce", "game.endowments=[4,2,2]"]
    run = Run.create("walk", load_config(walk, [*game, f"run_dir={tmp_path / 'run'}"]))
    run.settings["agents"] = {"participants": participants}
    run.save_policy("mechanism", LearnedMechanism(run.game(), start=(1.0, 1.0), hidden=None))
    run.save_policy("participant", LearnedParticipants(run.game(), hidden=(4,), anchor="uniform"))
    report.draw(run, {})
    assert drawn(run) == {"beach.png"}


def test_a_full_disk_leaves_no_part_of_a_figure(tmp_path: Path):
    (tmp_path / ".a.png.tmp").symlink_to("/dev/full")
    with pytest.raises(RunError, match=r"cannot write .*a\.png: No space left on device"):
        figures.save(figures.new_figure(1, 1), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def fails(run: Run, summary: dict[str, Any]) -> None:
    with pytest.raises(RunError, match="is being trained by another process"):
        Run.resume(run.path)  # nobody else may change what is being drawn
    raise ValueError("a bug\nin drawing")


def test_a_failure_in_drawing_says_that_the_run_is_complete(
    walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(report, "draw", fails)
    path = tmp_path / "out"
    with pytest.raises(RunError) as error:
        launch.train(walk, [f"run_dir={path}"])
    assert str(error.value) == (
        f"{path} is complete, its summary.json is written; only the figures in {path / 'figures'} could not all be"
        " drawn: a bug in drawing"
    )
    assert json.loads((path / "summary.json").read_text())["config"] == "walk"
    Run.resume(path).close()
