"""Assignments of greatest weight and of least rank, market by market (Kuhn 1955), by scipy.

They follow what is reported and are open to lies: the bounds that other rules are compared with.

    >>> import numpy as np
    >>> greatest_weight(np.array([[[3.0, 2.0], [2.0, 0.5]]]))
    array([[1, 0]])
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lawgiver.envs.core.arrays import Array, as_numpy, namespace
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.registry import require_extras
from lawgiver.envs.solvers.matching.measures import ranks
from lawgiver.envs.solvers.matching.preferences import seats_of


def greatest_weight(weights: Array, capacities: int | Sequence[int] | None = None, *, allowed: Array = None) -> Array:
    """Compute the matching (B, n) of the greatest sum of weights.

    Args:
        weights: of the pairs, (B, n, m); who would bring less than 0 stays alone.
        capacities: rows that each column takes, one number or m; None for 1.
        allowed: pairs that may be matched, booleans (B, n, m); None for all.

    Raises:
        ParameterError: if an argument is not as it should be.
        MissingExtraError: without scipy.
    """
    require_extras("assignments of greatest weight", "solve")
    from scipy.optimize import linear_sum_assignment

    xp = namespace(weights)
    if weights.ndim != 3 or 0 in weights.shape[1:]:
        raise ParameterError(f"weights have shape {tuple(weights.shape)}, allowed: (games, rows, columns), one or more")
    found = as_numpy(weights).astype(float)
    if allowed is not None:
        found = np.where(as_numpy(allowed), found, 0.0)
    batch, n, m = found.shape
    column = np.repeat(np.arange(m), seats_of(capacities, m))
    matching = np.full((batch, n), -1)
    for game, each in enumerate(np.maximum(found, 0.0)[:, :, column]):
        rows, seats = linear_sum_assignment(each, maximize=True)
        worth = each[rows, seats] > 0
        matching[game, rows[worth]] = column[seats[worth]]
    return xp.asarray(matching, device=weights.device)


def least_rank(values: Array, priorities: Array, capacities: int | Sequence[int] | None = None) -> Array:
    """Compute the matching (B, n) of acceptable pairs with the least sum of rows' ranks; to be alone ranks last, m + 1.

    See :func:`greatest_weight` for errors.
    """
    xp, m = namespace(values), values.shape[-1]
    gained = m + 1 - xp.astype(ranks(values), values.dtype)
    return greatest_weight(gained, capacities, allowed=(values > 0) & (priorities > 0))
