"""Trainings that are prolonged stay at the end of what has fallen, unless the user says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lawgiver.trainers.evaluation.ascent import Ascent
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.state import restoring
from lawgiver.trainers.settings.annealing import stage

pytestmark = pytest.mark.usefixtures("undrawn")

AFFINE = ["game.n=3", "game.m=1", "trainer.batch=32", "trainer.log_every=10", "trainer.evaluation={profiles: 500}"]
TINY = {
    "affine_maximiser": [*AFFINE, "trainer.start=uniform"],
    "exs_net": [
        *("game.n=2", "game.m=1", "trainer.batch=4", "trainer.samples=8", "agents.mechanism.hidden=[4]"),
        "trainer.evaluation={instances: 2, effort: 1, compared: 0}",
    ],
    "exact_designer": ["game.endowments=[4,2,2]"],
    "online_allocation": [
        *("game.n=2", "game.rounds=4", "trainer.problems=2", "trainer.copies=2"),
        "trainer.evaluation={games: 2, tuning: 2}",
    ],
    "learned_follower": ["game.n=3", "trainer.batch=4", "trainer.evaluation={profiles: 2, exact: 0, audited: 0}"],
}


def step_size(run: Path) -> float:
    """Return the learning rate of the last update, as the newest checkpoint has it."""
    found = Run.open(run).latest_checkpoint()
    assert found is not None
    with restoring(found[1]) as state:
        inner = next((state[key] for key in ("search", "learner") if key in state), state)
        return float(inner["optimiser"]["param_groups"][0]["lr"])


def test_a_schedule_ends_with_its_last_update() -> None:
    trainer = load_config("exs_net", ["trainer.updates=8", "trainer.anneal_over=5"]).trainer
    assert [stage(update, trainer) for update in (1, 4, 5, 6, 8)] == [(1, 5), (4, 5), (5, 5), (5, 5), (5, 5)]


@pytest.mark.parametrize("name", TINY)
def test_a_config_spells_out_over_how_many_updates_it_falls(name: str) -> None:
    assert load_config(name, ["trainer.updates=7"]).trainer.anneal_over == 7
    assert load_config(name, ["trainer.updates=7", "trainer.anneal_over=3"]).trainer.anneal_over == 3
    assert load_config(name).trainer.anneal_over == load_config(name).trainer.updates


@pytest.mark.parametrize("name", TINY)
def test_a_prolonged_training_keeps_its_last_step_size(name: str, tmp_path: Path) -> None:
    path, _ = launch.train(name, [*TINY[name], "trainer.updates=4", f"run_dir={tmp_path / 'run'}"])
    last = step_size(path)
    launch.resume(path, ["trainer.updates=8"])
    assert step_size(path) == last
    assert Run.open(path).settings["trainer"]["anneal_over"] == 4


def test_the_user_may_say_otherwise(tmp_path: Path) -> None:
    path, _ = launch.train("affine_maximiser", [*AFFINE, "trainer.updates=4", f"run_dir={tmp_path / 'run'}"])
    last = step_size(path)
    launch.resume(path, ["trainer.updates=8", "trainer.anneal_over=24"])
    assert step_size(path) > last


def column(run: Path, name: str) -> list[Any]:
    return [row[name] for row in Run.open(run).lines()]


def test_a_prolonged_search_is_not_heated_up_again(tmp_path: Path) -> None:
    path, before = launch.train("affine_maximiser", [*AFFINE, "trainer.updates=100", f"run_dir={tmp_path / 'run'}"])
    _, after = launch.resume(path, ["trainer.updates=200"])
    temperatures = column(path, "temperature")
    assert temperatures == sorted(temperatures, reverse=True)
    assert temperatures[9:] == pytest.approx([0.005] * 11)
    objectives = column(path, "objective")  # on the same profiles always
    assert min(objectives[10:]) >= objectives[9] - 1e-3, "steps of a hundredth of the first hardly move it"
    assert after["objective"].mean >= before["objective"].mean - 1e-3


def test_a_prolonged_ascent_is_the_short_one_and_a_rest() -> None:
    def ascent(steps: int) -> list[tuple[float, float]]:
        at = torch.nn.Parameter(torch.zeros(1))
        climber = Ascent(
            [at], lambda level: -((at - level) ** 2).sum(), inverse_temperature=4.0, updates=20, learning_rate=0.1
        )
        told = [climber.update(step) for step in range(1, steps + 1)]
        return [(each["score"], each["inverse_temperature"]) for each in told]

    short, long = ascent(20), ascent(40)
    assert long[:20] == short
    assert [level for _, level in long[9:]] == [4.0] * 31
    values = [value for value, _ in long[20:]]
    assert values == sorted(values)
    assert values[-1] - values[0] < 0.1 * abs(values[0]), "steps stay as small as the last one"
