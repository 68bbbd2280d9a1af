"""The exact logit (quantal response) equilibrium of a one-round game with finitely many actions.

Every seat plays pi(a) proportional to pi_0(a) exp(inverse_temperature * E[payoff | a]), the response of somebody who
pays for every nat by which it departs from its prior pi_0 (McKelvey and Palfrey 1995; with a prior, Ortega and Braun
2013). Expectations run over all joint actions (:mod:`lawgiver.envs.solvers.equilibrium.joint_grid`).

Solved by plain iteration from the prior, damped by a further 0.7 whenever three steps in a row do not contract. Where
that does not converge, the branch of equilibria that starts at the prior (inverse temperature 0) is traced by its arc
length up to the inverse temperature asked for (Turocy 2005, Games and Economic Behavior 51), on NumPy, one game at a
time. The iteration runs on NumPy and on torch, over a batch of games on the same grid.

The prisoners' dilemma, cooperation being action 1, at inverse temperature 1:

    >>> from lawgiver.envs.solvers.equilibrium.joint_grid import joint_grid
    >>> payoffs = np.array([[[1.0, 1.0], [5.0, 0.0], [0.0, 5.0], [3.0, 3.0]]])
    >>> prior = np.log([0.5, 0.5])
    >>> found = logit_equilibrium(joint_grid((2, 2), (0, 1)), payoffs, (prior, prior), np.array([1.0]))
    >>> found.strategies[0].round(4)
    array([[0.7732, 0.2268]])
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.arrays import Array, as_numpy, constant, log_softmax, namespace, softmax
from lawgiver.envs.solvers.equilibrium.joint_grid import JointGrid
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL

Strategies = tuple[Array, ...]
"""Action probabilities (B, n_actions) of each group."""

# -- probabilities and responses --------------------------------------------------------------------------------------


def _of_multisets(rows: np.ndarray, seatings: np.ndarray, p: Array) -> Array:
    """Return the probability (B, K) of each multiset when every member plays p (B, n_actions)."""
    xp = namespace(p)
    product = constant(seatings, like=p) + xp.zeros_like(p[:, :1])
    for i in range(rows.shape[1]):
        product = product * p[:, _index(rows[:, i], p)]
    return product


def _slopes(rows: np.ndarray, seatings: np.ndarray, p: Array) -> Array:
    """Return the derivatives (B, K, n_actions) of :func:`_of_multisets` with respect to p."""
    total: Array = 0
    for i in range(rows.shape[1]):
        rest = _of_multisets(np.delete(rows, i, axis=1), seatings, p)
        total = total + rest[:, :, None] * constant(np.eye(p.shape[1])[rows[:, i]], like=p)
    return total


def _index(rows: np.ndarray, like: Array) -> Array:
    return rows if type(like) is np.ndarray else namespace(like).asarray(rows, device=like.device)


def _product(parts: list[Array]) -> Array:
    """Return the joint probabilities (B, K1 * K2 * ...) of independent parts (B, K1), (B, K2), ..."""
    joint = parts[0]
    for part in parts[1:]:
        joint = (joint[:, :, None] * part[:, None, :]).reshape(joint.shape[0], -1)
    return joint


def joint_probabilities(grid: JointGrid, strategies: Strategies) -> Array:
    """Return the probability of every joint action, (B, S)."""
    parts = zip(grid.groups, strategies, strict=True)
    return _product([_of_multisets(group.actions, group.seatings, p) for group, p in parts])


def utilities(grid: JointGrid, payoffs: Array) -> list[Array]:
    """Return each group's payoffs (B, n_actions, M), by own action and by the others' actions.

    Args:
        grid: the joint actions.
        payoffs: payoffs of every seat at every joint action, (B, S, n).
    """
    flat = payoffs.reshape(payoffs.shape[0], -1)
    return [flat[:, _index(group.cells, flat)] for group in grid.groups]


def expected(grid: JointGrid, tables: list[Array], strategies: Strategies) -> list[Array]:
    """Return the expected payoff (B, n_actions) of each action of each group; ``tables`` as from utilities()."""
    others = [_product(_parts(grid, strategies, g)) for g in range(len(tables))]
    return [(table @ rest[:, :, None])[..., 0] for table, rest in zip(tables, others, strict=True)]


def _parts(grid: JointGrid, strategies: Strategies, g: int) -> list[Array]:
    """Compute the distributions that a member of group g faces: each group's, its own less one member."""
    return [
        _of_multisets(group.others, group.others_seatings, p)
        if h == g
        else _of_multisets(group.actions, group.seatings, p)
        for h, (group, p) in enumerate(zip(grid.groups, strategies, strict=True))
    ]


def log_response(log_priors: Strategies, inverse_temperature: Array, values: list[Array]) -> Strategies:
    """Return log-probabilities of the logit response of every group to expected payoffs ``values``.

    ``inverse_temperature`` is (B, 1) and finite.
    """
    pairs = zip(log_priors, values, strict=True)
    return tuple(log_softmax(prior + inverse_temperature * value) for prior, value in pairs)


def log_response_jacobian(
    grid: JointGrid, tables: list[Array], inverse_temperature: Array, strategies: Strategies, responses: Strategies
) -> Array:
    """Return d log response / d strategy, (B, N, N), all groups' N actions one after the other, for given responses."""
    xp = namespace(responses[0])
    rows = []
    for g, (table, answer) in enumerate(zip(tables, responses, strict=True)):
        parts = _parts(grid, strategies, g)
        blocks = []
        for h, (group, p) in enumerate(zip(grid.groups, strategies, strict=True)):
            if h == g and len(group.seats) == 1:
                blocks.append(xp.zeros_like(answer)[:, :, None] + xp.zeros_like(p)[:, None, :])
                continue
            multisets = (group.others, group.others_seatings) if h == g else (group.actions, group.seatings)
            before = _product([xp.ones_like(answer[:, :1]), *parts[:h]])
            after = _product([xp.ones_like(answer[:, :1]), *parts[h + 1 :]])
            slope = before[:, :, None, None, None] * _slopes(*multisets, p)[:, None, :, None, :]
            slope = (slope * after[:, None, None, :, None]).reshape(answer.shape[0], -1, p.shape[1])
            blocks.append(table @ slope)
        change = xp.concat(blocks, axis=-1)
        mean = xp.sum(answer[:, :, None] * change, axis=1, keepdims=True)
        rows.append(inverse_temperature[:, :, None] * (change - mean))
    return xp.concat(rows, axis=1)


# -- the equilibrium ------------------------------------------------------------------------------------------------

TOLERANCE = 1e-10
RATIONAL = 2.0**14
"""Inverse temperature at which the rational limit is read off: 0.001 points matter by a factor of 10 million."""


@dataclass(frozen=True)
class Equilibrium:
    """A fixed point of the logit responses.

    Attributes:
        strategies: action probabilities of each group, (B, n_actions).
        residual: largest difference between a strategy and the response to it, (B,).
    """

    strategies: Strategies
    residual: Array


def logit_equilibrium(
    grid: JointGrid, payoffs: Array, log_priors: Strategies, inverse_temperature: Array
) -> Equilibrium:
    """Return the logit equilibrium that is reached from the priors.

    Args:
        grid: the joint actions.
        payoffs: payoffs of every seat at every joint action, (B, S, n).
        log_priors: log prior of each group, (n_actions,) or (B, n_actions), minus infinity for excluded actions.
        inverse_temperature: (B,), >= 0 per unit of payoff. 0 returns the priors; infinity the
            rational limit, which is the end of the branch that starts at the priors.
    """
    return solve_tables(grid, utilities(grid, payoffs), log_priors, inverse_temperature)


def solve_tables(
    grid: JointGrid, tables: list[Array], log_priors: Strategies, inverse_temperature: Array
) -> Equilibrium:
    """Return :func:`logit_equilibrium` for payoffs in the form that :func:`utilities` gives them."""
    xp = namespace(inverse_temperature)
    priors = []
    for prior, table in zip(log_priors, tables, strict=True):
        possible = xp.where(prior > ILLEGAL, prior, xp.full_like(prior, ILLEGAL))
        priors.append(possible + xp.zeros_like(table[:, :, 0]))
    rational = xp.isinf(inverse_temperature)
    logs, residual = _iterate(
        grid,
        tables,
        tuple(priors),
        xp.where(rational, xp.zeros_like(inverse_temperature), inverse_temperature)[:, None],
    )
    strategies = tuple(softmax(log) for log in logs)
    for row in range(inverse_temperature.shape[0]):
        if float(residual[row]) <= TOLERANCE and not bool(rational[row]):
            continue
        one = [as_numpy(table[row : row + 1]) for table in tables]
        target = min(float(inverse_temperature[row]), RATIONAL)
        traced, left = trace(grid, one, tuple(as_numpy(prior[row : row + 1]) for prior in priors), target)
        if left < float(residual[row]) or bool(rational[row]):
            residual[row] = left
            for strategy, p in zip(strategies, traced, strict=True):
                strategy[row] = constant(p[0], like=strategy)
    return Equilibrium(strategies, residual)


def _look(
    grid: JointGrid, tables: list[Array], priors: Strategies, inverse_temperature: Array, logs: Strategies
) -> tuple[Strategies, Array]:
    """Return the log responses and the residual (B,) at log-probabilities that need not be normalised."""
    xp = namespace(inverse_temperature)
    strategies = tuple(softmax(log) for log in logs)
    answer = log_response(priors, inverse_temperature, expected(grid, tables, strategies))
    gaps = [xp.max(xp.abs(xp.exp(q) - p), axis=-1) for p, q in zip(strategies, answer, strict=True)]
    return answer, xp.max(xp.stack(gaps), axis=0)


def _iterate(
    grid: JointGrid, tables: list[Array], priors: Strategies, inverse_temperature: Array
) -> tuple[Strategies, Array]:
    """Return log-probabilities and residual after plain iteration from the priors, for at most 200 steps."""
    xp = namespace(inverse_temperature)
    logs = priors
    answer, residual = _look(grid, tables, priors, inverse_temperature, logs)
    damping, stalled = xp.ones_like(residual), xp.zeros_like(residual)
    for _ in range(200):
        if float(xp.max(residual)) <= TOLERANCE:
            break
        logs = tuple(p + damping[:, None] * (q - p) for p, q in zip(logs, answer, strict=True))
        answer, distance = _look(grid, tables, priors, inverse_temperature, logs)
        stalled = xp.where(distance >= residual, stalled + 1, xp.zeros_like(stalled))
        damping = xp.where(stalled >= 3, 0.7 * damping, damping)
        stalled = xp.where(stalled >= 3, xp.zeros_like(stalled), stalled)
        residual = distance
    return logs, residual


# -- the branch that starts at the prior ----------------------------------------------------------------------------


def trace(grid: JointGrid, tables: list[np.ndarray], priors: Strategies, target: float) -> tuple[Strategies, float]:
    """Follow the equilibria of one game from the prior to the inverse temperature ``target``.

    Unknowns are the log-probabilities z and the inverse temperature; a step goes along the tangent of the curve
    z = log response(z), and Newton steps of least length come back to it. The step grows while that is easy.

    Returns:
        The strategies (1, n_actions) and their residual.
    """
    ends = np.cumsum([prior.shape[1] for prior in priors])
    point = np.concatenate([*(prior[0] for prior in priors), [0.0]])
    tangent = np.append(np.zeros(ends[-1]), 1.0)
    length = 0.1

    def gap(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _gap(grid, tables, priors, ends, at)

    _, slope = gap(point)
    tangent = _tangent(slope, tangent)
    for _ in range(3000):
        if tangent[-1] * length >= target - point[-1] > 0:
            break
        moved, error, slope, turns = _correct(gap, point + length * tangent)
        ahead = _tangent(slope, tangent)
        if error > 1e-9 or float(ahead @ tangent) < 0.5:
            length /= 2
            if length < 1e-8:
                break
            continue
        point, tangent = moved, ahead
        length *= 2.0 if turns <= 2 else 1.0
    last = point + (target - point[-1]) / (tangent[-1] or 1.0) * tangent
    last[-1] = target
    for _ in range(20):
        value, slope = gap(last)
        last[:-1] -= np.linalg.lstsq(slope[:, :-1], value, rcond=None)[0]
    logs = tuple(part[None] for part in np.split(last[:-1], ends[:-1]))
    _, residual = _look(grid, tables, priors, np.full((1, 1), target), logs)
    return tuple(softmax(log) for log in logs), float(residual[0])


Gap = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def _correct(gap: Gap, point: np.ndarray) -> tuple[np.ndarray, float, np.ndarray, int]:
    """Return the point of the curve next to ``point``, the gap left, the slope there, and the Newton steps taken."""
    error, turns = np.inf, 0
    while True:
        value, slope = gap(point)
        before, error = error, float(np.abs(value).max())
        if error <= 1e-9 or turns == 8 or error > before:
            return point, error, slope, turns
        point = point - np.linalg.lstsq(slope, value, rcond=None)[0]
        turns += 1


def _tangent(slope: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return the direction in which the gap stays zero, on the side of the one before."""
    direction = np.linalg.qr(slope.T, mode="complete")[0][:, -1]
    return np.asarray(direction if direction @ before >= 0 else -direction)


def _gap(
    grid: JointGrid, tables: list[np.ndarray], priors: Strategies, ends: np.ndarray, point: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return z - log response(z) (N,) and its derivative (N, N + 1) by z and the inverse temperature."""
    inverse_temperature = np.full((1, 1), point[-1])
    strategies = tuple(softmax(part[None]) for part in np.split(point[:-1], ends[:-1]))
    values = expected(grid, tables, strategies)
    answer = log_response(priors, inverse_temperature, values)
    responses = tuple(np.exp(log) for log in answer)
    by_strategy = log_response_jacobian(grid, tables, inverse_temperature, strategies, responses)[0]
    blocks = []
    for p, block in zip(strategies, np.split(by_strategy, ends[:-1], axis=1), strict=True):
        block = block * p
        blocks.append(block - block.sum(1, keepdims=True) * p)
    by_level = [(value - (response * value).sum())[0] for value, response in zip(values, responses, strict=True)]
    slope = np.column_stack([np.eye(int(ends[-1])) - np.concatenate(blocks, axis=1), -np.concatenate(by_level)])
    return point[:-1] - np.concatenate(answer, axis=1)[0], slope
