"""Textbook games of the learning dynamics, and Shapley's polygon, which fictitious play of his game goes round."""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.make import make_game
from lawgiver.envs.matrix import MatrixGame
from lawgiver.envs.solvers.normal_form.fictitious_play import FictitiousPlay, runs
from lawgiver.envs.solvers.normal_form.forms import NormalForm, SymmetricForm

EDGES = 6
"""Of his polygon: joint choices that play goes through."""


def form_of(preset: str) -> NormalForm:
    """Make a textbook game in normal form."""
    game = make_game("matrix", preset=preset)
    assert isinstance(game, MatrixGame)
    return game.form


def uneven(paper: float, scissors: float, rock: float) -> SymmetricForm:
    """Make rock-paper-scissors in which each wins an amount of its own from the one before, against itself."""
    wins = [[0, -paper, rock, 0, 0, 0], [0, paper, 0, 0, -scissors, 0], [0, 0, -rock, 0, scissors, 0]]
    return SymmetricForm(np.array(wins), 2)


def growth() -> float:
    """Compute the factor by which runs grow, the real root of x^3 = x^2 + 1."""
    return float(next(root.real for root in np.roots([1, -1, 0, -1]) if abs(root.imag) < 1e-9))


def polygon(course: FictitiousPlay, form: NormalForm) -> tuple[np.ndarray, np.ndarray]:
    """Compute the polygon that frequencies go round when runs grow for ever by :func:`growth`.

    Args:
        course: of play, for the order of joint choices.
        form: the game.

    Returns:
        frequencies at the ends of the runs through all joint choices, (6, A) of either player.
    """
    ends = np.cumsum(runs(course.choices)) - 1
    order = course.choices[ends[-EDGES:]]
    ages = np.arange(50 * EDGES)
    weights = growth() ** -ages.astype(float)
    weights /= weights.sum()
    corners = []
    for last in range(EDGES):
        played = order[(last - ages) % EDGES]
        corners.append([np.bincount(played[:, i], weights, minlength=form.sizes[i]) for i in range(2)])
    both = np.array(corners)
    return both[:, 0], both[:, 1]
