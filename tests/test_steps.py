"""The steps of a loop: each is carried out once, whole or not at all, and resumed at the one that was interrupted."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lawgiver.trainers.runs.atomic_files import RunError
from lawgiver.trainers.runs.steps import Steps


class Killed(BaseException):
    """Ends the process in the middle of a step."""


def steps_of(path: Path, *, resumed: bool = False) -> tuple[Steps, list[Any]]:
    """Return the steps of a run in a folder, and what is written into its log."""
    log: list[Any] = []
    run: Any = SimpleNamespace(
        path=path,
        resumed=resumed,
        wall_s=1.0,
        log=lambda number, entry, clock: log.append((number, entry)),
        rewind=lambda number: log.clear(),
    )
    return Steps(run), log


def loop(steps: Steps, done: list[str], die_in: str = "") -> list[int]:
    """Carry out two iterations of three steps, each of which adds one to the number that the last one left."""
    found, last = [], 0
    for iteration in (1, 2):
        for name in ("acquire", "model", "optimise"):

            def work(folder: Path, name: str = f"{iteration}/{name}", number: int = last + 1) -> dict[str, Any]:
                (folder / "number.txt").write_text(str(number))
                if name == die_in:
                    raise Killed
                done.append(name)
                return {"number": number}

            folder, result = steps.do(iteration, name, work)
            last = result["number"]
            assert (folder / "number.txt").read_text() == str(last)
            found.append(last)
    return found


@pytest.mark.parametrize("killed", ["1/acquire", "1/optimise", "2/model"])
def test_a_loop_goes_on_where_it_was_killed(tmp_path: Path, killed: str) -> None:
    whole: list[str] = []
    steps, expected = steps_of(tmp_path / "whole")
    assert loop(steps, whole) == [1, 2, 3, 4, 5, 6]
    done: list[str] = []
    with pytest.raises(Killed):
        loop(steps_of(tmp_path / "run")[0], done, killed)
    assert not (tmp_path / "run" / "iterations" / killed).exists(), "half a step is none"
    resumed, log = steps_of(tmp_path / "run", resumed=True)
    assert loop(resumed, done) == [1, 2, 3, 4, 5, 6]
    assert done == whole and log == expected
    assert resumed.result(2, "optimise") == {"number": 6} and resumed.result(3, "acquire") is None


def test_a_step_is_repeated_with_other_settings_alone(tmp_path: Path) -> None:
    steps, _ = steps_of(tmp_path)
    done: list[int] = []

    def work(folder: Path) -> dict[str, Any]:
        done.append(1)
        return {"times": len(done)}

    for settings, times in (({"games": 2}, 1), ({"games": 2}, 1), ({"games": 3}, 2)):
        assert steps.do(1, "evaluation", work, settings)[1] == {"times": times}


def test_damaged_steps_are_refused_and_time_is_added_up(tmp_path: Path) -> None:
    steps, _ = steps_of(tmp_path)
    loop(steps, [])
    timing = steps.timing()
    assert set(timing) == {"wall_s", "acquire_s", "model_s", "optimise_s"}
    again, _ = steps_of(tmp_path, resumed=True)
    loop(again, [])
    elsewhere = sum(seconds for name, seconds in timing.items() if name != "wall_s")
    assert again.timing()["wall_s"] == pytest.approx(1.0 + elsewhere), "what another process spent counts"
    (tmp_path / "iterations/1/model/number.txt").write_text("7")
    with pytest.raises(RunError, match=r"number\.txt"):
        loop(steps_of(tmp_path, resumed=True)[0], [])
