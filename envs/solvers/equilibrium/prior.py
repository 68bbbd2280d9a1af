"""Bounded rationality's reference point: the policy pi_0 from which deviating is costly.

A participant's policy is proportional to pi_0(a) exp(logits(a)), so that one array, log pi_0, stands for both what
is usual and what is legal.

With the inverse temperature lambda the logits are lambda times expected payoffs: the policy that has the greatest
expected payoff less KL(pi || pi_0) / lambda (Ortega and Braun 2013, Proceedings of the Royal Society A 469).

    >>> import numpy as np
    >>> np.exp(log_prior(None, np.zeros((1, 1, 3)), np.array([[[True, True, False]]]), 3))
    array([[[0.5, 0.5, 0. ]]])
"""

from __future__ import annotations

from lawgiver.envs.core.arrays import Array, constant, fixed_rng, namespace
from lawgiver.envs.core.policy import Policy

FLOOR = 1e-4
"""Floor of a prior's probabilities of legal actions: the KL to a prior without full support is infinite."""
ILLEGAL = -1e9
"""Stands for the logarithm of zero: finite, so that products with zero stay zero; no payoff can make up for it."""


def log_prior(anchor: Policy | None, obs: Array, mask: Array | None, n_actions: int) -> Array:
    """Return log pi_0 (..., n_actions) for observations (B, n_role, d): uniform over the legal actions without anchor.

    An anchor's probabilities are floored at 1e-4 and renormalised; illegal actions get -1e9.
    """
    xp = namespace(obs)
    shape = (*obs.shape[:-1], n_actions)
    legal = xp.ones(shape, dtype=xp.bool) if mask is None else mask
    if anchor is None:
        probabilities = xp.astype(legal, obs.dtype)
    else:
        log_probabilities, _ = anchor.distribution(obs, mask, anchor.initial_state(obs.shape[0], fixed_rng(obs)))
        floored = xp.maximum(xp.exp(log_probabilities), constant(FLOOR, obs))
        probabilities = xp.where(legal, floored, xp.zeros_like(floored))
    probabilities = probabilities / xp.sum(probabilities, axis=-1, keepdims=True)
    safe = xp.where(legal, probabilities, xp.ones_like(probabilities))
    return xp.where(legal, xp.log(safe), constant(ILLEGAL, obs))
