"""Numbers that are not finite are kept in whatever JSON the library writes, and read back."""

from __future__ import annotations

import ast
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from lawgiver.envs.files.json_text import from_json, plain, record_to_json, to_json
from lawgiver.trainers.cli.printed_tables import show_summary
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.atomic_files import read_manifest, write_folder
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.seeds import aggregate

ROOT = Path(__file__).parents[1]
EDGES = {"high": math.inf, "low": -math.inf, "pairs": [[1.5, math.inf], [None, "NaN of a name"]]}


def test_what_is_not_finite_is_valid_json_and_comes_back() -> None:
    text = to_json({**EDGES, "none": math.nan})

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(text, parse_constant=refuse)["high"] == "Infinity"
    back = from_json(text)
    assert math.isnan(back.pop("none")) and back == EDGES
    assert from_json(to_json({"a": np.array([1, np.inf]), "b": torch.tensor([-math.inf])})) == {
        "a": [1, math.inf],
        "b": [-math.inf],
    }
    assert plain(np.float32(math.inf)) == math.inf
    assert [float(x) for x in ("Infinity", "-Infinity")] == [math.inf, -math.inf]


def test_text_that_is_no_json_or_too_deep_is_a_value_error() -> None:
    for text in ("", "{", "[" * 100_000, "nan"):
        with pytest.raises(ValueError):  # json has words of its own
            from_json(text)


def test_every_file_of_a_run_keeps_them(walk: Path, tmp_path: Path) -> None:
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'out'}"])
    run = TrainingRun.resume(path)
    run.log(1000, {"score": math.inf, "many": [math.nan, 1.0]}, {})
    summary = run.finish({"inverse_temperature": math.inf})
    run.close()
    opened = Run.open(path)
    assert summary["inverse_temperature"] == opened.summary["inverse_temperature"] == math.inf
    last = opened.lines()[-1]
    assert last["score"] == math.inf and math.isnan(last["many"][0])
    write_folder(tmp_path / "step", lambda folder: None, told={"bound": -math.inf})
    assert read_manifest(tmp_path / "step", told=dict)["told"] == {"bound": -math.inf}


def test_rational_participants_are_shown_as_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show_summary({"inverse_temperature": math.inf, "unknown": None})
    rows = dict(line.split()[:2] for line in capsys.readouterr().out.splitlines() if len(line.split()) > 1)
    assert rows["inverse_temperature"] == "inf" and rows["unknown"] == "-"


def test_over_seeds_what_is_infinite_has_no_interval(recwarn: pytest.WarningsRecorder) -> None:
    found = aggregate([{"inverse_temperature": math.inf}] * 2)["inverse_temperature"]
    assert found == Estimate(math.inf, None, None, None, 2, "student", (math.inf, math.inf))
    assert not recwarn.list


@dataclass(frozen=True)
class Part:
    """A record in a record."""

    values: tuple[float, ...]
    name: str = "Münze"


@dataclass(frozen=True)
class Whole:
    """A record of records."""

    parts: tuple[Part, ...]
    count: int | None = None


@pytest.mark.parametrize("value", [0.1 + 0.2, math.inf, -math.inf, math.nan])
def test_records_are_written_as_their_plain_data(value: float) -> None:
    record = Whole((Part((1.0, value)), Part(())))
    assert record_to_json({"of": record, "also": [1]}) == to_json({"of": asdict(record), "also": [1]})
    with pytest.raises(TypeError):
        record_to_json(Part((object(),)))  # type: ignore[arg-type]


def test_there_is_one_way_to_write_json() -> None:
    # the first refuses them, the second is no file, the third reads what browsers send, numbers as texts
    hashed, printed, sent = "agents/people/__init__.py", "trainers/cli/ending.py", "trainers/people/forms.py"
    allowed = {"envs/files/json_text.py", hashed, printed, sent}
    for folder in ("envs", "agents", "trainers", "src/lawgiver"):
        for file in (ROOT / folder).rglob("*.py"):
            calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Attribute)]
            uses = {ast.unparse(node) for node in calls} & {"json.dump", "json.dumps", "json.load", "json.loads"}
            assert not uses or str(file.relative_to(ROOT)) in allowed, f"{file}: {uses}"
