"""Partial allocation (Cole, Gkatzelis, Goel 2013): a truthful fraction of proportional fairness.

Participant i keeps the share f_i of what proportional fairness gives it, and the rest is burnt:

    f_i = (prod_{k != i} u_k(X)^w_k / prod_{k != i} u_k(X_{-i})^w_k)^(1 / w_i)

with X_{-i} proportionally fair among the others, who then have the whole supply. It is truthful in values, and in
demands that are not above the true ones; burning can be made up for by asking for more than one can use.
Everybody keeps at least (1 + w_i / W)^(-W / w_i) > 1/e, W the weight of the others; a single participant all of it.
f_i^c with c from 0 to 1 leads from proportional fairness to partial allocation.

Two participants who want all of one resource get half of it, and keep half of that: alone, the other would have twice
as much.

    >>> alike = np.ones((1, 2, 1))
    >>> kept_shares(alike, alike, np.ones(1)).round(6), partial_allocation(alike, alike, np.ones(1))[0, :, 0].round(6)
    (array([[0.5, 0.5]]), array([0.25, 0.25]))
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.solvers.fair_division.proportional_fairness import checked, matching, returned, solve


def partial_allocation(
    values: Array,
    demands: Array,
    supply: Array,
    weights: Array | None = None,
    *,
    burning: Array | float = 1.0,
    seats: Array | None = None,
) -> Array:
    """Compute f_i^burning of the proportionally fair amounts, (B, n, m), 0 where value or demand is 0.

    Args:
        values: (B, n, m), finite, at least 0.
        demands: (B, n, m), finite, at least 0.
        supply: (m,) or (B, m), finite, above 0.
        weights: (n,) or (B, n), finite, above 0; 1 each unless given.
        burning: a number or (B,), in [0, 1]: 0 is proportional fairness, 1 partial allocation.
        seats: the participant of each instance who is asked about, (B,), which takes 2 problems for n + 1: amounts of
            the others are then not burnt. None for all.

    Raises:
        ParameterError: for a number that is not finite or out of range, or shapes that do not fit, naming the place.
        ConvergenceError: naming the first instance that is not solved, and its duality gap.
    """
    fair, kept = fair_amounts_and_kept_shares(values, demands, supply, weights, seats)
    power = namespace(kept).reshape(matching(burning, kept), (-1, 1))
    return fair * (kept**power)[..., None]


def kept_shares(values: Array, demands: Array, supply: Array, weights: Array | None = None) -> Array:
    """Compute the shares f (B, n), in (1/e, 1], of partial allocation; 1 for the absent.

    Arguments and errors are those of :func:`partial_allocation`.
    """
    return fair_amounts_and_kept_shares(values, demands, supply, weights, None)[1]


def fair_amounts_and_kept_shares(
    values: Array, demands: Array, supply: Array, weights: Array | None, seats: Array | None
) -> tuple[Array, Array]:
    """Return the proportionally fair amounts (B, n, m) and the shares f (B, n), 1 outside ``seats``.

    These are n + 1 problems an instance: of all, and of all but each; with ``seats`` they are 2.
    """
    exact, demands, supply, weights = checked(values, demands, supply, weights)
    xp = namespace(exact)
    batch, n, m = exact.shape
    away = constant(np.eye(n), exact)  # a row for each problem but that of all: who is not there
    away = xp.broadcast_to(away, (batch, n, n)) if seats is None else away[seats][:, None]
    several = (batch, 1 + away.shape[1])
    there = xp.concat([xp.ones_like(away[:, :1]), 1 - away], axis=1)
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
    lost = xp.sum(logs[:, :1] * there[:, 1:] - logs[:, 1:], axis=-1)
    lost = xp.sum(away * lost[..., None], axis=1) / weights
    shares = xp.exp(xp.minimum(lost, constant(0.0, exact)))
    return returned(amounts[:, 0], values), returned(shares, values)
