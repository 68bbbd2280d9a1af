"""The command line: what it prints, what it says about mistakes, and that it survives a kill."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pettingzoo
import pytest
import torch
from typer.testing import CliRunner

from lawgiver.agents.network_policies import LearnedMechanism, LearnedParticipants
from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.registry import GAMES, names
from lawgiver.trainers import hcmd_zero
from lawgiver.trainers.cli import app, main
from lawgiver.trainers.cli import throughput as bench
from lawgiver.trainers.cli.pages import game_page
from lawgiver.trainers.cli.printed_tables import show_summary
from lawgiver.trainers.evaluation.evaluate import evaluate
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.packaged_configs import config_names
from lawgiver.trainers.runs.ray_cluster import REPRODUCIBLE
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.seeds import aggregate


def lawgiver(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lawgiver", *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command that must fail with exit code 2 and one line; return the line."""
    monkeypatch.setenv("PYTHONHASHSEED", "0")

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["lawgiver", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        assert stop.value.code == 2
        assert said.out == ""
        err = re.sub(r"^lawgiver: walking: \d+ of \d+\n", "", said.err, flags=re.MULTILINE)  # how far it came
        assert err.startswith("lawgiver: ")
        assert err.count("\n") == 1
        return err

    return run


def test_help_is_complete_and_needs_neither_torch_nor_ray():
    code = (
        "import sys; from lawgiver.trainers.cli import app; from typer.testing import CliRunner;"
        "print(CliRunner().invoke(app, ['--help']).output);"
        "assert not {'torch', 'ray', 'pydantic'} & set(sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for command in ("games", "train", "evaluate", "tournament", "audit", "reproduce", "tune", "bench"):
        assert re.search(rf"^  {command} +\w", shown, re.MULTILINE)
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0


def test_help_names_configs_exit_codes_and_keys():
    train, bench = (" ".join(CliRunner().invoke(app, [name, "--help"]).output.split()) for name in ("train", "bench"))
    assert all(name in train for name in config_names())
    assert all(code in train for code in ("0 done", "2 wrong input", "130 interrupted"))
    assert all(key in bench for key in ("parallel", "vector", "torch", "rllib.batched", "iteration_env_steps_per_s"))


def test_games_lists_every_game():
    shown = CliRunner().invoke(app, ["games"]).output
    assert all(name in shown for name in names(GAMES))


@pytest.mark.parametrize("name", names(GAMES))
def test_a_games_page_says_what_there_is(name: str):
    page = game_page(name)
    assert CliRunner().invoke(app, ["games", name]).output == page + "\n"
    block = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    made = [eval(call.strip(), {"gymnasium": gymnasium, "pettingzoo": pettingzoo}) for call in _calls(block)]
    roles = make_game(name).roles
    assert len(made) == 3 + len(roles), "two of PettingZoo, a learner of each role, a vector"
    for env in made:
        env.reset(seed=0)
    game = made[0].game
    for role in game.roles:
        for field in game.observation_layout(role):
            assert f"| `{field.name}` | {field.size} | [{field.low:g}, {field.high:g}] | {field.unit} |" in page
    asked = game.wording().act if "participant" in roles else "the game has no participants"
    assert asked in page.partition("## Screens")[2].partition("\n## ")[0]
    for parameter in dataclasses.fields(game):
        told = re.search(rf"\| `{parameter.name}` \| `.+` \| `?\w", page)
        assert bool(told) == parameter.init, parameter.name  # the others cannot be given
    for solution in game.known_solutions():
        assert solution.name in page
    assert game.reference in page


def _calls(block: str) -> list[str]:
    return re.findall(r"^(?:gymnasium|pettingzoo)\..*?\)$", block, re.MULTILINE | re.DOTALL)


# -- training -------------------------------------------------------------------------------------------------------


def test_train_ends_with_a_table_and_the_folder(walk: Path, tmp_path: Path):
    done = lawgiver("train", str(walk), f"run_dir={tmp_path / 'out'}", "seed=2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"run: {tmp_path / 'out'}\n")
    assert re.search(r"ceiling +10", done.stdout)
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["seed"] == 2


def test_a_killed_training_is_resumed_without_gap_or_repeat(walk: Path, tmp_path: Path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    killed = lawgiver("train", str(walk), f"run_dir={out}", "seed=4", WALK_KILLED_AT="4:5")
    assert killed.returncode == -signal.SIGKILL
    assert not (out / "summary.json").exists()
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 5
    resumed = lawgiver("train", "--resume", str(out))
    assert resumed.returncode == 0, resumed.stderr
    launch.train(walk, [f"run_dir={whole}", "seed=4"])

    def untimed(path: Path) -> list[dict]:
        return [json.loads(line) | {"timing": None} for line in (path / "metrics.jsonl").read_text().splitlines()]

    assert untimed(out) == untimed(whole)


def test_an_interruption_says_how_to_continue(walk: Path, tmp_path: Path):
    done = CliRunner().invoke(app, ["train", str(walk), f"run_dir={tmp_path / 'out'}", "trainer.mode=interrupt"])
    assert done.exit_code == 130
    assert done.stderr == f"interrupted; continue with: lawgiver train --resume {tmp_path / 'out'}\n"


def test_train_fixes_what_numbers_depend_on(plugin: Path, walk: Path, tmp_path: Path):
    said = "os.environ['PYTHONHASHSEED'], os.environ['OMP_NUM_THREADS'], 'torch' in sys.modules"
    (plugin / "fake_trainer.py").write_text(f"import os, sys; sys.exit(str(({said})))")
    environment = {key: value for key, value in os.environ.items() if key not in REPRODUCIBLE}
    command = [sys.executable, "-m", "lawgiver", "train", str(walk), f"run_dir={tmp_path / 'out'}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stderr.endswith(" SystemExit: ('0', '1', False)\n"), done.stderr


def test_seeds_end_with_intervals(walk: Path, tmp_path: Path):
    done = CliRunner().invoke(app, ["train", str(walk), f"run_dir={tmp_path / 'out'}", "seeds=[0,1,2]"])
    assert done.exit_code == 0
    assert re.search(r"learned +-?[\d.]+ ±[\d.e-]+", done.output)
    assert "after ±: standard errors" in " ".join(done.output.split())
    assert "over 3 seeds" in done.output


@pytest.mark.parametrize(
    ("alarms", "said"),
    [
        (["drift [1]", "ceiling"], "alarm: drift [1]\nalarm: ceiling\n"),
        ({"0": ["drift"], "2": ["ceiling"]}, "alarm (seed 0): drift\nalarm (seed 2): ceiling\n"),
    ],
)
def test_alarms_are_the_last_lines_of_a_table(capsys: pytest.CaptureFixture[str], alarms: object, said: str):
    show_summary({"position": 1.0, "alarms": alarms})
    shown = capsys.readouterr().out
    assert shown.endswith(said)
    assert re.search(r"position +1", shown)


CONDITIONS = ("10-2-2-2", "10-4-4-4", "10-6-6-6", "10-8-8-8", "10-10-10-10", "pooled")


def votes_told(share: float, low: float, high: float) -> Estimate:
    return Estimate(share, (high - low) / 4, low, high, 100, "group bootstrap")


def told_of_elections(share: float, width: int) -> dict:
    """Return a summary like that of HCMD-zero."""
    told = {"simulated_people": votes_told(share, 0.529, 0.554), "learning_automata": votes_told(0.25, 0.2, 0.3)}
    people = {name: dict.fromkeys(CONDITIONS, found) for name, found in told.items()}
    chosen = {"contributions": {"n_linear": width, "held_out": 1.5}, "votes": {"l2": 0.01, "fitted": 0.5}}
    return {
        "vote_share": {"libertarian": people, "strict_egalitarian": people},
        "meta_game": {
            "names": ["theta_0", "theta_1"],
            "shares": [[0.5, 0.4175], [0.5825, 0.5]],
            "errors": [[0.0, 0.021], [0.021, 0.0]],
            "nash": {"theta_0": votes_told(0.0, 0.0, 0.0), "theta_1": votes_told(1.0, 0.9, 1.0)},
        },
        "convergence": {"1": {"converged": False, "reason": "wins 58.2%", "edge": votes_told(0.0825, 0.04, 0.12)}},
        "virtual_participants": {"1": chosen},
    }


def test_elections_are_legible_at_a_hundred_columns(capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    show_summary(told_of_elections(0.542, 8), hcmd_zero.trainer)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 100
    assert re.findall(r"^% of the votes against (\w+)", shown, re.M) == ["libertarian", "strict_egalitarian"]
    for condition in CONDITIONS:
        assert len(re.findall(rf"^{condition} +54\.2 \[52\.9, 55\.4\] +25\.0 \[20\.0, 30\.0\]$", shown, re.M)) == 2
    assert re.search(r"errors\s+up\s+to\s+2\.1", shown)
    assert re.search(r"^1 theta_0 +41\.8 +0 \[0, 0\]$", shown, re.M)
    assert re.search(r"^2 theta_1 +58\.2 +100 \[90, 100\]$", shown, re.M)
    assert re.search(r"^iteration 1 +no +8\.2 \[4\.0, 12\.0\] +wins 58\.2% *$", shown, re.M)
    assert re.search(r"^iteration 1 +n_linear 8 +l2 0\.01 *$", shown, re.M)
    assert "held_out" not in shown


def test_elections_over_seeds_are_shown_with_the_interval_over_seeds(capsys: pytest.CaptureFixture[str]):
    show_summary({"aggregate": aggregate([told_of_elections(0.5, 8), told_of_elections(0.6, 4)])}, hcmd_zero.trainer)
    shown = capsys.readouterr().out
    assert len(re.findall(r"^pooled +55\.0 \[-8\.5, 118\.5\] +25\.0 \[25\.0, 25\.0\]$", shown, re.M)) == 2
    assert re.search(r"^iteration 1 +n_linear 8\|4 +l2 0\.01 *$", shown, re.M)


def test_votes_of_one_population_are_one_table(capsys: pytest.CaptureFixture[str]):
    show_summary({"vote_share": {"libertarian": {"10-2-2-2": votes_told(0.5, 0.4, 0.6)}}})
    assert re.search(r"^libertarian +50\.0 \[40\.0, 60\.0\]$", capsys.readouterr().out, re.M)


def test_evaluate_scores_the_learned_policies(walk: Path, tmp_path: Path):
    config = load_config(
        walk, ["game.name=public_investment", "game.mechanism_mode=announce", f"run_dir={tmp_path / 'out'}"]
    )
    run = TrainingRun.create("walk", config)
    libertarian = LearnedMechanism(run.game(), start=run.game().members["libertarian"], hidden=None)
    run.save_policy("mechanism", libertarian)
    run.finish({})
    found = evaluate(run.path, games=200)
    surplus = found["simulated"]["surplus"]
    assert surplus["learned"].mean == pytest.approx(surplus["libertarian"].mean)
    # Random participants give half of what they have, whatever the rule: 0.6 of 5.5 and 3 times 1 to 5 points.
    half = 0.6 * np.mean([5 + 3 * tail / 2 for tail in (2, 4, 6, 8, 10)])
    for value in surplus.values():
        assert value.low < half < value.high
    shown = CliRunner().invoke(app, ["evaluate", str(run.path)]).output
    assert re.search(r"learned +[\d.]+ ±[\d.e-]+", shown)
    assert "the config gives the participants no inverse temperature" in shown


def trained_run(walk: Path, path: Path, agents: dict, *roles: str, seeds: tuple[int, ...] | None = None) -> Run:
    """Return a run of the investment game whose policies are as they come; ``roles`` are those that it has learned."""
    small = ["game.name=public_investment", "game.mechanism_mode=announce", "game.endowments=[4,2,2]"]
    config = load_config(walk, [*small, f"run_dir={path}", *([f"seeds={list(seeds)}"] if seeds else [])])
    run = TrainingRun.create("walk", config)
    run.settings["agents"] = agents
    run._write_config()
    torch.manual_seed(0)
    if "mechanism" in roles:
        run.save_policy("mechanism", LearnedMechanism(run.game(), start=(3.0, 0.5), hidden=None))
    if "participant" in roles:
        run.save_policy("participant", LearnedParticipants(run.game(), hidden=(4,), anchor="uniform"))
    run.finish({})
    run.close()
    return run


def test_evaluate_plays_the_mechanism_that_was_given(walk: Path, tmp_path: Path):
    agents = {
        "participants": {"inverse_temperature": 0.0},
        "mechanism": {"given": {"policy": "rule", "parameters": [1.0, 1.0]}},
    }
    found = evaluate(trained_run(walk, tmp_path / "out", agents, "participant").path, games=500)
    surplus = found["simulated"]["surplus"]
    assert surplus["given"] == pytest.approx(surplus["libertarian"])  # the same rule by another name
    assert "learned" not in surplus
    played, equilibrium = (found["trained_participants"][key]["surplus"] for key in ("played", "equilibrium"))
    assert played == surplus["given"]
    assert equilibrium == pytest.approx(0.6 * (4 + 2 + 2) / 2)  # at inverse temperature 0 everybody is at random
    assert "log_nash_welfare" not in found  # the table of exact scores is of a learned mechanism


def test_evaluate_plays_the_participants_that_were_given(walk: Path, tmp_path: Path):
    agents = {"participants": {"inverse_temperature": 1.0, "given": {"policy": "full_contributor"}}}
    found = evaluate(trained_run(walk, tmp_path / "out", agents, "mechanism").path, games=50)
    assert found["simulated"]["surplus"]["learned"].mean == pytest.approx(0.6 * 8)
    assert "exact scores" in found["reasons"]
    assert "trained_participants" not in found


def test_evaluate_takes_every_seed_of_a_group(walk: Path, tmp_path: Path):
    agents = {"participants": None}
    group = trained_run(walk, tmp_path / "group", agents, seeds=(0, 1))
    members = [trained_run(walk, group.path / f"s{seed}", agents, "mechanism", "participant") for seed in (0, 1)]
    found = evaluate(group.path, games=200)
    assert found["runs"] == [str(member.path) for member in members]
    alone = [evaluate(member.path, games=200) for member in members]
    assert found["aggregate"]["simulated"] == aggregate([one["simulated"] for one in alone])
    means = [one["simulated"]["gini"]["learned"].mean for one in alone]
    assert found["aggregate"]["simulated"]["gini"]["learned"].values == tuple(means)
    shown = CliRunner().invoke(app, ["evaluate", str(group.path)]).output
    assert "means over 2 seeds" in shown and "learned rule: p = 3, q = 0.5" in shown


def test_evaluate_needs_policies(refused, walk: Path, tmp_path: Path):
    path, _ = launch.train(walk, [f"run_dir={tmp_path / 'out'}"])
    assert "has no learned mechanism: allowed: none" in refused("evaluate", str(path))


# -- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["games", "public_investmnt"], "unknown game 'public_investmnt': did you mean 'public_investment-v0'? "),
        (["train"], "CONFIG is missing"),
        (["train", "seed=3"], "CONFIG is missing"),
        (["train", "nothing"], "unknown config 'nothing'"),
        (["train", "{walk}", "trainer.iteratons=3"], "did you mean 'iterations'? allowed: iterations, mode, "),
        (["train", "{walk}", "trainer.iterations=x"], "trainer.iterations is 'x'"),
        (["train", "{walk}", "game.name=public_investment", "game.endowments=[10,-4]"], "-4"),
        (["train", "{walk}", "run_dir=/proc/x"], "cannot write"),
        (["audit", "borda", "game=voting"], "game is given as game=..., allowed: --game G"),
        (["audit", "borda", "--game", "voting", "mechanism=x"], "mechanism is given as mechanism=..., allowed: "),
        (["tournament", "libertarian", "mechanisms=x"], "mechanisms is given as mechanisms=..., allowed: "),
        (["train", "--resume", "/nowhere"], "/nowhere is not a run"),
        (["evaluate", "/nowhere"], "/nowhere is not a run"),
    ],
)
def test_mistakes_end_with_one_line_and_exit_code_2(refused, walk: Path, arguments: list[str], said: str):
    assert said in refused(*(argument.format(walk=walk) for argument in arguments))


def test_a_loss_that_is_not_finite_ends_with_one_line(refused, walk: Path, tmp_path: Path):
    said = refused("train", str(walk), f"run_dir={tmp_path / 'out'}", "trainer.mode=diverge")
    assert "walk loss is nan at iteration 5" in said
    assert "checkpoints/00000003" in said


# -- speed ----------------------------------------------------------------------------------------------------------


SMALL = bench.Sizes(repeats=1, steps=50, vector_games=8, vector_steps=20, torch_games=16, torch_rounds=3)


def test_bench_measures_every_view():
    measured = {name: piece() for name, piece in bench.pieces(["views", "torch"], SMALL).items()}
    assert all(rate > 0 for rates in measured.values() for rate in rates.values())
    for name in names(GAMES):
        short = name.rpartition("-v")[0]
        assert {f"{short}.parallel.steps_per_s", f"{short}.vector.rounds_per_s"} <= measured[f"{name} views"].keys()
        played = "participant" in make_game(name).roles  # else the people belong to the game, not to its rules
        assert list(measured[f"{name} torch"]) == ([f"{short}.torch.rounds_per_s"] if played else [])


def test_bench_takes_parts():
    assert bench.chosen_parts([]) == ["views", "torch", "rllib"]
    assert bench.chosen_parts([], quick=True) == ["views", "torch"]
    assert bench.chosen_parts(["rllib", "rllib"], quick=True) == ["rllib"]
    assert list(bench.pieces(["rllib"])) == ["rllib sampling", "rllib iterations"]
    with pytest.raises(LawgiverError, match="unknown part 'view': did you mean 'views'"):
        bench.chosen_parts(["view"])


@pytest.mark.parametrize(("steps", "rounds"), [(10, 10), (11, 10), (12, 11), (33, 30)])
def test_bench_counts_a_round_for_an_action_in_a_game(monkeypatch: pytest.MonkeyPatch, steps: int, rounds: int):
    """Games of ten rounds: every eleventh step only starts the next game."""
    counted: list[int] = []
    monkeypatch.setattr(bench, "rate", lambda work, repeats: counted.append(work()) or 1.0)
    game = make_game("public_investment", n_rounds=10)
    bench.vector_rounds(game, bench.Fixed(game, 8), dataclasses.replace(SMALL, vector_steps=steps))
    assert counted == [8 * rounds]


def test_bench_prints_json_and_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    file = tmp_path / "new" / "rates.json"
    seen: list[dict] = []

    def first() -> dict[str, float]:
        print("a library's chatter")
        return {"x.parallel.steps_per_s": 12345.6}

    def second() -> dict[str, float]:
        seen.append(json.loads(file.read_text()))
        return {"y.parallel.steps_per_s": 2.0}

    monkeypatch.setattr(bench, "pieces", lambda parts, sizes: {"x views": first, "y views": second})
    done = CliRunner().invoke(app, ["bench", "views", "--json", "--out", str(file)])
    assert "chatter" in done.stderr and "1/2 x views\n" in done.stderr and "2/2 y views\n" in done.stderr
    shown = json.loads(done.stdout)
    assert shown["x.parallel.steps_per_s"] == 12345.6
    assert shown["machine"]["cores"] == os.cpu_count() and not shown["machine"]["quick"]
    assert list(seen[0]) == ["x.parallel.steps_per_s", "machine"], "kept before the second piece was measured"
    assert json.loads(file.read_text()) == shown
    done = CliRunner().invoke(app, ["bench", "--quick", "--out", str(file)])
    assert "12,346" in done.output and f"written: {file}" in done.output


# -- what a person sees who is not at a terminal --------------------------------------------------------------------


def test_training_into_a_file_tells_how_far_it_is(walk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", logger="lawgiver")
    launch.train(walk, [f"run_dir={tmp_path / 'out'}", "trainer.iterations=60"])
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("walking")]
    assert lines == [f"walking: {3 * k} of 60" for k in range(1, 21)]
    done = lawgiver("train", str(walk), f"run_dir={tmp_path / 'other'}")
    assert "lawgiver: walking: 7 of 7\n" in done.stderr


def test_evaluate_takes_games_and_a_seed_and_writes_json(walk: Path, tmp_path: Path, refused):
    run = str(trained_run(walk, tmp_path / "run", {"participants": None}, "mechanism").path)
    done = CliRunner().invoke(app, ["evaluate", run, "games=64", "seed=5", "--json", "--out", str(tmp_path / "kept")])
    found = json.loads(done.stdout)
    assert (found["run"], found["games"], found["seed"]) == (run, 64, 5)
    assert json.loads((tmp_path / "kept" / "evaluation.json").read_text()) == found
    surplus = found["simulated"]["surplus"]["learned"]
    assert Estimate.from_data(surplus) == evaluate(run, games=64, seed=5)["simulated"]["surplus"]["learned"]
    assert surplus["mean"] != evaluate(run, games=64)["simulated"]["surplus"]["learned"].mean
    assert "unknown key 'game': did you mean 'games'? allowed: games, seed" in refused("evaluate", run, "game=3")
    assert "games is 0" in refused("evaluate", run, "games=0")
