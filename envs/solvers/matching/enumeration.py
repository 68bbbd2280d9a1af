"""All markets of a few with complete lists, all their stable matchings, and exact measures of any rule.

For n rows and n columns there are (n!)^(2n) profiles of complete lists: 46,656 for n = 3, all of which are listed. A
report of another complete list leads to another profile of the list, so that a rule is asked for each profile once.
Lists that leave partners out are not tried: columns gain far more often by them. Sums are of integers, and results are
fractions.

    >>> from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance
    >>> found = table(deferred_acceptance)
    >>> found.rank, found.blocking_pairs, found.rows_gain, found.columns_gain
    (Fraction(35, 24), Fraction(0, 1), Fraction(0, 1), Fraction(1, 54))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import permutations, product
from math import factorial, lcm

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.solvers.matching.measures import (
    blocking,
    blocking_pairs,
    dominance_violation,
    expected_rank,
    inefficient,
)
from lawgiver.envs.solvers.matching.preferences import LARGEST_LIST, check_sides, shares

DENOMINATOR = 10_000
"""Largest denominator of a probability: a rule's floats are taken for the fractions that they are rounded from."""

Decide = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Matchings (B, n) for values and priorities (B, n, n)."""


@lru_cache(maxsize=2)
def profiles(n: int) -> tuple[np.ndarray, np.ndarray]:
    """List the profiles of complete lists, values and priorities (P, n, n) in {1, ..., n} / n, read-only, n up to 3.

    Raises:
        ParameterError: for more, naming how many there are.
    """
    if not 1 <= n <= 3:
        raise ParameterError(f"{n} on each side have {n}!^{2 * n} profiles of lists, allowed: n from 1 to 3")
    lists = np.array(list(permutations(range(1, n + 1)))) / n
    every = np.array(list(product(range(len(lists)), repeat=2 * n)))
    values, priorities = lists[every[:, :n]], np.ascontiguousarray(lists[every[:, n:]].transpose(0, 2, 1))
    for each in (values, priorities):
        each.flags.writeable = False  # they are kept for other callers
    return values, priorities


def all_matchings(n: int, m: int) -> np.ndarray:
    """List all matchings (L, n) of n rows and m columns of one seat each, those that leave rows alone too.

    Raises:
        ParameterError: for more than ``LARGEST_LIST`` on a side, naming the limit.
    """
    if not 1 <= n <= LARGEST_LIST or not 1 <= m <= LARGEST_LIST:
        raise ParameterError(f"{n} rows and {m} columns, allowed where all matchings are listed: 1 to {LARGEST_LIST}")
    tried = np.array(list(product(range(-1, m), repeat=n)))
    taken = (tried[:, :, None] == np.arange(m)).sum(1)
    found: np.ndarray = tried[(taken <= 1).all(1)]
    return found


def stable_matchings(values: np.ndarray, priorities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find all stable matchings of markets with one seat a column, by trying every matching.

    Args:
        values: (B, n, m), n and m up to ``LARGEST_LIST``.
        priorities: (B, n, m).

    Returns:
        all matchings (L, n), and which of them are stable, (B, L).

    Raises:
        ParameterError: for more than are listed, naming the limit.
    """
    check_sides(values, priorities)
    tried = all_matchings(*values.shape[1:])
    stable = np.zeros((len(values), len(tried)), bool)
    for at, each in enumerate(tried):
        pairs = shares(each, values.shape[2], values) > 0
        willing = ~(pairs & ((values <= 0) | (priorities <= 0))).any((1, 2))
        same = np.broadcast_to(each, values.shape[:2])
        stable[:, at] = willing & ~blocking(same, values, priorities).any((1, 2))
    return tried, stable


@dataclass(frozen=True)
class Table:
    """Exact measures of a rule without chance over all profiles; shares of profiles unless said otherwise.

    Attributes:
        rank: mean rank of rows' partners, 1 the best.
        rank_of_columns: mean rank of columns' partners.
        unstable: profiles with a blocking pair.
        blocking_pairs: mean number of these.
        inefficient: profiles in which rows could do better.
        rows_gain: profiles in which some row gains by another complete list.
        columns_gain: profiles in which some column does.
        regret: FOSD regret, mean over all 2n agents and profiles.
    """

    rank: Fraction
    rank_of_columns: Fraction
    unstable: Fraction
    blocking_pairs: Fraction
    inefficient: Fraction
    rows_gain: Fraction
    columns_gain: Fraction
    regret: Fraction


def table(rule: Decide, n: int = 3) -> Table:
    """Compute the exact measures of a rule without chance, by all profiles of complete lists.

    Args:
        rule: of matchings (B, n) by values and priorities (B, n, n).
        n: agents on each side, 1 to 3.

    Raises:
        ParameterError: for more agents.
    """
    values, priorities = profiles(n)
    count, matching = len(values), np.asarray(rule(values, priorities))
    pairs = shares(matching, n, values)
    blocked = blocking_pairs(matching, values, priorities)
    swapped = [np.swapaxes(each, 1, 2) for each in (pairs, priorities)]
    regrets, unit = regrets_by_lists(pairs, values, priorities)
    gainers = regrets > 0
    return Table(
        rank=Fraction(round(expected_rank(pairs, values).sum()), count * n),
        rank_of_columns=Fraction(round(expected_rank(*swapped).sum()), count * n),
        unstable=Fraction(int((blocked > 0).sum()), count),
        blocking_pairs=Fraction(int(blocked.sum()), count),
        inefficient=Fraction(int(inefficient(matching, values).sum()), count),
        rows_gain=Fraction(int(gainers[:, :n].any(1).sum()), count),
        columns_gain=Fraction(int(gainers[:, n:].any(1).sum()), count),
        regret=Fraction(int(regrets.sum()), 2 * n * count * unit),
    )


def regrets_by_lists(
    pairs: np.ndarray, values: np.ndarray, priorities: np.ndarray | None = None
) -> tuple[np.ndarray, int]:
    """Compute the FOSD regret of every agent in every profile, as integers (P, n), or (P, 2n) with the columns behind.

    Args:
        pairs: shares (P, n, n) that a rule gives, fractions with denominators up to 10,000.
        values: of all (n!)^n profiles of rows' complete lists, the last row's list changing first; or with the columns'
            behind, as in :func:`profiles`.
        priorities: of these; None where rows alone have lists.

    Returns:
        regrets in units of 1 / u, and u.

    Raises:
        ParameterError: for shares that are no such fractions.
    """
    profiles, n = values.shape[:2]
    whole, unit = _integers(pairs)
    kinds, agents = factorial(n), n if priorities is None else 2 * n
    regrets = np.zeros((profiles, agents), np.int64)
    every = np.arange(profiles)
    for agent in range(agents):
        base = kinds ** (agents - 1 - agent)  # of the digit of the agent's list in the number of a profile
        own = values[:, agent] if agent < n else np.asarray(priorities)[:, :, agent - n]
        has = whole[:, agent] if agent < n else whole[:, :, agent - n]
        others = every - every // base % kinds * base
        reached = has[others[:, None] + np.arange(kinds) * base]
        regrets[:, agent] = dominance_violation(has, reached, own).max(1)
    return regrets, unit


def _integers(pairs: np.ndarray) -> tuple[np.ndarray, int]:
    """Return shares as integers (P, n, n), and what they are multiples of, 1 / u, by u."""
    found, index = np.unique(pairs, return_inverse=True)
    exact = [Fraction(float(value)).limit_denominator(DENOMINATOR) for value in found]
    unit = lcm(*(value.denominator for value in exact))
    off = max(abs(float(value) - float(near)) for value, near in zip(found, exact, strict=True))
    if off > 1e-12 or unit > 2**40:
        raise ParameterError(
            f"shares are no fractions with denominators up to {DENOMINATOR:,}: they miss the nearest by {off:.1e}"
        )
    return np.array([int(value * unit) for value in exact], np.int64)[index.reshape(pairs.shape)], unit
