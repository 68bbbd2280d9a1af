"""Bimatrix games from tables of payoffs: files, dominance, equilibria, fictitious play.

A table may hold any measured payoffs of strategies against each other. nashpy computes the equilibria; they are checked
against best responses here (``regret``).
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.files.delimited import delimiter_of, without_declaration
from lawgiver.envs.files.reading import read_text
from lawgiver.envs.solvers.normal_form.fictitious_play import fictitious_play
from lawgiver.envs.solvers.normal_form.forms import NormalForm
from lawgiver.envs.solvers.normal_form.nash import equilibria

ROUNDS = 10_000
"""Rounds of fictitious play."""
TOLERANCE = 1e-9
"""Of the largest difference of payoffs: what is closer is a tie."""
PAIR = re.compile(r"[;,/|\s]+")


@dataclass(frozen=True, eq=False)
class PayoffTable:
    """A bimatrix game.

    Attributes:
        rows: names of the row player's strategies, m of them.
        columns: names of the column player's strategies, k of them.
        row_payoffs: (m, k).
        column_payoffs: (m, k).
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    row_payoffs: np.ndarray
    column_payoffs: np.ndarray

    def __post_init__(self) -> None:
        """Copy and check."""
        shape = (len(self.rows), len(self.columns))
        for name in ("row_payoffs", "column_payoffs"):
            values = np.array(getattr(self, name), float)
            if values.shape != shape or 0 in shape:
                raise ParameterError(f"{name} has shape {values.shape}, allowed: {shape}, as many as names, not 0")
            if not np.isfinite(values).all():
                raise ParameterError(f"{name} holds {values[~np.isfinite(values)][0]}, allowed: finite numbers")
            object.__setattr__(self, name, values)
        for names in (self.rows, self.columns):
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ParameterError(f"strategy {twice[0]!r} is there twice, allowed: once")

    @property
    def symmetric(self) -> bool:
        """Whether both players have the same strategies and the same payoffs from them."""
        return self.rows == self.columns and bool(
            np.abs(self.row_payoffs - self.column_payoffs.T).max() <= self._tie(0, 1)
        )

    def dominance(self) -> tuple[dict[str, str], dict[str, str]]:
        """Classify each player's strategies by dominance, by name.

        ``strictly dominant`` or ``weakly dominant``: better than each other strategy whatever the other player does, or
        never worse than any and somewhere better than each. ``strictly dominated`` or ``weakly dominated``: likewise
        worse than some other strategy. Mixed strategies are not looked at. ``-``: none of these.
        """
        rows = _dominance(self.rows, self.row_payoffs, self._tie(0))
        return rows, _dominance(self.columns, self.column_payoffs.T, self._tie(1))

    @cached_property
    def form(self) -> NormalForm:
        """The game in normal form."""
        return NormalForm(np.stack([self.row_payoffs, self.column_payoffs]), (self.rows, self.columns))

    def equilibria(self) -> tuple[tuple[np.ndarray, ...], ...]:
        """Compute Nash equilibria; see :func:`lawgiver.envs.solvers.normal_form.nash.equilibria`."""
        return equilibria(self.form)

    def regret(self, row: np.ndarray, column: np.ndarray) -> tuple[float, float]:
        """Compute each player's gain from a best response to the other's mixture, >= 0."""
        mine, yours = self.form.regrets((row, column)).tolist()
        return mine, yours

    def fictitious_play(self, rounds: int = ROUNDS) -> tuple[np.ndarray, np.ndarray]:
        """Run fictitious play (Brown 1951); return the frequencies of the strategies, (m,) and (k,), which sum to one.

        Each player replies to what the other has played so far, to the first of equally good replies. In symmetric
        zero-sum and many other games the frequencies tend to an equilibrium, not in all (Shapley 1964).
        """
        row, column = fictitious_play(self.form, rounds).frequencies
        return row, column

    def solved(self) -> dict[str, Any]:
        """Collect ``symmetric``, ``dominance`` by player, ``equilibria`` with their payoffs, and fictitious play."""
        dominance, play = self.dominance(), self.fictitious_play()
        return {
            "symmetric": self.symmetric,
            "dominance": {"row": dominance[0], "column": dominance[1]},
            "equilibria": [
                {
                    **self._named(row, column),
                    "row_payoff": float(row @ self.row_payoffs @ column),
                    "column_payoff": float(row @ self.column_payoffs @ column),
                    "regret": max(self.regret(row, column)),
                }
                for row, column in self.equilibria()
            ],
            "fictitious_play": {**self._named(*play), "rounds": ROUNDS, "regret": max(self.regret(*play))},
        }

    def _named(self, row: np.ndarray, column: np.ndarray) -> dict[str, dict[str, float]]:
        mixtures = zip(("row", "column"), (self.rows, self.columns), (row, column), strict=True)
        return {player: dict(zip(names, mixture.tolist(), strict=True)) for player, names, mixture in mixtures}

    def _scale(self, *players: int) -> float:
        return max(float(np.ptp((self.row_payoffs, self.column_payoffs)[player])) for player in players)

    def _tie(self, *players: int) -> float:
        return TOLERANCE * self._scale(*players)


Kind = Literal["strictly dominant", "weakly dominant", "strictly dominated", "weakly dominated", "-"]


def _dominance(names: Sequence[str], payoffs: np.ndarray, tie: float) -> dict[str, str]:
    """Classify strategies with payoffs (m, k) by dominance."""
    found: dict[str, str] = {}
    for at, name in enumerate(names):
        ahead = payoffs[at] - np.delete(payoffs, at, axis=0)
        strict, never_worse, somewhere = (ahead > tie).all(1), (ahead >= -tie).all(1), (ahead > tie).any(1)
        kind: Kind = "-"
        if len(ahead) and strict.all():
            kind = "strictly dominant"
        elif len(ahead) and (never_worse & somewhere).all():
            kind = "weakly dominant"
        elif (ahead < -tie).all(1).any():
            kind = "strictly dominated"
        elif ((ahead <= tie).all(1) & (ahead < -tie).any(1)).any():
            kind = "weakly dominated"
        found[name] = kind
    return found


def read_payoffs(path: str | Path) -> PayoffTable:
    """Read a payoff table from a CSV file.

    The header names the column player's strategies, the first column the row player's. A cell holds the row player's
    payoff, where both players have the same strategies: the game is symmetric, and the column player's payoff is what
    the row player's would be in its place. Or it holds both, ``3 2`` or ``3; 2``: a bimatrix game.

    Raises:
        ParameterError: one line that names the file, the line and the column at fault.
    """
    path = Path(path)
    try:
        given = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
    text = without_declaration(given)
    delimiter = delimiter_of(text)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        lines = deque((reader.line_num + (text is not given), cells) for cells in reader if any(map(str.strip, cells)))
    except csv.Error as error:
        raise ParameterError(f"{path}, line {reader.line_num}: {error}") from None
    if len(lines) < 2:
        raise ParameterError(f"{path} has no payoffs, allowed: a header with the names of columns, and a line a row")
    _, header = lines.popleft()
    columns, rows, cells = tuple(name.strip() for name in header[1:]), [], []
    for line, (name, *numbers) in lines:
        if len(numbers) != len(columns):
            raise ParameterError(f"{path}, line {line}: has {len(numbers)} payoffs, allowed: {len(columns)}")
        rows.append(name.strip())
        cells.append([_numbers(cell, delimiter, f"{path}, line {line}, column {column!r}")
                      for cell, column in zip(numbers, columns, strict=True)])  # fmt: skip
    held = {len(cell) for row in cells for cell in row}
    if held == {2}:
        both = np.array(cells)
        return PayoffTable(tuple(rows), columns, both[..., 0], both[..., 1])
    if held != {1}:
        raise ParameterError(f"{path}: some cells hold one payoff and some two, allowed: as many in all of them")
    if tuple(rows) != columns:
        raise ParameterError(
            f"{path}: cells hold the row's payoff alone, but rows are {', '.join(rows)}, columns {', '.join(columns)},"
            " allowed: the same names in the same order, or both payoffs in a cell, '3 2'"
        )
    payoffs = np.array(cells)[..., 0]
    return PayoffTable(tuple(rows), columns, payoffs, payoffs.T)


def _numbers(cell: str, delimiter: str, where: str) -> list[float]:
    """Parse the one or two numbers of a cell; a comma is a decimal point where columns have another delimiter."""
    text = cell.strip().strip("()[]").strip()
    if delimiter != ",":
        text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    try:
        found = [float(part) for part in PAIR.split(text)]
    except ValueError:
        found = []
    if len(found) not in (1, 2) or not np.isfinite(found).all():
        raise ParameterError(f"{where} is {cell!r}, allowed: a number, the row's payoff, or two, '3 2'")
    return found
