"""Tables of numbers as parameters of a game: plain data that can be compared, hashed and saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np

from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.envs.core.registry import extras
from lawgiver.envs.solvers.mdp.model import check_memory

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


def as_table(name: str, table: Table, memory: float) -> Any:
    """Return a table as nested tuples.

    Raises:
        ParameterError: if it is none, its rows differ in length, or it takes more than ``memory`` MiB.
    """
    array = as_array(name, table)
    _check_size(name, array.size, memory)
    return _nested(array.tolist())


def as_transitions_table(name: str, table: Table, memory: float) -> Any:
    """Return a table as nested tuples; a scipy sparse matrix, or a mapping of its parts, as a :class:`SparseTable`.

    Raises:
        ParameterError: if it is none of these, its rows differ in length, or it takes more than ``memory`` MiB.
    """
    if isinstance(table, SparseTable):
        return table
    if hasattr(table, "tocoo"):
        entries = table.tocoo()
        table = {"shape": entries.shape, "rows": entries.row, "columns": entries.col, "values": entries.data}
    if not isinstance(table, Mapping):
        return as_table(name, table, memory)
    parts = tuple(field.name for field in fields(SparseTable))
    if set(table) != set(parts):
        raise ParameterError(f"{name} has the parts {', '.join(map(str, table))}, allowed: {', '.join(parts)}")
    shape, *lists = (as_array(f"{name}.{part}", table[part]) for part in parts)
    alike = all(each.shape == lists[0].shape and each.ndim == 1 for each in lists)
    if shape.shape != (2,) or not alike or any(each.dtype.kind not in "iu" for each in (shape, *lists[:2])):
        raise ParameterError(
            f"{name} is no sparse matrix, allowed: shape (S * A, S); as many rows, columns (integers) as values"
        )
    _check_size(name, 3 * lists[0].size, memory)
    if any((at < 0).any() or (at >= end).any() for at, end in zip(lists, shape, strict=False)):
        raise ParameterError(f"{name} has an entry outside its shape {tuple(shape.tolist())}")
    return SparseTable(tuple(shape.tolist()), *(tuple(each.tolist()) for each in lists))


def as_array(name: str, table: Table) -> np.ndarray:
    """Return a table as a NumPy array of numbers.

    Raises:
        ParameterError: if it is none.
    """
    try:
        array = np.asarray(table)
    except (ValueError, OverflowError):  # rows of different length
        array = np.asarray(None)
    if array.dtype.kind not in "iuf" or not array.ndim:
        raise ParameterError(f"{name} is {brief(table)}, allowed: an array or nested lists of numbers, rows alike long")
    return array


def _check_size(name: str, count: int, memory: float) -> None:
    cure = "take fewer states or actions, give scipy sparse transitions or successors, or raise memory"
    check_memory(f"a table of {count:,} {name}", 4 * count, memory, cure)  # a Python number is four times as large


def _nested(entry: Any) -> Any:
    return tuple(_nested(one) for one in entry) if isinstance(entry, list) else entry
