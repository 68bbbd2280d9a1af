"""Tables of numbers as parameters of a game: plain data that can be compared, hashed, saved and sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.registry import extras

Table: TypeAlias = Any
"""Nested lists or tuples of numbers, or an array."""


@dataclass(frozen=True)
class SparseTable:
    """A sparse matrix: its shape, and the row, column and value of each entry."""

    shape: tuple[int, int]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    values: tuple[float, ...]

    def matrix(self) -> Any:
        """Return it as scipy's."""
        with extras("a sparse table of transitions"):
            from scipy.sparse import csr_array
        return csr_array((self.values, (self.rows, self.columns)), shape=self.shape)


def as_table(name: str, table: Table) -> Any:
    """Return a table as nested tuples; a scipy sparse matrix as a :class:`SparseTable`.

    Raises:
        ParameterError: if it is neither, or its rows differ in length.
    """
    if isinstance(table, SparseTable):
        return table
    if hasattr(table, "tocoo"):
        entries = table.tocoo()
        return SparseTable(
            (int(entries.shape[0]), int(entries.shape[1])),
            tuple(entries.row.tolist()),
            tuple(entries.col.tolist()),
            tuple(entries.data.tolist()),
        )
    return _nested(as_array(name, table).tolist())


def as_array(name: str, table: Table) -> np.ndarray:
    """Return a table as a NumPy array of numbers.

    Raises:
        ParameterError: if it is none.
    """
    try:
        array = np.asarray(table)
    except ValueError:  # rows of different length
        array = np.asarray(None)
    if array.dtype.kind not in "iuf" or not array.ndim:
        raise ParameterError(
            f"{name} is {_short(table)}, allowed: an array or nested lists of numbers, rows alike long"
        )
    return array


def _nested(entry: Any) -> Any:
    return tuple(_nested(one) for one in entry) if isinstance(entry, list) else entry


def _short(value: Any) -> str:
    told = repr(value)
    return told if len(told) <= 60 else f"{told[:57]}..."
