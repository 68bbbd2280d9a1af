"""The family of rules by which a mechanism offers all of the pool: equal shares mixed with shares by past returns.

    offer_i = w R / n + (1 - w) R c_i / sum_j c_j,    w = max(floor, weight (R / capacity)^exponent),

R being the pool and c the returns of the last round; where nobody has returned anything, in the first round too,
offers are equal (a convention of this library: the paper leaves it open). Koster, Pislar et al. 2025.
"""

from __future__ import annotations

from collections.abc import Mapping

from lawgiver.envs.core.arrays import Array, floats, namespace, total
from lawgiver.envs.core.fields import Field, Layout

LAYOUT: Layout = (
    Field("weight", 1, 0.0, 1.0, "weight", "of equal shares where the pool is full"),
    Field("exponent", 1, 0.0, 50.0, "exponent", "how steeply that weight falls with the pool", "log"),
    Field("floor", 1, 0.0, 1.0, "weight", "of equal shares, at least"),
)
"""The parameters of a rule."""

FORMULA = (
    "participant i is offered w R / n + (1 - w) R c_i / sum_j c_j, w = max(floor, weight (R / capacity)^exponent);"
    " R the pool, c the last returns, equal shares where they are all 0"
)

MEMBERS: Mapping[str, tuple[float, ...]] = {
    "equal_offers": (1.0, 0.0, 0.0),
    "mixed_offers": (0.5, 0.0, 0.0),
    "proportional_offers": (0.0, 0.0, 0.0),
    "interpolating_offers": (1.0, 22.0, 0.0),
}
"""The canonical rules, by name."""


def equal_weight(parameters: Array, pool: Array, capacity: float) -> Array:
    """Compute the weight w of equal shares, (...), for parameters (..., 3) and pools (...), with 0^0 = 1."""
    xp = namespace(pool)
    weight, exponent, floor = (parameters[..., k] for k in range(3))
    ratio = pool / capacity
    left = ratio > 0
    logs = xp.log(xp.where(left, ratio, 1.0))  # no gradient through log 0
    power = xp.where(left, xp.exp(exponent * logs), floats(exponent <= 0, pool))
    return xp.maximum(weight * power, floor)


def family_offers(parameters: Array, pool: Array, returns: Array, capacity: float) -> Array:
    """Compute the offers (..., n) of rules.

    Args:
        parameters: weight, exponent and floor, (..., 3).
        pool: (...), in points.
        returns: of the last round, (..., n), in points.
        capacity: the most that a pool can hold, in points.
    """
    xp = namespace(pool)
    w = equal_weight(parameters, pool, capacity)[..., None]
    whole, returned = pool[..., None], total(returns)[..., None]
    equal = xp.zeros_like(returns) + whole / returns.shape[-1]
    none = returned <= 0
    by_returns = xp.where(none, equal, whole * (returns / xp.where(none, 1.0, returned)))  # a product may underflow
    return w * equal + (1 - w) * by_returns
