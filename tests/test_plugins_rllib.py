"""RLlib's own PPO on the games, without lawgiver's trainer: `make test-plugins`."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import lawgiver
from lawgiver.envs.core.errors import ParameterError, UnknownNameError

pytest.importorskip("ray")
SCRIPT = Path(__file__).parents[1] / "examples" / "rllib_ppo.py"


def test_a_creator_makes_the_game_in_a_process_that_knows_nothing_of_lawgiver():
    creator = lawgiver.rllib.env_creator("lawgiver/lanes-v0", role="mechanism")
    code = (
        "import pickle, sys; make = pickle.loads(sys.stdin.buffer.read());"
        "env = make({'n': 7}); env.reset(seed=0); print(env.game.n)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(creator), capture_output=True, check=True)
    assert done.stdout.split() == [b"7"]


def test_all_agents_but_those_who_wait():
    env = lawgiver.rllib.env_creator("public_investment", endowments=(4, 4, 4), mechanism_mode="announce")({})
    observations, _ = env.reset(seed=0)
    assert list(observations) == ["mechanism"]
    space = env.action_spaces["mechanism"]
    observations, *_ = env.step({"mechanism": space.high + 5})
    assert set(observations) == {"participant_0", "participant_1", "participant_2"}
    for agent, seen in observations.items():
        assert seen in env.observation_spaces[agent], "nothing is appended to what the game shows"


@pytest.mark.parametrize(
    ("game", "params", "error", "message"),
    [
        ("public_investmnt", {}, UnknownNameError, "did you mean 'public_investment-v0'"),
        ("lanes", {"nn": 5}, ParameterError, "unexpected keyword argument 'nn'"),
        ("lanes", {"role": "driver"}, ParameterError, "unknown role 'driver'"),
    ],
)
def test_mistakes_are_named_before_workers_start(game, params, error, message):
    with pytest.raises(error, match=message):
        lawgiver.rllib.env_creator(game, **params)


def test_the_example_runs_with_a_remote_runner():
    environment = {**os.environ, "RAY_DEDUP_LOGS": "0"}
    command = [sys.executable, str(SCRIPT), "--iterations", "2", "--runners", "1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    returns = [float(line.split()[-1]) for line in done.stdout.splitlines() if "participants' return" in line]
    assert len(returns) == 2 and all(250 < value < 360 for value in returns)
