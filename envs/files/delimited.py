"""Tables as text: columns delimited by commas, semicolons or tabs, detected from the text.

Spreadsheets of much of the world write semicolons, with a comma in place of the decimal point, and some put a line
``sep=;`` before the header. Every reader of CSV in this library uses this module.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.files.reading import read_users_text

DELIMITERS = "\t;,"
"""In the order in which they are believed: a name or number may hold a comma, hardly ever a tab."""
LOOKED_AT = 20
"""Number of lines from which the delimiter is detected."""
QUOTED = re.compile(r'"(?:[^"]|"")*"')
NAMED = re.compile(r"sep=(.)", re.IGNORECASE)


def delimiter_of(text: str) -> str:
    """Detect the delimiter of a text: comma, semicolon or tab; comma where there is none.

    It is the one that every line has equally often, else the one that the first line has most of. What is quoted does
    not count.
    """
    lines = [line for line in QUOTED.sub("", text[: 2**16]).split("\n")[:LOOKED_AT] if line.strip()]
    if not lines:
        return ","
    for delimiter in DELIMITERS:
        counts = {line.count(delimiter) for line in lines}
        if len(counts) == 1 and counts != {0}:
            return delimiter
    return max(reversed(DELIMITERS), key=lines[0].count)


def without_declaration(text: str) -> str:
    r"""Drop a first line ``sep=;``, by which spreadsheets name the delimiter, from a text with ``\n`` newlines."""
    first, _, rest = text.partition("\n")
    return rest if NAMED.fullmatch(first.strip()) else text


@dataclass(frozen=True)
class NumberTable:
    """A table with columns of numbers; its other columns are ignored.

    Attributes:
        file: its path.
        names: names of the columns.
        rows: texts of the cells, one row of the file each.
        lines: the line of the file that each row begins in, from 1.
        comma: whether numbers may have a decimal comma.
        unit: what ``lines`` counts, ``line`` or, where the file is no text, ``row``.
    """

    file: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    comma: bool
    unit: str = "line"

    def numbers(self, *columns: str) -> np.ndarray:
        """Return existing columns as floats (rows, columns).

        Raises:
            ParameterError: naming the line and column of the first cell that is no number.
        """
        places = [(name, self.names.index(name)) for name in columns]
        found = [[self._number(row, name, at) for name, at in places] for row in range(len(self.rows))]
        return np.array(found, float).reshape(len(self.rows), len(columns))

    def _number(self, row: int, name: str, at: int) -> float:
        text = cell = self.rows[row][at]
        if self.comma and "." not in text:
            text = text.replace(",", ".", 1)
        try:
            return float(text)
        except ValueError:
            where = f"{self.file!r}, {self.unit} {self.lines[row]}, {name}"
            raise ParameterError(f"{where} is {cell!r}, allowed: a number") from None


def read_numbers(path: str | Path) -> NumberTable:
    """Read a CSV file with a header, and columns of numbers below it.

    Columns stand apart by comma, semicolon or tab; where not by comma, numbers may have a decimal comma. Empty lines
    are left out.

    Raises:
        ParameterError: one line that names the file, and the line at fault.
    """
    text = read_users_text(path)
    kept = without_declaration(text)
    return _parsed(str(path), kept, 1 + (kept is not text))


def _parsed(file: str, text: str, first: int) -> NumberTable:
    delimiter = delimiter_of(text)
    reader = csv.reader(text.split("\n"), delimiter=delimiter, strict=True)
    names: tuple[str, ...] = ()
    rows, lines = [], []
    try:
        for cells in reader:
            line = first + reader.line_num - 1
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = tuple(cell.strip() for cell in cells)
                continue
            if len(cells) != len(names):
                raise ParameterError(f"{file!r}, line {line}: has {len(cells)} columns, allowed: {len(names)}")
            rows.append(tuple(cells))
            lines.append(line)
    except csv.Error as error:
        raise ParameterError(f"{file!r}, line {first + reader.line_num - 1}: {error}") from None
    twice = sorted(name for name in set(names) if names.count(name) > 1)
    if not names or twice:
        raise ParameterError(f"{file!r} has {f'the column {twice[0]!r} twice' if twice else 'no header'}")
    return NumberTable(file, names, tuple(rows), tuple(lines), delimiter != ",")
