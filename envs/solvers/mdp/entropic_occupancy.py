"""Optimal occupancies under entropy regularisation of the occupancy.

With F nu = mu the flow constraints of a process (outflow less inflow of a state equals its initial probability), the
program (Curry, Thoma et al. 2024, equation 13)

    max_nu  sum r nu - temperature * sum nu log nu    subject to  F nu = mu

has the dual min_V mu V + temperature * sum exp((r - F'V) / temperature - 1), whose terms are the optimal nu. From any
feasible occupancy Newton's method on the program itself, each step with its multipliers V, gets there in a few steps:
the entropy is its own barrier. (On the dual it would overshoot, where terms are small, by their inverse.) A last step
on the dual, with gradient, makes V, and all that follows from it, differentiable as the implicit function is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, detached, floats, namespace
from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.solvers.mdp.model import smooth

LIMIT = 500
"""Largest number of Newton steps."""
TINY = 1e-250
"""Smallest occupancy of a reached state: smaller ones underflow when squared."""
NEGLIGIBLE = 1e-20
"""What has a smaller share of all that happens does not show in any sum; it is followed but counts for nothing."""

SMALL = 1e-4
"""Newton's method squares a change as small as this; what is not even halved is rounding. How large that gets depends
on the values by the temperature, hence on the discount."""


def in_float64(rewards: Array, solve: Callable[[Array], tuple[Array, Array]]) -> tuple[Array, Array]:
    """Apply ``solve`` to rewards in float64, and return the results in the rewards' dtype."""
    xp = namespace(rewards)
    value, policy = solve(xp.astype(rewards, xp.float64, copy=False))
    return floats(value, rewards), floats(policy, rewards)


def occupancy_entropy(
    flow: Array, start: Array, rewards: Array, guess: Array, temperature: float
) -> tuple[Array, Array]:
    """Return the value (...) of the regularised program and the policy (..., M, A) that attains it.

    Args:
        flow: F (M, M, A): 1 where an action leaves a state, less the discounted probability of where it leads.
        start: mu (M,).
        rewards: (..., M, A), float64: in less, feasibility is lost to rounding.
        guess: a feasible occupancy (..., M, A), positive wherever it can be.
        temperature: > 0.

    Raises:
        ConvergenceError: if Newton's method does not end.
    """
    xp = namespace(rewards)
    m, a = rewards.shape[-2:]
    f = xp.reshape(flow, (m, m * a))
    r = xp.reshape(rewards, (-1, m * a))
    nu, values = _solved(f, detached(r), xp.reshape(guess, (-1, m * a)), temperature)
    counts = nu > NEGLIGIBLE * xp.sum(nu, axis=-1, keepdims=True)
    nu = xp.where(counts, nu, xp.zeros_like(nu))
    impossible = constant(-np.inf, r)

    def occupancies(v: Array) -> Array:
        return xp.exp(xp.where(counts, (r - v @ f) / temperature - 1, impossible))

    values = values + temperature * _solve_flow(f, nu, occupancies(values) @ xp.matrix_transpose(f) - start)
    worth = xp.sum(values * start, axis=-1) + temperature * xp.sum(occupancies(values), axis=-1)
    chosen = xp.reshape(counts, (-1, m, a))
    reached = xp.any(chosen, axis=-1)[..., None]
    q = xp.where(chosen, xp.reshape(r - values @ f, (-1, m, a)), impossible)
    q = xp.where(reached, q, xp.reshape(r, (-1, m, a)))  # elsewhere no choice follows from the program
    return xp.reshape(worth, rewards.shape[:-2]), xp.reshape(smooth(q, temperature)[1], rewards.shape)


def _solved(f: Array, r: Array, nu: Array, temperature: float) -> tuple[Array, Array]:
    """Return the optimal occupancies (N, M A) and their multipliers (N, M)."""
    xp = namespace(r)
    eps = float(xp.finfo(r.dtype).eps)
    zero, last = xp.zeros_like(nu), np.inf
    mass = xp.sum(nu, axis=-1, keepdims=True)
    now = _loss(r, nu, temperature)
    for _ in range(LIMIT):
        positive = nu > 0
        slope = xp.where(positive, r - temperature * (1 + xp.log(xp.where(positive, nu, xp.ones_like(nu)))), zero)
        values = _solve_flow(f, nu, (nu * slope) @ xp.matrix_transpose(f))
        growth = xp.where(positive, (slope - values @ f) / temperature, zero)
        counts = nu > NEGLIGIBLE * mass
        settled = bool(xp.all(xp.abs(xp.where(counts, growth, zero)) < 1e-2))
        wanted = nu * xp.exp(xp.clip(growth, -500, 500))  # to first order, what is too small included
        change = float(xp.max(xp.abs(wanted - nu) / mass))
        if settled and (change <= 256 * eps or (last < SMALL and change >= last / 2)):  # rounding remains
            return nu, values
        last = change
        length = 0.95 / xp.clip(xp.max(xp.where(counts, -growth, zero), axis=-1), 0.95, np.inf)
        decrement = temperature * xp.sum(nu * growth * growth, axis=-1)
        visible = decrement > 1e6 * eps * (1 + xp.abs(now))  # else the loss shows its rounding, and no step would do
        for _ in range(60):
            after = nu * xp.clip(1 + length[:, None] * growth, 0.05, np.inf)
            then = _loss(r, after, temperature)
            rises = visible & (then > now - 1e-4 * length * decrement + 64 * eps * (1 + xp.abs(now)))
            if not bool(xp.any(rises)):
                break
            length = xp.where(rises, length / 2, length)
        nu, now = after, then
    raise ConvergenceError(f"Newton's method has not ended after {LIMIT} steps: occupancies move by {change:.3g}")


def _loss(r: Array, nu: Array, temperature: float) -> Array:
    """Compute the loss, (N,)."""
    xp = namespace(r)
    positive = nu > 0
    logs = xp.log(xp.where(positive, nu, xp.ones_like(nu)))
    return xp.sum(nu * (temperature * logs - r), axis=-1)


def _solve_flow(f: Array, nu: Array, right: Array) -> Array:
    """Return x (N, M) with F diag(nu) F' x = right (N, M), 0 for states that nu does not reach."""
    xp = namespace(nu)
    m = f.shape[0]
    at = xp.sum(xp.reshape(nu, (nu.shape[0], m, -1)), axis=-1)
    reached = at > TINY
    scale = xp.where(reached, 1 / xp.sqrt(xp.where(reached, at, xp.ones_like(at))), xp.zeros_like(at))
    matrix = (scale[:, :, None] * f * nu[:, None, :]) @ xp.matrix_transpose(f) * scale[:, None, :]
    matrix = matrix + constant(np.eye(m), nu) * xp.where(reached, xp.zeros_like(at), xp.ones_like(at))[:, None, :]
    return scale * xp.linalg.solve(matrix, (scale * right)[..., None])[..., 0]
