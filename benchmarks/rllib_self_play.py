"""Self-play in elections by RLlib: how many elections a second are held, and what its settings bring.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/rllib_self_play.py            # throughput, one minute
    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/rllib_self_play.py --learn    # settings, ten minutes

Throughput: the same election (public investment under two mechanisms, ten rounds each, all conditions), the same
graph network in both seats, all in one process: RLlib's own runner, tuned (many environments share a forward pass, and
a call covers one election of each), beside the batched runner; and HCMD-zero's fast path before virtual participants,
which also takes the gradient.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner

from lawgiver.agents.graph_network import LearnedGraphMechanism, graph_network
from lawgiver.agents.virtual import VirtualParticipants, VirtualVoters
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.hcmd_zero.optimise import SelfPlay
from lawgiver.trainers.rllib.benchmark import rates
from lawgiver.trainers.rllib.self_play.train import algorithm_config
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.launch import train
from lawgiver.trainers.runs.run import Run

ELECTIONS = {"batched": 2000, "stock": 50}
"""Elections a call: enough for each to reach its pace."""

BASE = ("agents.mechanism.std={start: 0.5, end: 0.3, iterations: 300}", "agents.mechanism.epochs=2")
"""Overrides of the packaged config that the settings below are compared to."""
SETTINGS: dict[str, tuple[str, ...]] = {
    "exploration 0.5, two epochs": (),
    "exploration 0.25": ("agents.mechanism.std={start: 0.25, end: 0.25, iterations: 1}",),
    "exploration 1.0": ("agents.mechanism.std={start: 1.0, end: 1.0, iterations: 1}",),
    "one epoch": ("agents.mechanism.epochs=1",),
    "advantages by GAE, lambda 0.9": ("agents.mechanism.gae_lambda=0.9",),
    "every copy met alike": ("trainer.league={every: 25, largest: 10, power: 0}",),
    "a quarter of the elections": ("trainer.elections_per_iteration=500", "agents.mechanism.minibatch_size=1250"),
}
"""What is changed of it, by name."""


def sampler(runner: str) -> Callable[[], int]:
    """Return a function that samples elections with a runner, outside any Algorithm, and says how many."""
    given = load_config("election", [f"resources.runner={runner}", "resources.device=cpu"])
    wanted = ELECTIONS[runner]
    config: Any = algorithm_config(
        given.model_copy(update={"trainer": given.trainer.model_copy(update={"elections_per_iteration": wanted})})
    )
    made = (config.env_runner_cls or MultiAgentEnvRunner)(config=config)
    length = given.game.make().max_steps

    def sample() -> int:
        steps = 0
        while steps < wanted * length:
            steps += sum(piece.env_steps() for piece in made.sample())
        return steps // length

    return sample


def updater() -> Callable[[], int]:
    """Return a function that holds the elections of twenty updates of the fast path, gradients included."""
    game = load_config("hcmd_zero").game.make()
    assert isinstance(game, PublicInvestment)
    mechanism = graph_network(game)
    assert isinstance(mechanism, LearnedGraphMechanism)
    people = VirtualParticipants(game, n_linear=32, n_hidden=8)
    play = SelfPlay(mechanism, people, VirtualVoters(game), game, 1_000 // len(game.conditions), (0,))

    def update() -> int:
        for _ in range(20):
            play.gradient()
        return 20 * 1_000

    return update


def throughput(repeats: int) -> None:
    found = rates({**{name: sampler(name) for name in ELECTIONS}, "fast": updater()}, repeats)
    print("elections a second, sampled on one core")
    print(f"  RLlib's own runner          {found['stock']:>10,.1f}")
    print(f"  batched runner              {found['batched']:>10,.1f}   {found['batched'] / found['stock']:.0f}x")
    print(f"  fast path, with gradients   {found['fast']:>10,.1f}   {found['fast'] / found['stock']:.0f}x")


def learn(iterations: int) -> None:
    print(f"{iterations} iterations; share of votes against the first copy after each quarter, and seconds of CPU")
    for name, overrides in SETTINGS.items():
        with tempfile.TemporaryDirectory() as folder:
            path, started = Path(folder) / "run", time.process_time()
            quarter = max(1, iterations // 4)
            length = (f"trainer.iterations={iterations}", f"trainer.score_every={quarter}", f"run_dir={path}")
            train("election", [*BASE, *overrides, *length])
            scores = [row["score"] for row in Run.open(path).lines() if "score" in row]
            row = "  ".join(f"{score:.1%}" for score in scores)
            print(f"  {name:<32} {row}  {time.process_time() - started:>6.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learn", action="store_true", help="compare settings instead of throughput")
    parser.add_argument("--iterations", type=int, default=100, help="of each setting")
    parser.add_argument("--repeats", type=int, default=5, help="timed calls of each runner; the median counts")
    given = parser.parse_args()
    work = partial(learn, given.iterations) if given.learn else partial(throughput, given.repeats)
    work()


if __name__ == "__main__":
    main()
