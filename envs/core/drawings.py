"""Drawings of a game's world beside its columns of numbers: what :meth:`Game.drawing` returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Grid:
    """A board.

    Args:
        cells: text of each cell, row by row; empty for none.
        caption: explains the marks, one line.
    """

    cells: tuple[tuple[str, ...], ...]
    caption: str


@dataclass(frozen=True)
class Road:
    """A directed edge of a network: ``weight`` in [0, 1] sets its width, ``label`` is drawn beside it."""

    tail: str
    head: str
    weight: float
    label: str


@dataclass(frozen=True)
class Roads:
    """A network; its nodes are laid out by their distance from the tail of the first road.

    Args:
        roads: the edges.
        caption: explains the labels, one line.
    """

    roads: tuple[Road, ...]
    caption: str


LARGEST_SIDE = 100
"""Cells in a row or column of a board that is drawn; those of larger ones would be smaller than two pixels."""


def board(rows: int, columns: int, marks: Iterable[tuple[int, str]], caption: str) -> Grid | None:
    """Return a board with marks in some cells, counted row by row from 0; marks in one cell stand side by side.

    None for a board that is too large to be drawn.
    """
    if max(rows, columns) > LARGEST_SIDE:
        return None
    cells = [""] * (rows * columns)
    for cell, mark in marks:
        cells[cell] += ("," if cells[cell] else "") + mark
    return Grid(tuple(tuple(cells[i * columns : (i + 1) * columns]) for i in range(rows)), caption)


Drawing: TypeAlias = Grid | Roads


def text_of(drawing: Drawing) -> str:
    """Return a drawing as lines of text."""
    if isinstance(drawing, Grid):
        width = max(1, *(len(cell) for row in drawing.cells for cell in row))
        lines = [" ".join((cell or ".").center(width) for cell in row).rstrip() for row in drawing.cells]
    else:
        ends = [f"{road.tail} -> {road.head}" for road in drawing.roads]
        width = max(map(len, ends))
        lines = [f"{end.ljust(width)}  {road.label}" for end, road in zip(ends, drawing.roads, strict=True)]
    return "\n".join([*lines, drawing.caption])


def positions(roads: Roads) -> dict[str, tuple[float, float]]:
    """Place the nodes in the unit square by their distance (edges) from the first road's tail."""
    depth = {roads.roads[0].tail: 0}
    nodes = dict.fromkeys(node for road in roads.roads for node in (road.tail, road.head))
    changed = True
    while changed:
        changed = False
        for road in roads.roads:
            if road.tail in depth and road.head not in depth:
                depth[road.head] = depth[road.tail] + 1
                changed = True
    layers: dict[int, list[str]] = {}
    for node in nodes:
        layers.setdefault(depth.get(node, 0), []).append(node)
    last = max(max(layers), 1)
    places: dict[str, tuple[float, float]] = {}
    for at, layer in layers.items():
        places |= {node: (at / last, (row + 1) / (len(layer) + 1)) for row, node in enumerate(layer)}
    return places
