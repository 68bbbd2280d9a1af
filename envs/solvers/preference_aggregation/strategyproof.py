"""Rules under which nobody gains by a misreport, without payments: dictators drawn at random, and pairs by majority.

A rule that listens to one annotator, who gets what it likes best out of a set of policies, is truthful, and so is a
majority between two replies; if it is drawn at random which of them decides, whatever is reported, nobody gains by a
misreport either (Gibbard 1977, Manipulation of Schemes that Mix Voting with Chance). A set of policies that is less
extreme than the favourite alone is a ball of divergence around the reference,

    max <p, r_i>   over   KL(p || q) <= d,

and pairs are drawn uniformly here. The mixture (1 - s) of dictators and s of pairs is as truthful as each of them.

    >>> import numpy as np
    >>> rewards = np.array([[[1.0, 0.2, 0.0], [0.0, 0.9, 0.5], [0.0, 0.1, 1.0]]])
    >>> dictators(rewards, np.log(np.full(3, 1 / 3)), 10.0).round(4).tolist()
    [[0.3333, 0.3333, 0.3333]]
    >>> random_pairs(rewards).round(4).tolist()
    [[0.0, 0.6667, 0.3333]]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lawgiver.envs.core.arrays import Array, namespace, softmax
from lawgiver.envs.solvers.preference_aggregation.tilting import divergence

COLDEST, HOTTEST = 1e-6, 1e9
"""Ends of the temperatures that are searched, as shares of the spread of an annotator's rewards."""
BISECTIONS = 60


def dictators(rewards: Array, log_reference: Array, spent: float) -> Array:
    """Compute the policy (B, K) of a dictator drawn at random, who may spend a divergence.

    Args:
        rewards: (B, n, K).
        log_reference: log q, (K,).
        spent: d, in nats, >= 0.
    """
    xp = namespace(rewards)
    above = rewards - xp.max(rewards, axis=-1, keepdims=True)
    spread = -xp.min(above, axis=-1, keepdims=True)
    above = above / xp.where(spread > 0, spread, xp.ones_like(spread))
    low, high = (0 * spread + float(np.log(end)) for end in (COLDEST, HOTTEST))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        far = divergence(softmax(log_reference + above / xp.exp(middle)), log_reference)[..., None] > spent
        low, high = xp.where(far, middle, low), xp.where(far, high, middle)
    return xp.mean(softmax(log_reference + above / xp.exp(high)), axis=-2)


def random_pairs(rewards: Array) -> Array:
    """Compute the policy (B, K) of the majority between two different replies that are drawn uniformly; ties share.

    Args:
        rewards: (B, n, K).
    """
    xp, count = namespace(rewards), rewards.shape[-1]
    if count == 1:
        return xp.ones_like(rewards[..., 0, :])
    margins: Any = xp.sum(xp.sign(rewards[..., :, None] - rewards[..., None, :]), axis=-3)
    wins = xp.sum(xp.sign(margins) + 1, axis=-1) / 2 - 0.5  # against all but itself, with which it is tied
    return wins / (count * (count - 1) / 2)
