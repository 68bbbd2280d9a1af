"""Trimmed means: what a share of the annotators at either end says of a reply is left out.

Without trimming it is the mean, with all trimmed but the middle the median, and continuous in between.

    >>> told = np.array([[0.0], [0.1], [0.2], [0.3], [1.0]])
    >>> [float(trimmed_mean(told, trim)[0].round(3)) for trim in (0, 0.2, 0.3, 0.5)]
    [0.32, 0.2, 0.2, 0.2]
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace


def trimmed_mean(rewards: Array, trim: Array | float) -> Array:
    """Compute the trimmed mean over annotators of each reply's reward, (..., K).

    Args:
        rewards: (..., n, K).
        trim: share of the annotators, in [0, 1/2], that is left out at either end, a number or (..., 1); somebody who
            is left out in part counts in part.
    """
    xp, n = namespace(rewards), rewards.shape[-2]
    ordered = xp.sort(rewards, axis=-2)
    # A window of this half-width on the line of annotators, one unit each; half a unit is the median already.
    half = xp.maximum(n * (0.5 - trim) + 0 * rewards[..., 0, :1], constant(0.5, rewards))[..., None]
    edges = constant(np.arange(n + 1) - n / 2, rewards)[:, None]
    covered = xp.clip(edges, -half, half)
    weights = (covered[..., 1:, :] - covered[..., :-1, :]) / (2 * half)
    return xp.sum(weights * ordered, axis=-2)
