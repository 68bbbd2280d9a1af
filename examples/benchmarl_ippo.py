"""BenchMARL's IPPO on the participants of a game, under a given mechanism.

make .venv-torchrl/stamp
.venv-torchrl/bin/python examples/benchmarl_ippo.py

Under the libertarian rule a contributed point comes back 1.6 times, so that the return rises towards 35 points from the
28.6 of random play.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from enum import Enum

import pettingzoo
from benchmarl.algorithms import IppoConfig
from benchmarl.environments.pettingzoo.common import PettingZooClass
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig
from torchrl.envs import EnvBase, PettingZooWrapper

import lawgiver  # noqa: F401  registers the environments


class LawgiverClass(PettingZooClass):
    """A task of BenchMARL whose name is a game's; its config holds the parameters of the game and of the view."""

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: str
    ) -> Callable[[], EnvBase]:
        """Return a function that makes the wrapped game."""

        def make() -> EnvBase:
            env = pettingzoo.make("parallel", f"lawgiver/{self.name.lower()}-v0", **self.config)
            return PettingZooWrapper(env, categorical_actions=True, use_mask=False, device=device, seed=seed)

        return make

    def supports_continuous_actions(self) -> bool:
        """Participants choose from a number of actions."""
        return False

    def supports_discrete_actions(self) -> bool:
        """Participants choose from a number of actions."""
        return True

    def has_render(self, env: EnvBase) -> bool:
        """Nothing is drawn."""
        return False

    def max_steps(self, env: EnvBase) -> int:
        """Return the longest game."""
        return int(env.unwrapped.game.max_steps)

    @staticmethod
    def env_name() -> str:
        """Return the name of the collection."""
        return "lawgiver"


class Games(Enum):
    """The games that are compared."""

    PUBLIC_INVESTMENT = "public_investment"

    def task(self, **params: object) -> LawgiverClass:
        """Return the task, with parameters of the game and of the view."""
        return LawgiverClass(name=self.name, config=params)


def main(iterations: int) -> float:
    """Train, and return the participants' mean return a game in the last iteration, in points."""
    task = Games.PUBLIC_INVESTMENT.task(endowments=(4, 4), mechanism="libertarian", n_rounds=5)
    settings = ExperimentConfig.get_from_yaml()
    settings.max_n_iters = iterations
    settings.max_n_frames = None
    settings.on_policy_collected_frames_per_batch = 400
    settings.on_policy_n_envs_per_worker = 4
    settings.on_policy_minibatch_size = 200
    settings.on_policy_n_minibatch_iters = 4
    settings.lr = 0.003
    settings.evaluation = False
    settings.loggers = []
    settings.save_folder = tempfile.mkdtemp()
    experiment = Experiment(
        task=task,
        algorithm_config=IppoConfig.get_from_yaml(),
        model_config=MlpConfig.get_from_yaml(),
        critic_model_config=MlpConfig.get_from_yaml(),
        seed=0,
        config=settings,
    )
    experiment.run()
    return float(experiment.mean_return)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=20)
    print(f"mean return in the last iteration: {main(parser.parse_args().iterations):.1f} points")
