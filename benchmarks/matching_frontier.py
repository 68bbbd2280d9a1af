"""Descent on lotteries at the 669 orbits of markets of three and three, beside the exact frontier.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/matching_frontier.py          prints the table (Markdown)
    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/matching_frontier.py --parts    what each part of it is worth

The frontier is the fewest expected blocking pairs of any rule at each regret, by linear programming. Nothing but the
descent keeps lotteries above it: the problem is convex.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

from lawgiver.envs.solvers.matching.frontier import Frontier
from lawgiver.trainers.reproduce.matching_tabular import Descent, descended

TARGETS = (0.0005, 0.001, 0.002, 0.003)
TARGET = 0.001
"""Bound at which parts are left out."""
PARTS = {
    "from all matchings alike": {"explored": 1.0},
    "a short memory": {"memory": 0.9},
    "a temperature that stays high": {"temperatures": (1e-3, 1e-3)},
    "a temperature that is low at once": {"temperatures": (2e-6, 2e-6)},
}
"""Changes to the descent."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", action="store_true", help="leave out one part of the descent at a time")
    parser.add_argument("--updates", type=int, default=Descent.updates)
    args = parser.parse_args()
    frontier, descent = Frontier(3), Descent(updates=args.updates)
    wanted = (
        [(TARGET, name, replace(descent, **change)) for name, change in PARTS.items()]
        if args.parts
        else [(target, "all parts", descent) for target in TARGETS]
    )
    print("| bound | descent | regret | blocking pairs | frontier at that regret | above it | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for target, name, each in wanted:
        began = time.process_time()
        lotteries = descended(frontier.orbits, target, each)
        took = time.process_time() - began
        blocking, regret = (float(of(lotteries)) for of in (frontier.orbits.blocking, frontier.orbits.regret))
        least = frontier.best(regret).objective
        figures = (f"{value:.6f}" for value in (regret, blocking, least, blocking - least))
        print("|", " | ".join([f"{target:g}", name, *figures, f"{took:.0f}"]), "|", flush=True)


if __name__ == "__main__":
    main()
