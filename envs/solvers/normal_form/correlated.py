"""Correlated and coarse correlated equilibria: the best one for an objective, by linear programming.

A distribution x of joint choices is a correlated equilibrium if nobody gains by leaving a recommendation a for b,
sum over a_-i of x(a, a_-i) (u_i(b, a_-i) - u_i(a, a_-i)) <= 0 (Aumann 1974), and a coarse one if nobody gains by
playing b whatever is recommended (Moulin and Vial 1978). Both sets are polytopes, of any number of players.

    >>> from lawgiver.envs.solvers.normal_form.forms import NormalForm
    >>> chicken = NormalForm([[[6, 2], [7, 0]], [[6, 7], [2, 0]]])
    >>> best = correlated_equilibrium(chicken)  # half of the time both swerve
    >>> best.round(6).tolist(), float((best * chicken.payoffs).sum())
    ([[0.5, 0.25], [0.25, 0.0]], 10.5)
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np

from lawgiver.envs.core.errors import ConvergenceError, UnsupportedGameError, choice
from lawgiver.envs.core.registry import require_extras
from lawgiver.envs.solvers.normal_form.forms import NormalForm

Objective = Literal["welfare", "worst_welfare", "least", "entropy"]
"""What is largest in the equilibrium: the sum of payoffs, its negative, the payoff of the worst-off player, or the
entropy of the joint choices."""
ENTRIES = 20_000_000
"""Numbers in the constraints."""
SOLVED = 1e-6
"""Largest regret, of the largest difference of payoffs, of a distribution of greatest entropy."""


def correlated_equilibrium(form: NormalForm, objective: Objective = "welfare") -> np.ndarray:
    """Compute the correlated equilibrium that is best for an objective.

    Args:
        form: the game.
        objective: see ``Objective``.

    Returns:
        a distribution of joint choices, (A_0, ..., A_{n-1}).

    Raises:
        ParameterError: if there is no such objective.
        UnsupportedGameError: if the programme has more than ``ENTRIES`` numbers.
        ConvergenceError: if the solver finds none.
        MissingExtraError: without scipy.
    """
    return _best(form, objective, coarse=False)


def coarse_correlated_equilibrium(form: NormalForm, objective: Objective = "welfare") -> np.ndarray:
    """Compute the coarse correlated equilibrium that is best for an objective; see :func:`correlated_equilibrium`."""
    return _best(form, objective, coarse=True)


def correlated_payoffs(form: NormalForm, directions: np.ndarray) -> np.ndarray:
    """Compute the corners that the payoffs of correlated equilibria reach in some directions.

    Args:
        form: the game.
        directions: weights of the players' payoffs, of any sign, (D, n).

    Returns:
        payoffs of the equilibrium with the largest weighted sum, (D, n); any of several.

    Raises:
        UnsupportedGameError, ConvergenceError, MissingExtraError: as :func:`correlated_equilibrium`.
    """
    require_extras("correlated equilibria", "solve")
    gains, payoffs = _gains(form, coarse=False), form.payoffs.reshape(form.n, -1)
    return np.array([payoffs @ _programme(gains, weights[None] @ payoffs, maximin=False) for weights in directions])


def _best(form: NormalForm, objective: Objective, coarse: bool) -> np.ndarray:
    choice("objective", objective, get_args(Objective))
    require_extras("a correlated equilibrium", "solve")
    gains = _gains(form, coarse)
    payoffs = form.payoffs.reshape(form.n, -1)
    if objective == "entropy":
        found = _most_random(gains, float(form.ranges.max()))
    elif objective == "least":
        found = _programme(gains, payoffs, maximin=True)
    else:
        sign = 1.0 if objective == "welfare" else -1.0
        found = _programme(gains, sign * payoffs.sum(axis=0, keepdims=True), maximin=False)
    return found.reshape(form.sizes)


def _gains(form: NormalForm, coarse: bool) -> Any:
    """List the gains that must not be positive on average, (constraints, joint choices), sparse."""
    from scipy.sparse import coo_array, vstack

    states = np.arange(math.prod(form.sizes)).reshape(form.sizes)
    if states.size * sum(size - 1 for size in form.sizes) > ENTRIES:
        raise UnsupportedGameError(f"{states.size:,} joint choices of {form.n} players are too many for the programme")
    blocks = []
    for i, own in enumerate(form.by_player):
        size = len(own)
        cells, worth = np.moveaxis(states, i, 0).reshape(size, -1), own.reshape(size, -1)
        gain = worth[None, :, :] - worth[:, None, :]  # of a for b, (a, b, others)
        rows = np.zeros((size, size, 1), int) + (
            np.arange(size)[None, :, None] if coarse else np.arange(size * size).reshape(size, size, 1)
        )
        at = np.broadcast_to(cells[:, None, :], gain.shape)
        count = size if coarse else size * size
        table = coo_array(
            (gain.ravel(), (np.broadcast_to(rows, gain.shape).ravel(), at.ravel())), shape=(count, states.size)
        )
        blocks.append(table)
    return vstack(blocks).tocsr()


def _programme(gains: Any, payoffs: np.ndarray, maximin: bool) -> np.ndarray:
    """Maximise the payoff of one row, or the least of several, among the distributions without a gain."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, hstack, vstack

    count = gains.shape[1]
    scale = float(np.abs(gains).max()) or 1.0
    unit = float(np.abs(payoffs).max()) or 1.0
    table, cost = gains / scale, -payoffs[0] / unit
    total = np.ones((1, count))
    bounds: list[tuple[float | None, float | None]] = [(0, None)] * count
    if maximin:
        least = np.ones((len(payoffs), 1))
        table = vstack([hstack([table, csr_array((table.shape[0], 1))]), hstack([csr_array(-payoffs / unit), least])])
        cost, total = np.append(np.zeros(count), -1.0), np.append(total, [[0.0]], axis=1)
        bounds.append((None, None))
    solved = linprog(cost, A_ub=table, b_ub=np.zeros(table.shape[0]), A_eq=total, b_eq=[1.0], bounds=bounds)
    if solved.x is None:
        raise ConvergenceError(f"no correlated equilibrium is found: {solved.message}")
    found = np.maximum(solved.x[:count], 0.0)
    return np.asarray(found / found.sum())


def _most_random(gains: Any, scale: float) -> np.ndarray:
    """Maximise the entropy by its dual: x is proportional to exp(-multipliers . gains), multipliers >= 0.

    Where an equilibrium has to leave joint choices out, multipliers grow without end, until x is as near as ``SOLVED``.
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    table = gains / (scale or 1.0)

    def dual(multipliers: np.ndarray) -> tuple[float, np.ndarray]:
        logits = -(table.T @ multipliers)
        size = float(logsumexp(logits))
        return size, -(table @ np.exp(logits - size))

    settings = {"maxiter": 20_000, "maxfun": 100_000, "ftol": 0.0, "gtol": SOLVED / 100}
    start = np.zeros(table.shape[0])
    solved = minimize(dual, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start), options=settings)
    logits = -(table.T @ solved.x)
    found = np.exp(logits - logsumexp(logits))
    worst = float((table @ found).max(initial=0.0))
    if not worst <= SOLVED:
        raise ConvergenceError(f"the equilibrium of greatest entropy is not found: a gain of {worst:.2g} is left")
    return np.asarray(found)
