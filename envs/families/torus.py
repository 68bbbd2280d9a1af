"""A torus of size x size cells, numbered row by row from the corner 0; arrays of cells are floats without fraction."""

from __future__ import annotations

from lawgiver.envs.core.arrays import Array, namespace

MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Rows and columns that each action moves by: up, down, left, right."""


def displacement(start: Array, goal: Array, size: int) -> tuple[Array, Array]:
    """Return by how many rows down and columns right the shortest way from ``start`` leads to ``goal``.

    Both lie in -size // 2 .. (size - 1) // 2: half-way round a torus of even size the way leads up and left.
    """
    half = size // 2
    down = (goal // size - start // size + half) % size - half
    right = (goal % size - start % size + half) % size - half
    return down, right


def distance(start: Array, goal: Array, size: int) -> Array:
    """Return the number of moves of the shortest way."""
    return _apart(start // size, goal // size, size) + _apart(start % size, goal % size, size)


def _apart(line: Array, other: Array, size: int) -> Array:
    xp = namespace(other)
    gap = xp.abs(line - other)
    return xp.minimum(gap, size - gap)


def moved(cell: Array, down: Array, right: Array, size: int) -> Array:
    """Return the cell that is ``down`` rows and ``right`` columns further."""
    return (cell // size + down) % size * size + (cell % size + right) % size
