"""Integrals over piecewise-uniform distributions, piece by piece by Gauss and Legendre's quadrature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

from lawgiver.envs.core.arrays import Array
from lawgiver.envs.solvers.auctions.distributions import Distribution

NODES = 48
"""Least number of nodes of a quadrature: exact up to the degree 95."""
MOST_NODES = 512
"""Largest number of nodes: exact up to the degree 1,023."""

Function = Callable[[np.ndarray], Array]


@lru_cache(maxsize=16)
def quadrature(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes (count,) of Gauss and Legendre on [-1, 1], and their weights."""
    return np.polynomial.legendre.leggauss(count)


def integral(function: Function, start: float, ends: np.ndarray, breaks: Sequence[float], count: int = NODES) -> Array:
    """Integrate a function from ``start`` to each of ``ends`` (...), smooth between ``breaks``, by ``count`` nodes."""
    nodes, weights = quadrature(count)
    cuts = sorted({start, *(b for b in breaks if b > start)})
    found = np.zeros(np.shape(ends))
    for low, high in pairwise(cuts):
        half = (np.clip(ends, low, high) - low) / 2
        found = found + half * (function(low + half[..., None] * (nodes + 1)) @ weights)
    return found


def edges(distribution: Distribution) -> Array:
    """Return the ends of the pieces of a distribution, (k + 1,)."""
    return np.linspace(distribution.low, distribution.high, len(distribution.masses) + 1)


def density(distribution: Distribution, v: np.ndarray) -> Array:
    """Return the density (...) at values (...) inside the support, 0 in a gap."""
    pieces = distribution.pieces
    place = np.clip(np.searchsorted(pieces.starts, v, side="right") - 1, 0, None)
    reached = (v - pieces.starts[place]) * pieces.densities[place]  # the mass of the piece up to v
    return np.where(reached <= pieces.masses[place] * (1 + 1e-9), pieces.densities[place], 0.0)
