"""Partial allocation (Cole, Gkatzelis, Goel 2013): proportional fairness, of which each keeps what it leaves others.

Participant i keeps the share f_i of what proportional fairness gives it, and the rest is burnt:

    f_i = (prod_{k != i} u_k(X)^w_k / prod_{k != i} u_k(X_{-i})^w_k)^(1 / w_i)

with X_{-i} proportionally fair among the others, who then have the whole supply. It is truthful in values, and in
demands that are not above the true ones; burning can be made up for by asking for more than one can use.
Everybody keeps at least (1 + w_i / W)^(-W / w_i) > 1/e, W the weight of the others; a single participant all of it.
f_i^c with c from 0 to 1 leads from proportional fairness to partial allocation.
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, floats, namespace
from lawgiver.envs.payment_free_allocation.proportional_fairness import constant_or_same, solve


def partial_allocation(
    values: Array, demands: Array, supply: Array, weights: Array | None = None, *, burning: Array | float = 1.0
) -> Array:
    """Return f_i^burning of the proportionally fair amounts, (B, n, m), unchecked.

    Args:
        values: (B, n, m), at least 0.
        demands: (B, n, m), at least 0.
        supply: (m,) or (B, m), above 0.
        weights: (n,) or (B, n), above 0; 1 each unless given.
        burning: a number or (B,), in [0, 1]: 0 is proportional fairness, 1 partial allocation.

    Raises:
        ConvergenceError: naming the first instance that is not solved, and its duality gap.
    """
    xp = namespace(values)
    fair, kept = fair_amounts_and_kept_shares(values, demands, supply, weights)
    power = xp.reshape(constant(burning, values) if isinstance(burning, float) else burning, (-1, 1))
    return fair * (kept**power)[..., None]


def kept_shares(values: Array, demands: Array, supply: Array, weights: Array | None = None) -> Array:
    """Return the shares f (B, n), in (1/e, 1], that partial allocation leaves; who is absent has 1.

    Arguments and errors are those of :func:`partial_allocation`.
    """
    return fair_amounts_and_kept_shares(values, demands, supply, weights)[1]


def fair_amounts_and_kept_shares(
    values: Array, demands: Array, supply: Array, weights: Array | None
) -> tuple[Array, Array]:
    """Return the proportionally fair amounts (B, n, m) and the shares f (B, n), of n + 1 problems an instance."""
    xp = namespace(values)
    batch, n, m = values.shape
    exact = xp.astype(values, xp.float64)
    weights = constant(np.ones(n), exact) if weights is None else constant_or_same(weights, exact)
    supply = constant_or_same(supply, exact)
    there = constant(np.vstack([np.ones(n), 1 - np.eye(n)]), exact)  # problem 0 is of all, k of all but k - 1
    several = (batch, n + 1)
    amounts = solve(
        xp.reshape(exact[:, None] * there[..., None], (-1, n, m)),
        xp.reshape(xp.broadcast_to(demands[:, None], (*several, n, m)), (-1, n, m)),
        xp.reshape(xp.broadcast_to(supply[..., None, :], (*several, m)), (-1, m)),
        xp.reshape(xp.broadcast_to(weights[..., None, :], (*several, n)), (-1, n)),
    )
    amounts = xp.reshape(amounts, (*several, n, m))
    utilities = xp.sum(exact[:, None] * amounts, axis=-1)
    counted = utilities > 0
    logs = weights[..., None, :] * xp.log(xp.where(counted, utilities, constant(1.0, exact)))
    lost = xp.sum(logs[:, :1] * there[1:] - logs[:, 1:], axis=-1) / weights
    shares = xp.exp(xp.minimum(lost, constant(0.0, exact)))
    return floats(amounts[:, 0], values), floats(shares, values)
