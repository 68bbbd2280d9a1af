"""Mechanism optimisers on lanes: how far each gets from the start to the best in the box, and what it costs.

    python benchmarks/lanes_optimisers.py [FOLDER]        trains into FOLDER (default runs/lanes_optimisers_study),
                                                          prints docs/results/lanes_optimisers.md's tables

Movers of reading ``local`` and inverse temperature 100, two coefficients in a box of 4, start (0, -1), five seeds each
for 3, 5, 10 and 20 movers. Welfare is that of the movers' exact equilibrium. A run that is there already is not trained
again; one that was interrupted goes on.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from lawgiver.trainers.runs.launch import ensure
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.tables import markdown
from lawgiver.trainers.tables.markdown import header

row = partial(markdown.row, number=".4g")
MOVERS = (3, 5, 10, 20)
SEEDS = (0, 1, 2, 3, 4)
ARMS: dict[str, tuple[str, ...]] = {
    "implicit_gradient": ("trainer.iterations=300", "trainer.mechanism_step.initial=0.2"),
    "two_point": (),
    "one_point": ("trainer.iterations=8000",),
    "score_function": ("trainer.iterations=400",),
    "bayesian": (
        "trainer.iterations=40",
        "agents.participants.learning=equilibrium",
        "agents.mechanism.games_per_evaluation=64",
    ),
}
"""What each optimiser changes of the config ``lanes``."""
UPDATES = (1, 10, 50, 200)
"""Steps of the movers in an evaluation, for one_point with 5 movers and mechanism steps of a quarter."""
ARRIVED = 0.95
"""Share of the gap at which an optimiser has arrived."""


def trained(path: Path, n: int, optimiser: str, seed: int, *more: str) -> dict[str, Any]:
    """Train a run unless it is finished; return its summary, and the agent updates until 95 % of the gap."""
    fixed = (f"game.n={n}", f"agents.mechanism.optimiser={optimiser}", f"seed={seed}", "trainer.log_every=20")
    summary = ensure(path, "lanes", *fixed, *ARMS[optimiser], *more)
    arrived = (line["agent_updates"] for line in Run.open(path).lines() if line["gap_closed"] >= ARRIVED)
    return summary | {"arrived": next(arrived, "-")}


def each(n: int, optimiser: str, runs: list[dict[str, Any]]) -> None:
    """Print a row a seed."""
    for seed, run in zip(SEEDS, runs, strict=True):
        welfare = (run["welfare"][name] for name in ("start", "learned", "best_in_box"))
        timing = (run["timing"][name] for name in ("wall_s", "cpu_s"))
        row(n, optimiser, seed, *welfare, run["gap_closed"], *timing, run["arrived"])


def together(n: int, optimiser: str, runs: list[dict[str, Any]]) -> None:
    """Print one row for all seeds."""
    closed = [run["gap_closed"] for run in runs]
    arrived = [run["arrived"] for run in runs if run["arrived"] != "-"]
    slowest = (max(run["timing"][name] for run in runs) for name in ("wall_s", "cpu_s"))
    share, count = f"{len(arrived)} of {len(runs)}", int(median(arrived)) if arrived else "-"
    row(n, optimiser, median(closed), min(closed), *slowest, share, count)


def main(folder: Path) -> None:
    """Train what is missing and print the tables."""
    runs = {
        (n, arm): [trained(folder / f"{arm}-n{n}-s{seed}", n, arm, seed) for seed in SEEDS]
        for arm in ARMS
        for n in MOVERS
    }
    print("Gap closed: the median and the worst seed; seconds by the clock and of the processor: the slowest seed.\n")
    header("n", "optimiser", "gap closed", "worst", "s", "processor s", "seeds at 95 %", "median agent updates until")
    for (n, optimiser), found in sorted(runs.items()):
        together(n, optimiser, found)
    print(
        "\nHow many steps the movers take in an evaluation (one_point, 5 movers, trainer.mechanism_step.initial 2):\n"
    )
    header("updates per evaluation", "gap closed", "worst", "best")
    for updates in UPDATES:
        more = ("trainer.mechanism_step.initial=2", f"agents.participants.updates_per_evaluation={updates}")
        found = [trained(folder / f"steps{updates}-s{seed}", 5, "one_point", seed, *more) for seed in SEEDS]
        closed = [run["gap_closed"] for run in found]
        row(updates, median(closed), min(closed), max(closed))
    print("\nEvery run:\n")
    columns = ("start", "learned", "best in box", "gap closed", "s", "processor s", "agent updates until 95 %")
    header("n", "optimiser", "seed", *columns)
    for (n, optimiser), found in sorted(runs.items()):
        each(n, optimiser, found)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/lanes_optimisers_study"))
