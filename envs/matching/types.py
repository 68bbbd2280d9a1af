"""Drawn lists: random orders, cut at random, and shared by some of a side (Ravindranath et al. 2021).

A list ranks m partners, and being alone among them: the value of a partner is its place from the bottom less that of
being alone, over m, so that whoever is above 0 is acceptable. Uncut, it is m / m, ..., 1 / m. A list is cut by letting
one partner, each as likely, change places with being alone, so that this partner is the last of all and those below it
are not acceptable.
"""

from __future__ import annotations

from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.solvers.social_choice.profiles import positions


def numbers(m: int) -> int:
    """Count the uniform numbers that lists of m partners take: an own and a common one, and which of these holds."""
    return 2 * (m + 2) + 1


def lists(draws: Array, m: int, truncation: float, correlation: float) -> Array:
    """Return the values of partners for the members of a side, (B, n, m), multiples of 1 / m in [-1, 1].

    Args:
        draws: uniform numbers, (B, n, 2 (m + 2) + 1); the first member's make the common list.
        m: partners.
        truncation: probability that a list is cut.
        correlation: probability that a member has the side's common list, cut as that is.
    """
    xp = namespace(draws)
    own = _cut(draws[..., : m + 2], m, truncation)
    common = _cut(draws[:, :1, m + 2 : 2 * (m + 2)], m, truncation)
    return xp.where(draws[..., -1:] < correlation, common + 0 * own, own)


def _cut(draws: Array, m: int, truncation: float) -> Array:
    """Return lists (B, n, m) of m numbers for the order, one for whether it is cut and one for where."""
    xp = namespace(draws)
    place = m - positions(draws[..., :m])
    where = xp.clip(xp.astype(draws[..., m + 1 :] * m, xp.int64), 0, m - 1)
    bar = xp.take_along_axis(place, where, axis=-1)
    left = xp.where(xp.arange(m, device=draws.device) == where, -bar, place - bar)
    return xp.astype(xp.where(draws[..., m : m + 1] < truncation, left, place), draws.dtype) / m
