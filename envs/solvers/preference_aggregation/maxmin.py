"""The policy that is best for whoever is worst off, at a price on leaving a reference.

    max_p  min_i <p, r_i> - tau KL(p || q)   =   min over weights w of   tau log E_q exp(sum_i w_i r_i / tau)

so that the policy is the tilt for one mixture of the rewards, which those who are worst off decide (Chakraborty et al.
2024, MaxMin-RLHF). Weights are found by hedging over annotators, whoever has less gaining weight, accelerated (Tseng
2008), and the policy is the average of the tilts on the way, which has a bound that the last of them lacks: after T
steps it is at most about 4 L log n / T^2 from the optimum, with L = (range of rewards)^2 / 4 tau.

Two annotators who want different replies, one of them twice as much:

    >>> import numpy as np
    >>> policy = maxmin(np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), np.zeros(3), 0.1)
    >>> policy.round(3), (policy * [2, 1, 0]).round(3)
    (array([0.333, 0.666, 0.001]), array([0.666, 0.666, 0.   ]))
"""

from __future__ import annotations

from lawgiver.envs.core.arrays import Array, log_softmax, namespace, softmax, total
from lawgiver.envs.solvers.preference_aggregation.tilting import tilted

STEPS = 400


def maxmin(rewards: Array, log_reference: Array, temperature: float, steps: int = STEPS) -> Array:
    """Compute the policy, (..., K).

    Args:
        rewards: r_i, (..., n, K).
        log_reference: log q, up to a constant, (..., K).
        temperature: tau > 0.
        steps: T, >= 1.
    """
    xp = namespace(rewards)
    spread = xp.max(rewards, axis=(-2, -1)) - xp.min(rewards, axis=(-2, -1))
    smoothness = spread[..., None] ** 2 / (4 * temperature) + 1e-12  # no rewards differ: any weights will do
    logs = 0 * rewards[..., 0]
    weights = settled = softmax(logs)
    average = 0 * rewards[..., 0, :]

    def policy_of(weights: Array) -> Array:
        return tilted(log_reference, total(xp.matrix_transpose(rewards) * weights[..., None, :]), temperature)

    for count in range(steps):
        pace = 2 / (count + 2)
        policy = policy_of((1 - pace) * settled + pace * weights)
        logs = log_softmax(logs - total(rewards * policy[..., None, :]) / (pace * smoothness))
        weights = xp.exp(logs)
        settled, average = (1 - pace) * settled + pace * weights, (1 - pace) * average + pace * policy
    return average
