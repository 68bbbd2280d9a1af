"""Deferred acceptance on many markets at once, against a plain loop and the package `matching`, one after the other.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/matching_speed.py                 1,000 markets of 20 and 20
    pip install matching                                                                   to have the package too

All start from the same values as NumPy arrays and end with the same matchings, which is checked. The plain loop is
Gale and Shapley's algorithm on Python's lists; the package is timed on fewer markets. Least times of several runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance


def plain(values: np.ndarray, priorities: np.ndarray) -> list[list[int]]:
    """Match one market after the other: who is free asks the next on its list, and is kept if it is the better."""
    lists = np.argsort(-values, axis=2).tolist()
    places = np.argsort(np.argsort(-priorities, axis=1), axis=1).transpose(0, 2, 1).tolist()
    matchings = []
    for wanted, ranks in zip(lists, places, strict=True):
        n = len(wanted)
        asked, held, free = [0] * n, [-1] * n, list(range(n))
        while free:
            row = free.pop()
            column = wanted[row][asked[row]]
            asked[row] += 1
            other = held[column]
            if other < 0:
                held[column] = row
            elif ranks[column][row] < ranks[column][other]:
                held[column] = row
                free.append(other)
            else:
                free.append(row)
        matching = [0] * n
        for column, row in enumerate(held):
            matching[row] = column
        matchings.append(matching)
    return matchings


def packaged(values: np.ndarray, priorities: np.ndarray) -> list[list[int]]:
    """Match one market after the other by the package `matching`."""
    from matching.games import StableMarriage  # type: ignore[import-not-found]

    matchings = []
    for own, theirs in zip(values, priorities, strict=True):
        suitors = dict(enumerate(np.argsort(-own, axis=1).tolist()))
        reviewers = dict(enumerate(np.argsort(-theirs, axis=0).T.tolist()))
        solved = StableMarriage.create_from_dictionaries(suitors, reviewers).solve(optimal="suitor")
        found = {suitor.name: reviewer.name for suitor, reviewer in solved.items()}
        matchings.append([found[row] for row in range(len(own))])
    return matchings


def least_time(match: Callable[[], object], repeats: int) -> tuple[float, object]:
    """Time a function several times, and return the least time in seconds and what it returned."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        found = match()
        times.append(time.perf_counter() - start)
    return min(times), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markets", type=int, default=1_000)
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--few", type=int, default=20, help="markets for the package")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    values, priorities = (rng.random((args.markets, args.n, args.n)) + 1e-9 for _ in range(2))
    batched, found = least_time(lambda: deferred_acceptance(values, priorities), args.repeats)
    print(f"{args.markets:,} markets of {args.n} and {args.n}: microseconds a market, and how many times the batch's")
    print(f"in batches   {1e6 * batched / args.markets:10.1f}")
    looped, same = least_time(lambda: plain(values, priorities), args.repeats)
    assert np.array_equal(found, same)
    print(f"plain loop   {1e6 * looped / args.markets:10.1f}  {looped / batched:8.1f}")
    try:
        few = slice(min(args.few, args.markets))
        slow, same = least_time(lambda: packaged(values[few], priorities[few]), 2)
    except ImportError:
        print("matching     is not installed: pip install matching")
        return
    assert np.array_equal(found[few], same)
    slow *= args.markets / len(found[few])
    print(f"matching     {1e6 * slow / args.markets:10.1f}  {slow / batched:8.1f}")


if __name__ == "__main__":
    main()
