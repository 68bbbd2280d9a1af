"""Long tables of annotators: a row for each judgement, as CSV, or as Parquet where pyarrow is installed.

Ratings have the columns ``annotator``, ``item`` and ``value``, comparisons ``annotator``, ``item``, ``preferred`` and
``other``, in any order; either may have ``group``, the annotator's. Other columns are not looked at.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.envs.core.registry import extras
from lawgiver.envs.files.delimited import NumberTable, read_numbers
from lawgiver.envs.files.reading import LARGEST_FILE, open_regular
from lawgiver.envs.files.votes import LARGEST_CELLS

TEXTS = (".csv", ".tsv", ".txt")
RATINGS = ("annotator", "item", "value")
COMPARISONS = ("annotator", "item", "preferred", "other")


@dataclass(frozen=True)
class Ratings:
    """Numbers that A annotators gave to I items.

    Attributes:
        file: its path.
        annotators: their names, A, in the order in which the file has them first; ``items`` likewise, I.
        items: see there.
        values: (A, I), NaN where an annotator has not rated an item.
        groups: the group of each annotator, A; None where the file has none.
    """

    file: str
    annotators: tuple[str, ...]
    items: tuple[str, ...]
    values: np.ndarray
    groups: tuple[str, ...] | None

    def complete(self) -> np.ndarray:
        """Return the values (A, I) where everybody has rated everything.

        Raises:
            ParameterError: naming the first annotator and item without a value.
        """
        missing = np.argwhere(np.isnan(self.values))
        if len(missing):
            a, i = missing[0].tolist()
            raise ParameterError(
                f"{self.file!r} has no value of annotator {brief(self.annotators[a])} for item {brief(self.items[i])},"
                f" and lacks {len(missing):,} of {self.values.size:,}, allowed: a row for each annotator and item"
            )
        return self.values


@dataclass(frozen=True)
class Comparisons:
    """Pairs of replies to an item, of which an annotator preferred one.

    Attributes:
        file: its path.
        annotators: their names, in the order in which the file has them first; ``items`` and ``replies`` likewise.
        items: what is replied to.
        replies: the names of all replies, to whichever item.
        rows: whole numbers (R, 4), from 0: annotator, item, preferred reply, other reply.
        groups: the group of each annotator; None where the file has none.
    """

    file: str
    annotators: tuple[str, ...]
    items: tuple[str, ...]
    replies: tuple[str, ...]
    rows: np.ndarray
    groups: tuple[str, ...] | None


def read_annotators(path: str | Path) -> Ratings | Comparisons:
    """Read the judgements of annotators: ratings, or comparisons where there is a column ``preferred``.

    Args:
        path: a ``.csv``, ``.tsv`` or ``.txt`` table, or a ``.parquet`` file.

    Raises:
        ParameterError: one line that names the file, the line at fault, and what is allowed there.
        MissingExtraError: if the file is Parquet, and pyarrow is not installed.
    """
    table = _table(str(path))
    compared = "preferred" in table.names
    needed = COMPARISONS if compared else RATINGS
    for name in needed:
        if name not in table.names:
            told = " and ".join(",".join(each) for each in (RATINGS, COMPARISONS))
            raise ParameterError(
                f"{table.file!r} has the columns {brief(', '.join(table.names))}, and lacks {name!r}, allowed: {told},"
                " each with group or without"
            )
    if not table.rows:
        raise ParameterError(f"{table.file!r} has no rows, allowed: one for each judgement")
    texts = {name: _filled(table, name) for name in (*needed, "group") if name in table.names}
    annotators, who = _numbered(texts["annotator"])
    items, what = _numbered(texts["item"])
    groups = _groups(table, who, texts["group"], annotators) if "group" in texts else None
    if not compared:
        return Ratings(table.file, annotators, items, _values(table, who, what, annotators, items), groups)
    replies, both = _numbered([*texts["preferred"], *texts["other"]])
    preferred, other = np.split(both, 2)
    same = np.flatnonzero(preferred == other)
    if same.size:
        name = replies[preferred[same[0]]]
        _refuse(table, int(same[0]), f"preferred and other are both {brief(name)}, allowed: two different replies")
    rows = np.stack([who, what, preferred, other], axis=1)
    return Comparisons(table.file, annotators, items, replies, rows, groups)


def _table(file: str) -> NumberTable:
    ending = Path(file).suffix.lower()
    if ending in TEXTS:
        return read_numbers(file)
    if ending != ".parquet":
        raise ParameterError(f"{file!r} ends in {Path(file).suffix!r}, allowed: {', '.join(TEXTS)}, .parquet")
    with extras("reading Parquet", "data"):
        import pyarrow as pa
        import pyarrow.parquet as pq
    try:
        with open_regular(file) as stream:
            found = pq.ParquetFile(stream)
            size = sum(found.metadata.row_group(i).total_byte_size for i in range(found.metadata.num_row_groups))
            if size > LARGEST_FILE:
                raise OSError(errno.EFBIG, f"it unpacks to {size:,} bytes, allowed: up to {LARGEST_FILE:,}")
            names = tuple(found.schema_arrow.names)
            wanted = [name for name in (*COMPARISONS, "value", "group") if names.count(name) == 1]
            columns = [_texts(found.read([name])[name].to_pylist()) for name in wanted]
    except OSError as error:
        raise ParameterError(f"{file!r} cannot be read: {error.strerror or error}") from None
    except (pa.ArrowException, ValueError, UnicodeDecodeError) as error:
        raise ParameterError(f"{file!r} is no Parquet table: {brief(str(error))}") from None
    rows = tuple(zip(*columns, strict=True))
    return NumberTable(file, tuple(wanted), rows, tuple(range(1, len(rows) + 1)), False, "row")


def _texts(values: list[Any]) -> list[str]:
    return ["" if value is None else str(value) for value in values]


def _refuse(table: NumberTable, row: int, said: str) -> NoReturn:
    raise ParameterError(f"{table.file!r}, {table.unit} {table.lines[row]}: {said}")


def _filled(table: NumberTable, name: str) -> list[str]:
    """Return the texts of a column, none of them empty."""
    at = table.names.index(name)
    texts = [cells[at].strip() for cells in table.rows]
    for row, text in enumerate(texts):
        if not text:
            _refuse(table, row, f"{name} is empty, allowed: a {'number' if name == 'value' else 'name'} in every row")
    return texts


def _numbered(texts: list[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the different names in the order of their appearance, and the number of each row's."""
    numbers: dict[str, int] = {}
    of_rows = np.array([numbers.setdefault(text, len(numbers)) for text in texts])
    return tuple(numbers), of_rows


def _groups(table: NumberTable, who: np.ndarray, texts: list[str], annotators: tuple[str, ...]) -> tuple[str, ...]:
    first: dict[int, int] = {}
    for row, annotator in enumerate(who.tolist()):
        before = first.setdefault(annotator, row)
        if texts[before] != texts[row]:
            told = f"annotator {brief(annotators[annotator])} is of group {brief(texts[row])}"
            where = f"{table.unit} {table.lines[before]}"
            _refuse(table, row, f"{told}, but of {brief(texts[before])} in {where}, allowed: one group")
    return tuple(texts[first[annotator]] for annotator in range(len(annotators)))


def _values(
    table: NumberTable, who: np.ndarray, what: np.ndarray, annotators: tuple[str, ...], items: tuple[str, ...]
) -> np.ndarray:
    if len(annotators) * len(items) > LARGEST_CELLS:
        raise ParameterError(
            f"{table.file!r} has {len(annotators):,} annotators and {len(items):,} items, allowed: {LARGEST_CELLS:,} as"
            " their product"
        )
    numbers = table.numbers("value")[:, 0]
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if wrong.size:
        _refuse(table, int(wrong[0]), f"value is {numbers[wrong[0]]}, allowed: a finite number")
    cells = who * len(items) + what
    _, first, inverse = np.unique(cells, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[inverse] != np.arange(len(cells)))
    if again.size:
        row = int(again[0])
        before, told = int(first[inverse[row]]), f"{brief(annotators[who[row]])} rates {brief(items[what[row]])} again"
        _refuse(table, row, f"{told}, allowed: once, and it does in {table.unit} {table.lines[before]}")
    values = np.full((len(annotators), len(items)), np.nan)
    values[who, what] = numbers
    return values
