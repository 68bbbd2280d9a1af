"""Every command in the surroundings that it may meet: no Unicode, no reader, no home, no place to write, no extras.

Each group runs in one process (``every_command.py``), so that only the first of its commands pays for imports.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lawgiver.envs.core.registry import TRAINERS, entry
from lawgiver.trainers.cli import app
from lawgiver.trainers.cli.lists import KINDS, listed
from lawgiver.trainers.reproduce import PAPERS
from lawgiver.trainers.runs.overrides import require_given_once
from lawgiver.trainers.runs.packaged_configs import config_names

Told = tuple[int, str, str]
"""Exit code, stdout and stderr."""

HELPER = Path(__file__).with_name("every_command.py")
PEOPLE = ("starlette", "uvicorn", "jinja2", "sqlalchemy", "pyarrow")
OPTIONAL = ("torch", "ray", "matplotlib", "scipy", "sklearn", "nashpy", *PEOPLE)
TINY = ("trainer.updates=1", "trainer.log_every=1", "game.n=2", "game.m=1", "trainer.evaluation.profiles=16")
AUDIT = ("audit", "vcg", "--game", "sequential_sales", "profiles=2", "effort=1", "gradient=false")
TOURNAMENT = ("tournament", "libertarian", "strict_egalitarian", "games=4")
READING = [
    ("--version",),
    ("--help",),
    ("bench", "--help"),
    ("games",),
    ("games", "repeated_allocation"),
    *(("list", kind) for kind in KINDS),
]


def told(
    folder: Path, *commands: tuple[str, ...], blocked: tuple[str, ...] = (), closed: bool = False, **more: object
) -> list[Told]:
    """Return what commands do that are run one after the other in a process of their own."""
    folder.mkdir()
    environment = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, str(HELPER), str(folder), ",".join(blocked), str(int(closed))],
        env=os.environ | environment | more.pop("env", {}),
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        **more,
    )
    assert done.returncode == 0, done.stderr
    results = [tuple(each) for each in json.loads((folder / "results.json").read_text())]
    for command, (_, out, err) in zip(commands, results, strict=True):
        for text in (out, err):
            assert "Traceback" not in text and "Exception ignored" not in text, (command, text)
    return results


def one_line(result: Told) -> str:
    """Return the line of a command that is refused, which prints nothing else."""
    code, out, err = result
    assert code == 2 and not out and err.startswith("lawgiver: ") and err.count("\n") == 1, result
    return err


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "PYTHONCOERCECLOCALE": "0"}


def test_a_locale_without_unicode(tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    acting = [
        ("train", "affine_maximiser", *TINY, f"run_dir={run}"),
        ("evaluate", run),
        (*AUDIT, "--out", str(tmp_path / "audit")),
        (*TOURNAMENT, "--out", str(tmp_path / "tournament")),
    ]
    refused = [("reproduce", "nothing±"), ("games", "nothing"), ("train", "élan"), ("bench", "nothing")]
    results = told(tmp_path / "told", *READING, *acting, *refused, env=ASCII)
    for command, (code, out, _) in zip((*READING, *acting), results, strict=False):
        lost = "?" in out.replace("do you choose?", "")  # the question that people are asked
        assert code == 0 and out.isascii() and not lost, (command, code, out)
    assert "+-" in results[len(READING) + 3][1], "± is spelt"
    for result in results[-len(refused) :]:
        assert one_line(result).isascii()


def test_nobody_who_reads_the_output(tmp_path: Path) -> None:
    run = tmp_path / "run"
    acting = [("train", "affine_maximiser", *TINY, f"run_dir={run}"), ("evaluate", str(run)), AUDIT, TOURNAMENT]
    results = told(tmp_path / "told", *READING, *acting, ("games", "nothing"), closed=True)
    assert [code for code, *_ in results] == [1] * (len(results) - 1) + [2], "as the shell's own tools do"
    assert (run / "summary.json").exists(), "what was trained is kept"


@pytest.mark.parametrize("arguments", [["games", "public_investment"], ["list", "mechanisms"]])
def test_a_reader_who_has_seen_enough(arguments: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "lawgiver", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() in (0, 1)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder here in which nobody may write")
def test_no_home_and_a_working_directory_that_cannot_be_written(tmp_path: Path) -> None:
    config = ("train", "affine_maximiser", *TINY)
    reading = [("games",), ("list", "configs"), (*config, f"run_dir={tmp_path / 'run'}"), AUDIT]
    writing = [
        config,
        ("bench", "views", "--quick"),
        ("reproduce", "rmd"),
        (*AUDIT, "--out", "a"),
        (*TOURNAMENT, "--out", "t"),
    ]
    home = {"HOME": "/nowhere", "MPLCONFIGDIR": str(tmp_path / "matplotlib")}
    results = told(tmp_path / "told", *reading, *writing, cwd="/proc", env=home)
    assert [code for code, *_ in results[: len(reading)]] == [0] * len(reading)
    for result in results[len(reading) :]:
        assert "cannot write" in one_line(result)


# -- what is not installed ------------------------------------------------------------------------------------------


def extras_of(config: str) -> str:
    from lawgiver.trainers.runs.config import read_mapping

    return ",".join(entry(TRAINERS, read_mapping(config)["trainer"]["name"]).extras)


def test_a_plain_environment(tmp_path: Path, finished: Path) -> None:
    """Every command and every packaged config works, or names at once all that it needs."""
    (tmp_path / "payoffs.csv").write_text(",a,b\na,1,2\nb,0,3\n")
    needy = {
        **{("train", name): extras_of(name) for name in config_names()},
        **{("reproduce", name): ",".join(needed) for name, needed in PAPERS.items() if needed},
        ("reproduce", "rmd", "--jobs", "2"): "torch,solve,rllib",
        ("tune", "lanes", "seed=grid(0, 1)", "--metric", "score"): "rllib",
        ("evaluate", str(finished)): "torch",
        TOURNAMENT: "solve",
        ("tournament", "libertarian", str(finished)): "torch,solve",
        ("solve", str(tmp_path / "payoffs.csv")): "solve",
        ("play", "public_investment"): "people",
        ("bench", "torch"): "torch",
        ("bench", "rllib"): "rllib",
    }
    results = told(tmp_path / "told", *READING, AUDIT, *needy, blocked=OPTIONAL)
    assert [code for code, *_ in results[: len(READING) + 1]] == [0] * (len(READING) + 1)
    for (command, extras), result in zip(needy.items(), results[len(READING) + 1 :], strict=True):
        said = one_line(result)
        assert f"pip install 'lawgiver[{extras}]', with -c constraints.txt" in said, (command, said)
        named = said.partition(" needs ")[2].partition(":")[0].split(", ")
        brought = {
            "torch": {"torch", "scipy"},
            "rllib": {"ray", "torch", "scipy"},
            "solve": {"scipy", "nashpy"},
            "bo": {"sklearn", "scipy"},
            "people": set(PEOPLE),
        }
        assert set(named) == set().union(*(brought[extra] for extra in extras.split(","))), command


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a tiny affine maximiser."""
    from lawgiver.trainers.runs import launch

    return launch.train("affine_maximiser", [*TINY, f"run_dir={tmp_path_factory.mktemp('runs') / 'run'}"])[0]


def test_without_matplotlib_one_line_says_that_no_figures_were_drawn(tmp_path: Path) -> None:
    audit, tournament = tmp_path / "audit", tmp_path / "tournament"
    commands = [
        ("train", "affine_maximiser", *TINY, f"run_dir={tmp_path / 'run'}"),
        (*AUDIT, "--out", str(audit)),
        (*TOURNAMENT, "--out", str(tournament)),
    ]
    for code, out, err in told(tmp_path / "told", *commands, blocked=("matplotlib",)):
        assert code == 0, err
        lines = [line for line in err.splitlines() if "figures" in line]
        assert len(lines) == 1 and lines[0].startswith("lawgiver: no figures were drawn: drawing figures needs")
        assert ".png" not in out
    assert [file.name for file in audit.iterdir()] == ["audit.json"]
    assert [file.name for file in tournament.iterdir()] == ["tournament.json"]


def test_a_trainer_that_cannot_be_read_hides_no_other(plugin: Path) -> None:
    (plugin / "fake_trainer.py").write_text("def (:")
    lines = listed("trainers")
    assert any(line.startswith("walk") and "cannot be read" in line for line in lines)
    assert any(line.startswith("two_timescale") for line in lines)


# -- what is given twice --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "supply_demand", "seed=1", "seed=2"],
        ["train", "supply_demand", "game.n=3", "game={name: supply_demand}"],
        ["train", "--resume", "/nowhere", "resources.device=cpu", "resources={}"],
        ["evaluate", "/nowhere", "games=3", "games=3"],
        ["audit", "vcg", "seed=1", "seed=2"],
        ["tournament", "libertarian", "seed=1", "strict_egalitarian", "seed=2"],
        ["play", "public_investment", "seed=1", "seed=2"],
    ],
)
def test_an_override_that_undoes_another_is_refused(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, arguments)
    assert type(done.exception).__name__ == "ParameterError"
    assert "would undo" in str(done.exception) and "allowed: each key once" in str(done.exception)


def test_overrides_that_add_to_each_other_are_not() -> None:
    require_given_once(["game={name: supply_demand}", "game.n=3", "game.name=lanes", "seed=1", "seeds=[1]"])
