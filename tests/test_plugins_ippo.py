"""An outside package's trainer, installed, is launched by the command line and leaves a run like any other."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lawgiver

pytest.importorskip("torch")

PACKAGE = Path(__file__).parents[1] / "examples" / "ippo"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder in which the package is installed, from a copy, since building writes into the source."""
    source = shutil.copytree(PACKAGE, tmp_path_factory.mktemp("source") / "ippo")
    target = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True)
    return target


def run_cli(site, folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "lawgiver", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def metrics(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "timing"} for line in lines]


def test_learns_from_its_own_config(site, tmp_path):
    run = tmp_path / "run"
    done = run_cli(site, tmp_path, "train", str(PACKAGE / "ippo.yaml"), "trainer.iterations=30", f"run_dir={run}")
    assert done.returncode == 0, done.stderr
    summary = json.loads((run / "summary.json").read_text())
    assert summary["env_steps"] == 30 * 64 * 20
    # Random participants are paid 1.3 times their endowment, whatever the rule; all that can be had is 1.6 times.
    assert summary["first_reward"]["participant"] == pytest.approx(1.3 * 5.5, abs=0.1)
    assert summary["last_reward"]["participant"] > 1.45 * 5.5
    assert summary["last_reward"]["mechanism"] > summary["first_reward"]["mechanism"] + 0.3

    policies = lawgiver.load(run)
    assert set(policies) == {"mechanism", "participant"}
    ((p, q),) = policies["mechanism"].action(np.array([[[10.0, 4.0, 4.0, 4.0]]]))[0]
    assert 0.3 < p < 12
    assert -1 <= q <= 2


def test_replaces_another_configs_trainer(site, tmp_path):
    """`trainer.name=ippo` on a config that was written for another trainer, on another game, twice with one seed."""
    config = tmp_path / "mine.yaml"
    config.write_text("game: {name: taxed_dilemma, max_rounds: 4}\nagents: {theirs: 1}\ntrainer: {name: rllib, x: 2}\n")
    runs = [tmp_path / name for name in ("a", "b")]
    for run in runs:
        changes = ["trainer.name=ippo", "trainer.iterations=3", "trainer.games=8", f"run_dir={run}"]
        done = run_cli(site, tmp_path, "train", str(config), *changes)
        assert done.returncode == 0, done.stderr
    assert len(metrics(runs[0])) == 3
    assert metrics(runs[0]) == metrics(runs[1])


CONFIGS = """
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.packaged_configs import config_names
from lawgiver_ippo import UnsupportedGameError, _policy, require_playable
for name in config_names():
    config = load_config(name, ["trainer.name=ippo"])
    try:
        game = config.game.make()
        require_playable(game)
        _policy(game, "mechanism", config.agents)
    except UnsupportedGameError as error:
        assert "one mechanism that acts in a Box; in " in str(error)
        print(name)
"""


def test_it_says_which_packaged_configs_it_takes(site):
    """All whose participants choose among Discrete actions and one mechanism acts in a Box; README counts them."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run([sys.executable, "-c", CONFIGS], env=environment, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {
        *("affine_maximiser", "affine_maximiser_grid_search", "affine_maximiser_regularised"),
        *("affine_maximiser_zeroth_order", "learned_follower", "exs_net", "rpf_net", "election", "election_designer"),
        *("first_price_bidders", "first_price_bidders_ppo", "menu", "regret_net", "aggregation", "voting"),
        *("matching", "online_allocation", "online_allocation_rllib"),
    }


ONE_EACH = """
import json, sys
from lawgiver.trainers.runs.launch import train
tiny = ["trainer.name=ippo", "trainer.iterations=1", "trainer.games=2"]
told = {name: train(name, [*tiny, f"run_dir={sys.argv[1]}/{name}"])[1] for name in sys.argv[2:]}
print(json.dumps({name: [summary["env_steps"], summary["last_reward"]] for name, summary in told.items()}))
"""


def test_it_trains_on_packaged_configs_of_each_kind(site, tmp_path):
    """One iteration of two games each: steps are those of the views, rounds of one or two phases, and games load."""
    steps = {"public_investment": 40, "repeated_allocation": 16, "divisible_good": 8}
    steps |= dict.fromkeys(("lanes", "supply_demand", "selfish_routing"), 4)
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", ONE_EACH, str(tmp_path), *steps]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, (taken, rewards) in json.loads(done.stdout.splitlines()[-1]).items():
        assert taken == steps[name]
        assert np.isfinite(list(rewards.values())).all()
        assert set(lawgiver.load(tmp_path / name)) == {"mechanism", "participant"}


def test_its_settings_are_checked(site, tmp_path):
    done = run_cli(site, tmp_path, "train", str(PACKAGE / "ippo.yaml"), "trainer.epoch=3")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("lawgiver: unknown key 'trainer.epoch': did you mean 'epochs'?")
    assert "Traceback" not in done.stderr


def test_refuses_what_it_cannot_do(site, tmp_path):
    run = tmp_path / "run"
    changes = ["trainer.iterations=1", "trainer.games=2", f"run_dir={run}"]
    assert run_cli(site, tmp_path, "train", str(PACKAGE / "ippo.yaml"), *changes).returncode == 0
    done = run_cli(site, tmp_path, "train", "--resume", str(run))
    assert done.returncode == 2
    assert "keeps no checkpoints" in done.stderr
