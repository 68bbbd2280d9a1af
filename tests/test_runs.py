"""Run folders: what is written survives kills, full disks and damage, and says so when it does not."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import yaml

import lawgiver
from lawgiver.agents.network_policies import LearnedMechanism
from lawgiver.envs.core.errors import LawgiverError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.trainers.runs import launch, training_run
from lawgiver.trainers.runs.atomic_files import RunError, write_text
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.metrics_log import _scalars
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.estimate import Estimate, t_quantile
from lawgiver.trainers.statistics.seeds import aggregate, over_seeds

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def run(walk: Path, tmp_path: Path) -> TrainingRun:
    return TrainingRun.create("walk", load_config(walk, [f"run_dir={tmp_path / 'run'}"]))


def test_a_config_that_could_not_be_read_back_makes_no_run(walk, tmp_path, monkeypatch):
    monkeypatch.setattr(training_run, "LARGEST", 10)
    with pytest.raises(RunError, match=r"config 'walk' takes .* characters in a run's folder, allowed: 10; tables"):
        TrainingRun.create("walk", load_config(walk, [f"run_dir={tmp_path / 'run'}"]))
    assert not (tmp_path / "run").exists()


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def lines(path: Path) -> list[dict]:
    entries = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in entry.items() if key != "timing"} for entry in entries]


# -- a run from beginning to end ------------------------------------------------------------------------------------


def test_a_run_leaves_a_complete_folder(walk: Path, tmp_path: Path):
    path, summary = launch.train(walk, [f"run_dir={tmp_path / 'out'}", "trainer.iterations=7"])
    assert path == tmp_path / "out"
    assert [entry["iteration"] for entry in lines(path)] == list(range(1, 8))
    assert [folder.name for folder in sorted((path / "checkpoints").iterdir())] == ["00000003", "00000006"]
    assert list(path.glob("events.out.tfevents.*"))
    assert summary == json.loads((path / "summary.json").read_text())
    assert summary["timing"].keys() == {"wall_s", "steps_per_s"}
    assert (summary["seed"], summary["config"], summary["gap_closed"]) == (0, "walk", None)
    assert set(summary["versions"]) >= {"python", "lawgiver", "numpy"}
    stamp = yaml.safe_load((path / "config.yaml").read_text())
    assert stamp["lawgiver"] == {"version": summary["versions"]["lawgiver"], "config": "walk"}
    assert stamp["trainer"]["iterations"] == 7
    assert not [file for file in path.rglob("*") if ".tmp" in file.name or ".old" in file.name]


def test_same_seed_same_numbers_other_seed_others(walk: Path, tmp_path: Path):
    paths = [launch.train(walk, [f"run_dir={tmp_path / name}", f"seed={name[0]}"])[0] for name in ("1a", "1b", "2")]
    first, again, other = map(lines, paths)
    assert first == again != other


def test_the_default_folder_is_new_each_time(walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    paths = {launch.train(walk, ["seed=5", "trainer.iterations=1"])[0] for _ in range(2)}
    assert len(paths) == 2
    assert all(path.parent == Path("runs/walk") and path.name.endswith("-s5") for path in paths)


# -- resuming -------------------------------------------------------------------------------------------------------


def test_a_resumed_run_has_no_gap_and_no_repeat(walk: Path, tmp_path: Path):
    whole, _ = launch.train(walk, [f"run_dir={tmp_path / 'whole'}", "trainer.iterations=9"])
    path = tmp_path / "stopped"
    with pytest.raises(launch.Interrupted) as stop:
        launch.train(walk, [f"run_dir={path}", "trainer.iterations=9", "trainer.mode=interrupt"])
    assert stop.value.path == path
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"iteration": 5, "posi')  # cut short by a kill
    _, summary = launch.resume(path)
    assert lines(path) == lines(whole)
    assert summary["position"] == json.loads((whole / "summary.json").read_text())["position"]


def test_an_iteration_is_logged_once(run: TrainingRun):
    run.log(1, {"a": 1.0}, {})
    run.log(5, {"a": 1.0}, {})
    for again in (1, 5):
        with pytest.raises(RunError, match=rf"metrics\.jsonl has iteration 5 already, {again} must not follow it"):
            run.log(again, {"a": 2.0}, {})
    run.close()
    resumed = TrainingRun.resume(run.path)
    with pytest.raises(RunError, match="has iteration 5 already"):
        resumed.log(5, {"a": 2.0}, {})
    resumed.log(6, {"a": 1.0}, {})
    assert [(entry["iteration"], entry["a"]) for entry in lines(run.path)] == [(1, 1.0), (5, 1.0), (6, 1.0)]


def test_nothing_is_glued_to_a_line_that_was_cut_short(run: TrainingRun):
    run.log(1, {"a": 1.0}, {})
    run.close()
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"iteration": 2, "a"')
    resumed = TrainingRun.resume(run.path)
    assert [entry["iteration"] for entry in resumed.lines()] == [1]
    resumed.log(2, {"a": 3.0}, {})
    assert lines(run.path) == [{"iteration": 1, "a": 1.0}, {"iteration": 2, "a": 3.0}]


def test_a_checkpoint_needs_the_metrics_from_before_it(walk: Path, tmp_path: Path):
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'out'}", "trainer.iterations=7"])
    file = path / "metrics.jsonl"
    before = "".join(file.read_text().splitlines(keepends=True)[:4])
    file.write_text(before)
    with pytest.raises(RunError, match=r"metrics\.jsonl is damaged: it ends with iteration 4, .* of iteration 6"):
        launch.resume(path)
    assert file.read_text() == before


def test_metrics_are_on_the_disk_before_the_checkpoint(run: TrainingRun, monkeypatch: pytest.MonkeyPatch):
    flushed: list[str] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    run.log(1, {"a": 1.0}, {})
    run.save_checkpoint(1, lambda folder: None)
    assert flushed[0] == "metrics.jsonl"
    assert "checkpoints" in flushed


def test_lists_of_numbers_are_logged_by_component():
    metrics = {"std": [0.5, 0.25], "nested": {"matrix": np.eye(2), "scalar": np.float32(2)}, "word": "x"}
    assert dict(_scalars(metrics)) == {
        "std/0": 0.5,
        "std/1": 0.25,
        "nested/scalar": 2.0,
        **{f"nested/matrix/{i}/{j}": float(i == j) for i in range(2) for j in range(2)},
    }


def test_a_finished_run_can_be_prolonged_and_moved(walk: Path, tmp_path: Path):
    whole, _ = launch.train(walk, [f"run_dir={tmp_path / 'whole'}", "trainer.iterations=9"])
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'short'}", "trainer.iterations=4"])
    moved = path.rename(tmp_path / "moved")
    launch.resume(moved, ["trainer.iterations=9", "resources.num_env_runners=1"])
    assert lines(moved) == lines(whole)
    settings = Run.open(moved).settings
    assert (settings["trainer"]["iterations"], settings["run_dir"]) == (9, str(moved))
    assert not path.exists()


@pytest.mark.parametrize(
    "override",
    ["seed=3", "trainer.step=2", "game.max_rounds=3", "run_dir=x", "trainer=3", "resources.runner=stock"],
)
def test_only_length_and_resources_change_on_resume(walk: Path, tmp_path: Path, override: str):
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'out'}"])
    before = (path / "config.yaml").read_text()
    with pytest.raises(
        ParameterError, match=r"cannot be changed when a run is continued; allowed: trainer\.iterations"
    ):
        launch.resume(path, [override])
    assert (path / "config.yaml").read_text() == before


@pytest.mark.parametrize("which", ["seed=0", "seeds=[0,1]"])
def test_a_run_is_never_made_shorter(walk: Path, tmp_path: Path, which: str):
    path, summary = launch.train(walk, [f"run_dir={tmp_path / 'out'}", which])
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with pytest.raises(ParameterError, match=r"^trainer\.iterations is 5, .*out.* has 7: allowed: 7 or more$"):
        launch.resume(path, ["trainer.iterations=5"])
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
    assert launch.resume(path, ["trainer.iterations=7"])[1].get("position") == summary.get("position")


def test_an_interrupted_run_may_end_from_its_checkpoint_on(walk: Path, tmp_path: Path):
    with pytest.raises(launch.Interrupted):  # at 5, the newest checkpoint is of 3
        launch.train(walk, [f"run_dir={tmp_path / 'out'}", "trainer.mode=interrupt"])
    with pytest.raises(ParameterError, match=r"trainer\.iterations is 2, .* has 3: allowed: 3 or more"):
        launch.resume(tmp_path / "out", ["trainer.iterations=2"])
    short, _ = launch.train(walk, [f"run_dir={tmp_path / 'short'}", "trainer.iterations=4"])
    launch.resume(tmp_path / "out", ["trainer.iterations=4"])
    assert lines(tmp_path / "out") == lines(short)


def test_a_run_that_is_being_prolonged_is_not_finished(walk: Path, tmp_path: Path):
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'out'}", "seeds=[0,1]", "trainer.iterations=3"])
    killed = subprocess.run(
        [sys.executable, "-m", "lawgiver", "train", "--resume", str(path), "trainer.iterations=8"],
        env={**os.environ, "WALK_KILLED_AT": "0:7"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert not Run.open(path).finished and not Run.open(path / "s0").finished
    launch.resume(path)
    assert [len(lines(path / member)) for member in ("s0", "s1")] == [8, 8]


TRIALS = """
from fake_trainer import *

class Search(TrainerSettings):
    name: Literal["walk"]
    length: ClassVar = LENGTH
    trials: int = 7

def train(config: Config[Agents, Search], run: TrainingRun) -> dict:
    return {"trials": config.trainer.trials}
"""


@pytest.mark.parametrize("length", ["trials", None])
def test_a_trainer_says_what_it_counts(plugin: Path, walk: Path, tmp_path: Path, length: str | None):
    (plugin / "fake_search.py").write_text(TRIALS.replace("LENGTH", repr(length)))
    info = plugin / "fake_trainer-1.0.dist-info" / "entry_points.txt"
    info.write_text(info.read_text().replace("fake_trainer:", "fake_search:"))
    walk.write_text("game: {name: public_investment}\ntrainer: {name: walk}\n")
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'out'}"])
    if length is None:
        with pytest.raises(ParameterError, match=r"cannot be changed .* allowed: trainer\.evaluation"):
            launch.resume(path, ["trainer.trials=9"])
    else:
        assert launch.resume(path, ["trainer.trials=9"])[1]["trials"] == 9
        with pytest.raises(ParameterError, match=r"trainer\.trials is 8, .* has 9"):
            launch.resume(path, ["trainer.trials=8"])
    sys.modules.pop("fake_search", None)


def test_time_before_an_interruption_counts(run: TrainingRun):
    run._wall_before = 1000.0
    run.log(1, {}, {})
    run.save_checkpoint(1, lambda folder: None)
    run.close()
    again = TrainingRun.resume(run.path)
    again.rewind(1)
    assert again.wall_s > 1000


def test_two_processes_cannot_train_in_one_folder(run: TrainingRun):
    with pytest.raises(RunError, match="is being trained by another process"):
        TrainingRun.resume(run.path)
    run.close()
    TrainingRun.resume(run.path).close()


def test_a_folder_that_holds_a_run_is_refused(walk: Path, tmp_path: Path):
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'out'}"])
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with pytest.raises(RunError, match="already holds a run: choose another run_dir, or continue it with --resume"):
        launch.train(walk, [f"run_dir={path}"])
    assert before == {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


MISTAKE = """\
from fake_trainer import *
from lawgiver.envs.core.errors import ParameterError

def train(config: Config[Agents, Walk], run: TrainingRun) -> dict:
    if config.trainer.step == 13 and config.seed == 1:
        raise ParameterError("a mistake")
    if config.trainer.step == 14:
        run.log(1, {"a": 1.0}, {})
        raise ParameterError("a mistake")
    return {"position": 1.0}
"""


@pytest.fixture
def mistaken(plugin: Path, walk: Path) -> Path:
    """Return the config of a trainer that finds a mistake only when it is called."""
    (plugin / "mistaken.py").write_text(MISTAKE)
    info = plugin / "fake_trainer-1.0.dist-info" / "entry_points.txt"
    info.write_text(info.read_text().replace("fake_trainer:", "mistaken:"))
    yield walk
    sys.modules.pop("mistaken", None)


def test_a_mistake_before_the_first_line_leaves_nothing(mistaken: Path, tmp_path: Path):
    there = tmp_path / "there"
    there.mkdir()
    (there / "notes.txt").write_text("mine")
    for folder in (tmp_path / "new" / "out", there):
        before = set(tmp_path.rglob("*"))
        with pytest.raises(ParameterError, match="a mistake"):
            launch.train(mistaken, [f"run_dir={folder}", "seed=1", "trainer.step=13"])
        assert set(tmp_path.rglob("*")) - before <= set(tmp_path.glob("site/__pycache__/*")) | {
            tmp_path / "site" / "__pycache__"
        }
        launch.train(mistaken, [f"run_dir={folder}", "seed=1"])


def test_a_mistake_after_the_first_line_leaves_the_run(mistaken: Path, tmp_path: Path):
    with pytest.raises(ParameterError, match="a mistake"):
        launch.train(mistaken, [f"run_dir={tmp_path / 'out'}", "trainer.step=14"])
    assert [entry["iteration"] for entry in Run.open(tmp_path / "out").lines()] == [1]


def test_a_mistake_in_a_later_seed_keeps_the_earlier_ones(mistaken: Path, tmp_path: Path):
    path = tmp_path / "out"
    with pytest.raises(ParameterError, match="a mistake"):
        launch.train(mistaken, [f"run_dir={path}", "seeds=[1,0]", "trainer.step=13"])
    assert not path.exists()
    with pytest.raises(ParameterError, match="a mistake"):
        launch.train(mistaken, [f"run_dir={path}", "seeds=[0,1]", "trainer.step=13"])
    assert [folder.name for folder in path.glob("s*")] == ["s0"]
    assert Run.open(path).settings["seeds"] == [0, 1]


# -- losses, full disks, permissions --------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_with_the_last_checkpoint(walk: Path, tmp_path: Path):
    with pytest.raises(RunError, match=r"walk loss is nan at iteration 5: .* checkpoint is .*/checkpoints/00000003"):
        launch.train(walk, [f"run_dir={tmp_path / 'out'}", "trainer.mode=diverge"])
    assert len(lines(tmp_path / "out")) == 4


def test_a_full_disk_keeps_the_older_checkpoint(run: TrainingRun):
    run.save_checkpoint(1, lambda folder: write_text(folder / "a", "good"))

    def fill(folder: Path) -> None:
        (folder / "a").symlink_to("/dev/full")
        (folder / "a").write_text("more")

    with pytest.raises(RunError, match=r"cannot write .*00000002: No space left on device"):
        run.save_checkpoint(2, fill)
    assert run.latest_checkpoint() == (1, run.checkpoints / "00000001")
    with pytest.raises(RunError, match="No space left on device"):  # the same iteration again
        run.save_checkpoint(1, fill)
    assert (run.latest_checkpoint()[1] / "a").read_text() == "good"
    assert [path.name for path in run.checkpoints.iterdir()] == ["00000001"]


def test_a_full_disk_while_logging(run: TrainingRun):
    (run.path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(RunError, match=r"cannot write .*metrics\.jsonl: No space left on device"):
        run.log(1, {"a": 1.0}, {})


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "summary.json"
    write_text(file, "old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot write .*summary\.json: No space left on device"):
        write_text(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_refusal_in_another_librarys_words_is_understood_and_a_bug_is_not_hidden(run: TrainingRun):
    def quotes(folder: Path) -> None:
        raise RuntimeError("I/O error: No space left on device (os error 28)")

    def bug(folder: Path) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RunError, match="No space left on device"):
        run.save_checkpoint(1, quotes)
    with pytest.raises(RuntimeError, match="a bug"):
        run.save_checkpoint(1, bug)


@pytest.mark.parametrize("place", ["file/run", "/proc/run"])
def test_a_place_that_cannot_be_written(walk: Path, tmp_path: Path, place: str):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot write"):
        launch.train(walk, [f"run_dir={tmp_path / place}"])


def test_the_config_of_a_run_of_an_earlier_version_is_read(walk, tmp_path):
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'run'}"])
    config = path / "config.yaml"
    config.write_text(config.read_text().replace(f"version: {version('lawgiver')}", "version: 0.1.0"))
    assert Run.open(path).settings["trainer"]["name"] == "walk"


# -- damage ---------------------------------------------------------------------------------------------------------


WHOLE = f"""\
lawgiver: {{version: {version("lawgiver")}, config: walk}}
game: {{name: taxed_dilemma}}
agents: {{}}
trainer: {{name: walk}}
seed: 0
"""
NEEDED = ("game", "agents", "trainer", "seed")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not a run: .*config.yaml cannot be read: No such file"),
        ("a: [", "config.yaml is damaged"),
        ("game: {name: taxed_dilemma}", "config.yaml is not of a run"),
        ("lawgiver: {version: 99.1.0, config: walk}", r"was written by lawgiver 99\.1\.0; this is"),
        ("\0\0", "config.yaml is damaged"),
        *((re.sub(f"{key}:.*", "", WHOLE), f"config.yaml is damaged: {key} is missing") for key in NEEDED),
        (
            WHOLE.replace("name: taxed_dilemma", "name: taxed_dilemma, 1: 2"),
            r"config.yaml is damaged: game\.1 .*strings",
        ),
        (WHOLE.replace("seed: 0", "seed: x"), "config.yaml is damaged: seed is 'x'"),
        (WHOLE.replace("agents: {}", "agents: 3"), "config.yaml is damaged: agents is 3"),
    ],
)
def test_a_folder_that_is_no_run_of_this_version(tmp_path: Path, content: str | None, said: str):
    if content is not None:
        (tmp_path / "config.yaml").write_text(content)
    for use in (Run.open, TrainingRun.resume, launch.resume, lawgiver.load):
        with pytest.raises(RunError, match=said):
            use(tmp_path)


@pytest.mark.parametrize("what", ["content", "missing", "manifest"])
def test_a_damaged_checkpoint_is_named_with_the_remedy(walk: Path, tmp_path: Path, what: str):
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'out'}", "trainer.iterations=7"])
    whole = lines(path)
    newest = path / "checkpoints" / "00000006"
    file = newest / ("manifest.json" if what == "manifest" else "walk.json")
    if what == "missing":
        file.unlink()
    elif what == "manifest":
        file.write_text("{")
    else:
        damage(file)
    with pytest.raises(RunError, match=rf"{file}.*; remove {newest} to continue from 00000003"):
        launch.resume(path)
    for part in newest.iterdir():
        part.unlink()
    newest.rmdir()
    launch.resume(path)
    assert lines(path) == whole


def test_a_damaged_line_of_metrics_is_named(walk: Path, tmp_path: Path):
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'out'}"])
    file = path / "metrics.jsonl"
    file.write_text(file.read_text().replace('"iteration": 2', '"iteration" 2'))
    with pytest.raises(RunError, match=r"metrics\.jsonl, line 2, is damaged"):
        launch.resume(path)


@pytest.mark.parametrize(
    ("key", "value"), [("iteration", None), ("iteration", "six"), ("wall_s", None), ("logged", 6.0), ("files", [])]
)
def test_a_manifest_of_another_shape_is_named(walk: Path, tmp_path: Path, key: str, value: object):
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'out'}", "trainer.iterations=7"])
    file = path / "checkpoints" / "00000006" / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    with pytest.raises(RunError, match=rf"{file} is damaged: {key} is .* to continue from 00000003"):
        launch.resume(path)
    file.write_text("[1]")
    with pytest.raises(RunError, match=rf"{file} is damaged: it is no mapping"):
        launch.resume(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": None}, "is of format 1, which lawgiver 0.1 reads; this version reads format 2"),
        ({"format": 3}, "is of format 3, which another version of lawgiver reads; this version reads format 2"),
        ({"format": [2]}, r"is of format \[2\], which another version of lawgiver reads"),
        ({"gini": Estimate.normal(0.5, 0.1, 9).to_data() | {"low": "x"}}, "is damaged: .* is no estimate"),
    ],
)
def test_a_summary_of_another_format_is_refused(walk: Path, tmp_path: Path, change: dict[str, object], said: str):
    """Those of version 0.1 do not say their format."""
    path, told = launch.train(walk, [f"run_dir={tmp_path / 'out'}"])
    file = path / "summary.json"
    assert told["format"] == json.loads(file.read_text())["format"] == 2
    kept = json.loads(file.read_text()) | change
    file.write_text(json.dumps({key: value for key, value in kept.items() if value is not None}))
    with pytest.raises(RunError, match=rf"^{file} {said}") as refused:
        _ = Run.open(path).summary
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("line", "said"), [("[]", "line 1"), ('{"iteration": "x"}', "line 1"), (None, "directory")])
def test_metrics_of_another_shape_are_named(walk: Path, tmp_path: Path, line: str | None, said: str):
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'out'}"])
    file = path / "metrics.jsonl"
    file.unlink()
    file.mkdir() if line is None else file.write_text(line + "\n")
    for use in (launch.resume, lambda run: TrainingRun.open(run).lines()):
        with pytest.raises(RunError, match=rf"metrics\.jsonl.*{said}"):
            use(path)


def test_what_is_not_finite_is_spelled_in_json(run: TrainingRun):
    run.log(1, {"a": float("nan"), "b": {"c": float("inf")}}, {"s": 1.0})
    line = (run.path / "metrics.jsonl").read_text()
    assert json.loads(line, parse_constant=lambda name: pytest.fail(name)) == {
        "iteration": 1,
        "a": "NaN",
        "b": {"c": "Infinity"},
        "timing": {"s": 1.0},
    }


# -- policies -------------------------------------------------------------------------------------------------------


@pytest.fixture
def learned(walk: Path, tmp_path: Path) -> Path:
    run = TrainingRun.create("walk", load_config(walk, [f"run_dir={tmp_path / 'learned'}"]))
    run.save_policy("mechanism", LearnedMechanism(run.game(), start=[0.3], hidden=None))
    run.finish({})
    return run.path


def test_learned_policies_play(learned: Path):
    assert list(lawgiver.load(learned)) == ["mechanism"]
    policy = lawgiver.load(learned, role="mechanism", game=make_game("taxed_dilemma", max_rounds=3))
    game = make_game("taxed_dilemma")
    obs = game.observe(game.initial_state(2, np.random.default_rng(0)), "mechanism")
    action, _ = policy.act(obs, None, policy.initial_state(2, None), None)
    assert action == pytest.approx(0.3, abs=1e-6)


def test_policies_of_another_game_or_role_are_refused(learned: Path):
    with pytest.raises(UnsupportedGameError, match=r"taxed_dilemma-v0, another game: it cannot play public_inv"):
        lawgiver.load(learned, role="mechanism", game=make_game("public_investment"))
    with pytest.raises(RunError, match="has no learned participant: allowed: mechanism"):
        lawgiver.load(learned, role="participant")


@pytest.mark.parametrize("file", ["weights.safetensors", "policy.json"])
def test_damaged_policies_are_named(learned: Path, file: str):
    damage(learned / "policies" / "mechanism" / file)
    with pytest.raises(LawgiverError, match=file.replace(".", r"\.")):
        lawgiver.load(learned)


# -- several seeds --------------------------------------------------------------------------------------------------


def test_seeds_are_aggregated(walk: Path, tmp_path: Path):
    path, summary = launch.train(walk, [f"run_dir={tmp_path / 'out'}", "seeds=[0,1,2]"])
    positions = [json.loads((path / f"s{seed}" / "summary.json").read_text())["position"] for seed in range(3)]
    found = summary["aggregate"]["position"]
    bounds = scipy.stats.t.interval(0.95, 2, loc=sum(positions) / 3, scale=scipy.stats.sem(positions))
    assert found.values == tuple(positions)
    assert found.ends == pytest.approx(bounds)
    assert summary["aggregate"]["log_nash_welfare"]["learned"] == found
    assert summary["seeds"] == [0, 1, 2]
    assert "gap_closed" not in summary["aggregate"]
    alone, _ = launch.train(walk, [f"run_dir={tmp_path / 'alone'}", "seed=1"])
    assert lines(alone) == lines(path / "s1")
    with pytest.raises(RunError, match=r"holds the runs of several seeds: choose one of .*/s0"):
        lawgiver.load(path)


def test_interrupted_seeds_are_resumed_where_they_stopped(walk: Path, tmp_path: Path):
    path = tmp_path / "out"
    with pytest.raises(launch.Interrupted) as stop:
        launch.train(walk, [f"run_dir={path}", "seeds=[0,1]", "trainer.mode=interrupt"])
    assert stop.value.path == path
    with pytest.raises(launch.Interrupted):  # seed 0 is finished now, seed 1 stops for the first time
        launch.resume(path)
    finished = (path / "s0" / "summary.json").stat().st_mtime_ns
    _, summary = launch.resume(path)
    assert (path / "s0" / "summary.json").stat().st_mtime_ns == finished
    assert [len(lines(path / member)) for member in ("s0", "s1")] == [7, 7]
    assert len(summary["aggregate"]["position"].values) == 2
    launch.resume(path, ["trainer.iterations=8"])
    assert [len(lines(path / member)) for member in ("s0", "s1")] == [8, 8]


def test_a_study_trains_continues_and_reads(walk: Path, tmp_path: Path):
    path = tmp_path / "study" / "one"
    with pytest.raises(launch.Interrupted):
        launch.ensure(path, walk, "trainer.mode=interrupt")
    summary = launch.ensure(path, walk, "trainer.mode=interrupt")
    assert [entry["iteration"] for entry in lines(path)] == list(range(1, 8))
    written = (path / "metrics.jsonl").stat().st_mtime_ns
    assert launch.ensure(path, walk) == summary
    assert (path / "metrics.jsonl").stat().st_mtime_ns == written


def test_alarms_of_seeds_are_kept_by_seed():
    summaries = {0: {"a": 1.0, "alarms": ["drift", "ceiling"]}, 3: {"a": 2.0, "alarms": []}, 5: {"a": 3.0}}
    found = over_seeds(summaries)
    assert found["alarms"] == {"0": ["drift", "ceiling"]}
    assert found["aggregate"] == {"a": Estimate.of_seeds([1.0, 2.0, 3.0])}
    assert "alarms" not in over_seeds({0: {"alarms": []}, 1: {"alarms": []}})


def test_what_has_an_interval_is_aggregated_by_its_means():
    played = [{"gini": Estimate.normal(mean, 0.1, 50)} for mean in (0.25, 0.5)]
    assert aggregate(played) == {"gini": Estimate.of_seeds([0.25, 0.5])}
    assert aggregate([{"a": 1.0}, {"a": Estimate.normal(3.0, 0.1, 50)}, {"a": None}])["a"].values == (1.0, 3.0)


def test_vote_shares_and_matrices_are_aggregated_element_by_element():
    def told(share: float, edge: float) -> dict[str, object]:
        shares = {"10-2": Estimate.normal(share, 0.1, 9), "pooled": Estimate.normal(share + 0.1, 0.1, 9)}
        return {
            "vote_share": {"rival": {"people": shares}},
            "meta_game": {"names": ["a", "b"], "shares": [[0.5, 0.5 + edge], [0.5 - edge, 0.5]]},
            "weights": [edge, 0.0, 1.0],
            "ragged": [[1.0], [edge, 2.0]],
            "grown": [edge] * round(10 * share),
            "endowments": [10, 2],
        }

    found = aggregate([told(0.4, 0.1), told(0.6, 0.3)])
    by_condition = found["vote_share"]["rival"]["people"]
    assert by_condition == {"10-2": Estimate.of_seeds([0.4, 0.6]), "pooled": Estimate.of_seeds([0.5, 0.7])}
    assert by_condition["10-2"].mean == pytest.approx(0.5) and by_condition["10-2"].low < 0.4
    assert found["meta_game"]["names"] == ["a", "b"] and found["endowments"] == [10, 2]
    np.testing.assert_allclose(found["meta_game"]["shares"], [[0.5, 0.7], [0.3, 0.5]])
    np.testing.assert_allclose(found["weights"], [0.2, 0, 1])
    assert not {"ragged", "grown"} & found.keys(), "of different shapes"
    assert aggregate([told(0.4, 0.1)])["vote_share"]["rival"]["people"]["10-2"].low is None


@pytest.mark.parametrize("freedom", [1, 2, 4, 9, 99])
def test_t_quantile(freedom: int):
    assert t_quantile(freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), rel=1e-12)


def test_aggregate_keeps_the_shape_and_skips_what_is_unknown():
    summaries = [
        {"a": 1.0, "b": {"c": 2}, "d": None, "e": "x", "f": "x", "by": [{"n": [1, 2], "a": 1.0}]},
        {"a": 3.0, "b": {"c": 2}, "d": 5.0, "e": "x", "f": "y", "by": [{"n": [1, 2], "a": 3.0}]},
    ]
    found = aggregate(summaries)
    assert found.keys() == {"a", "b", "d", "e", "by"}
    assert found["by"] == [{"n": [1, 2], "a": found["a"]}]
    assert found["a"] == Estimate.of_seeds([1.0, 3.0])
    assert found["b"]["c"].ends == (2, 2)
    assert found["d"].to_data() == {
        "mean": 5.0,
        "se": None,
        "low": None,
        "high": None,
        "level": 0.95,
        "n": 1,
        "how": "student",
        "values": [5.0],
    }
