"""Records of behaviour out of files: Parquet, CSV, and the CSV files of the official release."""

from __future__ import annotations

import csv
import errno
import io
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ParameterError, allowed
from lawgiver.envs.core.files import LARGEST_FILE, open_regular, read_bytes
from lawgiver.envs.core.registry import extras
from lawgiver.trainers.behaviour import release
from lawgiver.trainers.behaviour.records import Records
from lawgiver.trainers.behaviour.source import Source, TableError
from lawgiver.trainers.behaviour.table import COLUMNS, Votes, records_of

with extras("tables of behaviour"):
    import pyarrow as pa
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

EMPTY = ["", "NA", "N/A", "NaN", "nan", "null", "None"]
"""What stands for an empty cell of a CSV file."""


def read_records(path: str | Path, votes: Votes = "optional", participants: int | None = None) -> Records:
    """Return the behaviour that a file holds.

    Args:
        path: a ``.parquet`` or ``.csv`` file with the columns of the tidy table, or one of the official release's
            ``data_exp*.csv``, which is known by its columns. docs/data.md describes both.
        votes: ``required`` if everybody must have voted, ``optional`` if not.
        participants: the number that every group must have; None for any, the same in all groups.

    Raises:
        TableError: if there is no such file, or it is no table, or naming the row and the column at fault.
        ParameterError: if ``votes`` is neither.
    """
    if votes not in ("required", "optional"):
        raise ParameterError(f"votes is {votes!r}: {allowed(str(votes), ('required', 'optional'))}")
    path = Path(path)
    readers = {".csv": _csv, ".parquet": _parquet}
    if path.suffix not in readers:
        raise TableError(f"{path} ends in {path.suffix!r}, allowed: .csv, .parquet")
    try:
        source = readers[path.suffix](path)
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}") from error
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise TableError(f"{path} is no {path.suffix} table: {str(error).splitlines()[0]}") from error
    if release.known(source.columns):
        source, participants = release.tidy(source), participants or release.PARTICIPANTS
    return records_of(source, votes, participants)


def _parquet(path: Path) -> Source:
    with open_regular(path) as file:
        _check_unpacked(pq.read_metadata(file))
        table = pq.read_table(file)
    return _source(path, "row", np.arange(table.num_rows) + 1, table)


def _check_unpacked(about: Any) -> None:
    """Raise OSError if a Parquet file says that more comes out of it than may."""
    size = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
    if size > LARGEST_FILE:
        raise OSError(errno.EFBIG, f"it unpacks to {size:,} bytes, allowed: up to {LARGEST_FILE:,}")


def _csv(path: Path) -> Source:
    text = read_bytes(path)
    header = next(csv.reader([text.partition(b"\n")[0].decode("utf-8-sig")]), [])
    if not text.strip():
        raise TableError(f"{path} is empty, allowed: a header row with {', '.join(COLUMNS)}, and a row each")
    names = [name.strip() for name in header]
    headless = release.headless(names)
    if headless:
        names = [f"column {number}" for number in range(1, len(names) + 1)]
    broken: list[Any] = []

    def skip(row: Any) -> str:
        broken.append(row)
        return "skip"

    table = pacsv.read_csv(
        io.BytesIO(text),
        # one thread, which alone knows the numbers of broken lines
        pacsv.ReadOptions(column_names=names, skip_rows=0 if headless else 1, use_threads=False),
        pacsv.ParseOptions(ignore_empty_lines=False, invalid_row_handler=skip),
        # texts, so that what is no number can be shown
        pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=EMPTY
        ),
    )
    if broken:
        row = broken[0]
        raise TableError(
            f"{path}, line {row.number}: has {row.actual_columns} columns, allowed: {row.expected_columns}"
        )
    source = _source(path, "line", np.arange(table.num_rows) + (1 if headless else 2), table)
    blank = np.all([column.is_null() for column in source.columns.values()], axis=0)
    source = source.keep(~blank)
    return release.named(source) if headless else source


def _source(path: Path, unit: str, rows: np.ndarray, table: Any) -> Source:
    names = table.column_names
    for name in names:
        if names.count(name) > 1:
            raise TableError(f"{path}: column {name!r} stands there twice, allowed: once")
    columns = {name: table[name].combine_chunks() for name in names}
    return Source(path, unit, rows, columns)
