"""A third party's package, tests/data/orchard, does whatever the built-ins do; not a line here knows its names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")

import lawgiver
from lawgiver.agents.learned import PolicyFileError, load_policy, save_policy
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.registry import GAMES, names
from lawgiver.envs.testing.rules import check_rewards
from lawgiver.testing import check_game
from lawgiver.trainers.cli import app
from lawgiver.trainers.runs.trainer import trainer_of

SOURCE = Path(__file__).parent / "data" / "orchard"
ORCHARD = {"name": "orchard", "objective": "even_gain", "days": 1}
CLAIMS = {"name": "orchard_claims", "objective": "even_gain"}


@pytest.fixture(scope="module")
def site(install: Callable[[Path], Path]) -> Path:
    """Install the package; return the folder on the path that it is in."""
    return install(SOURCE)


def config_of(folder: Path, game: dict[str, Any], trainer: str = "orchard_ascent") -> Path:
    file = folder / f"{game['name']}.yaml"
    file.write_text(json.dumps({"game": game, "agents": {"mechanism": {"width": 4}}, "trainer": {"name": trainer}}))
    return file


@pytest.fixture(scope="module")
def runs(site: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, lawgiver.Run]:
    """Train in either game; return the runs."""
    folder = tmp_path_factory.mktemp("runs")
    return {
        game["name"]: lawgiver.train(config_of(folder, game), run_dir=folder / game["name"], seed=3)
        for game in (ORCHARD, CLAIMS)
    }


def test_it_knows_nothing_but_the_front_door() -> None:
    imports = re.findall(r"^(?:from|import) (lawgiver\S*)", "".join(f.read_text() for f in SOURCE.rglob("*.py")), re.M)
    assert set(imports) == {"lawgiver", "lawgiver.api"}


def test_everything_is_listed(site: Path) -> None:
    kinds = {
        "games": ["orchard-v0", "orchard_claims-v0"],
        "mechanisms": ["equal_baskets"],
        "participants": ["steady_pickers"],
        "objectives": ["even_gain"],
        "policies": ["basket_network", "picking_habit"],
        "trainers": ["orchard_ascent", "orchard_plain"],
    }
    for kind, expected in kinds.items():
        said = CliRunner().invoke(app, ["list", kind], catch_exceptions=False).output
        assert all(name in said for name in expected), said
    assert "baskets" in CliRunner().invoke(app, ["games", "orchard"], catch_exceptions=False).output


@pytest.mark.parametrize("game", [ORCHARD, CLAIMS, {**CLAIMS, "mechanism_mode": "announce"}], ids=str)
def test_its_games_keep_the_contract(site: Path, game: dict[str, Any]) -> None:
    check_game(make_game(**game))


UNPAID = ("election-v0", "matrix-v0", "online_allocation-v0", "repeated-v0", "repeated_allocation-v0")
PAID = [name for name in names(GAMES) if name not in UNPAID]


@pytest.mark.parametrize("name", PAID)
def test_its_objective_pays_the_mechanism_of_every_game(site: Path, name: str) -> None:
    game = make_game(name, objective="even_gain")
    check_rewards(game, batch=8)
    own = {"objective", *game.objectives}
    assert "objective" in own and game.ceiling() is None


def test_an_objective_of_other_games_is_one_line_and_left_out_of_reports(site: Path) -> None:
    sales, fund = (make_game(name, objective="takings") for name in ("sequential_sales", "public_investment"))
    check_rewards(sales, batch=8)
    with pytest.raises(UnsupportedGameError, match=r"objective 'takings' does not fit this game: .*'payments'"):
        check_rewards(fund, batch=8)
    assert "takings" not in fund.measures() and "even_gain" in fund.measures()


def test_its_objective_pays_rounds_of_an_allocation_too(site: Path) -> None:
    game = make_game("repeated_allocation", stage={"n": 2, "m": 1, "objective": "even_gain"})
    rng = np.random.default_rng(0)
    people, mechanism = make_policy(game, "participant", "truthful"), make_policy(game, "mechanism", "equal_split")
    state = game.initial_state(4, rng)
    state, *_ = game.step(state, people.act(game.observe(state, "participant"), None, None, rng)[0], game.draw(4, rng))
    state, rewards, *_ = game.step(
        state, mechanism.act(game.observe(state, "mechanism"), None, None, rng)[0], game.draw(4, rng)
    )
    expected = state.payoffs.mean(-1) - state.payoffs.std(-1)
    np.testing.assert_allclose(rewards["mechanism"][:, 0], expected, atol=1e-12)


def test_trainers_with_formulas_refuse_its_objective_in_one_line(site: Path, tmp_path: Path) -> None:
    for config in ("affine_maximiser", "learned_follower", "lanes"):
        with pytest.raises(UnsupportedGameError, match="none for objective 'even_gain': take a trainer that plays"):
            lawgiver.train(config, {"game.objective": "even_gain"}, run_dir=tmp_path / config)


def test_a_killed_training_ends_with_the_same_numbers(runs, tmp_path: Path) -> None:
    config, folder = config_of(tmp_path, ORCHARD), tmp_path / "run"
    command = [sys.executable, "-m", "lawgiver", "train", str(config), "seed=3", f"run_dir={folder}"]
    killed = subprocess.run(command, env=os.environ | {"ORCHARD_KILLED_AT": "7"}, capture_output=True, check=False)
    assert killed.returncode == -9 and not (folder / "summary.json").exists()
    resumed, whole = lawgiver.resume(folder), runs["orchard"]
    assert resumed.summary["harvest"] == whole.summary["harvest"]
    np.testing.assert_array_equal(resumed.metrics["network/size"], whole.metrics["network/size"])
    weights = [run.policies / "mechanism" / "weights.safetensors" for run in (resumed, whole)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_it_is_evaluated_and_drawn_as_its_trainer_says(runs) -> None:
    run = runs["orchard"]
    found = lawgiver.evaluate(run.path, games=500, seed=1)
    assert set(found) == {"harvest", "games"} and found["games"] == 500
    assert found["harvest"] == pytest.approx(run.summary["harvest"], abs=0.1)
    assert [file.name for file in (run.path / "figures").iterdir()] == ["harvest.png"]


def test_a_plain_function_gets_curves_of_its_own_metrics(site: Path, tmp_path: Path) -> None:
    run = lawgiver.train(config_of(tmp_path, ORCHARD, "orchard_plain"), run_dir=tmp_path / "run")
    drawn = dict(trainer_of(run).figures(run, run.summary))
    titles = {axis.get_title("left") for axis in drawn["curves.png"].axes}
    assert {"Harvest", "Network"} <= {title.capitalize() for title in titles}
    assert (run.path / "figures" / "curves.png").exists()
    found = lawgiver.evaluate(run.path, games=200)["simulated"]
    assert "even_gain" in str(found)
    printed = CliRunner().invoke(app, ["evaluate", str(run.path), "games=200"]).output
    assert "even gain: the mean payoff less the standard deviation of payoffs" in " ".join(printed.split())


def test_what_it_has_learned_is_audited(runs) -> None:
    found = lawgiver.audit(runs["orchard_claims"].path, profiles=10, effort=1)
    assert found.regrets and found.settings["game"]["name"] == "orchard_claims"
    assert found.largest_gain > 0, "whoever says that it needs all gets more"


def test_what_it_has_learned_stands_for_election(runs) -> None:
    run = runs["orchard"]
    held = lawgiver.tournament([run.path, "equal_baskets"], participants="steady_pickers", games=40)
    assert held.names == ("orchard", "equal_baskets") and np.isfinite(held.shares).all()
    again = lawgiver.tournament([run.path, "equal_baskets"], participants=run.path, games=40)
    assert np.isfinite(again.shares).all(), "a run's own participants, kept without torch"


def test_another_process_loads_what_it_has_learned(runs) -> None:
    run = runs["orchard"]
    obs = np.array([[[1.0, 0.0, 1.0]]])
    code = (
        "import json, sys, numpy, lawgiver; kept = lawgiver.load(sys.argv[1]);"
        f"print(json.dumps([kept['mechanism'].logits(numpy.array({obs.tolist()})).tolist(),"
        " kept['participant'].rates.tolist()]))"
    )
    said = subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True, text=True, check=True)
    logits, rates = json.loads(said.stdout)
    np.testing.assert_array_equal(logits, lawgiver.load(run.path, role="mechanism").logits(obs))
    assert rates == [0.75] * 3
    env = os.environ | {"PYTHONPATH": ""}
    said = subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True, text=True, env=env)
    assert said.returncode == 1 and "orchard" in said.stderr.splitlines()[-1]


def test_a_kind_that_nobody_declares_is_one_line(runs, tmp_path: Path) -> None:
    policy = lawgiver.load(runs["orchard"].path, role="mechanism")
    save_policy(tmp_path, policy)
    description = tmp_path / "policy.json"
    description.write_text(description.read_text().replace("basket_network", "basket_netwerk"))
    with pytest.raises(PolicyFileError, match=r"declares under 'lawgiver.policies'.*did you mean 'basket_network'.*"):
        load_policy(tmp_path, runs["orchard"].game())
    with pytest.raises(ParameterError, match=r"allowed: one with kind, role, settings, state\(\) and restore\(\)"):
        save_policy(tmp_path, make_policy(runs["orchard"].game(), "mechanism", "equal_baskets"))


def test_settings_and_arrays_that_do_not_fit_are_one_line(runs, tmp_path: Path) -> None:
    policy, game = lawgiver.load(runs["orchard"].path, role="mechanism"), runs["orchard"].game()
    save_policy(tmp_path, policy)
    description = json.loads((tmp_path / "policy.json").read_text())
    for settings in ({"width": 5}, {"breadth": 4}, {"width": "wide"}):
        (tmp_path / "policy.json").write_text(json.dumps({**description, "settings": settings}))
        with pytest.raises(PolicyFileError, match="does not fit orchard-v0"):
            load_policy(tmp_path, game)
    habit = lawgiver.load(runs["orchard"].path, role="participant")
    save_policy(tmp_path, habit)
    with pytest.raises(PolicyFileError, match="does not fit orchard-v0"):
        load_policy(tmp_path, make_game("orchard", n=5))
