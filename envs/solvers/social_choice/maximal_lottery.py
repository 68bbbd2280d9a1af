"""Maximal lotteries (Kreweras 1965, Fishburn 1984): a lottery p that no alternative beats in expectation, p' M >= 0.

It is an optimal strategy of the symmetric zero-sum game of the margins M. Take a set S of odd size on which the kernel
of M is a line. It is spanned by the Pfaffians of what is left without one alternative,

    v_i = (-1)^(place of i in S) Pf(M_{S - i})

and if v has no negative entry and p = v / sum v is maximal, then p is an extreme maximal lottery: whatever it is a
mixture of lies in the kernel too. Every extreme one is found like this: add to its support, one by one, alternatives
that it ties with and that cut down the kernel of what is there; the rank grows by two each time, until the kernel is a
line. Pfaffians of all subsets follow from smaller ones, for all profiles at once, in exact integers where the margins
are such. No linear program is solved.

With an odd number of strict rankings there is one maximal lottery (Le Breton 2005, Économie publique 17). Where there
are several, because of ties, their extreme ones are mixed in equal shares, which treats alternatives alike.

A cycle with margins 0 > 1 of 2, 1 > 2 of 6 and 2 > 0 of 4:

    >>> lotteries(np.array([[0.0, 2.0, -4.0], [-2.0, 0.0, 6.0], [4.0, -6.0, 0.0]])[:, :, None])[:, 0] * 12
    array([6., 4., 2.])
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.errors import ConvergenceError, ParameterError

LARGEST = 12
"""Alternatives up to which all supports are tried, of which there are 2^(m - 1)."""
ROUNDING = 1e-12
"""Share of the size of what is summed below which a sum counts as 0, for margins that are no integers."""


def lotteries(margins: np.ndarray) -> np.ndarray:
    """Compute a maximal lottery (m, B) for each profile, the mean of the extreme ones where there are several.

    Args:
        margins: (m, m, B), antisymmetric.

    Raises:
        ParameterError: for more than 12 alternatives.
        ConvergenceError: where rounding hides all of them.
    """
    m = len(margins)
    if m > LARGEST:
        raise ParameterError(f"maximal_lottery is to decide among {m} alternatives, allowed: at most {LARGEST}")
    found: np.ndarray = ((margins > 0).sum(1) == m - 1).astype(float)
    open_ = np.flatnonzero(~found.any(0))
    if len(open_):
        at, extreme = _extreme(margins[:, :, open_].astype(float))
        count = np.bincount(at, minlength=len(open_))
        if not count.all():
            lost = margins[:, :, open_[count.argmin()]]
            raise ConvergenceError(f"rounding hides the maximal lottery of margins {lost.tolist()}")
        found[:, open_] = [np.bincount(at, row, len(open_)) / count for row in extreme]
    return found


def _extreme(margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the extreme maximal lotteries (m, R) of all profiles, and the profile (R,) of each."""
    m, _, batch = margins.shape
    scale = np.maximum(np.abs(margins).max((0, 1)), np.finfo(float).tiny)
    pfaffians: dict[int, np.ndarray] = {0: np.ones(batch)}
    at, extreme = [], []
    for support in sorted(range(1, 1 << m), key=int.bit_count):
        members = [a for a in range(m) if support >> a & 1]
        if len(members) % 2 == 0:
            first, *others = members
            pfaffians[support] = sum(
                (-1) ** k * margins[first, b] * pfaffians[support ^ (1 << first) ^ (1 << b)]
                for k, b in enumerate(others)
            )
            continue
        kernel = np.stack([(-1) ** k * pfaffians[support ^ (1 << a)] for k, a in enumerate(members)])
        size = np.abs(kernel).sum(0)
        kernel = np.where(kernel.sum(0) < 0, -kernel, kernel)
        fits = (size > ROUNDING * scale ** (len(members) // 2)) & (kernel >= -ROUNDING * size).all(0)
        for b in range(m):
            if not support >> b & 1:
                fits &= (kernel * margins[members, b]).sum(0) >= -ROUNDING * size * scale
        lottery = np.zeros((m, int(fits.sum())))
        lottery[members] = np.maximum(kernel[:, fits], 0)
        at.append(np.flatnonzero(fits))
        extreme.append(lottery / lottery.sum(0))
    return _distinct(np.concatenate(at), np.concatenate(extreme, axis=1))


def _distinct(at: np.ndarray, lotteries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each lottery (m, R) of a profile once: several supports may lead to it."""
    key = at
    for row in lotteries.round(12):
        key = np.unique(key << 32 | np.unique(row, return_inverse=True)[1], return_inverse=True)[1]
    kept = np.unique(key, return_index=True)[1]
    return at[kept], lotteries[:, kept]
