"""TorchRL's wrapper on the full view: participants and mechanism as two groups of one environment.

make .venv-torchrl/stamp
.venv-torchrl/bin/python examples/torchrl_rollout.py
"""

from __future__ import annotations

import argparse

import pettingzoo
from tensordict import TensorDictBase
from torchrl.envs import PettingZooWrapper
from torchrl.envs.utils import check_env_specs

import lawgiver  # noqa: F401  registers the environments

GAME = "lawgiver/public_investment-v0"


def make_env(seed: int = 0) -> PettingZooWrapper:
    """Return the wrapped game. All agents are present at every step; `acts_now` tells them whose turn it is."""
    env = pettingzoo.make("parallel", GAME, endowments=(10, 4, 4, 4))
    groups = {"participants": env.unwrapped.game.agents_of("participant"), "mechanism": ("mechanism",)}
    return PettingZooWrapper(
        env,
        group_map={group: list(agents) for group, agents in groups.items()},
        use_mask=False,
        categorical_actions=True,
        seed=seed,
    )


def main(steps: int = 20, seed: int = 0) -> TensorDictBase:
    """Check the specs and return a rollout with random actions."""
    env = make_env(seed)
    check_env_specs(env)
    return env.rollout(steps)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    print(main(**vars(parser.parse_args())))
