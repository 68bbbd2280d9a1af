"""Learned rules of two-sided matching on more fresh markets than their summaries have, beside deferred acceptance.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/matching_learned.py RUN [RUN ...]      runs of `train matching`

Prints the published violations, by all lists of all participants, and welfare (Markdown), with intervals.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import cast

import numpy as np

from lawgiver.agents.matching_net import LearnedMatching
from lawgiver.trainers.ordinal.matching import known, measured, rule_by_parts
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate

MEASURES = ("stability", "regret", "welfare")


def written(values: np.ndarray) -> str:
    """Write the mean of values by market with the ends of its interval."""
    found = Estimate.of_samples(values)
    return f"{found.mean:.5f} [{found.low:.5f}, {found.high:.5f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--markets", type=int, default=8_000)
    parser.add_argument("--seed", type=int, default=777, help="of the markets, which no training draws")
    args = parser.parse_args()
    print("| correlation | rule | stability | strategyproofness | welfare |\n| --- | --- | --- | --- | --- |")
    for path in args.runs:
        run = Run.open(path)
        learned = load(run.path, role="mechanism", game=run.game())
        game = cast(LearnedMatching, learned).game
        rules = {
            f"learned, seed {run.settings['seed']}": rule_by_parts(cast(LearnedMatching, learned)),
            "deferred acceptance": partial(known, "deferred_acceptance", game.seats.tolist()),
        }
        for name, rule in rules.items():
            found = measured(game, rule, args.markets, [args.seed])
            cells = [f"{game.correlation:g}", name, *(written(found[measure]) for measure in MEASURES)]
            print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
