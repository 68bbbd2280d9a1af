"""Populations of annotators: rewards (B, n, K) of replies for uniform numbers (B, n, d)."""

from __future__ import annotations

import math

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace

CLIP = 4.0
"""Standard deviations beyond which normal numbers are cut."""


def normal(draws: Array) -> Array:
    """Return standard normal numbers (..., k), cut at :data:`CLIP`, for uniform numbers (..., 2 k), by Box-Muller."""
    xp, half = namespace(draws), draws.shape[-1] // 2
    radius = xp.sqrt(-2 * xp.log(1 - draws[..., :half]))
    return xp.clip(radius * xp.cos(2 * math.pi * draws[..., half:]), -CLIP, CLIP)


def grouped(draws: Array, replies: int, share: float, noise: float) -> Array:
    """Return the rewards of two groups: each has a reward, uniform on [0, 1], and its members that and noise.

    Args:
        draws: (B, n, 4 K + 1): of the two groups' rewards (the first participant's count), of who belongs to the first,
            and of the noise.
        replies: K.
        share: probability of the first group.
        noise: standard deviation; sums are cut to [0, 1].
    """
    xp = namespace(draws)
    first, second = draws[:, :1, :replies], draws[:, :1, replies : 2 * replies]
    base = xp.where(draws[..., 2 * replies : 2 * replies + 1] < share, first, second)
    return xp.clip(base + noise * normal(draws[..., 2 * replies + 1 :]), 0.0, 1.0)


def linear(draws: Array, features: np.ndarray) -> Array:
    """Return theta_i . phi of replies with features (K, d), theta_i standard normal, cut, for numbers (B, n, 2 d)."""
    return namespace(draws).matmul(normal(draws), constant(features.T, draws))


def rows(draws: Array, table: np.ndarray) -> Array:
    """Draw n different rows of a table (A, K), A >= n, uniformly: rewards (B, n, K).

    Args:
        draws: (B, n, ceil(A / n)): the rows with the lowest numbers are drawn.
        table: rewards of A annotators.
    """
    xp, n = namespace(draws), draws.shape[1]
    keys = xp.reshape(draws, (draws.shape[0], -1))[:, : len(table)]
    chosen = xp.argsort(keys, axis=-1)[:, :n]
    return constant(table, draws)[chosen]
