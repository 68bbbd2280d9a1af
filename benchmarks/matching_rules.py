"""Rules of two-sided matching on sampled markets of four and four: stability, truthfulness, welfare, with intervals.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/matching_rules.py                 prints the tables (Markdown)
    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/matching_rules.py --audited 500   fewer audited, in less time

Stability, with what is lost by those who would rather be alone, and the violation of strategyproofness are the
published measures (Ravindranath et al. 2021). Then mean ranks of deferred acceptance in markets of many.
"""

from __future__ import annotations

import argparse

import numpy as np

from lawgiver.envs.core.make import make_game
from lawgiver.envs.matching import Matching
from lawgiver.envs.matching.game import RULES
from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance
from lawgiver.envs.solvers.matching.measures import expected_rank, truthfulness_violation
from lawgiver.envs.solvers.matching.preferences import shares
from lawgiver.trainers.statistics.estimate import Estimate

CORRELATIONS = (0.0, 0.25, 0.5, 0.75)
NAMES = ("deferred_acceptance", "top_trading_cycles", "immediate_acceptance", "random_priority")
LARGE = {10: 2_000, 30: 200, 100: 40}
"""Markets by the number of each side."""


def written(values: np.ndarray, digits: int = 4) -> str:
    """Write the mean of values by game with the ends of its interval."""
    found = Estimate.of_samples(values)
    return f"{found.mean:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def row(game: Matching, name: str, sampled: int, audited: int) -> list[str]:
    """Measure a rule on sampled markets, and its truthfulness on some of them."""
    types = game.initial_state(sampled, np.random.default_rng(0)).types
    done = game.settle(game.initial_state_from(types), game.ruled(name, types))
    measures = game.measures()
    values, priorities = (side[:audited] for side in game.both_sides(types))
    seats = game.seats.tolist()
    lies = truthfulness_violation(lambda own, theirs: RULES[name](own, theirs, seats), values, priorities)
    return [
        f"`{name}`",
        written(np.asarray(measures["stability"](done))),
        written(np.concatenate(lies, axis=1).mean(1)),
        written(np.asarray(measures["welfare"](done))),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sampled", type=int, default=50_000)
    parser.add_argument("--audited", type=int, default=8_000)
    args = parser.parse_args()
    print("| correlation | rule | stability | strategyproofness | welfare |\n| --- | --- | --- | --- | --- |")
    for correlation in CORRELATIONS:
        game = make_game("matching", correlation=correlation)
        for name in NAMES:
            print("|", " | ".join([f"{correlation:g}", *row(game, name, args.sampled, args.audited)]), "|", flush=True)
    print("\n| each side | mean rank of proposers' partners | of the others' |\n| --- | --- | --- |")
    for n, batch in LARGE.items():
        rng = np.random.default_rng(0)
        values, priorities = (rng.random((batch, n, n)) + 1e-9 for _ in range(2))
        pairs = shares(deferred_acceptance(values, priorities), n, values)
        sides = ((pairs, values), (np.swapaxes(pairs, 1, 2), np.swapaxes(priorities, 1, 2)))
        ranks = [written(expected_rank(chances, own).mean(1), 3) for chances, own in sides]
        print("|", " | ".join([str(n), *ranks]), "|", flush=True)


if __name__ == "__main__":
    main()
