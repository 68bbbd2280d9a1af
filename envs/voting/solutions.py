"""Welfare of truthful rules under impartial rankings, in closed form.

Utilities are independent and uniform on [0, 1], so that the alternative at place j of m is worth (m + 1 - j) / (m + 1)
to its voter, and one about which nothing is known 1/2. Without payments whatever rule sees rankings alone and makes the
truth best to all utility functions mixes rules that follow one voter and rules that choose from two alternatives
(Gibbard 1977).
"""

from __future__ import annotations

from math import comb

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
