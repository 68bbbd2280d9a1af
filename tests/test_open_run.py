"""A run says which game it is about: to whoever opens it, to views, and to tournaments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import pettingzoo
import pytest

import lawgiver
from lawgiver.agents.network_policies import LearnedMechanism
from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.loading import game_of
from lawgiver.trainers.runs.training_run import TrainingRun

ID = "lawgiver/public_investment-v0"
SMALL = ("game.mechanism_mode=announce", "game.participant_observation=rule", "game.n_rounds=2")
EDGES: Any = {"games": 20, "participants": "random", "voters": "random"}


def trained(walk: Path, path: Path, *game: str) -> Path:
    """Return a run whose mechanism announces (3, 0.5)."""
    overrides = ["game.name=public_investment", *SMALL, "game.endowments=[4,2,2]", *game]
    run = TrainingRun.create("walk", load_config(walk, [*overrides, f"run_dir={path}"]))
    run.save_policy("mechanism", LearnedMechanism(run.game(), start=(3.0, 0.5), hidden=None))
    run.log(1, {"position": 1.0}, {})
    run.finish({"position": 1.0})
    run.close()
    return path


def test_an_opened_run_tells_of_its_game(walk: Path, tmp_path: Path) -> None:
    run = lawgiver.open_run(trained(walk, tmp_path / "run"))
    game: Any = run.game()
    assert (game.mechanism_mode, game.endowments, game.n_rounds) == ("announce", (4, 2, 2), 2)
    assert run.summary["position"] == 1.0
    for wrong in (None, 3, tmp_path, tmp_path / "nothing"):
        with pytest.raises(LawgiverError):
            lawgiver.open_run(wrong)


def test_a_view_takes_the_run_s_own_parameters_unless_others_are_given(walk: Path, tmp_path: Path) -> None:
    run = trained(walk, tmp_path / "run")
    env = pettingzoo.make("parallel", ID, mechanism=str(run))
    assert env.unwrapped.game == lawgiver.open_run(run).game()
    env.reset(seed=0)
    assert pettingzoo.make("aec", ID, mechanism=run, n_rounds=5).unwrapped.game.n_rounds == 5
    env = gymnasium.make(ID, role="participant", mechanism=run / "policies" / "mechanism", participants="random")
    assert env.unwrapped.game.endowments == (4, 2, 2)
    with pytest.raises(LawgiverError):
        pettingzoo.make("parallel", ID, mechanism=str(run), mechanism_mode="allocate")


def test_a_tournament_is_about_the_run_s_game(walk: Path, tmp_path: Path) -> None:
    run = trained(walk, tmp_path / "run")
    held = lawgiver.tournament([run, "libertarian"], **EDGES)
    assert lawgiver.make_game(**held.settings["game"]) == lawgiver.make_game(
        "public_investment", mechanism_mode="announce", n_rounds=2, endowments=[4, 2, 2]
    )
    assert held.names == ("run", "libertarian")
    game = lawgiver.tournament([run, "libertarian"], **EDGES, game={"n_rounds": 1}).settings["game"]
    assert game["n_rounds"] == 1 and game["endowments"] == [4, 2, 2]
    assert lawgiver.tournament(["libertarian", "random"], games=20).settings["game"] == {"name": "public_investment"}


def test_runs_of_several_games_need_to_be_told_which(walk: Path, tmp_path: Path) -> None:
    runs = [str(trained(walk, tmp_path / name, f"game.n_rounds={n}")) for name, n in (("a", 1), ("b", 3))]
    with pytest.raises(ParameterError, match=r"these runs were trained on several games: .*say which") as error:
        lawgiver.tournament(runs, **EDGES)
    assert "\n" not in str(error.value)
    told = {"mechanism_mode": "announce", "endowments": [4, 2, 2]}
    assert lawgiver.tournament(runs, **EDGES, game=told).settings["game"]["mechanism_mode"] == "announce"


def test_the_game_of_an_election_is_the_one_that_is_ruled(walk: Path, tmp_path: Path) -> None:
    overrides = [
        "game={name: election, base: {name: taxed_dilemma, max_rounds: 3}, participants: random, voters: random}"
    ]
    TrainingRun.create("walk", load_config(walk, [*overrides, f"run_dir={tmp_path / 'run'}"])).close()
    assert game_of(tmp_path / "run") == {"name": "taxed_dilemma", "max_rounds": 3}
