"""Images of one game, drawn with Pillow: a frame takes milliseconds, so that videos of whole games can be made."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lawgiver.envs.core.drawings import Drawing, Grid, Roads, positions

PANEL, HEIGHT, TOP, FOOT, EDGE = 230, 250, 62, 40, 16
"""Width and height of a panel, room for the title, below and beside it, pixels."""
INK, BLUE, PALE, ORANGE, YELLOW = "#222222", "#0072B2", "#DDDDDD", "#D55E00", "#F0E442"


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def frame(title: list[str], table: dict[str, np.ndarray], drawing: Drawing | None) -> np.ndarray:
    """Draw a game as an image, uint8 (height, width, 3): the drawing, then a panel of bars for each column.

    Args:
        title: the lines above.
        table: one number a participant, (n,), by name.
        drawing: drawing of the game's world, or None.
    """
    panels = len(table) + (drawing is not None)
    columns = min(panels, 4)
    rows = math.ceil(panels / max(columns, 1))
    size = max(2 * PANEL, columns * PANEL) + 2 * EDGE, TOP + rows * HEIGHT
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for line, text in enumerate(title):
        draw.text((EDGE, 10 + 22 * line), _fitted(text, 15, size[0] - 2 * EDGE), INK, _font(15))
    corners = [(EDGE + PANEL * (i % columns), TOP + HEIGHT * (i // columns)) for i in range(panels)]
    if drawing is not None:
        _draw(draw, corners.pop(0), drawing)
    for corner, (name, column) in zip(corners, table.items(), strict=True):
        _bars(draw, corner, name, np.asarray(column, float))
    return np.asarray(image)


def _fitted(text: str, size: int, width: int) -> str:
    """Return a text cut to a width in pixels."""
    if _font(size).getlength(text) <= width:
        return text
    while text and _font(size).getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def _bars(draw: ImageDraw.ImageDraw, corner: tuple[int, int], name: str, column: np.ndarray) -> None:
    left, top = corner
    width, height = PANEL - 2 * EDGE, HEIGHT - FOOT - 40
    draw.text((left, top), _fitted(name, 13, PANEL - EDGE), INK, _font(13))
    shown = np.nan_to_num(column, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = min(0.0, shown.min()), max(0.0, shown.max())
    high = high if high > low else 1.0  # nothing but zeros
    scale = height / (high - low)
    zero = top + 36 + high * scale
    step = width / len(column)
    labelled = step >= 24
    for seat, (number, length) in enumerate(zip(column.tolist(), (shown * scale).tolist(), strict=True)):
        at = left + step * (seat + 0.5)
        half = max(step * 0.38, 0.5)
        draw.rectangle((at - half, min(zero, zero - length), at + half, max(zero, zero - length)), BLUE)
        if labelled:
            above = min(zero, zero - length) - 2 if length >= 0 else max(zero, zero - length) + 2
            draw.text((at, above), f"{number:.3g}", INK, _font(11), anchor="md" if length >= 0 else "ma")
            draw.text((at, top + HEIGHT - FOOT + 14), str(seat), INK, _font(11), anchor="ma")
    draw.line((left, zero, left + width, zero), INK)
    if not labelled:
        below = f"0 to {len(column) - 1}: {column.min():.3g} to {column.max():.3g}"
        draw.text((left, top + HEIGHT - FOOT + 14), below, INK, _font(11))


def _draw(draw: ImageDraw.ImageDraw, corner: tuple[int, int], drawing: Drawing) -> None:
    left, top = corner
    draw.text((left, top), _fitted(drawing.caption, 11, PANEL - EDGE), INK, _font(11))
    if isinstance(drawing, Grid):
        _grid(draw, (left, top + 22), drawing)
    else:
        _roads(draw, (left, top + 22), drawing)


def _grid(draw: ImageDraw.ImageDraw, corner: tuple[int, int], grid: Grid) -> None:
    rows, columns = len(grid.cells), len(grid.cells[0])
    side = min((PANEL - 2 * EDGE) / columns, (HEIGHT - FOOT) / rows)
    for i, row in enumerate(grid.cells):
        for j, cell in enumerate(row):
            x, y = corner[0] + j * side, corner[1] + i * side
            draw.rectangle((x, y, x + side, y + side), YELLOW if cell else "white", PALE)
            if cell:
                size = min(12, max(8, int(side)))
                draw.text((x + side / 2, y + side / 2), cell, INK, _font(size), anchor="mm")


def _roads(draw: ImageDraw.ImageDraw, corner: tuple[int, int], roads: Roads) -> None:
    width, height = PANEL - 3 * EDGE, HEIGHT - FOOT
    where = {node: (corner[0] + EDGE + x * width, corner[1] + y * height) for node, (x, y) in positions(roads).items()}
    beside: dict[frozenset[str], int] = {}
    for road in roads.roads:
        pair = frozenset((road.tail, road.head))
        beside[pair] = beside.get(pair, 0) + 1
        _road(draw, where[road.tail], where[road.head], beside[pair] - 1, road.weight, road.label)
    for node, (x, y) in where.items():
        draw.ellipse((x - 9, y - 9, x + 9, y + 9), "white", INK)
        draw.text((x, y), _fitted(node, 11, 40), INK, _font(11), anchor="mm")


def _road(
    draw: ImageDraw.ImageDraw,
    tail: tuple[float, float],
    head: tuple[float, float],
    bend: int,
    weight: float,
    label: str,
) -> None:
    """Draw one road; those between the same nodes bend away from each other, to either side in turn."""
    dx, dy = head[0] - tail[0], head[1] - tail[1]
    length = math.hypot(dx, dy) or 1.0
    away = 26 * ((bend + 1) // 2) * (1 if bend % 2 else -1)
    middle = (tail[0] + head[0]) / 2 - dy / length * away, (tail[1] + head[1]) / 2 + dx / length * away
    colour = ORANGE if weight > 0 else PALE
    draw.line((tail, middle, head), colour, width=1 + round(7 * min(weight, 1.0)), joint="curve")
    draw.text((middle[0], middle[1] - 3 - 4 * min(weight, 1.0)), label, INK, _font(10), anchor="ms")
