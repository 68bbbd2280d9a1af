"""The figures of a finished run: of any trainer's summary, and never in the way of the run itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lawgiver.agents.network_policies import LearnedMechanism, LearnedParticipants
from lawgiver.trainers.plots import drawing, style
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.atomic_files import RunError
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.trainer import find_trainer
from lawgiver.trainers.runs.training_run import TrainingRun

SCORES = "Mechanism: log Nash welfare a round, played and at the exact equilibrium of its mean"


@pytest.fixture
def run(walk: Path, tmp_path: Path) -> Run:
    made = TrainingRun.create("walk", load_config(walk, [f"run_dir={tmp_path / 'run'}"]))
    made.log(1, {"score": [1.0, 2.0], "exact_score": "unknown", "participant": {"anchor_kl": 0.5}}, {})
    return made


def drawn(run: Run) -> set[str]:
    return {file.name for file in run.figures_folder.iterdir()}


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
    drawing.draw(run, summary)
    assert drawn(run) == {"curves.png"}


def test_every_metric_of_a_third_party_has_its_curve_under_its_own_name(run: Run):
    run.log(2, {"score": 7.5, "position": 0.5, "nested": {"loss": 0.25, "rate": 2.0}}, {"steps_per_s": 3.0})
    ((name, figure), *more) = find_trainer("walk").figures(run, {"log_nash_welfare": {"learned": 8.0, "ceiling": 9.0}})
    assert name == "curves.png" and not more
    drawn = {axis.get_title(loc="left"): [line.get_label() for line in axis.get_lines()] for axis in figure.axes}
    assert drawn == {
        SCORES: ["score", "ceiling, rational people"],
        "participant": ["anchor kl"],
        "position": ["position"],
        "nested": ["loss", "rate"],
    }


def test_scores_by_mechanism_are_drawn(run: Run):
    drawing.draw(run, {"log_nash_welfare": {"learned": 8.2, "ceiling": None}, "gini": {"learned": 0.3}})
    assert drawn(run) == {"curves.png", "welfare_equality.png"}


@pytest.mark.parametrize("participants", [None, "someone", {}, {"inverse_temperature": None}])
def test_agents_of_another_shape_have_no_equilibrium_to_compare_with(walk: Path, tmp_path: Path, participants: Any):
    game = ["game.name=public_investment", "game.mechanism_mode=announce", "game.endowments=[4,2,2]"]
    run = TrainingRun.create("walk", load_config(walk, [*game, f"run_dir={tmp_path / 'run'}"]))
    run.settings["agents"] = {"participants": participants}
    run.save_policy("mechanism", LearnedMechanism(run.game(), start=(1.0, 1.0), hidden=None))
    run.save_policy("participant", LearnedParticipants(run.game(), hidden=(4,), anchor="uniform"))
    drawing.draw(run, {})
    assert drawn(run) == {"beach.png"}


def test_a_full_disk_leaves_no_part_of_a_figure(tmp_path: Path):
    (tmp_path / ".a.png.tmp").symlink_to("/dev/full")
    with pytest.raises(RunError, match=r"cannot write .*a\.png: No space left on device"):
        style.save(style.new_figure(1, 1), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def fails(run: Run, summary: dict[str, Any]) -> None:
    with pytest.raises(RunError, match="is being trained by another process"):
        TrainingRun.resume(run.path)  # nobody else may change what is being drawn
    raise ValueError("a bug\nin drawing")


def test_a_failure_in_drawing_says_that_the_run_is_complete(
    walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(drawing, "draw", fails)
    path = tmp_path / "out"
    with pytest.raises(RunError) as error:
        launch.train(walk, [f"run_dir={path}"])
    assert str(error.value) == (
        f"{path} is complete, its summary.json is written; only the figures in {path / 'figures'} could not all be"
        " drawn: a bug in drawing"
    )
    assert json.loads((path / "summary.json").read_text())["config"] == "walk"
    TrainingRun.resume(path).close()
