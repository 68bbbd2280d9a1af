"""The columns of a file, with errors that name the file, the row and the column at fault.

Columns are stored as read, and converted to numbers or integers on access. Python loops over rows only to find the row
of an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.registry import extras

with extras("tables of behaviour"):
    import pyarrow as pa
    import pyarrow.compute as pc

LARGEST = 2**31
"""Upper bound of integers."""

COUNTED = ("episode", "round", "participant", "vote")
"""Columns whose numbers may count from 1 in the file."""


class TableError(LawgiverError):
    """A file of behaviour is missing, no table, or wrong in a row that the message names."""


@dataclass(frozen=True)
class Source:
    """Columns of ``N`` rows out of a file.

    Attributes:
        path: of the file.
        unit: what rows are called in messages: ``line`` of a CSV file, ``row`` of a Parquet file.
        rows: the number of each row in the file, counted from 1, (N,).
        columns: their values, pyarrow or NumPy arrays (N,).
        aliases: what columns are called in the file, where it is something else.
        first: the number that the file counts episodes, rounds and participants from; ``columns`` count from 0.
    """

    path: Path
    unit: str
    rows: np.ndarray
    columns: Mapping[str, Any]
    aliases: Mapping[str, str] = field(default_factory=dict)
    first: int = 0

    def error(self, row: int, column: str, reason: str) -> TableError:
        """Make an error about one of the rows, ``row`` in 0 to N - 1."""
        shown = self.aliases.get(column, column)
        return TableError(f"{self.path}, {self.where(row)}, column {shown!r}: {reason}")

    def refuse(self, column: str, wrong: np.ndarray, reason: Callable[[int], str]) -> None:
        """Raise an error about the first row that is ``wrong`` (N,), if there is one."""
        if wrong.any():
            row = int(np.argmax(wrong))
            raise self.error(row, column, reason(row))

    def where(self, row: int) -> str:
        """Name one of the rows, for the middle of a message."""
        return f"{self.unit} {self.rows[row]}"

    def keep(self, kept: np.ndarray) -> Source:
        """Select the rows where ``kept``, bool (N,), holds."""
        columns = {
            name: values[kept] if isinstance(values, np.ndarray) else values.filter(pa.array(kept))
            for name, values in self.columns.items()
        }
        return replace(self, rows=self.rows[kept], columns=columns)

    def empty(self, name: str) -> np.ndarray:
        """Find the empty cells of a column, bool (N,)."""
        return _empty(self._column(name))

    def labels(self, name: str) -> tuple[np.ndarray, list[Any]]:
        """Encode a column of names as integers from 0, by first appearance, (N,), and the list of names."""
        values = self._column(name)
        self.refuse(name, _empty(values), lambda row: "is empty, allowed: a name or number")
        encoded = values.dictionary_encode()
        return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()

    def numbers(self, name: str, empty: float | None = None) -> np.ndarray:
        """Convert a column to floats (N,), with ``empty`` in empty cells, which are errors if it is None.

        Raises:
            TableError: if there is no such column, or no number in one of its rows.
        """
        values = self._column(name)
        blank = _empty(values)
        if empty is None:
            self.refuse(name, blank, lambda row: "is empty, allowed: a number")
        try:
            found = pc.cast(values, pa.float64())
        except pa.ArrowNotImplementedError as error:
            raise TableError(f"{self.path}, column {name!r}: holds {values.type}, allowed: numbers") from error
        except pa.ArrowInvalid as error:
            row = next(row for row in range(len(values)) if not _is_number(values[row]))
            raise self.error(row, name, f"is {values[row].as_py()!r}, allowed: a number") from error
        numbers: np.ndarray = found.to_numpy(zero_copy_only=False)
        return np.where(blank, np.nan if empty is None else empty, numbers)

    def integers(self, name: str, low: int = 0, high: int = LARGEST - 1, empty: int | None = None) -> np.ndarray:
        """Convert a column to integers ``low`` to ``high`` (N,); 3.0 is one. See :meth:`numbers`."""
        numbers = self.numbers(name, empty)
        shift = self.first if name in COUNTED else 0
        among = f"an integer, at least {low + shift}" if high == LARGEST - 1 else f"{low + shift} to {high + shift}"
        fits = (numbers == np.floor(numbers)) & (numbers >= low) & (numbers <= high)
        if empty is not None:
            fits |= numbers == empty
        self.refuse(name, ~fits, lambda row: f"is {numbers[row] + shift:.15g}, allowed: {among}")
        return numbers.astype(np.int64)

    def alike(self, name: str, values: np.ndarray, keys: Sequence[np.ndarray], among: str) -> None:
        """Check that all rows with the same keys have the same value.

        Args:
            name: of the column at fault.
            values: to compare, (N,).
            keys: integers >= 0, each (N,).
            among: description of rows with the same keys, for the message.
        """
        _, first, same = np.unique(joined(*keys), return_index=True, return_inverse=True)
        before, shift = first[same], self.first if name in COUNTED else 0
        self.refuse(
            name,
            values != values[before],
            lambda row: (
                f"is {values[row] + shift:.10g}, but {values[before[row]] + shift:.10g} in {self.where(before[row])}, "
                f"allowed: the same in all rows of {among}"
            ),
        )

    def _column(self, name: str) -> Any:
        """Convert a column to a pyarrow array, texts without surrounding blanks."""
        if name not in self.columns:
            called = f" ({self.aliases[name]!r} in the file)" if name in self.aliases else ""
            there = ", ".join(self.columns)
            raise TableError(f"{self.path}: column {name!r}{called} is missing; there are: {there}")
        values = pa.array(self.columns[name])
        return pc.utf8_trim_whitespace(values) if values.type in (pa.string(), pa.large_string()) else values


def joined(*keys: np.ndarray) -> np.ndarray:
    """Encode combinations of integers >= 0 as one integer each, ``keys`` and the result (N,)."""
    found = np.zeros(1, np.int64)
    for key in keys:
        _, key = np.unique(key, return_inverse=True)  # ranks, whose products cannot overflow
        found = found * (key.max() + 1) + key
    return found


def _empty(values: Any) -> np.ndarray:
    """Find nulls and NaN, bool (N,)."""
    found: np.ndarray = pc.is_null(values, nan_is_null=True).to_numpy(zero_copy_only=False)
    return found


def _is_number(value: Any) -> bool:
    try:
        value.cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True
