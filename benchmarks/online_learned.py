"""Regret of learned allocators beside mechanisms by name, at the horizon that they are trained for and at longer ones.

    lawgiver train online_allocation run_dir=runs/simulator
    lawgiver train online_allocation_rllib run_dir=runs/rllib
    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/online_learned.py runs/simulator runs/rllib
    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/online_learned.py runs/simulator --horizons 100 --games 2

Eight seeds of a few games each, the same values and noise for all; intervals are Student's over seeds. Dueling bounds
stand there as they are proven, and with intervals as narrow as is best on other games of that horizon.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import lawgiver
from lawgiver.envs.core.make import make_policy
from lawgiver.trainers.online_allocation.evaluation import NarrowerDueling, cumulative_regret, tuned_confidence
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.tables.markdown import header, row

SEEDS = 8
NAMED = ("dueling", "round_robin", "random_questions")
TUNED = 64
"""Games on which the width of intervals is chosen."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--horizons", nargs="+", type=int, default=(100, 1_000, 4_000))
    parser.add_argument("--games", type=int, default=8, help="of each seed")
    given = parser.parse_args()
    started, trained = time.process_time(), Run.open(given.runs[0]).game()
    cells: dict[str, list[str]] = {}
    for rounds in given.horizons:
        game: Any = replace(trained, rounds=rounds)  # type: ignore[type-var]
        confidence = tuned_confidence(game, TUNED, [SEEDS])
        playing: dict[str, Any] = {
            **{f"learned, {path.name}": lawgiver.load(path, "mechanism", game=game) for path in given.runs},
            "`dueling`, narrower intervals": NarrowerDueling(game, confidence),
            **{f"`{name}`": make_policy(game, "mechanism", name) for name in NAMED},
        }
        for name, mechanism in playing.items():
            found = cumulative_regret(game, mechanism, SEEDS * given.games, [0]).reshape(SEEDS, -1).mean(1)
            low, high = Estimate.of_seeds(found.tolist()).ends
            cells.setdefault(name, []).append(f"{found.mean():.1f} [{low:.1f}, {high:.1f}]")
        cells.setdefault("width of the narrower intervals", []).append(f"{confidence:g}")
    header("mechanism", *(f"T = {rounds:,}" for rounds in given.horizons))
    for name, each in cells.items():
        row(name, *each)
    print(f"\n{time.process_time() - started:.0f} CPU seconds")


if __name__ == "__main__":
    main()
