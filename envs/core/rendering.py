"""Showing one game to a person, from the columns that every game's ``picture`` returns."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import MissingExtraError, ParameterError, allowed
from lawgiver.envs.core.game import Game

RENDER_MODES = ("ansi", "rgb_array")


def check_render_mode(mode: str | None) -> str | None:
    """Return ``mode`` if it is None or one of :data:`RENDER_MODES`, else raise ParameterError."""
    if mode is not None and mode not in RENDER_MODES:
        raise ParameterError(f"unknown render_mode {mode!r}: {allowed(str(mode), RENDER_MODES)}")
    return mode


def render(game: Game[Any], state: Any, mode: str | None, index: int = 0) -> str | np.ndarray | None:
    """Return game ``index`` of a state as text (``ansi``) or as an image (``rgb_array``), None without a mode."""
    if mode is None:
        return None
    picture = game.picture(state, index)
    single = [f"{name} {float(column[0]):.4g}" for name, column in picture.items() if len(column) == 1]
    title = "\n".join([f"{game.name}: {game.phase(state)} to act", ", ".join(single)])
    table = {name: column for name, column in picture.items() if len(column) > 1}
    return _text(title, table) if mode == "ansi" else _image(title, table)


def _text(title: str, table: dict[str, np.ndarray]) -> str:
    columns = list(table.values())
    rows = [["participant", *table]]
    rows += [[str(seat), *(f"{number:.2f}" for number in row)] for seat, row in enumerate(zip(*columns, strict=True))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(size) for cell, size in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([title, *lines])


def _image(title: str, table: dict[str, np.ndarray]) -> np.ndarray:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "render_mode='rgb_array'") from error
    figure = Figure(figsize=(max(4.5, 2.4 * len(table)), 3.4), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for axis, (name, column) in zip(figure.subplots(1, len(table), squeeze=False)[0], table.items(), strict=True):
        bars = axis.bar(np.arange(len(column)), column, color="#0072B2")
        axis.bar_label(bars, fmt="%.3g", fontsize=9)
        axis.margins(y=0.15)
        axis.set_title(name, fontsize=10)
        axis.set_xticks(np.arange(len(column)))
        axis.set_xlabel("participant", fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11)
    buffer = io.BytesIO()
    canvas.print_raw(buffer)
    width, height = canvas.get_width_height()
    return np.frombuffer(buffer.getvalue(), np.uint8).reshape(height, width, 4)[..., :3].copy()
