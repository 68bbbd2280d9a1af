"""Known results for impartial rankings: welfare of truthful rules and of all rules, and how often there is a winner.

Utilities are independent and uniform on [0, 1], so that the alternative at place j of m is worth (m + 1 - j) / (m + 1)
to its voter, and one about which nothing is known 1/2. Without payments whatever rule sees rankings alone and makes the
truth best to all utility functions mixes rules that follow one voter and rules that choose from two alternatives
(Gibbard 1977).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import comb, factorial

import numpy as np

from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.solvers.social_choice.enumeration import AnonymousProfiles, anonymous
from lawgiver.envs.solvers.social_choice.profiles import condorcet_winner
from lawgiver.envs.solvers.social_choice.rules import lottery

LARGEST = 3_000
"""Profiles, but for who is who, up to which solutions are checked against all of them."""
PROVED = frozenset({(3, 3), (5, 3), (7, 3), (3, 4)})
"""Numbers of voters and alternatives whose best truthful rule is known, by a linear programme over all rules."""


def dictator_welfare(n: int, m: int) -> float:
    """Compute the mean expected utility where one voter of n, random or not, has the favourite among m.

    >>> round(dictator_welfare(3, 3), 5)
    0.58333
    """
    return (m / (m + 1) + (n - 1) / 2) / n


def pair_welfare(n: int) -> float:
    """Compute the mean expected utility where a majority of n voters chooses from two alternatives, random or not.

    A voter's utility of what it prefers is 2/3, of the other 1/3, so that it is 1/2 + E|margin| / (6 n).

    >>> round(pair_welfare(7), 5)
    0.55208
    """
    margin: float = sum(comb(n, k) * abs(2 * k - n) for k in range(n + 1)) / 2**n
    return 0.5 + margin / (6 * n)


def truthful_optimum(n: int, m: int) -> float | None:
    """Compute the largest welfare of rules that see rankings and make the truth best; None where it is not known.

    At the sizes that are known it is that of a random dictator, or of a random pair.

    >>> truthful_optimum(5, 3), truthful_optimum(5, 4)
    (0.5625, None)
    """
    return max(dictator_welfare(n, m), pair_welfare(n)) if (n, m) in PROVED else None


def known(n: int, m: int) -> Iterator[KnownSolution]:
    """List what is known of n voters and m alternatives, checked by all profiles; nothing where these are many."""
    if comb(n + factorial(m) - 1, n) > LARGEST:
        return
    source = "Gibbard 1977 for what truthful rules are; residual is the difference from all profiles"
    for name, rule, value in (
        ("random dictator", "random_dictator", dictator_welfare(n, m)),
        ("majority of a random pair", "random_pair_majority", pair_welfare(n)),
    ):
        best = value == truthful_optimum(n, m)
        yield KnownSolution(
            name=f"welfare of a {name}{', the largest of truthful rules' if best else ''}",
            source=source,
            value=partial(float, value),
            residual=partial(_error, rule, n, m, value),
            tolerance=1e-9,
            exact=1e-9,
        )
    yield KnownSolution(
        name="largest welfare of rules that see rankings: Borda",
        source="expected utility is affine in the place; residual is the best choices' advantage over Borda's",
        value=lambda: _expected_welfare("borda", n, m),
        residual=lambda: abs(_expected_welfare("borda", n, m) - _expected_welfare(None, n, m)),
        tolerance=1e-9,
        exact=1e-9,
    )
    if m == 3:
        yield KnownSolution(
            name="probability that there is a Condorcet winner",
            source="a sum over how many have it above both others; residual is the difference from all profiles",
            value=lambda: winner_of_three(n),
            residual=lambda: abs(_winners(n, m) - winner_of_three(n)),
            tolerance=1e-9,
            exact=1e-9,
        )


def winner_of_three(n: int) -> float:
    """Compute the probability that one of three alternatives beats both others, for n voters.

    Voters have it above both others or below both with a probability of 1/3 each, and above one or the other with 1/6.

    >>> round(winner_of_three(3) * 18, 9)
    17.0
    """
    beats = 0.0
    for both in range(n + 1):
        for one in range(n - both + 1):
            for other in range(n - both - one + 1):
                if 2 * min(both + one, both + other) > n:
                    ways = comb(n, both) * comb(n - both, one) * comb(n - both - one, other)
                    beats += ways * 2 ** (n - one - other) / 6**n
    return 3 * beats


def _mean(values: np.ndarray, profiles: AnonymousProfiles) -> float:
    weights = profiles.weights.astype(float)
    return float(values @ weights / weights.sum())


def _expected_welfare(rule: str | None, n: int, m: int) -> float:
    """Compute the expected utility of a rule over all profiles; of the best choice for None."""
    profiles = anonymous(n, m)
    worth = profiles.counts @ ((m - profiles.orders) / (m + 1)) / n
    if rule is None:
        return _mean(worth.max(1), profiles)
    chosen = lottery(rule, profiles.orders[None], profiles.counts.astype(float))
    return _mean((worth * chosen).sum(1), profiles)


def _error(rule: str, n: int, m: int, value: float) -> float:
    return abs(_expected_welfare(rule, n, m) - value)


def _winners(n: int, m: int) -> float:
    profiles = anonymous(n, m)
    return _mean(condorcet_winner(profiles.orders[None], profiles.counts.astype(float)).any(1).astype(float), profiles)
