"""Equal split and water filling: two truthful rules that share by demands alone, regardless of values.

Arrays are batches of B allocations of m resources among n participants, on NumPy or on torch, with gradients where
there are any.
"""

from __future__ import annotations

from lawgiver.envs.core.arrays import Array, constant, namespace


def equal_split(demands: Array, supply: Array, weights: Array) -> Array:
    """Return each participant's share by weight of each resource, capped at its demand; the rest is left over.

    Args:
        demands: (B, n, m), at least 0.
        supply: supply of each resource, (m,), above 0.
        weights: weights of the participants, (n,), above 0.

    Returns:
        Amounts (B, n, m).
    """
    share = constant(weights, demands) / float(weights.sum())
    return namespace(demands).minimum(demands, share[:, None] * constant(supply, demands))


def water_filling(demands: Array, supply: Array, weights: Array) -> Array:
    """Return min(demand, weight t) for each resource, with the level t that exhausts it if demand suffices.

    The uniform rule (Sprumont 1991), resource by resource. With w t for everybody, capped, a total of D(t) is handed
    out; D is concave and piecewise linear, the least of its lines, so that the level is the highest of those at which
    one of them comes to the supply: no search, and no case apart where there is enough for all.

    Args:
        demands: (B, n, m), at least 0.
        supply: supply of each resource, (m,), above 0.
        weights: weights of the participants, (n,), above 0.

    Returns:
        Amounts (B, n, m).
    """
    xp, weights = namespace(demands), constant(weights, demands)
    order = xp.argsort(demands / weights[:, None], axis=1)
    ascending = xp.take_along_axis(demands, order, axis=1)
    served = xp.cumulative_sum(ascending, axis=1) - ascending  # by those who reach their demand before
    heavy = weights[order]
    waiting = xp.flip(xp.cumulative_sum(xp.flip(heavy, axis=1), axis=1), axis=1)
    level = xp.max((constant(supply, demands) - served) / waiting, axis=1)
    return xp.minimum(demands, weights[:, None] * level[:, None, :])
