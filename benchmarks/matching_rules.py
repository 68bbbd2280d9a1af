"""Rules of matching: exact tables of three on each side, samples of four and more, published measures, with intervals.

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/matching_rules.py                 prints the tables (Markdown)
    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python benchmarks/matching_rules.py --audited 500   fewer audited, in less time

With complete lists: all 46,656 profiles of three rows and three columns in fractions, samples of four and five; then
probabilistic serial beside random priority over all profiles of three and four rows. With lists that may be cut:
stability, with what is lost by those who would rather be alone, and the violation of strategyproofness, both as
published (Ravindranath et al. 2021). Last the mean ranks of deferred acceptance in markets of many.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from itertools import permutations, product

import numpy as np

from lawgiver.envs.core.make import make_game
from lawgiver.envs.matching import Matching
from lawgiver.envs.matching.game import RULES
from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance, immediate_acceptance
from lawgiver.envs.solvers.matching.enumeration import profiles, regrets_by_lists, stable_matchings, table
from lawgiver.envs.solvers.matching.measures import (
    blocking_pairs,
    expected_rank,
    inefficient,
    stability_violation,
    truthfulness_violation,
)
from lawgiver.envs.solvers.matching.preferences import all_reports, shares
from lawgiver.envs.solvers.matching.serial import probabilistic_serial, random_priority
from lawgiver.envs.solvers.matching.trading import top_trading_cycles
from lawgiver.trainers.statistics.estimate import Estimate

DETERMINISTIC = {
    "deferred_acceptance": deferred_acceptance,
    "top_trading_cycles": top_trading_cycles,
    "immediate_acceptance": immediate_acceptance,
}
CORRELATIONS = (0.0, 0.25, 0.5, 0.75)
NAMES = (*DETERMINISTIC, "random_priority")
SAMPLES = {4: 20_000, 5: 10_000}
"""Markets with complete lists by the number of each side, of which a tenth are audited."""
LARGE = {10: 2_000, 30: 200, 100: 40}
"""Markets by the number of each side."""
FEW = 2_048
"""Markets whose mean's standard error is printed."""


def written(values: np.ndarray, digits: int = 4) -> str:
    """Write the mean of values by game with the ends of its interval."""
    found = Estimate.of_samples(values)
    return f"{found.mean:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def head(*names: str) -> None:
    """Print the head of a table."""
    print(f"\n| {' | '.join(names)} |\n|{' --- |' * len(names)}", flush=True)


def row(*cells: object) -> None:
    """Print a row of a table."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def exact_tables() -> None:
    """Print the measures over all profiles of three."""
    names = ("rule", "rank of rows' partners", "of columns'", "unstable", "blocking pairs", "inefficient for rows")
    head(*names, "a row gains", "a column gains", "regret")
    for name, rule in DETERMINISTIC.items():
        found = table(rule)
        counts = (found.unstable, found.inefficient, found.rows_gain, found.columns_gain)
        unstable, wasted, rows, columns = (f"{int(each * len(profiles(3)[0])):,}" for each in counts)
        row(f"`{name}`", found.rank, found.rank_of_columns, unstable, found.blocking_pairs, wasted, rows, columns,
            found.regret)  # fmt: skip
    _, stable = stable_matchings(*profiles(3))
    counts = np.bincount(stable.sum(1)).tolist()
    print(f"\nStable matchings: {Fraction(int(stable.sum()), len(stable))} in the mean; by their number {counts}")


def larger_tables() -> None:
    """Print the same of samples with more on each side, complete lists."""
    head("each side", "rule", "rank of rows' partners", "unstable", "inefficient for rows", "a given row gains")
    for (n, batch), (name, rule) in product(SAMPLES.items(), DETERMINISTIC.items()):
        rng = np.random.default_rng(n)
        values, priorities = (rng.random((batch, n, n)) + 1e-9 for _ in range(2))
        matching, complete = rule(values, priorities), all_reports(n)[-len(list(permutations(range(n)))) :]
        few = slice(batch // 10)
        lies, _ = truthfulness_violation(lambda v, q, rule=rule, n=n: shares(rule(v, q), n, v), values[few],
                                         priorities[few], sides="one", reports=complete)  # fmt: skip
        blocked, wasted = blocking_pairs(matching, values, priorities) > 0, inefficient(matching, values)
        ranks = expected_rank(shares(matching, n, values), values).mean(1)
        row(n, f"`{name}`", *(written(np.asarray(each, float)) for each in (ranks, blocked, wasted, lies.mean(1))))


def lotteries() -> None:
    """Print how probabilistic serial and random priority compare over all profiles."""
    head("rows", "profiles", "both the same", "better for all by serial", "mean regret of serial", "of random priority")
    for n in (3, 4):
        lists = np.array(list(permutations(range(n, 0, -1)))) / n
        values = lists[np.array(list(product(range(len(lists)), repeat=n)))]
        eaten, chosen = probabilistic_serial(values), random_priority(values)
        best = np.argsort(-values, -1)
        rise = np.cumsum(np.take_along_axis(eaten - chosen, best, -1), -1)
        same = (abs(eaten - chosen).max((1, 2)) < 1e-9).sum()
        better = ((rise > -1e-9).all((1, 2)) & (rise > 1e-9).any((1, 2))).sum()
        regrets = []
        for shares_ in (eaten, chosen):
            whole, unit = regrets_by_lists(shares_, values)
            regrets.append(Fraction(int(whole.sum()), unit * whole.size))
        row(n, f"{len(values):,}", f"{same:,}", f"{better:,}", *(f"{each} = {float(each):.5f}" for each in regrets))


def baseline(game: Matching, name: str, sampled: int, audited: int) -> list[str]:
    """Measure a rule on sampled markets, and its truthfulness on some of them."""
    types = game.initial_state(sampled, np.random.default_rng(0)).types
    done = game.settle(game.initial_state_from(types), game.ruled(name, types))
    measures = game.measures()
    values, priorities = (side[:audited] for side in game.both_sides(types))
    seats = game.seats.tolist()
    lies = truthfulness_violation(lambda own, theirs: RULES[name](own, theirs, seats), values, priorities)
    stability = np.asarray(measures["stability"](done))
    return [
        f"`{name}`",
        written(stability),
        f"{stability.std() / FEW**0.5:.4f}",
        written(np.concatenate(lies, axis=1).mean(1)),
        written(np.asarray(measures["welfare"](done))),
    ]


def sharper(sampled: int) -> None:
    """Print the stability of random priority where the expected loss of unwilling columns is put in for the drawn one.

    Rows do not look at what columns like, so that each pair loses 1/16 in the mean: a list is cut with probability 1/5,
    and a cut at place b of 4 leaves b (b + 1) / 2 quarters below 0 to four partners, 5/4 in the mean over b.
    """
    head("correlation", "stability of `random_priority`, unwilling columns in closed form")
    for correlation in CORRELATIONS:
        game = make_game("matching", correlation=correlation)
        types = game.initial_state(sampled, np.random.default_rng(1)).types
        values, priorities = game.both_sides(types)
        chances = game.chances_of(game.ruled("random_priority", types))
        lost = chances.sum((1, 2)) / 16 / 4
        row(f"{correlation:g}", written(stability_violation(chances, values, priorities) + lost))


def ranks_of_many() -> None:
    """Print mean ranks of deferred acceptance."""
    head("each side", "mean rank of proposers' partners", "of the others'")
    for n, batch in LARGE.items():
        rng = np.random.default_rng(0)
        values, priorities = (rng.random((batch, n, n)) + 1e-9 for _ in range(2))
        pairs = shares(deferred_acceptance(values, priorities), n, values)
        sides = ((pairs, values), (np.swapaxes(pairs, 1, 2), np.swapaxes(priorities, 1, 2)))
        row(n, *(written(expected_rank(chances, own).mean(1), 3) for chances, own in sides))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sampled", type=int, default=50_000)
    parser.add_argument("--audited", type=int, default=8_000, help="of rules without chance; else a tenth")
    args = parser.parse_args()
    exact_tables()
    larger_tables()
    lotteries()
    head("correlation", "rule", "stability", f"standard error of {FEW:,}", "strategyproofness", "welfare")
    for correlation, name in product(CORRELATIONS, NAMES):
        audited = args.audited if name in DETERMINISTIC else args.audited // 10
        game = make_game("matching", correlation=correlation)
        row(f"{correlation:g}", *baseline(game, name, args.sampled, audited))
    sharper(args.sampled)
    ranks_of_many()


if __name__ == "__main__":
    main()
