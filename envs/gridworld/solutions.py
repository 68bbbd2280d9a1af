"""The cells of a grid, their successors, and the best values of single goals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, floats
from lawgiver.envs.families.torus import MOVES

Edges = Literal["torus", "walls"]
EDGES: tuple[Edges, ...] = ("torus", "walls")

SAMPLES, PROFILES = 16, 1024
"""Number of independent samples that an expected optimum is the mean of, and the size of each."""


def successors(m: int, edges: Edges) -> np.ndarray:
    """Return the cell that each of the four moves leads to from each of m x m cells, integers (m^2, 4).

    Cells are numbered row by row from the upper left. Beyond an edge of a ``torus`` is its opposite one; where there
    are ``walls``, a move into one goes nowhere.
    """
    row, column = np.divmod(np.arange(m * m), m)
    moved = np.stack([row, column])[:, :, None] + np.array(MOVES).T[:, None, :]
    row, column = moved % m if edges == "torus" else np.clip(moved, 0, m - 1)
    cells: np.ndarray = row * m + column
    return cells


def visits(next_cells: np.ndarray, goals: Array, worth: Array) -> Array:
    """Return rewards (..., S, A) of ``worth`` (...) for every move into the cell ``goals`` (...)."""
    enters = constant(next_cells, worth) == floats(goals, worth)[..., None, None]
    return floats(enters, worth) * worth[..., None, None]


def samples(size: int) -> Iterator[np.ndarray]:
    """Yield samples (1024, size) of independent numbers uniform on [0, 1), always the same 16.

    Each is a Latin hypercube: any of its columns has one number in each of 1,024 parts of equal width. This
    removes the variance that single coordinates contribute to a mean.
    """
    rng = np.random.default_rng(0)
    for _ in range(SAMPLES):
        part = np.argsort(rng.random((PROFILES, size)), axis=0)
        yield (part + rng.random((PROFILES, size))) / PROFILES


def shuttle(m: int, edges: Edges, discount: float, goal: int) -> float:
    """Compute the largest discounted number of entries into a cell from cell 0, the first move undiscounted.

    One goes there the shortest way, and then to and fro; into the wall and so not away, where the goal has one.
    """
    row, column = divmod(goal, m)
    walled = edges == "walls" and (row in (0, m - 1) or column in (0, m - 1))
    if edges == "torus":
        row, column = min(row, m - row), min(column, m - column)
    return discount ** (row + column - 1) / (1 - discount ** (1 if walled else 2))
