"""Records of behaviour out of files: Parquet, CSV, oTree's tables, and the CSV files of the official release."""

from __future__ import annotations

import csv
import errno
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from lawgiver.envs.core.delimited import delimiter_of, without_declaration
from lawgiver.envs.core.errors import ParameterError, allowed
from lawgiver.envs.core.files import LARGEST_FILE, open_regular, read_text
from lawgiver.envs.core.registry import extras
from lawgiver.trainers.behaviour import release
from lawgiver.trainers.behaviour.layouts import Layout, Rounds
from lawgiver.trainers.behaviour.records import Records
from lawgiver.trainers.behaviour.source import Source, TableError
from lawgiver.trainers.behaviour.table import COLUMNS, Behaviour, Votes, behaviour_of, records_of

with extras("tables of behaviour"):
    import pyarrow as pa
    import pyarrow.parquet as pq

DECIMAL_COMMA = re.compile(r"^(\s*[+-]?\d*),(\d+\s*)$")
"""A number as it is written where columns are not set apart by commas."""
EMPTY = ["", "NA", "N/A", "NaN", "nan", "null", "None"]
"""What stands for an empty cell of a CSV file."""


def read_records(
    path: str | Path,
    votes: Votes = "optional",
    participants: int | None = None,
    *,
    columns: Mapping[str, str | float] | None = None,
    counted_from: int | None = None,
    rounds: Rounds = "together",
) -> Records:
    """Return the behaviour that a file holds, all groups of which are of one size and played as much.

    Args:
        path: a ``.parquet`` or ``.csv`` file with the columns of the tidy table, one table of an app that oTree has
            exported, or one of the official release's ``data_exp*.csv``; the latter two are known by their columns.
            docs/data.md describes all of them.
        votes: ``required`` if everybody must have voted, ``optional`` if not, ``ignored`` if votes are not read.
        participants: the number that every group must have; None for any, the same in all groups.
        columns: what columns of the tidy table are called in the file, or the number that they hold in every row.
        counted_from: the number of the first episode, round and participant, and that votes count from: 0 or 1; None
            for 0, and for oTree 1.
        rounds: ``apart`` if each round is a group of its own, of one round: where people are matched anew every round,
            or their endowments change; participants are then any names, and votes are not read.

    Raises:
        TableError: if there is no such file, or it is no table, or naming the row and the column at fault.
        ParameterError: if an argument is none of what is allowed.
    """
    source, participants = _tidy(path, votes, participants, Layout.of(columns, counted_from, rounds))
    return records_of(source, votes, participants)


def read_behaviour(
    path: str | Path,
    votes: Votes = "optional",
    participants: int | None = None,
    *,
    columns: Mapping[str, str | float] | None = None,
    counted_from: int | None = None,
    rounds: Rounds = "together",
) -> Behaviour:
    """Return the behaviour that a file holds, of groups of any sizes, without those of whom something is missing.

    A group is left out, whole, if a row or a number of one of its participants is missing, as where somebody has
    dropped out. Arguments and errors are those of :func:`read_records`.
    """
    source, participants = _tidy(path, votes, participants, Layout.of(columns, counted_from, rounds))
    return behaviour_of(source, votes, participants)


def _tidy(path: str | Path, votes: Votes, participants: int | None, layout: Layout) -> tuple[Source, int | None]:
    """Return the rows of a file as those of the tidy table, and how many participants its groups have."""
    if votes not in get_args(Votes):
        raise ParameterError(f"votes is {votes!r}: {allowed(str(votes), get_args(Votes))}")
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
    if release.known(source.columns) and not layout.columns:
        return release.tidy(source), participants or release.PARTICIPANTS
    return layout.tidy(source), participants


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
    given = read_text(path)
    text = without_declaration(given)
    delimiter = delimiter_of(text)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    rows, lines = [], []
    offset = 1 + (text is not given)
    try:
        begun = 0
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(cells)
                lines.append(offset + begun)
            begun = reader.line_num
    except csv.Error as error:
        raise TableError(f"{path}, line {offset + reader.line_num - 1}: {error}") from error
    if not rows:
        raise TableError(f"{path} is empty, allowed: a header row with {', '.join(COLUMNS)}, and a row each")
    names = [name.strip() for name in rows[0]]
    headless = release.headless(names)
    if headless:
        names = [f"column {number}" for number in range(1, len(names) + 1)]
    else:
        del rows[0], lines[0]
    for cells, line in zip(rows, lines, strict=True):
        if len(cells) != len(names):
            raise TableError(f"{path}, line {line}: has {len(cells)} columns, allowed: {len(names)}")
    if delimiter != ",":
        rows = [[DECIMAL_COMMA.sub(r"\1.\2", cell) for cell in cells] for cells in rows]
    kept = [[None if cell.strip() in EMPTY else cell for cell in cells] for cells in rows]
    arrays = [pa.array(column, pa.string()) for column in zip(*kept, strict=True)] or [pa.array([], pa.string())] * len(
        names
    )
    source = _source(path, "line", np.array(lines, int), pa.table(arrays, names=names))
    return release.named(source) if headless else source


def _source(path: Path, unit: str, rows: np.ndarray, table: Any) -> Source:
    names = table.column_names
    for name in names:
        if names.count(name) > 1:
            raise TableError(f"{path}: column {name!r} stands there twice, allowed: once")
    columns = {name: table[name].combine_chunks() for name in names}
    return Source(path, unit, rows, columns)
