"""Rendering of one game, from the columns of its ``picture`` and the drawing that some games add."""

from __future__ import annotations

from typing import Any

import numpy as np

from lawgiver.envs.core.drawings import text_of
from lawgiver.envs.core.errors import choice
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.registry import extras

RENDER_MODES = ("human", "ansi", "rgb_array")
"""``human`` prints each game state to the terminal as it comes, ``ansi`` and ``rgb_array`` return text and image."""

METADATA: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 2}
"""Rendering metadata of all views."""


def check_render_mode(mode: str | None) -> str | None:
    """Return ``mode`` if it is None or one of :data:`RENDER_MODES`.

    Raises:
        ParameterError: if it is something else.
        MissingExtraError: if ``rgb_array`` is asked for and Pillow, which draws, is not installed.
    """
    if mode is not None:
        choice("render_mode", mode, RENDER_MODES)
    if mode == "rgb_array":
        with extras("render_mode='rgb_array'"):
            import lawgiver.envs.views.frames  # noqa: F401
    return mode


def text(game: Game[Any], state: Any, index: int = 0, over: bool = False) -> str:
    """Return game ``index`` of a state as text; ``over`` says that the game has ended."""
    title, table = _content(game, state, index, over)
    drawing = game.drawing(state, index)
    return "\n".join([*title, *([text_of(drawing)] if drawing else []), *_rows(table)])


class Screen:
    """Where a view shows its games, by its ``render_mode``.

    Raises:
        ParameterError, MissingExtraError: as :func:`check_render_mode`.
    """

    def __init__(self, game: Game[Any], mode: str | None) -> None:
        """See the class."""
        self.game, self.mode = game, check_render_mode(mode)

    def print_frame(self, state: Any, over: bool) -> None:
        """Print game 0 in mode ``human``; to be called after every reset and step."""
        if self.mode == "human":
            print(text(self.game, state, 0, over), end="\n\n", flush=True)

    def frame(self, state: Any, index: int, over: bool) -> str | np.ndarray | None:
        """Return a game as text (``ansi``) or image (``rgb_array``, uint8 (height, width, 3)), None in other modes."""
        if self.mode == "ansi":
            return text(self.game, state, index, over)
        if self.mode == "rgb_array":
            from lawgiver.envs.views.frames import frame

            return frame(*_content(self.game, state, index, over), self.game.drawing(state, index))
        return None


def _content(game: Game[Any], state: Any, index: int, over: bool) -> tuple[list[str], dict[str, np.ndarray]]:
    """Return the lines above the table, and the columns with one number a participant."""
    picture = game.picture(state, index)
    single = [f"{name} {float(column[0]):.4g}" for name, column in picture.items() if len(column) == 1]
    turn = "the game is over" if over else f"{_whose_turn(game, state, index)} to act"
    table = {name: column for name, column in picture.items() if len(column) > 1}
    return [f"{game.name}: {turn}", ", ".join(single)], table


def _whose_turn(game: Game[Any], state: Any, index: int) -> str:
    role = game.phase(state)
    agents = game.agents_of(role)
    if game.seats_take_turns:
        acts = np.asarray(game.acts(state, role))[index]
        agents = tuple(agent for agent, turn in zip(agents, acts, strict=True) if turn)
    if len(agents) == 1:
        return agents[0]
    seats = [agent.rpartition("_")[2] for agent in agents]
    return f"{role}s {', '.join(seats) if len(seats) < 7 else f'{seats[0]} to {seats[-1]}'}"


def _rows(table: dict[str, np.ndarray]) -> list[str]:
    if not table:
        return []
    rows = [["participant", *table]]
    columns = zip(*table.values(), strict=True)
    rows += [[str(seat), *(f"{number:.2f}" for number in row)] for seat, row in enumerate(columns)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.rjust(size) for cell, size in zip(row, widths, strict=True)) for row in rows]
