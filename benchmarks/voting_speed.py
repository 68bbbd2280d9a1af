"""Speed of voting rules on many profiles at once, compared with pref_voting, and of the exact enumeration.

    make .venv-pref_voting/stamp
    OMP_NUM_THREADS=1 .venv-pref_voting/bin/python benchmarks/voting_speed.py

Profiles are of uniform rankings of 5 alternatives, or of marks for approval (0, 1) and score (0 to 5). Ours decides
10,000 of them in a call, ties shared; pref_voting one after the other. Either has two steps: a profile is made, of a
list of rankings by pref_voting, which then computes much of what its rules need, and of an array of places as 64-bit
integers by ours, which brings it into the order of memory that its rules need; and a rule decides. Times are of the
second step alone, and of both. A table is measured in one run, in processor time of one core, the median over a tenth
of a second and at least three calls after a warm-up; pref_voting's of 200 profiles, of which our winners (or lotteries)
are the same.

pref_voting's ranked pairs runs by its algorithm ``from_stacks``: the one by default lists all orders of tied margins,
and does not end with some profiles of this size. Its maximal lotteries are compared by value where voters are odd, and
the lottery hence unique.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import process_time
from typing import Any

import numpy as np
from pref_voting.c1_methods import copeland
from pref_voting.combined_methods import blacks
from pref_voting.grade_methods import approval, score_voting
from pref_voting.grade_profiles import GradeProfile
from pref_voting.iterative_methods import instant_runoff_put, plurality_with_runoff_put
from pref_voting.margin_based_methods import beat_path, minimax, ranked_pairs
from pref_voting.other_methods import kemeny_young
from pref_voting.probabilistic_methods import maximal_lottery, random_dictator
from pref_voting.profiles import Profile as TheirProfile
from pref_voting.scoring_methods import anti_plurality, borda, plurality

from lawgiver.envs.solvers.social_choice.enumeration import anonymous, manipulability
from lawgiver.envs.solvers.social_choice.profiles import Profile, positions
from lawgiver.envs.solvers.social_choice.rules import RULES, lottery
from lawgiver.trainers.cli.throughput import machine, processor_seconds

BATCH, M = 10_000, 5
VOTERS = (11, 25, 10)
THEIRS = 200
"""Profiles that pref_voting decides."""
SECONDS = 0.1
GRADES = {"approval": 2, "score": 6}
RULE: dict[str, Callable[[Any], Any]] = {
    "plurality": plurality,
    "anti_plurality": anti_plurality,
    "borda": borda,
    "approval": approval,
    "score": score_voting,
    "copeland": copeland,
    "minimax": minimax,
    "black": blacks,
    "schulze": beat_path,
    "ranked_pairs": partial(ranked_pairs, algorithm="from_stacks"),
    "kemeny": kemeny_young,
    "plurality_runoff": plurality_with_runoff_put,
    "irv": instant_runoff_put,
    "random_dictator": random_dictator,
    "maximal_lottery": maximal_lottery,
}


def check(name: str, found: np.ndarray, results: list[Any]) -> None:
    """Compare our lotteries (B, m) with pref_voting's winners or lotteries."""
    for row, result in zip(found, results, strict=True):
        if isinstance(result, dict):
            assert np.allclose(row, [float(result.get(a, 0)) for a in range(M)], atol=1e-6), name
        else:
            assert np.flatnonzero(row).tolist() == sorted(result), name


def decided(name: str, marks: np.ndarray) -> np.ndarray:
    """Decide profiles that are made, with nothing computed of them yet."""
    return np.ascontiguousarray(RULES[name].decide(Profile(marks, None), "share").T)


def compare(n: int) -> None:
    """Print a row for each rule."""
    utilities = np.random.default_rng(n).random((BATCH, n, M))
    each = processor_seconds(lambda: positions(utilities), SECONDS) / BATCH
    print(f"\n{n} voters; places from utilities, if these are given, take {1e6 * each:.3f} us a profile\n")
    print("| rule | profiles/s | us: both | rule | pref_voting, us: both | rule | times faster: both | rule |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    places = positions(utilities)
    rankings = np.argsort(places[:THEIRS], axis=-1).tolist()
    for name in RULES:
        ballots = (utilities * GRADES[name]).astype(int) if name in GRADES else places
        each = processor_seconds(lambda name=name, ballots=ballots: lottery(name, ballots), SECONDS) / BATCH
        marks = Profile.of(ballots).marks
        alone = processor_seconds(lambda name=name, marks=marks: decided(name, marks), SECONDS) / BATCH
        print(f"| `{name}` | {1 / each:,.0f} | {1e6 * each:.3f} | {1e6 * alone:.3f} |", end="", flush=True)
        if name not in RULE:
            print(" | | | |")
            continue
        if name in GRADES:
            graded = [[dict(enumerate(row)) for row in one] for one in ballots[:THEIRS].tolist()]
            make = partial(map, partial(GradeProfile, grades=list(range(GRADES[name]))), graded)
        else:
            make = partial(map, TheirProfile, rankings)
        profiles, rule = list(make()), RULE[name]
        results = [rule(profile) for profile in profiles]
        if name != "maximal_lottery" or n % 2:
            check(name, lottery(name, ballots[:THEIRS]), results)
        making = processor_seconds(lambda make=make: list(make()), SECONDS) / THEIRS
        theirs = processor_seconds(lambda rule=rule, made=profiles: [rule(one) for one in made], SECONDS) / THEIRS
        print(f" {1e6 * (making + theirs):.1f} | {1e6 * theirs:.1f} |", end="")
        print(f" {(theirs + making) / each:,.0f} | {theirs / alone:,.0f} |", flush=True)


def enumerate_exactly(n: int, m: int) -> None:
    """Print how long the exact measures of all rules take, one after the other."""
    rules = [name for name, rule in RULES.items() if rule.reads in ("ranking", "plurality")]
    start = process_time()
    count = len(anonymous(n, m).counts)
    for name in rules:
        manipulability(name, n, m)
    print(f"| {m} | {n} | {count:,} | {len(rules)} | {process_time() - start:.2f} |", flush=True)


def main() -> None:
    """Print the tables."""
    print(machine())
    for n in VOTERS:
        compare(n)
    print("\n| alternatives | voters | anonymous profiles | rules | seconds, all rules |\n|---|---|---:|---:|---:|")
    for n, m in ((3, 3), (5, 3), (7, 3), (11, 3), (3, 4), (5, 4)):
        enumerate_exactly(n, m)


if __name__ == "__main__":
    main()
