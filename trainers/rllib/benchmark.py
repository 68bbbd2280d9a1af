"""Throughput of RLlib's sampling and training with the batched runner and with its own, on this machine.

An environment step is one phase of a game. Both runners sit in the main process, play the public investment game in
announce mode and train the same modules by the same learner. RLlib's own runner is tuned: many environments share a
forward pass, and a call covers one game, because it converts every finished episode anew after each step of a call.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from lawgiver.trainers.rllib import session
from lawgiver.trainers.rllib.algorithm import algorithm_config
from lawgiver.trainers.rllib.settings import Mechanism, Participants, RLlibAgents, RLlibConfig, RLlibTrainer
from lawgiver.trainers.runs.ray_cluster import start_ray
from lawgiver.trainers.settings.base import GameConfig, Resources
from lawgiver.trainers.statistics.estimate import Estimate

SAMPLED = {"batched": 20_000, "stock": 4_000}
"""Steps a call of the sampling benchmark: enough for each to reach its pace."""


def benchmark_config(runner: str, steps: int = 4000, minibatch: int = 512, epochs: int = 5) -> RLlibConfig:
    """Make the config of the experiment that is timed."""
    learning: dict[str, Any] = {"minibatch_size": minibatch, "epochs": epochs}
    game = GameConfig.model_validate(
        {"name": "public_investment", "mechanism_mode": "announce", "endowments": [10, 4, 4, 4]}
    )
    return RLlibConfig(
        game=game,
        agents=RLlibAgents(
            participants=Participants(**learning),
            mechanism=Mechanism(**learning, start="libertarian", warmup=0, gate=None),
        ),
        trainer=RLlibTrainer(name="rllib", steps_per_iteration=steps),
        resources=Resources.model_validate({"runner": runner, "device": "cpu"}),
    )


def make_runner(runner: str, steps: int = 4000) -> Any:
    """Make a runner outside any Algorithm, without Ray."""
    config = algorithm_config(benchmark_config(runner, steps))
    return config.env_runner_cls(config=config)


def sampling(repeats: int = 5) -> dict[str, float]:
    """Measure environment steps a second while sampling, by runner: medians of interleaved calls."""
    runners = {name: make_runner(name, steps) for name, steps in SAMPLED.items()}

    def sample(name: str) -> int:
        steps = 0
        while steps < SAMPLED[name]:
            steps += sum(chunk.env_steps() for chunk in runners[name].sample())
        return steps

    return rates({name: partial(sample, name) for name in runners}, repeats)


def iterations(steps: int = 4000, minibatch: int = 512, repeats: int = 5) -> dict[str, float]:
    """Measure environment steps a second of whole PPO iterations, by runner: medians of interleaved iterations."""
    start_ray(Resources())
    algorithms = {name: session.build(algorithm_config(benchmark_config(name, steps, minibatch))) for name in SAMPLED}

    def iterate(name: str) -> int:
        sampled, _ = session.iterate(algorithms[name])
        return int(sampled["num_env_steps_sampled"])

    try:
        return rates({name: partial(iterate, name) for name in algorithms}, repeats)
    finally:
        for algorithm in algorithms.values():
            algorithm.stop()


def rates(work: dict[str, Callable[[], int]], repeats: int) -> dict[str, float]:
    """Measure rates of work: medians of interleaved calls after a warm-up of each.

    Args:
        work: functions that return the number of units done, by name.
        repeats: timed calls of each.
    """
    found: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(repeats + 1):
        for name, run in work.items():
            started = time.perf_counter()
            steps = run()
            if repeat:  # the first one warms up
                found[name].append(steps / (time.perf_counter() - started))
    return {name: statistics.median(paces) for name, paces in found.items()}


def returns(games: int = 2000) -> dict[str, Estimate]:
    """Estimate a game's total return with the same random weights, by runner."""
    runners = {name: make_runner(name) for name in SAMPLED}
    weights = runners["batched"].module.get_state()
    runners["stock"].module.set_state(weights)
    (chunk,) = runners["batched"].sample(num_episodes=games)
    earned = [(t.rewards * t.mask).sum(axis=1).reshape(games, -1).sum(axis=1) for t in chunk.modules.values()]
    batched = np.sum(earned, axis=0)
    stock = np.array([episode.get_return() for episode in runners["stock"].sample(num_episodes=games // 10)])
    return {"batched": Estimate.of_samples(batched), "stock": Estimate.of_samples(stock)}
