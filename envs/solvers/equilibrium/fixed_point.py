"""Fixed points of the map from aggregates to the aggregates of the responses to them, on NumPy.

    z = F(z),    F(z) = aggregates(response(w, z))

Where there are several, the one that learning from the anchor converges to: F is iterated from the anchor's aggregates,
damped where that does not converge, and Newton's method covers what is left of the way, if it ends in a point that
iteration would not leave. Where all that fails, the branch of solutions that starts at the anchor is followed from one
inverse temperature to the next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lawgiver.envs.solvers.equilibrium.subgame import Subgame

TOLERANCE = 1e-11
"""Residual at which aggregates count as found, as a share of their size (at least one), at low inverse temperatures."""
FIRST, MORE = 8, (0, 32, 128)
"""Iterations of all problems; and further ones of the unconverged, each followed by Newton's method."""
STEPS = 200
"""Steps in which a branch is followed, at most."""
DENSE = 400
"""Aggregates up to which Newton's method has the whole matrix of slopes; beyond, only what directions lead to."""
KRYLOV, INEXACT = 80, 1e-4
"""Directions of one step of Newton's method without the matrix, at most, and the error with which it is content."""


@dataclass(frozen=True)
class Problem:
    """A fixed-point problem on NumPy: w (..., D) and the logarithm of the prior, (T, S, A) or (..., T, S, A)."""

    subgame: Subgame
    parameters: np.ndarray
    inverse_temperature: float
    prior: np.ndarray

    @property
    def tolerance(self) -> float:
        """Residual at which aggregates count as found: responses magnify rounding by the inverse temperature."""
        return TOLERANCE + 1e-14 * self.inverse_temperature * self.subgame.unit

    def of(self, index: Any) -> Problem:
        """Return the problem under some of the mechanisms."""
        prior = self.prior[index] if self.prior.ndim > 3 else self.prior
        return replace(self, parameters=self.parameters[index], prior=prior)

    def response(self, aggregates: np.ndarray) -> np.ndarray:
        """Return the probabilities (..., T, S, A) of the response to z (..., m)."""
        return np.asarray(
            np.exp(self.subgame.log_response(self.parameters, aggregates, self.inverse_temperature, self.prior))
        )

    def respond(self, aggregates: np.ndarray) -> np.ndarray:
        """Compute F(z): the aggregates (..., m) of the responses to z (..., m)."""
        return np.asarray(self.subgame.aggregates(self.response(aggregates)))

    def slope(self, aggregates: np.ndarray) -> np.ndarray:
        """Return dF/dz (m, m) at z (m,), row by component of F.

        Rewards and aggregates are smooth: finite differences. Responses are steep at a high inverse temperature:
        analytic, dV = E[dQ], d log pi = lambda (dQ - dV).
        """
        policy = self.response(aggregates)
        known = self.subgame.response_slope(self.parameters, aggregates, policy, self.inverse_temperature)
        if known is not None:
            return np.asarray(known)
        size = aggregates.size
        nudges = 1e-6 * (1 + np.abs(aggregates))
        around = np.concatenate([aggregates + np.diag(nudges), aggregates - np.diag(nudges)])
        rewards = self.subgame.rewards(np.broadcast_to(self.parameters, (2 * size, self.parameters.size)), around)
        moved = (rewards[:size] - rewards[size:]) / (2 * nudges[:, None, None, None])
        return np.asarray(self._turned(policy, moved).T)

    def slope_along(self, aggregates: np.ndarray, policy: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Compute dF/dz times a direction (m,) at z (m,), to which ``policy`` is the response; see :meth:`slope`."""
        far = 1e-6 * (1 + np.abs(aggregates).max()) / max(np.abs(direction).max(), 1e-300)
        around = np.stack([aggregates + far * direction, aggregates - far * direction])
        rewards = self.subgame.rewards(np.broadcast_to(self.parameters, (2, self.parameters.size)), around)
        return np.asarray(self._turned(policy, (rewards[:1] - rewards[1:]) / (2 * far))[0])

    def _turned(self, policy: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """Return the changes (k, m) of the aggregates of responses for changes (k, T, S, A) of rewards."""
        turned = _tilts(self.subgame, policy, moved) * self.inverse_temperature
        far = 1e-6 / np.maximum(np.abs(turned).max(axis=(1, 2, 3)), 1e-300)
        apart = far[:, None, None, None] * turned
        after, before = self.subgame.aggregates(policy + apart), self.subgame.aggregates(policy - apart)
        return np.asarray((after - before) / (2 * far[:, None]))


def _tilts(subgame: Subgame, policy: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """Return pi (dQ - dV), (m, T, S, A), for changes of rewards (m, T, S, A) at the policy (T, S, A)."""
    tilts, future = np.empty(rewards.shape), np.zeros(rewards[:, 0, :, 0].shape)
    for t in reversed(range(subgame.shape[0])):
        values = rewards[:, t]
        if t + 1 < subgame.shape[0]:
            values = values + np.einsum("san,mn->msa", subgame.transitions(), future)
        future = (policy[t] * values).sum(axis=-1)
        tilts[:, t] = policy[t] * (values - future[..., None])
    return tilts


def _residuals(found: np.ndarray, aggregates: np.ndarray) -> np.ndarray:
    """Compute the residual of F(z) - z, (...)."""
    return np.asarray((np.abs(found - aggregates) / (1 + np.abs(aggregates))).max(axis=-1))


def fixed_points(problem: Problem, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return fixed points (..., m) and their residuals (...); see the module's docstring."""
    aggregates, residuals = iterate(problem, start, FIRST)
    for i in np.ndindex(residuals.shape):
        if residuals[i] > problem.tolerance:
            aggregates[i], residuals[i] = _settle_one(problem.of(i), start[i], aggregates[i])
    return aggregates, residuals


def _settle_one(problem: Problem, start: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, float]:
    tried: list[tuple[np.ndarray, float]] = []
    for times in MORE:
        near, residual = iterate(problem, near, times)
        if residual <= problem.tolerance:
            return near, float(residual)
        polished, left = newton(problem, near)
        if left <= problem.tolerance and _attracts(problem, polished):
            return polished, left
        tried += [(near, float(residual)), (polished, left)]
    return min([*tried, _trace(problem, start)], key=lambda found: found[1])


def _attracts(problem: Problem, aggregates: np.ndarray) -> bool:
    """Test whether damped iteration returns to a fixed point; where there are many aggregates, in most directions."""
    if aggregates.size > DENSE:
        projected = _krylov(problem, aggregates, problem.respond(aggregates) * np.cos(np.arange(aggregates.size)), 0.0)[
            1
        ]
        return bool((np.linalg.eigvals(projected[:-1]).real > 0).all())
    return bool((np.linalg.eigvals(problem.slope(aggregates)).real < 1).all())


def _krylov(
    problem: Problem, aggregates: np.ndarray, start: np.ndarray, inexact: float
) -> tuple[np.ndarray, np.ndarray]:
    """Build orthonormal directions Q (k + 1, m) and H (k + 1, k) with (I - F_z) Q_k = Q_{k+1} H, by Arnoldi's process.

    The first direction is that of ``start``; there are enough once (I - F_z) x = start is solved up to ``inexact``.
    """
    policy = problem.response(aggregates)
    length = np.linalg.norm(start)
    basis, columns = [start / length], np.zeros((KRYLOV + 1, KRYLOV))
    for k in range(min(KRYLOV, start.size)):
        ahead = basis[k] - problem.slope_along(aggregates, policy, basis[k])
        known = np.array(basis)
        for _ in range(2):  # twice is enough, whatever the rounding
            along = known @ ahead
            columns[: k + 1, k] += along
            ahead = ahead - along @ known
        columns[k + 1, k] = np.linalg.norm(ahead)
        if columns[k + 1, k] <= 1e-12 * length:
            return np.array([*basis, np.zeros_like(ahead)]), columns[: k + 2, : k + 1]
        basis.append(ahead / columns[k + 1, k])
        target = np.eye(k + 2)[0]
        solved = columns[: k + 2, : k + 1] @ _least_squares(columns[: k + 2, : k + 1], target)
        if np.linalg.norm(solved - target) <= inexact:
            break
    return np.array(basis), columns[: k + 2, : k + 1]


def _newton_step(problem: Problem, aggregates: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Solve (I - F_z) step = residual, (m,); up to ``INEXACT`` where there are many aggregates."""
    if aggregates.size <= DENSE:
        return _least_squares(np.eye(aggregates.size) - problem.slope(aggregates), residual)
    basis, columns = _krylov(problem, aggregates, residual, INEXACT)
    weights = _least_squares(columns, np.eye(len(columns))[0] * np.linalg.norm(residual))
    return np.asarray(weights @ basis[:-1])


def _least_squares(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.lstsq(matrix, target, rcond=None)[0])


def iterate(
    problem: Problem, start: np.ndarray, times: int, tolerance: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Iterate F from z (..., m), each by itself, more damped where its residual has not fallen for three times.

    Returns:
        z (..., m) and its residuals (...), at most ``tolerance`` (by default the problem's) where it has settled.
    """
    tolerance = problem.tolerance if tolerance is None else tolerance
    aggregates = start.copy()
    found = problem.respond(aggregates)
    residuals = _residuals(found, aggregates)
    damping, stalled = np.ones(residuals.shape), np.zeros(residuals.shape, int)
    for _ in range(times):
        moving = residuals > tolerance
        if not moving.any():
            break
        aggregates = aggregates + np.where(moving, damping, 0.0)[..., None] * (found - aggregates)
        found[moving] = problem.of(moving).respond(aggregates[moving])
        distances = _residuals(found, aggregates)
        stalled = np.where(moving & (distances >= residuals), stalled + 1, 0)
        damping = np.where(stalled == 3, 0.7 * damping, damping)
        stalled = np.where(stalled == 3, 0, stalled)
        residuals = distances
    return aggregates, residuals


def _trace(problem: Problem, start: np.ndarray) -> tuple[np.ndarray, float]:
    """Follow the fixed point by Newton's method from inverse temperature 0 up to the problem's, in adaptive steps.

    Extrapolated in 1 / inverse temperature: where participants mix, that is how it approaches the rational limit.
    """
    known: list[tuple[float, np.ndarray]] = []
    ahead, ratio = min(1 / problem.subgame.unit, problem.inverse_temperature), 4.0
    for _ in range(STEPS):
        row = replace(problem, inverse_temperature=ahead)
        found, left = newton(row, _extrapolated(known[-2:], ahead) if known else start)
        if left <= row.tolerance:
            if ahead == problem.inverse_temperature:
                return found, left
            known.append((ahead, found))
            ratio = min(4.0, ratio**1.5)
        else:
            ratio = ratio**0.5
        ahead = min(known[-1][0] * ratio, problem.inverse_temperature) if known else ahead / 4
    return found, math.inf


def _extrapolated(known: list[tuple[float, np.ndarray]], inverse_temperature: float) -> np.ndarray:
    """Return a guess of z (m,) at an inverse temperature from those at one or two lower ones."""
    (first, at_first), (last, at_last) = known[0], known[-1]
    if first == last:
        return at_last
    return np.asarray(at_last + (at_last - at_first) * (1 / inverse_temperature - 1 / last) / (1 / last - 1 / first))


def newton(problem: Problem, start: np.ndarray) -> tuple[np.ndarray, float]:
    """Improve on z (m,) by Newton's method with backtracking; return where it ends and its residual."""
    aggregates, found = start, problem.respond(start)
    residual = _residuals(found, start)
    for _ in range(30):
        if residual <= problem.tolerance:
            break
        step = _newton_step(problem, aggregates, found - aggregates)
        for shrink in (1.0, 0.5, 0.25, 0.1, 0.02):
            moved = aggregates + shrink * step
            answer = problem.respond(moved)
            if _residuals(answer, moved) < residual:
                aggregates, found, residual = moved, answer, _residuals(answer, moved)
                break
        else:
            break
    return aggregates, float(residual)
