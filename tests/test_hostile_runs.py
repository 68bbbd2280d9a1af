"""Runs that somebody else has made: whatever is in their folders, reading them runs no code."""

from __future__ import annotations

import ast
import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.trainers.cli import main
from lawgiver.trainers.evaluation.evaluate import evaluate
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.atomic_files import write_folder
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.state import ARRAYS, STRUCTURE, restoring, save_state

SMALL = ["game.n=2", "game.m=1", "trainer.updates=2", "trainer.batch=8", "trainer.log_every=1"]
TINY = ["trainer.checkpoint_every=1", "trainer.evaluation={profiles: 20, probe: 20}"]
SOURCES = ("envs", "agents", "trainers", "src/lawgiver")
ROOT = Path(__file__).parents[1]


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, _ = launch.train("affine_maximiser", [*SMALL, *TINY, f"run_dir={tmp_path_factory.mktemp('run') / 'run'}"])
    return path


@pytest.fixture
def run(honest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest, tmp_path / "run"))


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "executed"


@pytest.fixture
def bomb(marker: Path) -> bytes:
    data = pickle.dumps(Bomb(marker))
    pickle.loads(data)
    assert marker.exists(), "the bomb works"
    marker.unlink()
    return data


def used(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Do all that can be done with a run; return what was refused, one line each."""
    refused = []
    for use in (load, evaluate, lambda run: launch.resume(run, ["trainer.updates=3"])):
        try:
            use(path)  # type: ignore[operator]
        except LawgiverError as error:
            refused.append(str(error))
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    for command in (
        ["audit", str(path), "profiles=4", "effort=1"],
        ["tournament", str(path), "vcg"],
        ["train", "--resume", str(path)],
    ):
        monkeypatch.setattr(sys, "argv", ["lawgiver", *command])
        try:
            main()
        except SystemExit as stop:
            told = capsys.readouterr().err
            if stop.code:
                refused.append(told.strip())
    assert all("\n" not in line and "Traceback" not in line for line in refused), (
        "a rule for reports stands for no election"
    )
    return refused


def remade(folder: Path, change: Callable[[Path], None], **facts: Any) -> None:
    """Change what is in a folder, and write a manifest that vouches for it."""
    manifest = json.loads((folder / "manifest.json").read_text()) if (folder / "manifest.json").exists() else {}
    manifest.pop("files", None)
    before = folder.with_name("before")
    folder.rename(before)

    def write(new: Path) -> None:
        shutil.copytree(before, new, dirs_exist_ok=True)
        (new / "manifest.json").unlink(missing_ok=True)
        change(new)

    write_folder(folder, write, **{**manifest, **facts})
    shutil.rmtree(before)


def test_an_honest_run_is_used(run: Path, monkeypatch: Any, capsys: Any) -> None:
    refused = used(run, monkeypatch, capsys)
    assert all("election" in line for line in refused), "a rule for reports stands for no election"


def test_pickles_in_every_place_are_never_read(
    run: Path, bomb: bytes, marker: Path, monkeypatch: Any, capsys: Any
) -> None:
    names = (
        "state.pkl",
        "state.pt",
        "session.pt",
        "algorithm/class_and_ctor_args.pkl",
        "algorithm/algorithm_state.pkl",
    )

    def planted(folder: Path) -> None:
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(bomb)

    for folder in (*run.glob("checkpoints/*"), *run.glob("policies/*")):
        remade(folder, planted)
    planted(run)
    used(run, monkeypatch, capsys)
    for folder in run.glob("checkpoints/*"):
        remade(folder, lambda new: (new / STRUCTURE).unlink())
    assert any("earlier versions kept checkpoints" in line for line in used(run, monkeypatch, capsys))
    assert not marker.exists()


@pytest.mark.parametrize(
    "name", ["checkpoints/*/state.json", "checkpoints/*/state.safetensors", "policies/*/weights.safetensors"]
)
def test_a_pickle_in_place_of_a_file_is_refused(
    run: Path, bomb: bytes, marker: Path, name: str, monkeypatch: Any, capsys: Any
) -> None:
    for file in run.glob(name):
        remade(file.parent, lambda new, file=file: (new / file.name).write_bytes(bomb))  # type: ignore[misc]
    assert len(used(run, monkeypatch, capsys)) > 1
    archive = run.parent / "weights.pt"
    torch.save({"w": Bomb(marker)}, archive)
    for file in run.glob(name):
        remade(file.parent, lambda new, file=file: shutil.copy(archive, new / file.name))  # type: ignore[misc]
    assert len(used(run, monkeypatch, capsys)) > 1
    assert not marker.exists()


@pytest.mark.parametrize("tag", ["object/apply:os.system", "object/new:os.system", "name:os.system", "module:os"])
def test_tags_of_yaml_build_nothing(run: Path, marker: Path, tag: str, monkeypatch: Any, capsys: Any) -> None:
    config = run / "config.yaml"
    config.write_text(config.read_text() + f"\nnote: !!python/{tag} ['touch {marker}']\n")
    refused = used(run, monkeypatch, capsys)
    assert len(refused) == 6 and all("config.yaml is damaged" in line for line in refused)
    assert not marker.exists()


def test_arrays_of_objects_are_refused(run: Path, marker: Path, monkeypatch: Any, capsys: Any) -> None:
    np.savez(run / "types.npz", values=np.array([Bomb(marker)], dtype=object))
    with pytest.raises(LawgiverError):
        load_types = {"name": "payment_free_allocation", "types_file": str(run / "types.npz")}
        launch.train(
            "exs_net", [f"game={json.dumps(load_types)}", "trainer.updates=1", f"run_dir={run.parent / 'other'}"]
        )
    assert not marker.exists()


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"dict": ' * 2_000 + "1" + "}" * 2_000,
        '{"dict": [["search", {"object": "os.system"}]]}',
        '{"dict": [[{"dict": []}, 1]]}',
        '{"dict": [["search", {"tensor": "../../weights"}]]}',
        '{"dict": [["search", {"tensor": "0", "array": "0"}]]}',
        '{"dict": [["search", {"dict": []}]]}',
        "[]",
        "null",
        "",
    ],
    ids=["deep", "deep dicts", "a tag", "a key", "a path", "two tags", "empty", "a list", "null", "nothing"],
)
def test_a_forged_state_is_refused_in_one_line(run: Path, content: str) -> None:
    for folder in run.glob("checkpoints/*"):
        remade(folder, lambda new: (new / STRUCTURE).write_text(content) and None)
    with pytest.raises(LawgiverError, match=r"checkpoints/00000002") as error:
        launch.resume(run, ["trainer.updates=3"])
    assert "\n" not in str(error.value)


def test_states_of_other_shapes_are_refused(run: Path) -> None:
    def reshaped(folder: Path) -> None:
        with restoring(folder) as state:
            state["search"]["boosts"] = torch.zeros(3, 5)
            save_state(folder, state)

    for folder in run.glob("checkpoints/*"):
        remade(folder, reshaped)
    with pytest.raises(LawgiverError, match="does not hold a state of this training"):
        launch.resume(run, ["trainer.updates=3"])


@pytest.mark.parametrize(
    "name", ["metrics.jsonl", ".lock", "checkpoints", "figures", "policies/mechanism/weights.safetensors"]
)
def test_links_out_of_a_run_are_not_followed(run: Path, name: str, monkeypatch: Any, capsys: Any) -> None:
    outside = run.parent / "outside"
    place = run / name
    if place.is_dir():
        shutil.move(place, outside)
    else:
        shutil.copy(place, outside) if place.exists() else outside.write_text("mine")
        place.unlink(missing_ok=True)
    place.symlink_to(outside)
    before = sorted(outside.rglob("*")) if outside.is_dir() else outside.read_bytes()
    refused = used(run, monkeypatch, capsys)
    assert len(refused) == 6 and all("is a symbolic link" in line for line in refused)
    assert before == (sorted(outside.rglob("*")) if outside.is_dir() else outside.read_bytes())


def test_a_manifest_names_files_of_its_folder_only(run: Path) -> None:
    for folder in run.glob("checkpoints/*"):
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"]["/dev/zero"] = "0"
        (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(LawgiverError, match="'/dev/zero' is not in the folder"):
        launch.resume(run, ["trainer.updates=3"])


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    state = {
        "none": None,
        "text": "NaNs",
        "numbers": [1, 2**127, -0.1, float("inf"), True],
        "pair": (1, (2, [])),
        3: {"nested": np.arange(6, dtype=np.uint32).reshape(2, 3)[:, ::-1]},
        "scalar": np.float32(0.1),
        "empty": np.zeros((0, 2)),
        "tensor": torch.arange(4, dtype=torch.uint8),
        "point": torch.tensor(0.5, dtype=torch.float64),
    }
    save_state(tmp_path, state)
    with restoring(tmp_path) as back:
        assert list(back) == list(state)
        for key in ("none", "text", "numbers", "pair"):
            assert back[key] == state[key] and type(back[key]) is type(state[key])
        np.testing.assert_array_equal(back[3]["nested"], state[3]["nested"])
        assert back["scalar"].dtype == np.float32 and back["scalar"] == state["scalar"]
        assert back["empty"].shape == (0, 2)
        assert all(torch.equal(back[key], state[key]) for key in ("tensor", "point"))
        assert back["tensor"].dtype == torch.uint8
    for wrong in (object(), np.array([object()]), {1, 2}, b"bytes"):
        with pytest.raises(TypeError, match="cannot hold"):
            save_state(tmp_path, {"wrong": wrong})
    assert {path.name for path in tmp_path.iterdir()} == {STRUCTURE, ARRAYS}


def test_no_source_reads_what_can_run_code() -> None:
    """In memory the harness pickles games and states to see that they can be; no file is ever unpickled."""
    banned = {
        *(
            (module, name)
            for module in ("pickle", "cloudpickle", "dill", "joblib", "marshal")
            for name in ("load", "loads")
        ),
        *(("yaml", name) for name in ("unsafe_load", "full_load", "load_all", "full_load_all", "unsafe_load_all")),
        *(("torch", name) for name in ("load", "save")),
        ("shelve", "open"),
    }
    found = []
    for file in sorted(path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                name = (owner.id if isinstance(owner, ast.Name) else "", node.func.attr)
                where = f"{file.relative_to(ROOT)}:{node.lineno}: {'.'.join(name)}"
                if name in banned and (name != ("pickle", "loads") or "envs/testing" not in where):
                    found.append(where)
                if name == ("np", "load") and "allow_pickle=False" not in ast.unparse(node):
                    found.append(where)
                if name == ("yaml", "load") and ast.unparse(node.args[1]) != "_Loader":
                    found.append(where)
                if name[1] in ("from_checkpoint", "restore_from_path", "load_checkpoint"):
                    found.append(where)
    assert found == []


def test_a_run_cannot_name_the_cluster_that_it_is_continued_on(run: Path, monkeypatch: Any) -> None:
    """Whoever runs a Ray cluster can run code in those who connect to it."""
    monkeypatch.setattr(
        launch, "_carry_out", lambda run, config, watch: (run.path, {"address": config.resources.address})
    )
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("address: null", "address: ray://elsewhere:10001"))
    for more in ([], ["trainer.updates=3"], ["resources.num_learners=1"]):
        with pytest.raises(LawgiverError, match=r"cluster at 'ray://elsewhere:10001'.* resources\.address=null"):
            launch.resume(run, more)
    assert launch.resume(run, ["resources.address=null"])[1]["address"] is None
    assert launch.resume(run, ["resources.address=ray://mine:10001"])[1]["address"] == "ray://mine:10001"
    config.write_text(config.read_text().replace("ray://mine:10001", "auto"))
    assert launch.resume(run)[1]["address"] == "auto"
