"""MOSAIC: one reply out of candidates for several rewards, with payments under which the truth is best.

Soumalias, Curry and Seuken 2024 (arXiv 2405.05905). M candidates are drawn from a generator. With the importance
weights w = log q - log generator (zeros, where the generator is the reference q itself) and r = sum_i r_i,

    z = w + r / tau,      p = softmax(z),      t_i = <p, r_i> - tau (LSE(z) - LSE(z - r_i / tau)) + c_i .

p is the best policy on the candidates: it maximises <p, r> - tau KL(p || softmax(w)). t_i is what the others lose by
i's presence, in the same measure, so that whatever the candidates are, nobody gains by a misreport; payments are at
least 0, and i's utility, tau (LSE(z) - LSE(z - r_i / tau)), is at least <p_-i, r_i>, what it has of the policy without
it. The offset c_i may be anything that does not depend on i's report. As M grows, the law of the reply approaches the
optimal policy; candidates that are drawn near it, from q exp(kappa r / tau), get there sooner.

    >>> import numpy as np
    >>> rewards = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    >>> policy, payments = mosaic(np.zeros(3), rewards, 1.0)
    >>> policy.round(4), payments.round(4)
    (array([0.3333, 0.3333, 0.3333]), array([0.0817, 0.0817]))
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.arrays import Array, as_numpy, log_softmax, namespace, softmax, total
from lawgiver.envs.solvers.preference_aggregation.tilting import divergence, log_sum_exp


def mosaic(
    log_weights: Array, rewards: Array, temperature: Array | float, offsets: Array | float = 0.0
) -> tuple[Array, Array]:
    """Compute the policy (..., M) over candidates, and the payments (..., n).

    Args:
        log_weights: log q - log generator of each candidate, up to a constant, (..., M).
        rewards: r_i of each candidate, (..., n, M).
        temperature: tau > 0, a number or (..., 1).
        offsets: c, added to the payments, a number or (..., n); it must not depend on the payer's own report.
    """
    xp = namespace(rewards)
    z = log_weights + xp.sum(rewards, axis=-2) / temperature
    policy = softmax(z)
    without = z[..., None, :] - rewards / _wide(temperature)
    paid = total(policy[..., None, :] * rewards) - temperature * (log_sum_exp(z)[..., None] - log_sum_exp(without))
    return policy, paid + offsets


def externalities(policy: Array, log_weights: Array, rewards: Array, temperature: Array | float) -> Array:
    """Compute what the others lose by each participant's presence under any policy, (..., n), at least 0.

    The loss is in their rewards less tau times the divergence: by how much the best policy without the participant is
    better for them. Of the best policy for all it is MOSAIC's payment; see :func:`mosaic` for the other arguments.

    Args:
        policy: p, (..., M).
    """
    xp = namespace(rewards)
    others = xp.sum(rewards, axis=-2, keepdims=True) - rewards
    best = temperature * log_sum_exp(log_softmax(log_weights)[..., None, :] + others / _wide(temperature))
    spent = divergence(policy, log_weights)[..., None]
    return best - total(policy[..., None, :] * others) + temperature * spent


def _wide(temperature: Array | float) -> Array | float:
    return temperature if isinstance(temperature, (int, float)) else temperature[..., None]


def generator(log_reference: Array, rewards: Array, temperature: float, awareness: float) -> Array:
    """Compute the log-probabilities (..., K) of replies of a context-aware generator, q exp(kappa r / tau) / Z.

    Args:
        log_reference: log q, up to a constant, (..., K).
        rewards: r_i of each reply, (..., n, K).
        temperature: tau > 0.
        awareness: kappa: 0 for the reference itself, 1 for the optimal policy.
    """
    return log_softmax(log_reference + awareness * namespace(rewards).sum(rewards, axis=-2) / temperature)


def drawn_candidates(log_generator: Array, levels: Array) -> Array:
    """Draw candidates, indices (...) of replies, with repetition.

    Args:
        log_generator: log-probabilities of the replies, (K,).
        levels: uniform numbers from [0, 1), (...).
    """
    xp = namespace(log_generator)
    cumulative = xp.cumulative_sum(xp.exp(log_generator))
    return xp.searchsorted(cumulative[:-1] / cumulative[-1], levels, side="right")


def law_of_reply(policies: Array, candidates: Array, replies: int) -> np.ndarray:
    """Compute the probability of each reply, (K,), where candidates are drawn anew each time: the mean over B sets.

    Args:
        policies: probability of each candidate, (B, M).
        candidates: indices of replies, (B, M); some may be the same.
        replies: K.
    """
    drawn, chances = (as_numpy(x).ravel() for x in (candidates, policies))
    return np.bincount(drawn, chances, replies) / len(policies)
