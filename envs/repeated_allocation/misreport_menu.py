"""The menu of misreports: finitely many transformations of a type.

A choice is an exponent a of values and a factor of demands. Values v_j become v_max (v_j / max v)^a, v_max the greatest
that may be reported and none below the least: a > 1 sharpens the differences between resources, a < 1 flattens them.
Demands are multiplied by the factor, up to the greatest that may be reported. With a = 1 and a factor of 1 the type is
reported as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import ParameterError, number
from lawgiver.envs.core.fields import Layout

HONEST = 1.0
"""The exponent, and the factor, that leave things as they are."""


def ladder(name: str, given: Sequence[float]) -> tuple[float, ...]:
    """Return the exponents or factors of a menu, checked.

    Raises:
        ParameterError: unless they are different numbers above 0 with 1, which is honest, among them.
    """
    if isinstance(given, str) or not isinstance(given, (Sequence, np.ndarray)):
        raise ParameterError(f"{name} is {given!r}, allowed: a list of numbers in (0, inf), 1 among them")
    steps = tuple(number(f"{name}[{i}]", step, "(0, inf)") for i, step in enumerate(given))
    if HONEST not in steps or len(set(steps)) < len(steps):
        raise ParameterError(f"{name} is {list(steps)}, allowed: different numbers with 1, which is honest, among them")
    return steps


def menu(exponents: Sequence[float], factors: Sequence[float]) -> np.ndarray:
    """Return every pair of an exponent and a factor, (A, 2), the factor changing fastest."""
    return np.array(list(product(exponents, factors)))


def misreported(types: Array, bent: Array, layout: Layout, least: float) -> Array:
    """Compute misreports (..., 2m) of types (..., 2m), with an exponent and a factor (..., 2) for each.

    Args:
        types: values, then demands.
        bent: exponent and factor, from the menu.
        layout: fields of types, whose bounds are the largest values and demands that may be reported.
        least: smallest value that may be reported.
    """
    xp, (value, demand) = namespace(types), layout
    values, demands = types[..., : value.size], types[..., value.size :]
    exponents, factors = bent[..., :1], bent[..., 1:]
    shares = values / xp.max(values, axis=-1, keepdims=True)
    # A logarithm of nothing has no gradient: what is worth nothing stays so.
    curved = xp.where(shares > 0, xp.where(shares > 0, shares, xp.ones_like(shares)) ** exponents, 0 * shares)
    curved = xp.maximum(value.high * curved, constant(least, types))
    claimed = xp.minimum(demands * factors, constant(demand.high, types))
    return xp.concat([xp.where(exponents == HONEST, values, curved), claimed], axis=-1)
