"""Exact measures of a voting rule over all profiles of n voters and m alternatives, each ranking equally likely.

Rules that treat voters alike see how many hold each of the m! rankings. There are C(n + m! - 1, n) such counts c, each
of n! / prod c! profiles, where (m!)^n profiles are listed otherwise. A voter deviates from n - 1 others: every pair of
a true and a cast ranking is a pair of counts that have the others in common. Sums are of integers, and results are
fractions.

- Nitzan-Kelly index: the share of profiles in which some voter gains by another ranking; where a lottery is chosen,
  under some utility function with the voter's ranking (Kelly 1993, as in Aleskerov, Karabekyan, Sanver and Yakuba
  2011, SERIEs 2).
- FOSD regret: what the best other ranking gains under the utility function with values in [0, 1] and the voter's
  ranking that gains most, in the mean over voters and profiles (:mod:`.dominance`).
- Welfare: the mean utility if those of a voter are independent and uniform on [0, 1], of which the j-th best is
  (m + 1 - j) / (m + 1) on average.

The index counts profiles in which regret is not 0, regret probability: they order rules differently. The gain in
utility is neither: with equally spaced utilities it may be 0 where others gain.

A dictator can be left to decide; plurality is manipulable in a sixth of the profiles of three voters:

    >>> manipulability("random_dictator", 3, 3).regret, manipulability("plurality", 3, 3, ties="first").nitzan_kelly
    (Fraction(0, 1), Fraction(1, 6))
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np

from lawgiver.envs.core.errors import ParameterError, brief, integer
from lawgiver.envs.solvers.social_choice.profiles import condorcet_winner, orders
from lawgiver.envs.solvers.social_choice.rules import lottery

LIMIT = 300_000
"""Anonymous profiles up to which all are listed."""
CHUNK = 20_000
"""Profiles that a rule decides at once."""
DENOMINATOR = 10_000
"""Largest denominator of a probability: a rule's floats are taken for the fractions that they are rounded from."""

Decide = Callable[[np.ndarray], np.ndarray]
"""Lotteries (B, m) for counts (B, m!) of voters by ranking, in the order of :func:`.profiles.orders`."""


@dataclass(frozen=True)
class AnonymousProfiles:
    """All profiles of n voters over m alternatives, but for who is who.

    Attributes:
        n: voters.
        m: alternatives.
        orders: places of all rankings, (m!, m).
        counts: voters who hold each ranking, (P, m!).
        weights: number of profiles with these counts, Python's integers (P,), which sum to (m!)^n.
        deviations: profile that arises if a voter casts each ranking in company of n - 1 others, (Q, m!).
        others: number of profiles of these n - 1, Python's integers (Q,), which sum to (m!)^(n - 1).
    """

    n: int
    m: int
    orders: np.ndarray
    counts: np.ndarray
    weights: np.ndarray
    deviations: np.ndarray
    others: np.ndarray

    def sum(self, values: np.ndarray) -> int:
        """Sum integers (P,) over profiles, exactly."""
        return int((self.weights * values).sum())


@dataclass(frozen=True)
class Manipulability:
    """Exact measures of a rule; see the module for what they mean.

    Attributes:
        nitzan_kelly: share of profiles in which somebody gains, under some utility function.
        voters: share of voters who do, in the mean over profiles.
        gain: largest gain of a voter, utilities equally spaced on [0, 1], in the mean over voters and profiles.
        regret: FOSD regret, in the mean over voters and profiles.
        welfare: mean utility.
        condorcet_winner: share of profiles that have one.
        condorcet_efficiency: probability that it is elected, given that there is one.
    """

    nitzan_kelly: Fraction
    voters: Fraction
    gain: Fraction
    regret: Fraction
    welfare: Fraction
    condorcet_winner: Fraction
    condorcet_efficiency: Fraction


@lru_cache(maxsize=4)
def anonymous(n: int, m: int) -> AnonymousProfiles:
    """List the anonymous profiles of n voters over m alternatives.

    Raises:
        ParameterError: for sizes out of range, naming how many profiles there are, and the limit.
    """
    n, m = integer("n", n, 1, 1000), integer("m", m, 2, 20)
    kinds = math.factorial(m)
    profiles = math.comb(n + kinds - 1, n)
    if profiles > LIMIT:
        raise ParameterError(
            f"{n} voters over {m} alternatives have {brief(profiles)} anonymous profiles, allowed: at most {LIMIT:,}"
        )

    def weighed(multisets: np.ndarray) -> np.ndarray:
        """Return the number of sequences of each multiset, Python's integers."""
        size = multisets.shape[-1]
        divisor, run = np.ones(len(multisets), object), np.zeros(len(multisets), np.int64)
        for i in range(size):
            run = np.where(multisets[:, i] == multisets[:, i - 1], run, 0) + 1 if i else run + 1
            divisor = divisor * run.astype(object)
        return np.asarray(math.factorial(size) // divisor)

    everybody, others = multisets(kinds, n), multisets(kinds, n - 1)
    counts = np.zeros((profiles, kinds), np.int64)
    np.add.at(counts, (np.arange(profiles)[:, None], everybody), 1)
    deviations = np.empty((len(others), kinds), np.int64)
    for cast in range(kinds):
        with_it = np.concatenate([others, np.full((len(others), 1), cast)], axis=1)
        deviations[:, cast] = rank(np.sort(with_it, axis=1), kinds)
    return AnonymousProfiles(n, m, orders(m), counts, weighed(everybody), deviations, weighed(others))


def multisets(kinds: int, size: int) -> np.ndarray:
    """List the multisets (N, size) of 0, ..., kinds - 1, ascending each, in the order of their :func:`rank`."""
    found = np.array(list(combinations_with_replacement(range(kinds), size)), np.int64)
    ordered = np.empty_like(found)
    ordered[rank(found, kinds)] = found
    return ordered


def rank(found: np.ndarray, kinds: int) -> np.ndarray:
    """Compute the ranks (...) of ascending multisets (..., size) in the combinatorial number system, without gaps."""
    size = found.shape[-1]
    binomials = np.array([[math.comb(s + i, i + 1) for s in range(kinds)] for i in range(size)], np.int64)
    return np.asarray(binomials[np.arange(size), found].sum(-1), np.int64)


def manipulability(rule: str | Decide, n: int, m: int, *, ties: str = "share") -> Manipulability:
    """Compute the exact measures of a rule for n voters and m alternatives, each ranking equally likely.

    Args:
        rule: name of one that reads rankings, see :data:`.rules.RULES`; or a function of counts.
        n: voters, >= 1.
        m: alternatives, >= 2.
        ties: ``share`` or ``first``, for a rule by name.

    Raises:
        ParameterError: for an unknown rule, for too many profiles, naming their number and the limit, and for lotteries
            that are no fractions with denominators up to 10,000.
    """
    profiles = anonymous(n, m)
    decide = _named(rule, profiles, ties) if isinstance(rule, str) else rule
    chunks = range(0, len(profiles.counts), CHUNK)
    lotteries = np.concatenate([decide(profiles.counts[start : start + CHUNK].astype(float)) for start in chunks])
    return measures(lotteries, profiles)


def _named(rule: str, profiles: AnonymousProfiles, ties: str) -> Decide:
    return lambda counts: np.asarray(lottery(rule, profiles.orders[None], counts, ties=ties))


def measures(lotteries: np.ndarray, profiles: AnonymousProfiles) -> Manipulability:
    """Compute the exact measures of the lotteries (P, m) that a rule chooses for all anonymous profiles.

    Raises:
        ParameterError: for lotteries that are no fractions with denominators up to 10,000.
    """
    n, m = profiles.n, profiles.m
    chances, unit = _integers(lotteries)
    total = math.factorial(m) ** n
    gains, regrets, gainers, manipulable = 0, 0, 0, np.zeros(len(chances), bool)
    reached = chances[profiles.deviations]  # (Q, m!, m)
    for true, places in enumerate(profiles.orders):
        upper = np.cumsum(reached[:, :, np.argsort(places)], axis=2)[:, :, :-1]
        change = upper - upper[:, true, None]
        regret = change.max((1, 2))
        regrets += int((profiles.others * regret).sum())
        gains += int((profiles.others * change.sum(2).max(1)).sum())
        gainers += int(profiles.others[regret > 0].sum())
        manipulable[profiles.deviations[regret > 0, true]] = True
    points = profiles.counts @ (m - profiles.orders)  # (m + 1) times the sum of expected utilities, (P, m)
    winners = condorcet_winner(profiles.orders[None], profiles.counts.astype(float))
    exist = profiles.sum(winners.any(1))
    return Manipulability(
        nitzan_kelly=Fraction(profiles.sum(manipulable), total),
        voters=Fraction(gainers, total),
        gain=Fraction(gains, total * unit * (m - 1)),
        regret=Fraction(regrets, total * unit),
        welfare=Fraction(profiles.sum((points * chances).sum(1)), total * unit * n * (m + 1)),
        condorcet_winner=Fraction(exist, total),
        condorcet_efficiency=Fraction(profiles.sum((winners * chances).sum(1)), exist * unit),
    )


def _integers(lotteries: np.ndarray) -> tuple[np.ndarray, int]:
    """Return lotteries as integers (P, m), and what they sum to."""
    values, index = np.unique(lotteries, return_inverse=True)
    exact = [Fraction(float(value)).limit_denominator(DENOMINATOR) for value in values]
    unit = math.lcm(*(value.denominator for value in exact))
    chances = np.array([int(value * unit) for value in exact], object)
    off = max(abs(float(value) - float(near)) for value, near in zip(values, exact, strict=True))
    whole = chances[index.reshape(lotteries.shape)]
    if off > 1e-12 or (whole.sum(1) != unit).any() or unit > 2**40:
        raise ParameterError(
            f"lotteries are no fractions with denominators up to {DENOMINATOR:,}: they miss the nearest by {off:.1e}"
        )
    return whole.astype(np.int64), unit
