"""Deferred acceptance on many markets at once, against plain loops and the package `matching`, one after the other.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/matching_speed.py                 1,000 markets of 20 and 20
    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/matching_speed.py --n 50 --markets 200
    pip install matching                                                                   to have the package too

All start from the same values as NumPy arrays and end with the same matchings, which is checked. The plain loop is
Gale and Shapley's algorithm on Python's lists, which NumPy sorts for all markets at once, or Python itself; the package
is timed on fewer markets. Two lines are no rules: the time of finding the best column of every row, which any way to
match has to, and that of sorting all lists by NumPy. Times are of the CPU, the least of several runs, in turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance
from lawgiver.envs.solvers.matching.measures import expected_rank
from lawgiver.envs.solvers.matching.preferences import shares


def sorted_at_once(values: np.ndarray, priorities: np.ndarray) -> tuple[list[Any], list[Any]]:
    """Return the lists of rows, best first, and the places of rows at columns, of all markets, by NumPy's sort."""
    places = np.argsort(np.argsort(-priorities, axis=1), axis=1).transpose(0, 2, 1)
    return np.argsort(-values, axis=2).tolist(), places.tolist()


def by_loop(lists: list[list[int]], ranks: list[list[int]]) -> list[int]:
    """Match one market: who is free asks the next on its list, and is kept if it is the better."""
    n = len(lists)
    asked, held, free = [0] * n, [-1] * n, list(range(n))
    while free:
        row = free.pop()
        column = lists[row][asked[row]]
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
    return matching


def plain(values: np.ndarray, priorities: np.ndarray) -> list[list[int]]:
    """Match one market after the other by a loop, with lists that NumPy has sorted."""
    return [by_loop(*market) for market in zip(*sorted_at_once(values, priorities), strict=True)]


def plainest(values: np.ndarray, priorities: np.ndarray) -> list[list[int]]:
    """Match one market after the other without NumPy: Python sorts its lists too."""
    matchings = []
    for own, theirs in zip(values.tolist(), priorities.tolist(), strict=True):
        partners = range(len(own))
        lists = [sorted(partners, key=worth.__getitem__, reverse=True) for worth in own]
        ranks = []
        for worth in zip(*theirs, strict=True):
            order = sorted(partners, key=worth.__getitem__, reverse=True)
            places = [0] * len(order)
            for place, row in enumerate(order):
                places[row] = place
            ranks.append(places)
        matchings.append(by_loop(lists, ranks))
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


def least_times(timed: dict[str, Callable[[], Any]], repeats: int) -> dict[str, tuple[float, Any]]:
    """Time functions in turn, several times; return the least CPU seconds of each and what it returned."""
    times: dict[str, list[float]] = {name: [] for name in timed}
    found = {}
    for _ in range(repeats):
        for name, call in timed.items():
            start = time.process_time()
            found[name] = call()
            times[name].append(time.process_time() - start)
    return {name: (min(times[name]), found[name]) for name in timed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markets", type=int, default=1_000)
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--few", type=int, default=20, help="markets for the package")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    values, priorities = (rng.random((args.markets, args.n, args.n)) + 1e-9 for _ in range(2))
    few = slice(min(args.few, args.markets))
    rules: dict[str, Callable[[], Any]] = {
        "in batches": lambda: deferred_acceptance(values, priorities),
        "a loop, lists sorted by NumPy": lambda: plain(values, priorities),
        "a loop, all in Python": lambda: plainest(values, priorities),
    }
    others: dict[str, Callable[[], Any]] = {
        "the best column of every row alone": lambda: values.argmax(2),
        "NumPy's sorts of the loop alone": lambda: sorted_at_once(values, priorities),
    }
    took = least_times(rules | others, args.repeats)
    try:
        took |= least_times({"the package `matching`": lambda: packaged(values[few], priorities[few])}, 2)
    except ImportError:
        print("the package `matching` is not installed: pip install matching\n")
    batched, matchings = took["in batches"]
    proposals = expected_rank(shares(matchings, args.n, values), values).sum(1).mean()
    print(f"{args.markets:,} markets of {args.n} and {args.n}, {proposals:.0f} proposals in each\n")
    print("| | microseconds a market | times the batch's |\n| --- | ---: | ---: |")
    for name, (seconds, found) in took.items():
        if name in rules:
            assert np.array_equal(matchings, found)
        elif name not in others:
            assert np.array_equal(matchings[few], found)
            seconds *= args.markets / len(found)
        print(f"| {name} | {1e6 * seconds / args.markets:,.1f} | {seconds / batched:,.1f} |")


if __name__ == "__main__":
    main()
