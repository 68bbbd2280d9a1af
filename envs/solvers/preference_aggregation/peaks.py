"""The mean of reports as a game: everybody wants it near a peak of its own, and exaggerates.

n participants report numbers in [0, 1], the outcome is their mean, and each is better off the nearer it is to its peak.
In equilibrium all but at most one report 0 or 1, and the outcome is the median of the n peaks and the n - 1 phantoms
1/n, ..., (n - 1)/n: the outcome of a strategyproof rule (Moulin 1980), to which lies have led. The median of reports is
truthful itself.

    >>> peaks = np.array([0.1, 0.5, 0.6])
    >>> float(equilibrium_outcome(peaks)), equilibrium_reports(peaks)
    (0.5, array([0. , 0.5, 1. ]))
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace


def equilibrium_outcome(peaks: Array) -> Array:
    """Compute the median of peaks and phantoms, (...), for peaks (..., n) in [0, 1]."""
    xp, n = namespace(peaks), peaks.shape[-1]
    phantoms = constant(np.arange(1, n) / n, peaks) + 0 * peaks[..., :1]
    return xp.sort(xp.concat([peaks, phantoms], axis=-1), axis=-1)[..., n - 1]


def equilibrium_reports(peaks: Array) -> Array:
    """Compute the reports (..., n) of the equilibrium: 0 below the outcome, 1 above it; who is at it makes it so."""
    xp, n = namespace(peaks), peaks.shape[-1]
    outcome = equilibrium_outcome(peaks)[..., None]
    above, at = (xp.astype(which, peaks.dtype) for which in (peaks > outcome, peaks == outcome))
    count = xp.sum(at, axis=-1, keepdims=True)
    rest = n * outcome - xp.sum(above, axis=-1, keepdims=True)
    return above + at * rest / xp.maximum(count, xp.ones_like(count))
