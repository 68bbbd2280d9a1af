"""Externalities of an assignment: what each agent's presence costs the others (Clarke 1971).

    >>> externalities(np.array([[[0.9, 0.2], [0.8, 0.3]]]), np.array([[0, 1]])).round(6)
    array([[0.5, 0. ]])

The first agent takes the item of which the second would have 0.8 rather than 0.3; the second takes what nobody else
wants.
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.solvers.online_allocation.assignments import at_items, best_assignment, combined, picked


def externalities(values: Array, assignment: Array) -> Array:
    """Compute the greatest sum of the others' values without each agent, less their sum with it, (B, n).

    With an assignment of the greatest sum and values in [0, 1] they lie in [0, 1]: whoever leaves leaves one item, and
    only who had it otherwise needs it.

    Args:
        values: of each agent's items, (B, n, n).
        assignment: the item of each agent, integers (B, n).
    """
    xp, (batch, n, _) = namespace(values), values.shape
    others = constant(1 - np.eye(n), values)[..., None]
    alone = xp.reshape(values[:, None] * others, (batch * n, n, n))
    _, best = best_assignment(n, batch * n, n, lambda some: combined(picked(alone, some), "sum"))
    own = at_items(values, assignment)
    lost = xp.reshape(best, (batch, n)) - (combined(own, "sum")[:, None] - own)
    return xp.maximum(lost, xp.zeros_like(lost))  # not below 0 by rounding
