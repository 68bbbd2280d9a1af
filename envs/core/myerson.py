"""The greatest expected revenue from bidders who want one item each and know their values (Myerson 1981).

The items go to those whose ironed virtual values are highest and above 0, and the revenue is the expected sum of these:
no truthful mechanism, and so by the revelation principle no equilibrium of any mechanism, earns more.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from lawgiver.envs.core.distributions import Distribution
from lawgiver.envs.core.errors import integer


def myerson_revenue(distributions: Sequence[Distribution], m: int) -> float:
    """Return the optimal expected revenue of m identical items.

    E[sum of the m highest phi_i^+] is the integral over t > 0 of E[min(m, number of bidders with phi_i > t)]. Between
    the levels at which some ironed virtual value has a break the integrand is a polynomial in t of the number of
    bidders' degree, so that Gauss-Legendre quadrature is exact there, up to rounding.

    Args:
        distributions: of the bidders' values, independent, in any order.
        m: number of items, at least 1.

    Raises:
        ParameterError: if m is no such number.
    """
    m = min(integer("m", m, 1), len(distributions))
    breaks = np.concatenate([[0.0]] + [np.append(d.segments.first, d.segments.last) for d in distributions])
    nodes, weights = np.polynomial.legendre.leggauss(len(distributions) // 2 + 1)
    return float(
        sum(
            (high - low) / 2 * weights @ _sold(distributions, m, low + (nodes + 1) / 2 * (high - low))
            for low, high in pairwise(np.unique(breaks[breaks >= 0]))
        )
    )


def _sold(distributions: Sequence[Distribution], m: int, t: np.ndarray) -> np.ndarray:
    """Return the expected number (k,) of items sold if only virtual values above ``t`` (k,) buy, at most m."""
    count = np.zeros((m + 1, len(t)))  # probability of so many buyers; the last row is m or more
    count[0] = 1
    for distribution in distributions:
        buys = distribution.virtual_survival(t)
        moved = buys * count[:-1]
        count[:-1] -= moved
        count[1:] += moved
    return np.arange(m + 1) @ count
