"""Water filling: the most equal distribution of an amount on top of floors."""

from __future__ import annotations

from lawgiver.envs.core.arrays import Array, namespace


def water_fill(floors: Array, total: Array) -> Array:
    """Return the levels x_i = max(floor_i, L) with sum(x - floors) = total.

    They maximise min x, sum log x and every other symmetric concave welfare subject to x >= floors.

    Args:
        floors: what everyone has, (..., n).
        total: what is handed out, >= 0, (...).

    Returns:
        The levels, (..., n).
    """
    xp = namespace(floors)
    ordered = xp.sort(floors, axis=-1)
    counts = xp.cumulative_sum(xp.ones_like(floors), axis=-1)
    levels = (xp.cumulative_sum(ordered, axis=-1) + total[..., None]) / counts
    reaches = xp.sum(xp.astype(levels > ordered, xp.int64), axis=-1, keepdims=True)  # how many are lifted
    last = xp.where(reaches > 0, reaches - 1, xp.zeros_like(reaches))
    return xp.maximum(floors, xp.take_along_axis(levels, last, axis=-1))
