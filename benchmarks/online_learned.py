"""Regret of learned allocators beside mechanisms by name, at the horizon that they are trained for and at longer ones.

    lawgiver train online_allocation 'seeds=[0,1,2,3,4,5,6,7]' run_dir=runs/simulator
    lawgiver train online_allocation_rllib 'seeds=[0,1,2,3,4,5,6,7]' run_dir=runs/rllib
    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/online_learned.py runs/simulator runs/rllib
    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/online_learned.py runs/simulator --horizons 400 --games 2 2

Each training seed plays games of its own, the same values and noise for all mechanisms; so intervals, Student's over
the means of the seeds, hold for trainings and games alike. Dueling bounds stand there as they are proven, and with
intervals as narrow as is best on as many other games of that horizon.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import lawgiver
from lawgiver.agents.allocator_net import LearnedAllocator
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.trainers.online_allocation.evaluation import (
    TUNED,
    UNTRAINED,
    cumulative_regret,
    opponents,
    tuned_confidence,
)
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.tables.markdown import header, row

LONG = ("dueling", "round_robin", "random_questions")
"""Mechanisms by name at longer horizons, beside the tuned one."""


def regrets(playing: Sequence[tuple[OnlineAllocation, Policy]], games: int) -> np.ndarray:
    """Compute the mean regret of each seed's games, (S,); the mechanism at a place plays those of that seed."""
    found = (cumulative_regret(*each, games, [seed]).mean() for seed, each in enumerate(playing))
    return np.array(list(found))


def measured(
    game: Any, runs: Mapping[str, Sequence[Run]], games: int, only: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Measure the mean regret by mechanism and seed, (S,) each.

    Args:
        game: the rules.
        runs: by name, one run a seed.
        games: of each seed.
        only: which mechanisms by name; none for all, and the network before training.
    """
    learned = {
        f"learned, {name}": [(game, lawgiver.load(member.path, "mechanism", game=game)) for member in members]
        for name, members in runs.items()
    }
    seeds = len(next(iter(learned.values())))
    confidence = tuned_confidence(game, seeds * games, [seeds])
    others: dict[str, tuple[OnlineAllocation, Policy]] = {}
    for name, played in opponents(game, confidence).items():
        if name == TUNED:
            others[f"`dueling`, intervals {confidence:g} times as wide"] = played
        elif not only or name in only:
            others[f"`{name}`"] = played
    if not only:
        others[f"the network, {UNTRAINED}"] = game, LearnedAllocator(game)
    each = {**learned, **{name: [played] * seeds for name, played in others.items()}}
    return {name: regrets(playing, games) for name, playing in each.items()}


def interval(values: np.ndarray) -> str:
    """Write a mean over seeds with its interval."""
    found = Estimate.of_seeds(values.tolist())
    return f"{found.mean:.2f} [{found.ends[0]:.2f}, {found.ends[1]:.2f}]"


def table(found: Mapping[str, np.ndarray], rounds: int, games: int) -> None:
    """Print regret by mechanism, the least first, and by how much it exceeds that of each learned one."""
    learned = [name for name in found if name.startswith("learned")]
    seeds = len(found[learned[0]])
    print(f"\nT = {rounds:,}, {seeds} seeds of {games:,} games\n")
    header("mechanism", "regret", *(f"above {name}" for name in learned), "seeds")
    for name in sorted(found, key=lambda name: found[name].mean()):
        beside = ("" if name == own else interval(found[name] - found[own]) for own in learned)
        each = ", ".join(f"{value:.2f}" for value in found[name]) if name in learned else ""
        row(name, interval(found[name]), *beside, each)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="of as many seeds each")
    parser.add_argument("--horizons", nargs="+", type=int, default=(100, 1_000, 4_000, 16_000))
    parser.add_argument("--games", nargs=2, type=int, default=(2_000, 8), help="of each seed, as trained and longer")
    given = parser.parse_args()
    started, runs = time.process_time(), {path.name: Run.open(path).members for path in given.runs}
    if len({len(members) for members in runs.values()}) > 1:
        parser.error(f"runs have {', '.join(str(len(each)) for each in runs.values())} seeds, allowed: as many each")
    trained: Any = next(iter(runs.values()))[0].game()
    for rounds in given.horizons:
        games, only = (given.games[0], ()) if rounds == trained.rounds else (given.games[1], LONG)
        table(measured(replace(trained, rounds=rounds), runs, games, only), rounds, games)
    print(f"\n{time.process_time() - started:.0f} CPU seconds")


if __name__ == "__main__":
    main()
