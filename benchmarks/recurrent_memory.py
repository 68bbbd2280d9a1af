"""Memory of RLlib's agents: a game that pays in its last round for a cue of the first, with a memory and without.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/recurrent_memory.py

Two participants and a mechanism are each shown a cue, and are paid for naming it eight rounds later: 1 to who
remembers, 1/2 at the most on average to who does not. The game and its config are in tests/data/recall; it is installed
into a temporary folder. Times are of the machine that trains, while nothing else runs on it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import lawgiver
from lawgiver.api import rollout
from lawgiver.envs.core.registry import GAMES, names
from lawgiver.trainers.rllib import session
from lawgiver.trainers.rllib.algorithm import algorithm_config
from lawgiver.trainers.rllib.benchmark import rates
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.launch import train
from lawgiver.trainers.runs.ray_cluster import start_ray
from lawgiver.trainers.settings.base import Resources
from lawgiver.trainers.statistics.estimate import Estimate

SOURCE = Path(__file__).parents[1] / "tests" / "data" / "recall"
CONFIG = SOURCE / "recall.yaml"
MOST = {True: 2.0, False: 1.0}
"""A participant's expected payoff of a game at the most, half of it by the mechanism, with a memory and without."""
TARGET = 0.95
"""Share of the optimum that is to be reached with a memory."""
PLAYED = 4000
"""Games in which the saved policies are scored."""


def memory(units: int) -> list[str]:
    """Write the overrides that give both roles a memory of so many units."""
    return [f"agents.{role}.memory={units}" for role in ("participants", "mechanism")]


def payoff(run: lawgiver.Run) -> Estimate:
    """Estimate a participant's payoff of a game under the policies that a run has saved."""
    game, rng = run.game(), np.random.default_rng(1)
    steps = rollout(game, lawgiver.load(run.path), game.initial_state(PLAYED, rng), rng)
    return Estimate.of_samples(sum((step.rewards["participant"].mean(axis=1) for step in steps), np.zeros(PLAYED)))


def learn(folder: Path, units: int, seed: int) -> None:
    """Train once and print what is earned."""
    started = time.perf_counter()
    where = folder / f"{units}-{seed}"
    train(CONFIG, [*memory(units), f"seed={seed}", f"run_dir={where}"])
    seconds = time.perf_counter() - started
    found, most = payoff(lawgiver.open_run(where)), MOST[units > 0]
    print(
        f"{units:>5} units, seed {seed}: {found.mean:.3f} ± {found.half:.3f} of {most:.0f}, {found.mean / 2:.1%} of the"
        f" optimum, in {seconds:.0f} s",
        flush=True,
    )


def speed(units: int, repeats: int) -> None:
    """Compare the times of iterations, interleaved in one process."""
    start_ray(Resources())
    algorithms = {n: session.build(algorithm_config(load_config(CONFIG, memory(n)))) for n in (0, units)}

    def iterate(algorithm: Any) -> int:
        session.iterate(algorithm)
        return 1

    found = rates({str(n): partial(iterate, algorithm) for n, algorithm in algorithms.items()}, repeats)
    for algorithm in algorithms.values():
        algorithm.stop()
    plain, remembering = (1 / found[str(n)] for n in (0, units))
    print(
        f"iteration: {plain:.3f} s without memory, {remembering:.3f} s with: {remembering / plain:.2f} times",
        flush=True,
    )


def measure(units: int, seeds: int, repeats: int) -> None:
    """Train with and without a memory, and time both."""
    print(f"payoff of a game to a participant, target {TARGET:.0%} of the optimum with a memory", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        learn(Path(folder), 0, 0)
        for seed in range(seeds):
            learn(Path(folder), units, seed)
    speed(units, repeats)


def with_the_game() -> None:
    """Run this file again where the game is installed."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = shutil.copytree(SOURCE, Path(scratch) / "source")  # building leaves files beside what is built
        site = Path(scratch) / "site"
        options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(site)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, str(copy)], check=True)
        path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
        subprocess.run([sys.executable, *sys.argv], env={**os.environ, "PYTHONPATH": path}, check=True)


def main() -> None:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=16, help="of the memory")
    parser.add_argument("--seeds", type=int, default=3, help="trainings with a memory; one without")
    parser.add_argument("--repeats", type=int, default=15, help="timed iterations of each, interleaved")
    given = parser.parse_args()
    if any(game.startswith("recall-") for game in names(GAMES)):
        measure(given.units, given.seeds, given.repeats)
    else:
        with_the_game()


if __name__ == "__main__":
    main()
