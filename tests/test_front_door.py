"""What ``import lawgiver`` offers: the command line from Python, with the same numbers and the same errors."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import lawgiver
from lawgiver import api
from lawgiver.envs.files.json_text import plain
from lawgiver.trainers.cli import app
from lawgiver.trainers.evaluation.payoff_table import PayoffTable
from lawgiver.trainers.runs.overrides import read_overrides
from lawgiver.trainers.runs.yaml_text import parse_yaml, write_yaml
from lawgiver.trainers.statistics.estimate import Estimate

SMALL = {
    "game.endowments": (4, 2, 2),
    "agents.participants.inverse_temperature": 2,
    "agents.mechanism.n_units": 4,
    "trainer.updates": 2,
    "trainer.log_every": 1,
}


def command(*arguments: object) -> str:
    """Return what a command prints, which must succeed."""
    done = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def timeless(summary: Any) -> dict[str, Any]:
    return {key: value for key, value in plain(summary).items() if key not in ("timing", "commit")}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> lawgiver.Run:
    """Train a graph network for two updates."""
    return lawgiver.train("exact_designer", SMALL, run_dir=tmp_path_factory.mktemp("front") / "run", seed=3)


# -- names ----------------------------------------------------------------------------------------------------------


def test_dir_shows_the_public_names_and_nothing_else():
    assert dir(lawgiver) == sorted(lawgiver.__all__)
    assert not {"envs", "agents", "trainers", "register_views", "Path"} & set(dir(lawgiver))
    for name in dir(lawgiver):
        assert getattr(lawgiver, name) is not None
    with pytest.raises(AttributeError, match="module 'lawgiver' has no attribute 'trian'"):
        _ = lawgiver.trian


def test_what_authors_import_is_there_without_torch_or_ray():
    code = (
        "import sys; from lawgiver.api import Game, Field, ParameterError, MechanismGame, Weights, Trainer, Run;"
        "assert not {'torch', 'ray', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert dir(api) == api.__all__ == sorted(set(api.__all__), key=api.__all__.index)
    for name in api.__all__:
        assert getattr(api, name) is not None
    with pytest.raises(AttributeError, match=r"module 'lawgiver.api' has no attribute 'Gmae'"):
        _ = api.Gmae


def test_walk_throughs_and_examples_import_from_the_api_alone():
    root = Path(__file__).parents[1]
    packages = [*(root / "examples" / "ippo").glob("*.py"), *(root / "tests" / "data" / "orchard").rglob("*.py")]
    guides = [root / "docs" / "how_to" / name for name in ("own_trainer.md", "own_learned_policy.md")]
    assert len(packages) > 3
    for page in (root / "CONTRIBUTING.md", *guides, *packages):
        modules = re.findall(r"^(?:from|import) (lawgiver\S*)", page.read_text(), re.MULTILINE)
        assert set(modules) <= {"lawgiver", "lawgiver.api", "lawgiver.testing"}, page


def test_the_notebook_goes_through_the_front_door():
    cells = json.loads((Path(__file__).parents[1] / "examples" / "quickstart.ipynb").read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert "lawgiver.train(" in code and "run.metrics[" in code and "run.summary[" in code
    assert not re.search(r"lawgiver\.(envs|agents|trainers)", code)


@pytest.mark.parametrize("name", [name for name in lawgiver.__all__ if name not in ("Run", "LawgiverError")])
def test_examples_in_docstrings_hold(name: str):
    thing = getattr(lawgiver, name)
    if not callable(thing):
        return
    (found,) = doctest.DocTestFinder(recurse=False).find(thing, name)
    assert found.examples and doctest.DocTestRunner().run(found).failed == 0


def test_every_function_is_documented_and_typed():
    for name in dir(lawgiver):
        thing = getattr(lawgiver, name)
        if not callable(thing) or isinstance(thing, type):
            continue
        text = thing.__doc__ or ""
        assert "Example:" in text, name
        assert "return" in thing.__annotations__, name
        inputs = [parameter for parameter in thing.__annotations__ if parameter != "return"]
        assert not inputs or ("Args:" in text and "Raises:" in text), name
        assert not text.startswith("Return "), name


def test_importing_brings_neither_torch_nor_ray_nor_what_a_command_needs():
    code = (
        "import sys, lawgiver; dir(lawgiver), lawgiver.__version__, lawgiver.list_games(), lawgiver.list_configs();"
        "heavy = {'torch', 'ray', 'matplotlib', 'scipy', 'pydantic', 'typer', 'rich', 'lawgiver.trainers.cli'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules);"
        "lawgiver.Run, lawgiver.train, lawgiver.audit, lawgiver.tournament, lawgiver.solve;"
        "assert not {'torch', 'ray', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_lists_are_the_names_that_the_command_lists():
    for kind in (
        "games",
        "mechanisms",
        "participants",
        "voters",
        "objectives",
        "configs",
        "trainers",
        "language_models",
    ):
        found = getattr(lawgiver, f"list_{kind}")()
        assert found == sorted(found) and found
        shown = command("list", kind)
        assert all(f"\n{name} " in f"\n{shown}" for name in found)
    assert command("--version") == f"lawgiver {lawgiver.__version__}\n"


# -- training -------------------------------------------------------------------------------------------------------


def test_training_gives_the_numbers_of_the_command_line(run: lawgiver.Run, tmp_path: Path):
    overrides = [f"{key}={list(value) if isinstance(value, tuple) else value}" for key, value in SMALL.items()]
    command("train", "exact_designer", *overrides, "seed=3", f"run_dir={tmp_path / 'out'}")
    other = lawgiver.open_run(tmp_path / "out")
    assert timeless(other.summary) == timeless(run.summary)
    assert (other.path / "config.yaml").read_text().replace(str(other.path), "X") == (
        (run.path / "config.yaml").read_text().replace(str(run.path), "X")
    )
    for name, column in run.metrics.items():
        if not name.startswith("timing/"):
            np.testing.assert_array_equal(column, other.metrics[name])
    for file in (run.path / "policies").rglob("*.safetensors"):
        assert file.read_bytes() == (other.path / file.relative_to(run.path)).read_bytes()


def test_resuming_gives_the_numbers_of_the_command_line(run: lawgiver.Run, undrawn: None, tmp_path: Path):
    for name in ("python", "shell"):
        lawgiver.train("exact_designer", SMALL, run_dir=tmp_path / name, seed=3)
    further = lawgiver.resume(lawgiver.open_run(tmp_path / "python"), {"trainer.updates": 3})
    command("train", "--resume", tmp_path / "shell", "trainer.updates=3")
    assert timeless(further.summary) == timeless(lawgiver.open_run(tmp_path / "shell").summary) != timeless(run.summary)


def test_evaluating_gives_the_numbers_of_the_command_line(run: lawgiver.Run):
    shown = json.loads(command("evaluate", run.path, "games=50", "seed=7", "--json"))
    found = lawgiver.evaluate(run, games=50, seed=7)
    assert shown == {"run": str(run.path), "games": 50, "seed": 7, **plain(found)}


def test_a_reproduction_gives_the_table_of_the_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from lawgiver.trainers import reproduce
    from lawgiver.trainers.reproduce.table import Reproduction, Row

    def small(folder: Path, n_seeds: int, jobs: int) -> Reproduction:
        folder.mkdir(parents=True)
        return Reproduction("A paper", {"A table": (Row("seeds", float(n_seeds)), Row("jobs", float(jobs)))}, ())

    monkeypatch.setattr(reproduce, "find", lambda name, *more: small)
    monkeypatch.chdir(tmp_path)
    made = lawgiver.reproduce("rmd", seeds=2)
    shown = command("reproduce", "rmd", "--seeds", 2, "--out", "out")
    assert made.markdown() in shown
    assert Path("out/table.json").read_text() == Path("runs/reproduce/rmd/table.json").read_text()


# -- what needs no training -----------------------------------------------------------------------------------------


def test_an_audit_gives_the_numbers_of_the_command_line(tmp_path: Path):
    found = lawgiver.audit("vcg", {"name": "sequential_sales", "n": 2, "m": 1}, profiles=5, effort=1)
    command("audit", "vcg", "--game", "sequential_sales", "game.n=2", "game.m=1", "profiles=5", "effort=1",
            "--out", tmp_path / "shell")  # fmt: skip
    files = found.save(tmp_path / "python")
    assert [file.name for file in files] == ["audit.json", "gains.png"]
    assert files[0].read_text() == (tmp_path / "shell" / "audit.json").read_text()
    game = lawgiver.make_game("sequential_sales", n=2, m=1)
    vcg = lawgiver.make_policy(game, "mechanism", "vcg")
    assert lawgiver.audit(vcg, game, profiles=5, effort=1).data() == found.data(), "objects do as well"


def test_a_tournament_gives_the_numbers_of_the_command_line(run: lawgiver.Run, tmp_path: Path):
    rules = ["libertarian", {"policy": "manifold", "w": 1, "v": 0}, run]
    held = lawgiver.tournament(rules, games=8, participants="random", seed=1)
    command("tournament", "libertarian", "{policy: manifold, w: 1, v: 0}", run.path, "games=8", "participants=random",
            "seed=1", "--out", tmp_path / "shell")  # fmt: skip
    assert held.names == ("libertarian", "{policy: manifold, w: 1, v: 0}", "run")
    assert held.settings["game"]["endowments"] == [4, 2, 2], "the game of the run"
    assert held.save(tmp_path / "python")[0].read_text() == (tmp_path / "shell" / "tournament.json").read_text()
    game = lawgiver.make_game("public_investment", endowments=(4, 2, 2))
    objects = {"mine": run.load("mechanism"), "theirs": lawgiver.make_policy(game, "mechanism", "libertarian")}
    voter, people = lawgiver.make_voter(game, "random"), lawgiver.make_policy(game, "participant", "random")
    other = lawgiver.tournament(objects, game=game, participants=people, voters=voter, games=8)
    assert other.names == ("mine", "theirs") and other.games == 8


def test_solutions_are_those_of_the_command_line(tmp_path: Path):
    found = lawgiver.solve("selfish_routing")
    assert {known.quantity: known.value for known in found}["price of anarchy of a mass of 1"] == pytest.approx(4 / 3)
    assert lawgiver.solve(lawgiver.make_game("selfish_routing")) == found
    command("solve", "selfish_routing", "--out", tmp_path)
    assert json.loads((tmp_path / "solutions.json").read_text())["solutions"] == list(map(asdict, found))
    (tmp_path / "game.csv").write_text(",a,b\na,1,2\nb,0,3\n")
    solved = lawgiver.solve(tmp_path / "game.csv")
    assert solved == lawgiver.solve(PayoffTable(("a", "b"), ("a", "b"), [[1, 2], [0, 3]], [[1, 0], [2, 3]]))
    command("solve", tmp_path / "game.csv", "--out", tmp_path)
    assert json.loads((tmp_path / "solutions.json").read_text()) == plain(solved)


# -- a run ----------------------------------------------------------------------------------------------------------


def test_metrics_are_a_table(run: lawgiver.Run):
    table = run.metrics
    assert next(iter(table)) == "iteration" and table["iteration"].tolist() == [1, 2]
    assert type(table) is dict and {column.shape for column in table.values()} == {(2,)}
    assert all(column.dtype.kind in "if" for column in table.values())
    lines = run.lines()
    assert table["timing/wall_s"].tolist() == [line["timing"]["wall_s"] for line in lines]
    assert "/" not in "".join(lines[0]), "lines are nested"


def test_metrics_have_nan_where_a_line_lacks_a_value():
    from lawgiver.trainers.runs.metrics_log import columns

    table = columns(
        [
            {"iteration": 1, "loss": 2, "of": {"seats": [1, 2.5]}, "stage": "model", "known": None},
            {"iteration": 4, "loss": 3, "score": 0.5, "known": 1},
        ]
    )
    assert list(table) == ["iteration", "loss", "of/seats/0", "of/seats/1", "stage", "known", "score"]
    assert table["iteration"].dtype.kind == table["loss"].dtype.kind == "i"
    np.testing.assert_array_equal(table["of/seats/1"], [2.5, np.nan])
    np.testing.assert_array_equal(table["score"], [np.nan, 0.5])
    np.testing.assert_array_equal(table["known"], [np.nan, 1])
    assert table["stage"].tolist() == ["model", None]
    assert columns([]) == {}


def test_a_summary_says_where_the_numbers_come_from(run: lawgiver.Run, walk: Path, tmp_path: Path):
    summary = run.summary
    assert (summary.config, summary.seeds, summary.alarms) == ("exact_designer", (3,), ())
    assert summary.versions["lawgiver"] == lawgiver.__version__ and summary.timing["wall_s"] > 0
    assert summary.commit is None or len(summary.commit.removesuffix("-dirty")) == 40
    assert dict(summary) == dict(summary.data) and len(summary) == len(list(summary)) and "gap_closed" in summary
    assert "gap_closed" in summary.results and not {"seed", "timing", "format"} & summary.results.keys()
    several = lawgiver.train(walk, {"seeds": [4, 5]}, run_dir=tmp_path / "several")
    position = several.summary["aggregate"]["position"]
    assert isinstance(position, Estimate) and several.summary.seeds == (4, 5)
    assert position.mean == pytest.approx(np.mean([member.summary["position"] for member in several.members]))
    assert position.low < position.mean < position.high
    assert repr(several) == f"<Run of walk, seeds 4, 5, finished: {tmp_path / 'several'}>"


def test_a_run_that_is_not_finished_says_so(walk: Path, tmp_path: Path):
    with pytest.raises(KeyboardInterrupt) as stop:
        lawgiver.train(walk, {"trainer.mode": "interrupt"}, run_dir=tmp_path / "run", seed=2)
    run = lawgiver.open_run(stop.value.path)
    assert not run.finished and run.metrics["iteration"].tolist() == [1, 2, 3, 4]
    assert repr(run) == f"<Run of walk, seed 2, not finished: {run.path}>"
    for work in (lambda: run.summary, run.figures):
        with pytest.raises(lawgiver.LawgiverError, match="is not finished: continue it with lawgiver train --resume"):
            work()
    assert lawgiver.resume(run).finished and run.summary.seeds == (2,)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format", None, "is of format None, which another version of lawgiver reads"),
        ("format", 1, "is of format 1, which lawgiver 0.1 reads; this version reads format 2"),
        ("config", 3, "is damaged: config is 3"),
        ("timing", [], r"is damaged: timing is \[\]"),
    ],
)
def test_a_summary_of_another_kind_is_refused(walk: Path, tmp_path: Path, key: str, value: Any, said: str):
    run = lawgiver.train(walk, run_dir=tmp_path / "run")
    file = run.path / "summary.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    with pytest.raises(lawgiver.LawgiverError, match=said) as error:
        _ = run.summary
    assert "\n" not in str(error.value)


def test_a_run_is_read_back(run: lawgiver.Run):
    opened = lawgiver.open_run(str(run.path))
    assert isinstance(opened, lawgiver.Run) and opened.load("mechanism").settings == run.load("mechanism").settings
    assert set(opened.load()) == set(lawgiver.load(run)) == {"mechanism"}
    drawn = {file: file.stat().st_mtime_ns for file in opened.figures_folder.iterdir()}
    assert sorted(opened.figures()) == sorted(drawn) and drawn
    assert all(file.stat().st_mtime_ns > before for file, before in drawn.items())


# -- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"trainer.update": 3}, "unknown key 'trainer.update': did you mean 'updates'? allowed: "),
        ({"game.endowment": [4, 2]}, "has no parameter 'endowment': did you mean 'endowments'? allowed: "),
        ({"trainer.updates": "3 of them"}, "trainer.updates is '3 of them': "),
        ({"agents.mechanism.n_units": None}, "agents.mechanism.n_units is None: "),
        ({"seed": 3}, "seed is given twice, as 3 and 1: allowed: once"),
        (
            {"trainer.updates": 3, "trainer": {}},
            "override 'trainer' would undo 'trainer.updates': allowed: each key once",
        ),
        ({"": 3}, "override '' is no key, allowed: its full path, such as 'trainer.name'"),
        ({3: 3}, "override 3 is no key, allowed: its full path"),
        ({"game.endowments": object()}, "game.endowments is <object object"),
        ({"game.endowments": {2}}, "game.endowments is {2}, allowed: None, a bool, number, string or path, a list or"),
    ],
)
def test_mistakes_are_named_as_on_the_command_line(overrides: dict[str, Any], said: str, tmp_path: Path):
    with pytest.raises(lawgiver.LawgiverError) as error:
        lawgiver.train("exact_designer", overrides, run_dir=tmp_path / "out", seed=1)
    assert said in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_other_mistakes_are_named_too(run: lawgiver.Run, tmp_path: Path):
    for said, work in {
        "unknown config 'exact_desiner': did you mean 'exact_designer'?": lambda: lawgiver.train("exact_desiner"),
        "'game.n' cannot be changed when a run is continued": lambda: lawgiver.resume(run, {"game.n": 3}),
        "games is 0": lambda: lawgiver.evaluate(run, games=0),
        "seed is -1": lambda: lawgiver.evaluate(run, seed=-1),
        "unknown key 'profile': did you mean 'profiles'?": lambda: lawgiver.audit("vcg", "gridworld", profile=3),
        "game is missing, allowed: ": lambda: lawgiver.audit("vcg"),
        "game is 3, allowed: a name": lambda: lawgiver.audit("vcg", 3),
        "unknown key 'gmaes': did you mean 'games'?": lambda: lawgiver.tournament(["random", "libertarian"], gmaes=3),
        "has no name, allowed: a mapping {NAME: mechanism}": lambda: lawgiver.tournament([run.load("mechanism")] * 2),
        "unknown paper 'rnd': did you mean 'rmd'?": lambda: lawgiver.reproduce("rnd"),
        "unknown game 'lane': did you mean 'lanes-v0'?": lambda: lawgiver.solve("lane"),
        "cannot be read": lambda: lawgiver.solve(tmp_path / "no.csv"),
        "the folder of a run is 3, allowed: a path": lambda: lawgiver.open_run(3),
        "the folder of a run is 4, allowed: a path": lambda: lawgiver.resume(4),
        "the folder of a run is 5, allowed: a path": lambda: lawgiver.evaluate(5),
        "overrides are ['trainer.iterations=3'], allowed: a mapping": lambda: lawgiver.train(
            "lanes", ["trainer.iterations=3"]
        ),
        "overrides are 'seed=3', allowed: a mapping": lambda: lawgiver.resume(run, "seed=3"),
        "mechanisms are 'libertarian', allowed: a list of two or more": lambda: lawgiver.tournament("libertarian"),
        "mechanisms are 3, allowed: a list of two or more": lambda: lawgiver.tournament(3),
    }.items():
        with pytest.raises(lawgiver.LawgiverError) as error:
            work()
        assert said in str(error.value) and "\n" not in str(error.value)


# -- overrides ------------------------------------------------------------------------------------------------------


VALUES = ["no", "1e3", "+1e-3", "1.e5", "null", "", " a: b", "2020-01-01", "0x10", "1:30", "~", "{a: 1}", "3", "é"]


@pytest.mark.parametrize(
    "value", [*VALUES, None, True, 0, -3, 0.1, 1e16, 1e300, float("inf"), [1, "1e3", None], {"a": "no"}]
)
def test_a_value_from_python_is_the_quoted_one_of_the_command_line(value: Any):
    assert read_overrides({"a.b": value}) == read_overrides([f"a.b={json.dumps(value)}"]) or value == float("inf")
    kept = parse_yaml(write_yaml({"a": value}))["a"]
    assert kept == value and type(kept) is type(value), "and that is what a run's config.yaml keeps"


def test_arrays_tuples_and_paths_become_plain():
    given = {
        "a": np.arange(3),
        "b": (1, np.float32(2.5)),
        "c": Path("x/y"),
        "d": np.str_("no"),
        "e": {"f": (np.True_,)},
    }
    found = read_overrides(given)
    assert found == {"a": [0, 1, 2], "b": [1, 2.5], "c": "x/y", "d": "no", "e": {"f": [True]}}
    assert parse_yaml(write_yaml(found)) == found


def test_a_string_that_looks_like_a_number_survives_a_resumption(
    walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    run = lawgiver.train(walk, {"agents.anchor": {"mechanism": "1e3"}}, run_dir="1e4")
    assert run.settings["agents"]["anchor"]["mechanism"] == "1e3" and run.settings["run_dir"] == "1e4"
    assert lawgiver.resume(run, {"trainer.iterations": 8}).metrics["iteration"][-1] == 8
