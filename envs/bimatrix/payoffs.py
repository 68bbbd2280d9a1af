"""Payoffs of two participants, in the formats that users have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from lawgiver.envs.bimatrix.nfg import read_nfg
from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.envs.files.delimited import read_numbers

Payoffs: TypeAlias = tuple[tuple[tuple[float, float], ...], ...]
"""Of the row's and the column's participant, by row and column, (m, n, 2)."""
LARGEST_ACTIONS = 100
"""Actions that a participant may have."""
LARGEST_PAYOFF = 1e12
"""Size of a payoff."""
COLUMNS = ("row", "column", "payoff_row", "payoff_column")


def checked_payoffs(given: Any) -> Payoffs:
    """Return payoffs as nested tuples.

    Args:
        given: nested lists or an array (m, n, 2); {row: (m, n), column: (m, n)}; or the path of a Gambit ``.nfg`` file,
            or of a ``.csv`` table with the columns ``row``, ``column`` (both from 0, or from 1), ``payoff_row`` and
            ``payoff_column``.

    Raises:
        ParameterError: naming what is wrong, in a file its line.
    """
    if isinstance(given, (str, Path)):
        suffix = Path(given).suffix.lower()
        if suffix not in (".nfg", ".csv", ".tsv"):
            raise ParameterError(f"payoffs is {brief(str(given))}, allowed: numbers, or an .nfg or .csv file")
        table = read_nfg(given, LARGEST_ACTIONS) if suffix == ".nfg" else _of_csv(given)
    elif isinstance(given, Mapping):
        if set(given) != {"row", "column"}:
            raise ParameterError(f"payoffs has the keys {', '.join(map(str, given))}, allowed: row and column")
        row, column = (_array(f"payoffs.{name}", given[name], 2) for name in ("row", "column"))
        if row.shape != column.shape:
            raise ParameterError(f"payoffs.row has the shape {row.shape}, payoffs.column {column.shape}, allowed: one")
        table = np.stack([row, column], axis=-1)
    else:
        table = _array("payoffs", given, 3)
    if table.shape[-1] != 2 or not all(1 <= count <= LARGEST_ACTIONS for count in table.shape[:2]):
        told = f"(m, n, 2) with 1 to {LARGEST_ACTIONS} rows and columns"
        raise ParameterError(f"payoffs have the shape {table.shape}, allowed: {told}")
    wrong = np.argwhere(~(np.abs(table) <= LARGEST_PAYOFF))
    if wrong.size:
        at = tuple(wrong[0].tolist())
        raise ParameterError(f"payoffs{list(at)} is {table[at]:g}, allowed: up to {LARGEST_PAYOFF:g} either way")
    return tuple(tuple((float(cell[0]), float(cell[1])) for cell in row) for row in table)


def _array(name: str, given: Any, ndim: int) -> np.ndarray:
    try:
        array = np.asarray(given)
    except (ValueError, OverflowError):
        array = np.asarray(None)
    if array.dtype.kind not in "iuf" or array.ndim != ndim or not array.size:
        form = "(m, n, 2)" if ndim == 3 else "(m, n)"
        raise ParameterError(f"{name} is {brief(given)}, allowed: numbers {form}, in rows alike long")
    return array.astype(float)


def _of_csv(file: str | Path) -> np.ndarray:
    table = read_numbers(file)
    missing = [name for name in COLUMNS if name not in table.names]
    if missing:
        told = f"has the columns {', '.join(table.names)}, {missing[0]!r} is missing"
        raise ParameterError(f"{table.file!r} {told}, allowed: {', '.join(COLUMNS)}")
    if not table.rows:
        raise ParameterError(f"{table.file!r} has no rows, allowed: one a cell")
    numbers = table.numbers(*COLUMNS)
    at = numbers[:, :2]
    at = at - (at.min(0) == 1).all()
    wrong = np.flatnonzero(~((at >= 0) & (at < LARGEST_ACTIONS) & (at == np.floor(at))).all(1))
    if wrong.size:
        told = f"is of row {numbers[wrong[0], 0]:g} and column {numbers[wrong[0], 1]:g}"
        raise ParameterError(f"{table.file!r}, line {table.lines[wrong[0]]}, {told}, allowed: whole, from 0 or 1")
    cells = at.astype(int)
    m, n = cells.max(0) + 1
    counts = np.zeros((m, n), int)
    np.add.at(counts, (cells[:, 0], cells[:, 1]), 1)
    off = np.argwhere(counts != 1)
    if off.size:
        i, j = off[0]
        raise ParameterError(f"{table.file!r} has {counts[i, j]} lines of cell {i}, {j} (from 0), allowed: one")
    payoffs = np.empty((m, n, 2))
    payoffs[cells[:, 0], cells[:, 1]] = numbers[:, 2:]
    return payoffs
