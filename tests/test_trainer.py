"""A trainer as an object: what it declares can be had without what it trains with, and defaults fill what it omits."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.registry import TRAINERS, _entries, names
from lawgiver.trainers.cli import app
from lawgiver.trainers.evaluation.evaluate import evaluate
from lawgiver.trainers.evaluation.in_games import evaluate_run
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.trainer import IN_GAMES, Deferred, Trainer, find_trainer, trainer_of
from lawgiver.trainers.settings.base import Config
from lawgiver.trainers.statistics.streams import EVALUATION

OBJECT = """\
from fake_trainer import Agents, Walk, train
from lawgiver.trainers.settings.base import Config
from lawgiver.trainers.runs.trainer import Trainer
from lawgiver.trainers.tables.cells import Table, cell


def evaluate(run, games, seed):
    return {"played": games, "seed": list(seed), "position": run.summary["position"]}


def figures(run, summary):
    from lawgiver.trainers.plots.style import new_figure
    figure = new_figure(2, 2)
    figure.subplots().plot([line["position"] for line in run.lines()])
    yield "path.png", figure


def tables(numbers):
    yield Table("Where the walk ended", {"walk": {"position": cell(numbers["position"])}}, ("position",))


trainer = Trainer(
    config=Config[Agents, Walk], train=train, evaluate=evaluate, figures=figures, tables=tables,
    meanings={"played": "games that nobody played"},
)
"""
PARTS = {"train": ["config", "run"], "evaluate": ["run", "games", "seed"], "figures": ["run", "summary"]}


def entry_points(site: Path, value: str) -> None:
    (site / "fake_trainer-1.0.dist-info" / "entry_points.txt").write_text(f"[lawgiver.trainers]\nwalk = {value}\n")
    _entries.cache_clear()


def test_what_trainers_declare_needs_neither_torch_nor_ray_nor_matplotlib():
    code = (
        "import sys; from lawgiver.envs.core.registry import names; from lawgiver.trainers.runs.trainer import"
        " find_trainer; [find_trainer(name).config.model_json_schema() for name in names('lawgiver.trainers')];"
        " print(sorted({'torch', 'ray', 'matplotlib', 'scipy'} & sys.modules.keys()))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", names(TRAINERS))
def test_every_part_of_a_trainer_is_there_and_takes_what_it_is_given(name: str, part: str):
    trainer = find_trainer(name)
    assert isinstance(trainer, Trainer) and issubclass(trainer.config, Config)
    function = getattr(trainer, part).load()
    assert list(inspect.signature(function).parameters) == PARTS[part]


def test_an_object_evaluates_draws_and_tabulates_its_runs_by_itself(plugin: Path, walk: Path, tmp_path: Path):
    pytest.importorskip("matplotlib")
    (plugin / "walk_object.py").write_text(OBJECT)
    entry_points(plugin, "walk_object:trainer")
    path, summary = launch.train(walk, [f"run_dir={tmp_path / 'out'}", "seed=4"])
    assert [file.name for file in (path / "figures").iterdir()] == ["path.png"]
    assert evaluate(path, games=12) == {"played": 12, "seed": [EVALUATION, 4], "position": summary["position"]}
    assert evaluate(path, seed=7)["seed"] == [EVALUATION, 7]
    printed = CliRunner().invoke(app, ["evaluate", str(path), "games=12"]).output
    assert "Where the walk ended" in printed and "position" not in printed.partition("This run")[2]
    assert re.search(r"^played +12 +games that nobody played *$", printed, re.M)
    sys.modules.pop("walk_object")


def test_a_run_of_a_trainer_that_is_gone_takes_the_defaults(plugin: Path, walk: Path, tmp_path: Path):
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'out'}"])
    known = trainer_of(Run.open(path))
    entry_points(plugin, "elsewhere:train")
    (plugin / "fake_trainer-1.0.dist-info" / "entry_points.txt").write_text("")
    _entries.cache_clear()
    gone = trainer_of(Run.open(path))
    assert (gone.evaluate, gone.figures) == (known.evaluate, known.figures)
    assert gone.evaluate == IN_GAMES and IN_GAMES.load() is evaluate_run


@pytest.mark.parametrize("value", ["fake_trainer:Walk", "fake_trainer:__doc__"])
def test_what_is_neither_an_object_nor_a_function_with_a_config_is_refused(plugin: Path, value: str):
    entry_points(plugin, value)
    with pytest.raises(ParameterError, match="trainer 'walk' does not say which config it takes"):
        find_trainer("walk")


def test_a_deferred_function_is_imported_when_it_is_called():
    assert Deferred("json:dumps")({"a": 1}, indent=None) == json.dumps({"a": 1})
    missing = Deferred("no_such_module:train")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        missing()
