"""Compare the batched VecEnv for Stable-Baselines3 with its DummyVecEnv over single envs, side by side.

    make .venv-sb3/stamp
    OMP_NUM_THREADS=1 .venv-sb3/bin/python benchmarks/sb3_vec_env.py

Prints steps a second (one step is one action in one game) of stepping alone with ready-made actions, and of PPO's
whole training loop, by the number of games.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from lawgiver.envs.core.make import make_game
from lawgiver.envs.views.single import GameEnv
from lawgiver.sb3 import make_vec_env

GAMES: dict[str, dict[str, Any]] = {
    "public_investment": {"role": "mechanism", "participants": "conditional_cooperators"},
    "taxed_dilemma": {"role": "mechanism", "participants": "random"},
}
"""The second one's games end apart."""
COPIES = (8, 64, 256)
REPEATS = 3


def dummy(name: str, copies: int, view: dict[str, Any]) -> VecEnv:
    """Return Stable-Baselines3's own VecEnv of so many single envs."""
    return DummyVecEnv([lambda: GameEnv(make_game(name), **view)] * copies)


def stepping(env: VecEnv, steps: int = 40) -> float:
    """Return the steps a second with actions drawn beforehand."""
    env.seed(0)
    env.reset()
    actions = np.stack([env.action_space.sample() for _ in range(env.num_envs)])
    start = time.perf_counter()
    for _ in range(steps):
        env.step(actions)
    return steps * env.num_envs / (time.perf_counter() - start)


def training(env: VecEnv) -> float:
    """Return the steps a second of PPO, 2 iterations of about 4,096 steps."""
    n_steps = max(4096 // env.num_envs, 2)
    model = PPO("MlpPolicy", env, n_steps=n_steps, batch_size=1024, n_epochs=4, seed=0, device="cpu")
    start = time.perf_counter()
    model.learn(2 * n_steps * env.num_envs)
    return 2 * n_steps * env.num_envs / (time.perf_counter() - start)


def best(measure: Callable[[VecEnv], float], make: Callable[[], VecEnv]) -> float:
    """Return the best of some repeats, the one that was disturbed least."""
    return max(measure(make()) for _ in range(REPEATS))


def main() -> None:
    """Measure every game and number of copies."""
    print(f"{'game':18} {'games':>5} {'what':9} {'batched/s':>12} {'dummy/s':>12} {'ratio':>6}")
    for name, view in GAMES.items():
        for copies in COPIES:
            for measure in (stepping, training):
                ours = best(measure, lambda n=name, c=copies, v=view: make_vec_env(n, c, **v))  # type: ignore[misc]
                theirs = best(measure, lambda n=name, c=copies, v=view: dummy(n, c, v))  # type: ignore[misc]
                print(f"{name:18} {copies:5} {measure.__name__:9} {ours:12,.0f} {theirs:12,.0f} {ours / theirs:6.1f}")


if __name__ == "__main__":
    main()
