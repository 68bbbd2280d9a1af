"""Measures of an allocation: utilities, mean log utility and efficiency."""

from __future__ import annotations

from lawgiver.envs.core.arrays import Array, constant, namespace, total

LEAST = 1e-6
"""Utilities below it count as this much in mean log utility: getting nothing is bad, but not infinitely so."""


def utilities(amounts: Array, values: Array, demands: Array) -> Array:
    """Compute the utilities (B, n) of amounts (B, n, m): sum_j v_ij min(x_ij, d_ij), true values and demands."""
    return total(values * namespace(amounts).minimum(amounts, demands))


def mean_log_utility(utilities: Array, weights: Array) -> Array:
    """Return mean_i w_i log max(u_i, 1e-6), (B,), for weights (n,).

    Divided by the mean weight it is the logarithm of Nash welfare, the weighted geometric mean of utilities.
    """
    xp = namespace(utilities)
    logs = xp.log(xp.maximum(utilities, constant(LEAST, utilities)))
    return total(logs * constant(weights, utilities)) / utilities.shape[-1]


def efficiency(amounts: Array, demands: Array, supply: Array) -> Array:
    """Compute the used share of usable supply, (B,): the mean over demanded resources.

    Of each resource it is sum_i min(x_ij, d_ij) / min(b_j, sum_i d_ij), for true demands (B, n, m) and a supply (m,).
    """
    xp = namespace(amounts)
    used = xp.sum(xp.minimum(amounts, demands), axis=1)
    usable = xp.minimum(xp.sum(demands, axis=1), constant(supply, amounts))
    wanted = usable > 0
    shares = xp.where(wanted, used, 0 * used) / xp.where(wanted, usable, usable + 1)
    return total(shares) / xp.maximum(total(xp.astype(wanted, amounts.dtype)), constant(1.0, amounts))
