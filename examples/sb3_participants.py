"""Stable-Baselines3's PPO learns to live under a given mechanism.

The participants-only view holds one kind of agent, always present, so SuperSuit can turn it into the vector
environment that Stable-Baselines3 expects: one policy, shared by the participants of all games.

    make .venv-sb3/stamp
    .venv-sb3/bin/python examples/sb3_participants.py --mechanism libertarian
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import pettingzoo
import supersuit
from stable_baselines3 import PPO
from stable_baselines3.common.utils import set_random_seed

import lawgiver  # noqa: F401  registers the environments
from lawgiver.envs.core.fields import columns

GAME = "lawgiver/public_investment-v0"
ENDOWMENTS = (10, 4, 4, 4)

Choose = Callable[[np.ndarray, list[dict[str, Any]]], np.ndarray]


def make_env(mechanism: str) -> Any:
    """Return the PettingZoo environment of the participants under a mechanism."""
    return pettingzoo.make("parallel", GAME, mechanism=mechanism, endowments=ENDOWMENTS)


def train(mechanism: str, steps: int, seed: int) -> PPO:
    """Train one policy for all participants on 8 games at once."""
    games = supersuit.pettingzoo_env_to_vec_env_v1(make_env(mechanism))
    venv = supersuit.concat_vec_envs_v1(games, 8, num_cpus=1, base_class="stable_baselines3")
    set_random_seed(seed)  # not PPO(seed=...), which asks SuperSuit's environment for a method that it lacks
    venv.venv.reset(seed=seed)
    # A round's payoff is a matter of the round: a short horizon takes out the noise of the later ones.
    model = PPO("MlpPolicy", venv, n_steps=128, batch_size=512, learning_rate=1e-3, gamma=0.5, device="cpu")
    return model.learn(steps)


def score(mechanism: str, choose: Choose, games: int, seed: int) -> dict[str, float]:
    """Return the mean contribution and payoff of a participant and round, in points, over some games."""
    env = make_env(mechanism)
    column = columns(env.unwrapped.game.observation_layout("participant"))["contributions"].start
    contributions, payoffs = [], []
    for game in range(games):
        observations, infos = env.reset(seed=seed + game)
        while env.agents:
            agents = env.agents
            seen = np.stack([observations[agent] for agent in agents])
            actions = choose(seen, [infos[agent] for agent in agents])
            observations, rewards, _, _, infos = env.step(dict(zip(agents, actions, strict=True)))
            contributions += [observations[agent][column] for agent in agents]
            payoffs += [rewards[agent] for agent in agents]
    return {"contribution": float(np.mean(contributions)), "payoff": float(np.mean(payoffs))}


def main(mechanism: str = "libertarian", steps: int = 40_000, seed: int = 0) -> dict[str, dict[str, float]]:
    """Train, and return the scores of random and of trained participants."""
    rng = np.random.default_rng(seed)

    def at_random(seen: np.ndarray, infos: list[dict[str, Any]]) -> np.ndarray:
        return np.array([rng.choice(np.flatnonzero(info["action_mask"])) for info in infos])

    model = train(mechanism, steps, seed)

    def trained(seen: np.ndarray, infos: list[dict[str, Any]]) -> np.ndarray:
        return model.predict(seen, deterministic=False)[0]

    return {
        "random": score(mechanism, at_random, games=50, seed=1_000),
        "trained": score(mechanism, trained, games=50, seed=1_000),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mechanism", default="libertarian", help="any registered mechanism, or a run's folder")
    parser.add_argument("--steps", type=int, default=40_000, help="steps of all participants of all games")
    parser.add_argument("--seed", type=int, default=0)
    for who, scores in main(**vars(parser.parse_args())).items():
        print(f"{who:8}", *(f"{name} {value:.2f} points a round" for name, value in scores.items()), sep="  ")
