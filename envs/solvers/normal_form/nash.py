"""Nash equilibria of two players: by linear programming where payoffs are zero-sum, else by supports or a programme.

>>> pennies = NormalForm([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
>>> [mixture.tolist() for mixture in minimax(pennies)]
[[0.5, 0.5], [0.5, 0.5]]
>>> dilemma = NormalForm([[[3, 0], [5, 1]], [[3, 5], [0, 1]]])
>>> [[mixture.tolist() for mixture in pair] for pair in equilibria(dilemma)]
[[[0.0, 1.0], [0.0, 1.0]]]
"""

from __future__ import annotations

import warnings

import numpy as np

from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.registry import require_extras
from lawgiver.envs.solvers.normal_form.forms import Mixtures, NormalForm

ENUMERATED = 12
"""Strategies of both players together up to which all equilibria are looked for: 2 ** 12 pairs of supports."""
SOLVED = 1e-6
"""Largest regret of an equilibrium, of the largest difference of payoffs."""


def minimax(form: NormalForm) -> Mixtures:
    """Compute an equilibrium of a zero-sum game of two players, any if there are several (von Neumann 1928).

    Raises:
        UnsupportedGameError: if the game is not zero-sum, or not of two players.
        MissingExtraError: without scipy.
    """
    if not form.zero_sum:
        raise UnsupportedGameError("payoffs do not add up to a constant, allowed: zero-sum games of two players")
    return secured(form.payoffs[0]), secured(form.payoffs[1].T)


def secured(payoffs: np.ndarray) -> np.ndarray:
    """Compute a mixture of rows (m,) that secures the most against every column, for payoffs (m, k).

    Raises:
        MissingExtraError: without scipy.
    """
    require_extras("the solution of a zero-sum game", "solve")
    from scipy.optimize import linprog

    rows, columns = payoffs.shape
    bounds: list[tuple[float | None, float | None]] = [*[(0.0, None)] * rows, (None, None)]
    solved = linprog(
        np.append(np.zeros(rows), -1.0),
        A_ub=np.hstack([-payoffs.T, np.ones((columns, 1))]),
        b_ub=np.zeros(columns),
        A_eq=np.append(np.ones(rows), 0.0)[None],
        b_eq=[1.0],
        bounds=bounds,
    )
    mixture = np.maximum(np.asarray(solved.x[:-1], float), 0.0)
    return np.asarray(mixture / mixture.sum())


def equilibria(form: NormalForm) -> tuple[Mixtures, ...]:
    """Compute Nash equilibria of two players.

    All of them by supports, if the game is not degenerate, up to ``ENUMERATED`` strategies of both players; else one.
    What is none to within ``SOLVED`` is left out.

    Raises:
        UnsupportedGameError: if there are not two players.
        MissingExtraError: without nashpy and scipy.
    """
    if form.n != 2:
        raise UnsupportedGameError(f"{form.n} players are too many to list equilibria, allowed: 2")
    require_extras("the Nash equilibria of a game", "solve")
    found: list[Mixtures] = []
    if sum(form.sizes) <= ENUMERATED:
        from nashpy import Game

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a game is degenerate, of which the docstring tells
            for row, column in Game(*form.payoffs).support_enumeration():
                new = all(np.abs(row - r).max() + np.abs(column - c).max() > 1e-6 for r, c in found)
                if new and _solves(form, (row, column)):
                    found.append((row, column))
    if not found:  # a large game, or one so degenerate that no support has a single pair of mixtures
        pair = minimax(form) if form.zero_sum else by_programme(form)
        found += [pair] if _solves(form, pair) else []
    return tuple(found)


def _solves(form: NormalForm, pair: Mixtures) -> bool:
    return bool(form.regrets(pair).max() <= SOLVED * form.ranges.max())


def by_programme(form: NormalForm) -> Mixtures:
    """Compute an equilibrium by mixed-integer programming (Sandholm, Gilpin and Conitzer 2005, formulation 1).

    Variables are both mixtures, both players' payoffs, and for each strategy whether it may go unplayed: one that is
    played is worth its player's payoff, one that is not is worth no more.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    m, k = form.sizes
    mine, yours = ((each - each.min()) / (np.ptp(each) or 1.0) for each in (form.payoffs[0], form.payoffs[1].T))
    x, y, payoff_x, payoff_y, idle_x, idle_y = np.split(np.eye(2 * (m + k) + 2), np.cumsum([m, k, 1, 1, m]))
    shortfall = np.concatenate([payoff_x - mine @ y, payoff_y - yours @ x])
    played, idle = np.concatenate([x, y]), np.concatenate([idle_x, idle_y])
    constraints = [
        LinearConstraint(np.stack([x.sum(0), y.sum(0)]), 1, 1),
        LinearConstraint(shortfall, 0, np.inf),
        LinearConstraint(shortfall - idle, -np.inf, 0),
        LinearConstraint(played + idle, -np.inf, 1),
    ]
    whole = np.concatenate([np.zeros(m + k + 2), np.ones(m + k)])
    solved = milp(np.zeros(len(whole)), constraints=constraints, bounds=Bounds(0, 1), integrality=whole)
    mixtures = np.maximum(solved.x[: m + k], 0)
    return mixtures[:m] / mixtures[:m].sum(), mixtures[m:] / mixtures[m:].sum()
