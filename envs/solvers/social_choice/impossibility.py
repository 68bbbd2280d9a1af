"""Impossibility theorems by exhaustive search: all truthful choice functions, and all that aggregate pair by pair.

Gibbard (1973, Econometrica 41) and Satterthwaite (1975, Journal of Economic Theory 10): a function that chooses one of
the alternatives it can choose, three or more, from every profile of rankings, so that nobody ever gains by another
ranking, is a dictatorship. The search is for all functions without that gain, onto or not. Profiles are variables; two
that differ in one voter's ranking, t or u, must have outcomes f(P) and f(Q) with f(P) at least as good by t and f(Q) by
u. Domains are kept consistent along these arcs, and the smallest is branched on. The functions found are constants,
monotone votes between two alternatives, and dictatorships over a subset:

    m + C(m, 2) (D(n) - 2) + n sum_{k=3}^m C(m, k)

where D(n) counts the monotone Boolean functions of n variables.

Arrow (1951, Social Choice and Individual Values): a social ranking in which each pair depends on how voters rank that
pair, and unanimity is obeyed, is a dictator's if there are three alternatives or more.

    >>> len(truthful_functions(2, 3)), number_of_truthful_functions(2, 3), len(pairwise_rankings(2))
    (17, 17, 2)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np

from lawgiver.envs.core.errors import ParameterError, integer
from lawgiver.envs.solvers.social_choice.profiles import orders

LIMIT = 1_000
"""Profiles of voters and rankings up to which all functions are searched for."""
LARGEST = 5
"""Variables of monotone Boolean functions that are counted, of which there are 7,581."""


def truthful_functions(n: int, m: int) -> np.ndarray:
    """Find all functions from profiles to alternatives by which no voter ever gains, (F, m!, ..., m!).

    An entry is the alternative that is chosen if each voter has the ranking of its axis, in the order of
    :func:`.profiles.orders`.

    Raises:
        ParameterError: for more profiles than 1,000, naming how many they are.
    """
    n, m = integer("n", n, 1, 20), integer("m", m, 1, 20)
    rankings = math.factorial(m)
    if rankings**n > LIMIT:
        raise ParameterError(f"{n} voters over {m} alternatives have {rankings**n:,} profiles, allowed: {LIMIT:,}")
    return np.array(list(_completions(np.full((rankings,) * n, 2**m - 1), _allowed(m))))


def _allowed(m: int) -> np.ndarray:
    """Return the outcomes that a neighbour may have, sets as bits, (m!, m!, 2^m): by t, u and the set of P's."""
    places = orders(m)
    good = places[:, :, None] <= places[:, None, :]  # a at least as good as b
    fits = (good[:, None] & good.transpose(0, 2, 1)[None]) @ (1 << np.arange(m))  # (m!, m!, m): outcomes b to go with a
    table = np.zeros((len(places), len(places), 2**m), np.int64)
    for outcome in range(m):
        with_it = np.arange(2**m) >> outcome & 1 == 1
        table[:, :, with_it] |= fits[:, :, outcome, None]
    return table


def _consistent(domains: np.ndarray, allowed: np.ndarray) -> np.ndarray | None:
    """Return domains without outcomes that no outcome of some neighbour goes with; None where one is left empty."""
    kinds = np.arange(len(allowed))
    before = None
    while before is None or (domains != before).any():
        before = domains
        for voter in range(domains.ndim):
            rows = np.moveaxis(domains, voter, 0).reshape(len(kinds), -1)
            left = np.bitwise_and.reduce(allowed[kinds[:, None, None], kinds[:, None], rows[:, None]], axis=0)
            shape = np.moveaxis(domains, voter, 0).shape
            domains = domains & np.moveaxis(left.reshape(shape), 0, voter)
        if not domains.all():
            return None
    return domains


def _completions(domains: np.ndarray, allowed: np.ndarray) -> Iterator[np.ndarray]:
    """Yield all functions with outcomes from domains, depth first."""
    found = _consistent(domains, allowed)
    if found is None:
        return
    sizes = np.bitwise_count(found)
    if (sizes == 1).all():
        yield np.log2(found).astype(np.int64)
        return
    open_ = np.where(sizes > 1, sizes, 99)
    at = np.unravel_index(int(open_.argmin()), found.shape)
    for outcome in range(int(found[at]).bit_length()):
        if found[at] >> outcome & 1:
            chosen = found.copy()
            chosen[at] = 1 << outcome
            yield from _completions(chosen, allowed)


def number_of_truthful_functions(n: int, m: int) -> int:
    """Compute how many functions :func:`truthful_functions` finds, by the formula.

    Raises:
        ParameterError: for more than 5 voters.
    """
    n, m = integer("n", n, 1, LARGEST), integer("m", m, 1)
    dictators = n * sum(math.comb(m, k) for k in range(3, m + 1))
    return m + math.comb(m, 2) * (len(monotone_functions(n)) - 2) + dictators


def monotone_functions(n: int) -> list[int]:
    """List the monotone Boolean functions of n variables, each as the bits of its 2^n values.

    Raises:
        ParameterError: for more than 5 variables.
    """
    found = [0, 1]
    for known in range(integer("n", n, 0, LARGEST)):
        # The values with a further variable at 0 are at most those with it at 1.
        found = [low | high << 2**known for low in found for high in found if low & ~high == 0]
    return found


def pairwise_rankings(n: int) -> np.ndarray:
    """Find all ways to rank 0, 1 and 2 pair by pair that obey unanimity and are transitive, (F, 3, 2^n).

    Entry [f, p, v] tells, for the pair p of (0, 1), (1, 2) and (0, 2), whether the first of the pair is ranked above
    the second if the voters in the set v, as bits, have it so.

    Raises:
        ParameterError: for more than 3 voters.
    """
    n = integer("n", n, 1, 3)
    sets = 2**n
    rules = np.array([(0, *inner, 1) for inner in product((0, 1), repeat=sets - 2)], bool)
    pairs = ((0, 1), (1, 2), (0, 2))
    ahead = np.array([[places[a] < places[b] for a, b in pairs] for places in orders(3)], np.int64)
    profiles = np.array(list(product(range(6), repeat=n)))
    votes = (ahead[profiles] << np.arange(n)[:, None]).sum(1)  # (6^n, 3): who has the first of each pair above
    by_pair = [rules[:, votes[:, pair]] for pair in range(3)]  # (R, 6^n) each
    found = []
    for first, second in product(range(len(rules)), repeat=2):
        chain = by_pair[0][first] == by_pair[1][second]  # 0 > 1 > 2 or 0 < 1 < 2: so must 0 and 2 be
        fits = (~chain | (by_pair[2] == by_pair[0][first])).all(1)
        found += [np.stack([rules[first], rules[second], last]) for last in rules[fits]]
    return np.array(found)
