"""Maximal lotteries (Kreweras 1965, Fishburn 1984): a lottery p that no alternative beats in expectation, p' M >= 0.

It is an optimal strategy of the symmetric zero-sum game of the margins M. A p that is supported on S, with everybody
outside S beaten strictly, and an M on S whose kernel is one line, is the only one. The kernel of an antisymmetric
matrix of odd order is spanned by the Pfaffians of what is left without one alternative,

    v_i = (-1)^(place of i in S) Pf(M_{S - i})

and Pfaffians of all subsets follow from smaller ones, for all profiles at once, in exact integers where the margins are
such. With an odd number of strict rankings there always is such an S (Le Breton 2005, Économie publique 17).

Profiles without one, because of ties, may have many maximal lotteries. The one of least Euclidean norm is taken, which
treats alternatives alike. Where some lose to nobody, and each of the others to one of them, that is equal shares of the
former. Elsewhere it is a problem of least distance under linear inequalities, which non-negative least squares solve
(Lawson and Hanson 1974, chapter 23), here scipy's, once for all profiles with the same margins.

A cycle with margins 0 > 1 of 2, 1 > 2 of 6 and 2 > 0 of 4:

    >>> lotteries(np.array([[0.0, 2.0, -4.0], [-2.0, 0.0, 6.0], [4.0, -6.0, 0.0]])[:, :, None])[:, 0] * 12
    array([6., 4., 2.])
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.core.registry import extras

LARGEST = 8
"""Alternatives up to which all supports are tried, of which there are 2^(m - 1)."""


def lotteries(margins: np.ndarray) -> np.ndarray:
    """Compute a maximal lottery (m, B) for each profile, the one of least norm where there are several.

    Args:
        margins: (m, m, B), antisymmetric.

    Raises:
        MissingExtraError: without scipy, if some profile has several, or m is more than 8.
    """
    m = len(margins)
    unbeaten = np.asarray((margins >= 0).all(1))
    alone = ((margins * unbeaten[:, None]).sum(0) > 0) | unbeaten  # nobody else ties with all of them
    found: np.ndarray = unbeaten / np.maximum(unbeaten.sum(0), 1)
    games = np.flatnonzero(~(unbeaten.any(0) & alone.all(0)))
    if len(games) and m <= LARGEST:
        some, unique = _by_supports(margins[:, :, games].astype(float))
        found[:, games] = some
        games = games[~unique]
    if len(games):
        different, which = np.unique(margins[:, :, games].reshape(m * m, -1), axis=1, return_inverse=True)
        found[:, games] = np.stack([_least_norm(one.reshape(m, m)) for one in different.T], axis=1)[:, which.ravel()]
    return found


def _by_supports(margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lotteries (m, B), and for which profiles a support has shown that it is the only one."""
    m, _, batch = margins.shape
    pfaffians: dict[int, np.ndarray] = {0: np.ones(batch)}
    found, unique = np.zeros((m, batch)), np.zeros(batch, bool)
    for support in sorted(range(1, 1 << m), key=int.bit_count):
        members = [a for a in range(m) if support >> a & 1]
        if len(members) % 2 == 0:
            first, *others = members
            pfaffians[support] = sum(
                (-1) ** k * margins[first, b] * pfaffians[support ^ (1 << first) ^ (1 << b)]
                for k, b in enumerate(others)
            )
        elif len(members) > 1:
            kernel = np.stack([(-1) ** k * pfaffians[support ^ (1 << a)] for k, a in enumerate(members)])
            kernel *= np.sign(kernel[0])
            fits = (kernel > 0).all(0)
            for b in range(m):
                if not support >> b & 1:
                    fits &= (kernel * margins[members, b]).sum(0) > 0
            found[np.ix_(np.array(members), fits)] = kernel[:, fits] / kernel[:, fits].sum(0)
            unique |= fits
    return found, unique


def _least_norm(margins: np.ndarray) -> np.ndarray:
    """Return the maximal lottery (m,) of least norm for margins (m, m): min |p| with p >= 0, p' M >= 0, sum p >= 1."""
    with extras("maximal_lottery of tied profiles", "solve"):
        from scipy.optimize import lsq_linear
    m = len(margins)
    matrix = margins / max(np.abs(margins).max(), 1)
    rows = np.concatenate([np.eye(m), matrix.T, np.ones((1, m))])
    right = np.append(np.zeros(2 * m), 1.0)
    system, target = np.vstack([rows.T, right]), np.append(np.zeros(m), 1.0)
    # Not its nnls, which in version 1.17 may stop early where columns are linearly dependent, as they are here.
    multipliers = lsq_linear(system, target, bounds=(0, np.inf), method="bvls", tol=1e-14).x
    residual = system @ multipliers - target
    lottery = np.maximum(-residual[:m] / residual[m], 0)
    lottery /= lottery.sum()
    if (lottery @ matrix).min() < -1e-9:
        raise ConvergenceError(f"no maximal lottery was found for the margins {margins.tolist()}")
    return np.asarray(lottery)
