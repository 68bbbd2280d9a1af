"""skrl's PPO on a batch of games: one participant learns what to contribute under the libertarian rule.

make .venv-torchrl/stamp
.venv-torchrl/bin/python examples/skrl_ppo.py

64 games are one vectorised environment. A contributed point comes back 1.6 times, so that the reward rises from 5.2
points a round (random play) towards 6.4.
"""

from __future__ import annotations

import argparse

import gymnasium
import torch
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import CategoricalMixin, DeterministicMixin, Model
from skrl.trainers.torch import SequentialTrainer
from skrl.utils import set_seed

import lawgiver  # noqa: F401  registers the environments

ROLLOUT = 10


class Choices(CategoricalMixin, Model):
    """The policy: logits of the contributions."""

    def __init__(self, observation_space: gymnasium.Space, action_space: gymnasium.Space) -> None:
        """Make a network of one hidden layer."""
        Model.__init__(self, observation_space=observation_space, action_space=action_space, device="cpu")
        CategoricalMixin.__init__(self, unnormalized_log_prob=True)
        self.net = torch.nn.Sequential(
            torch.nn.Linear(self.num_observations, 64), torch.nn.Tanh(), torch.nn.Linear(64, self.num_actions)
        )

    def compute(self, inputs: dict, role: str = "") -> tuple:
        """Return the logits."""
        return self.net(inputs["observations"]), {}


class Value(DeterministicMixin, Model):
    """The value function."""

    def __init__(self, observation_space: gymnasium.Space, action_space: gymnasium.Space) -> None:
        """Make a network of one hidden layer."""
        Model.__init__(self, observation_space=observation_space, action_space=action_space, device="cpu")
        DeterministicMixin.__init__(self)
        self.net = torch.nn.Sequential(
            torch.nn.Linear(self.num_observations, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1)
        )

    def compute(self, inputs: dict, role: str = "") -> tuple:
        """Return the value."""
        return self.net(inputs["observations"]), {}


def main(steps: int, seed: int = 0) -> float:
    """Train, and return the mean reward of the last rollout, in points a round."""
    set_seed(seed)
    env = wrap_env(
        gymnasium.make_vec(
            "lawgiver/public_investment-v0",
            num_envs=64,
            vectorization_mode="vector_entry_point",
            role="participant",
            mechanism="libertarian",
            endowments=(4, 4),
            autoreset_mode="SameStep",
        )
    )
    spaces = env.observation_space, env.action_space
    agent = PPO(
        models={"policy": Choices(*spaces), "value": Value(*spaces)},
        memory=RandomMemory(memory_size=ROLLOUT, num_envs=env.num_envs, device="cpu"),
        observation_space=env.observation_space,
        action_space=env.action_space,
        device="cpu",
        cfg=PPO_CFG(rollouts=ROLLOUT, learning_epochs=4, mini_batches=1, learning_rate=0.02, discount_factor=0.5),
    )
    agent.cfg.experiment.write_interval = agent.cfg.experiment.checkpoint_interval = 0
    SequentialTrainer(env=env, agents=agent, cfg={"timesteps": steps, "disable_progressbar": True}).train()
    return float(agent.memory.get_tensor_by_name("rewards").mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    print(f"{main(parser.parse_args().steps):.2f} points a round")
