"""Regret in the sense of first-order stochastic dominance: what some utility function with a given ranking gains.

A voter ranks the alternatives o_1, ..., o_m. The truth leads to the lottery x, another ballot to x'. Then

    regret = max_{k < m} max(0, sum_{j <= k} x'(o_j) - x(o_j))

is 0 exactly if x dominates x', that is, if no utility function with this ranking gains; else it is the most that one
with values in [0, 1] gains. A rule without regret for all ballots is truthful for every utility function (Gibbard 1977,
Econometrica 45; here for lotteries as he defines it).

    >>> import numpy as np
    >>> truth, deviation = np.array([0.0, 0.5, 0.5]), np.array([[0.25, 0.0, 0.75], [0.0, 0.25, 0.75]])
    >>> fosd_regret(truth, deviation, np.array([0, 1, 2]))
    array([0.25, 0.  ])
"""

from __future__ import annotations

from lawgiver.envs.core.arrays import Array, namespace


def fosd_regret(truth: Array, deviation: Array, positions: Array) -> Array:
    """Compute the regret (..., A), in [0, 1], of not having cast each of A other ballots.

    Args:
        truth: lottery that the true ballot leads to, (..., m).
        deviation: lotteries that the others lead to, (..., A, m).
        positions: place of each alternative in the true ranking, (..., m), 0 for the best.
    """
    xp = namespace(deviation)
    places = xp.arange(truth.shape[-1] - 1, device=positions.device)
    upper = xp.astype(positions[..., :, None] <= places, deviation.dtype)  # (..., m, m - 1): the best k
    gained = (deviation - truth[..., None, :]) @ upper
    return xp.max(xp.maximum(gained, xp.zeros_like(gained)), axis=-1)
