"""The optimal expected revenue from bidders with unit demand and private values (Myerson 1981).

The items go to those whose ironed virtual values are highest and above 0, and the revenue is the expected sum of these:
no truthful mechanism under which nobody loses by taking part, and so by the revelation principle no equilibrium of any
mechanism that bidders may stay away from, earns more.

One item for two bidders whose values are uniform on [0, 1] sells for 5/12 on average:

    >>> round(myerson_revenue([Distribution(0.0, 1.0)] * 2, m=1), 4)
    0.4167
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.core.errors import integer
from lawgiver.envs.solvers.auctions.distributions import Distribution
from lawgiver.envs.solvers.auctions.exponential import Exponential

Survival = Callable[[np.ndarray], np.ndarray]
Marginal = Distribution | Exponential
"""Distribution of one number, with its virtual values."""


def myerson_revenue(distributions: Sequence[Distribution], m: int) -> float:
    """Return the optimal expected revenue of m identical items.

    E[sum of the m highest phi_i^+] is the integral over t > 0 of E[min(m, number of bidders with phi_i > t)]. Between
    the levels at which some ironed virtual value has a break the integrand is a polynomial in t of the number of
    bidders' degree, so that Gauss-Legendre quadrature is exact there, up to rounding.

    Args:
        distributions: distributions of the bidders' values, independent, in any order.
        m: number of items, at least 1.

    Raises:
        ParameterError: if m is no such number.
    """
    breaks = [np.append(d.segments.first, d.segments.last) for d in distributions]
    return _highest(m, breaks, [d.virtual_survival for d in distributions])


def highest_values(distributions: Sequence[Distribution], m: int) -> float:
    """Return the expected sum of the m highest values, at least 0 each: the greatest welfare of m identical items.

    Arguments and errors are those of :func:`myerson_revenue`.
    """
    breaks = [np.linspace(d.low, d.high, len(d.masses) + 1) for d in distributions]
    return _highest(m, breaks, [_above(d) for d in distributions])


def optimal_sale(distributions: Sequence[Marginal], values: Array) -> tuple[Array, Array]:
    """Sell one item by Myerson's rule: to the highest ironed virtual value above 0, at the least value that wins.

    Those who are equally high share the item. If k bidders would then share, one with the share x(v) pays
    v x(v) less the integral of x up to v: s / k where it shares, on a stretch of values from s to e with one virtual
    value, and e - (e - s) / k where it wins alone.

    Args:
        distributions: of the n bidders' values, independent.
        values: what they report, (B, n), on NumPy or torch.

    Returns:
        shares and payments, (B, n) each.
    """
    xp = namespace(values)
    virtual = xp.stack([each.virtual_value(values[:, i]) for i, each in enumerate(distributions)], axis=-1)
    nothing = xp.zeros_like(virtual[:, :1])
    shares, payments = [], []
    for i, own in enumerate(distributions):
        mine = virtual[:, i]
        others = xp.concat([virtual[:, :i], virtual[:, i + 1 :], nothing], axis=-1)
        rival = xp.max(others, axis=-1)
        count = 1 + xp.sum(xp.astype(others[:, :-1] == rival[:, None], values.dtype), axis=-1)
        start, end = (own.critical(rival, above=above) for above in (False, True))
        alone, level = mine > rival, (mine == rival) & (rival > 0)
        share = xp.where(level, 1 / count, xp.astype(alone, values.dtype))
        price = xp.where(level, start / count, end - xp.where(rival > 0, (end - start) / count, 0 * end))
        shares.append(share)
        payments.append(xp.where(alone | level, price, xp.zeros_like(price)))
    return xp.stack(shares, axis=-1), xp.stack(payments, axis=-1)


def _above(distribution: Distribution) -> Survival:
    """Return the probability that a value is above a level."""
    return lambda t: 1 - distribution.cdf(t)


def _highest(m: int, breaks: Sequence[np.ndarray], survivals: Sequence[Survival]) -> float:
    """Return the expected sum of the m highest of independent numbers, where they are positive.

    Args:
        m: how many, at least 1.
        breaks: break points of each number, the levels between which its survival function is linear.
        survivals: the probability (k,) that each number is above a level (k,).
    """
    m = min(integer("m", m, 1), len(survivals))
    levels = np.concatenate([[0.0], *breaks])
    nodes, weights = np.polynomial.legendre.leggauss(len(survivals) // 2 + 1)
    return float(
        sum(
            (high - low) / 2 * weights @ _sold(survivals, m, low + (nodes + 1) / 2 * (high - low))
            for low, high in pairwise(np.unique(levels[levels >= 0]))
        )
    )


def _sold(survivals: Sequence[Survival], m: int, t: np.ndarray) -> np.ndarray:
    """Return the expected number (k,) of numbers above ``t`` (k,), of which at most m count."""
    count = np.zeros((m + 1, len(t)))  # probability of so many; the last row is m or more
    count[0] = 1
    for survival in survivals:
        moved = survival(t) * count[:-1]
        count[:-1] -= moved
        count[1:] += moved
    return np.arange(m + 1) @ count
