"""Exponential tilting: the policy that is best for a reward, at a price on leaving a reference.

Of all distributions p over K replies, with a reference q and a temperature tau > 0,

    <p, r> - tau KL(p || q)   is greatest at   p = q exp(r / tau) / Z,   with the value   tau log E_q exp(r / tau).

It is what RLHF and DPO approach on the reward that they fit (Rafailov et al. 2023). The higher the temperature, the
nearer p is to q, so that a bisection finds the temperature at which a rule spends a given divergence: rules are
compared at equal divergence, since their rewards are on scales of their own.

    >>> q, r = np.log(np.array([0.5, 0.25, 0.25])), np.array([0.0, 1.0, 2.0])
    >>> p = tilted(q, r, 1.0)
    >>> bool(np.isclose(p @ r - divergence(p, q), optimal_value(q, r, 1.0)))
    True
    >>> warm = temperature_at(lambda t: divergence(tilted(q, r, t), q), 0.2)
    >>> float(divergence(tilted(q, r, warm), q).round(9))
    0.2
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lawgiver.envs.core.arrays import Array, log_softmax, namespace, softmax

COLDEST, HOTTEST = 1e-6, 1e6
"""Ends of the temperatures that are searched, unless others are given."""
BISECTIONS = 50


def log_sum_exp(x: Array) -> Array:
    """Compute the logarithm of the sum of exponentials over the last axis, (..., K) to (...), without overflow."""
    xp = namespace(x)
    most = xp.max(x, axis=-1, keepdims=True)
    return most[..., 0] + xp.log(xp.sum(xp.exp(x - most), axis=-1))


def tilted(log_reference: Array, rewards: Array, temperature: Array | float) -> Array:
    """Compute the policy q exp(r / tau) / Z, (..., K).

    Args:
        log_reference: log q, up to a constant, (..., K).
        rewards: r, (..., K).
        temperature: tau > 0, a number or (..., 1).
    """
    return softmax(log_reference + rewards / temperature)


def optimal_value(log_reference: Array, rewards: Array, temperature: float) -> Array:
    """Compute tau log E_q exp(r / tau), (...), the greatest <p, r> - tau KL(p || q); see :func:`tilted`."""
    return temperature * log_sum_exp(log_softmax(log_reference) + rewards / temperature)


def divergence(policy: Array, log_reference: Array) -> Array:
    """Compute KL(p || q) in nats, (...), of a policy p (..., K) which may have zeros.

    Args:
        policy: p, (..., K).
        log_reference: log q, up to a constant, (..., K); finite wherever p is above 0.
    """
    xp = namespace(policy)
    had = policy > 0
    logs = xp.log(xp.where(had, policy, xp.ones_like(policy))) - log_softmax(log_reference + 0 * policy)
    return xp.sum(xp.where(had, policy * logs, 0 * policy), axis=-1)


def temperature_at(
    divergence_at: Callable[[np.ndarray], Array],
    target: float | np.ndarray,
    low: float = COLDEST,
    high: float = HOTTEST,
) -> np.ndarray:
    """Find the temperatures at which a rule spends a given divergence, by bisection on a logarithmic scale.

    Args:
        divergence_at: divergences (...) at temperatures (...), which fall as the temperature rises.
        target: divergence that is wanted, in nats, a number or (...).
        low: the coldest temperature that is searched, > 0.
        high: the hottest.

    Returns:
        Temperatures in the shape of ``target``; the coldest where no temperature spends as much.
    """
    target = np.asarray(target, float)
    cold, hot = (np.log(end) + 0 * target for end in (low, high))
    for _ in range(BISECTIONS):
        middle = (cold + hot) / 2
        above = np.asarray(divergence_at(np.exp(middle))) > target
        cold, hot = np.where(above, middle, cold), np.where(above, hot, middle)
    return np.asarray(np.exp(cold))
