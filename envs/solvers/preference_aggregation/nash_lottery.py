"""Nash learning from human feedback: the policy that no other is preferred to, at a price on leaving a reference.

With P_ab the share of comparisons that reply a wins against b, both players of the game

    max_x min_y   <x, P y> - tau KL(x || q) + tau KL(y || q)

have the same strategy in its only equilibrium, x = q exp(P x / tau) / Z (Munos et al. 2024). It is independent of
clones of a reply, and with a small tau close to the maximal lottery, to which a majority prefers nothing else. Mirror
ascent with an extra step, whose iterates converge linearly (Cen, Wei and Chi 2021), finds it.

Margins of 2, 6 and 4 in a cycle; the maximal lottery is (1/2, 1/3, 1/6):

    >>> margins = np.array([[0, 2, -4], [-2, 0, 6], [4, -6, 0]])
    >>> nash_lottery(0.5 + margins / 20, np.zeros(3), 0.001).round(3)
    array([0.499, 0.335, 0.166])
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.arrays import Array, as_numpy, log_softmax, namespace
from lawgiver.envs.core.errors import ConvergenceError

STEPS = 100_000
TOLERANCE = 1e-10
"""Largest distance of log x from the equation that defines it, times tau."""


def nash_lottery(preferences: Array, log_reference: Array, temperature: float) -> Array:
    """Compute the equilibrium x, (..., K).

    Args:
        preferences: P, (..., K, K), with P_ab + P_ba = 1.
        log_reference: log q, up to a constant, finite, (..., K).
        temperature: tau > 0.

    Raises:
        ConvergenceError: if it is not found, as at too low a temperature.
    """
    xp = namespace(preferences)
    reference = log_softmax(log_reference + 0 * preferences[..., 0])
    step = 1 / (2 * temperature + 1)
    kept = 1 - step * temperature

    def moved(logs: Array, wins: Array) -> Array:
        return log_softmax(kept * logs + (1 - kept) * reference + step * wins)

    def wins_of(logs: Array) -> Array:
        return xp.matmul(preferences, xp.exp(logs)[..., None])[..., 0]

    logs = reference
    for count in range(STEPS):
        wins = wins_of(logs)
        if count % 16 == 0:
            off = temperature * (logs - log_softmax(reference + wins / temperature))
            if _settled(off * xp.exp(logs)):
                return xp.exp(logs)
        logs = moved(logs, wins_of(moved(logs, wins)))
    raise ConvergenceError(
        f"no Nash lottery after {STEPS:,} steps at a temperature of {temperature:g}, allowed: a higher temperature"
    )


def _settled(off: Array) -> bool:
    found = as_numpy(off)
    return bool(np.abs(found).max() <= (TOLERANCE if found.dtype == np.float64 else 1e-6))
