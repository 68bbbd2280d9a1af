"""TorchRL, BenchMARL and skrl on the views, in an environment of their own: `make test-plugins`."""

import importlib.util
import sys
import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchrl", reason="has an environment of its own: make test-plugins")

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # BenchMARL pickles the task's class
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rollout():
    """One game: check_env_specs runs inside."""
    return example("torchrl_rollout").main(steps=100, seed=0)


def test_a_game_has_twenty_phases(rollout):
    assert rollout.batch_size == torch.Size([20])
    assert rollout["next", "terminated"].squeeze(-1).tolist() == [False] * 19 + [True]
    assert not rollout["next", "truncated"].any()


def test_groups_take_turns(rollout):
    participants = rollout["participants", "observation"][:, :, -1]
    mechanism = rollout["mechanism", "observation"][:, :, -1]
    assert participants.shape == (20, 4)
    assert mechanism.shape == (20, 1)
    assert (participants == torch.tensor([1.0, 0.0]).repeat(10)[:, None]).all()
    assert (mechanism == torch.tensor([0.0, 1.0]).repeat(10)[:, None]).all()


def test_actions_respect_the_mask(rollout):
    chosen = rollout["participants", "action_mask"].gather(-1, rollout["participants", "action"][..., None])
    assert chosen.all()


def test_the_budget_balances(rollout):
    """A round's payoffs sum to the endowments and 0.6 of the contributions, whoever gets the fund."""
    payoffs = rollout["next", "participants", "reward"][1::2, :, 0].sum(-1)
    contributions = rollout["participants", "action"][0::2].sum(-1)
    torch.testing.assert_close(payoffs, 22 + 0.6 * contributions.float(), rtol=1e-5, atol=1e-4)


def test_gym_env_takes_every_game_in_every_role():
    """It makes an environment with keywords of its own, and takes them back at a TypeError."""
    from torchrl.envs import GymEnv
    from torchrl.envs.utils import check_env_specs

    import lawgiver
    from lawgiver.envs.core.registry import GAMES, names

    for name in names(GAMES):
        for role in lawgiver.make_game(name).roles:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                env = GymEnv(f"lawgiver/{name}", role=role)
                check_env_specs(env, seed=0)
                assert env.rollout(3)["next", "reward"].isfinite().all()


def test_benchmarl_trains_participants():
    """Random play under the libertarian rule earns 26 points a game of five rounds, 32 is the most."""
    assert 24 < example("benchmarl_ippo").main(iterations=2) <= 32


def test_skrl_learns_to_contribute(tmp_path, monkeypatch):
    """A round of random play earns 5.2 points, of full contribution 6.4."""
    monkeypatch.chdir(tmp_path)  # it writes logs where it is
    assert example("skrl_ppo").main(steps=100) > 6.0
