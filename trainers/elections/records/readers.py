"""Readers of behaviour records: Parquet, CSV, oTree's tables, and the CSV files of the official release."""

from __future__ import annotations

import csv
import errno
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.core.registry import extras
from lawgiver.envs.files.delimited import QUOTED, delimiter_of, without_declaration
from lawgiver.envs.files.reading import LARGEST_FILE, open_regular, read_text
from lawgiver.trainers.elections.records import release
from lawgiver.trainers.elections.records.layouts import Layout, Rounds
from lawgiver.trainers.elections.records.records import COLUMNS, Records
from lawgiver.trainers.elections.records.source import Source, TableError
from lawgiver.trainers.elections.records.table import Behaviour, Endowments, Votes, Wanted, behaviour_of, records_of

with extras("tables of behaviour"):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

DECIMAL_COMMA = r"^(\s*[+-]?\d*),(\d+\s*)$"
"""A number as it is written where columns are not set apart by commas."""
BROKEN = "\v"
"""Stands for a newline within quotation marks while a text is taken apart by lines."""
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
    endowments: Endowments = "constant",
    shared: Sequence[str] = (),
) -> Records:
    """Read the behaviour in a file whose groups all have one size and numbers of rounds.

    Args:
        path: a ``.parquet`` or ``.csv`` file with the columns of the tidy table, one table of an app that oTree has
            exported, or one of the official release's ``data_exp*.csv``; the latter two are known by their columns.
            docs/reference/behaviour_records.md describes all of them.
        votes: ``required`` if everybody must have voted, ``optional`` if not, ``ignored`` if votes are not read.
        participants: the number that every group must have; None for any, the same in all groups.
        columns: what columns of the tidy table are called in the file, or the number that they hold in every row.
        counted_from: the number of the first episode, round and participant, and that votes count from: 0 or 1; None
            for 0, and for oTree 1.
        rounds: ``apart`` if each round is a group of its own, of one round: where people are matched anew every round;
            participants are then any names, and votes are not read.
        endowments: ``constant`` if a participant has the same endowment in all rounds, ``by_round`` if not.
        shared: columns of further numbers of the group, the same in all rows of a round, such as ``pool``.

    Raises:
        TableError: if there is no such file, or it is no table, or naming the row and the column at fault.
        ParameterError: if an argument is none of what is allowed.
    """
    wanted = Wanted.of(votes, participants, endowments, shared)
    return records_of(*_tidy(path, wanted, Layout.of(columns, counted_from, rounds, wanted.shared)))


def read_behaviour(
    path: str | Path,
    votes: Votes = "optional",
    participants: int | None = None,
    *,
    columns: Mapping[str, str | float] | None = None,
    counted_from: int | None = None,
    rounds: Rounds = "together",
    endowments: Endowments = "constant",
    shared: Sequence[str] = (),
) -> Behaviour:
    """Read the behaviour in a file of groups of any sizes, without incomplete groups.

    A whole group is left out if a row or a number of one of its participants is missing, for instance after a dropout.
    Arguments and errors are those of :func:`read_records`.
    """
    wanted = Wanted.of(votes, participants, endowments, shared)
    return behaviour_of(*_tidy(path, wanted, Layout.of(columns, counted_from, rounds, wanted.shared)))


def _tidy(path: str | Path, wanted: Wanted, layout: Layout) -> tuple[Source, Wanted]:
    """Read the rows of a file as those of the tidy table, and find what is wanted of them."""
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
        return release.tidy(source), replace(wanted, participants=wanted.participants or release.PARTICIPANTS)
    return layout.tidy(source), wanted


def _parquet(path: Path) -> Source:
    with open_regular(path) as file:
        _check_unpacked(pq.read_metadata(file))
        table = pq.read_table(file)
    return _source(path, "row", np.arange(table.num_rows) + 1, table)


def _check_unpacked(about: Any) -> None:
    """Raise OSError if the unpacked size of a Parquet file exceeds the limit."""
    size = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
    if size > LARGEST_FILE:
        raise OSError(errno.EFBIG, f"it unpacks to {size:,} bytes, allowed: up to {LARGEST_FILE:,}")


def _csv(path: Path) -> Source:
    given = read_text(path)
    text = without_declaration(given)
    if not text.strip():
        raise TableError(f"{path} is empty, allowed: a header row with {', '.join(COLUMNS)}, and a row each")
    before = int(text is not given) + len(text) - len(text.lstrip("\n"))  # lines above the header
    text, delimiter = text.lstrip("\n"), delimiter_of(text.lstrip("\n"))
    whole = QUOTED.sub(lambda quoted: quoted[0].replace("\n", BROKEN), text)
    lines = before + _first_lines(whole)
    unclosed = QUOTED.sub("", whole).partition('"')
    if unclosed[1]:
        raise TableError(f"{path}, line {lines[unclosed[0].count(chr(10))]}: a quotation mark is not closed")
    names = [name.strip() for name in next(csv.reader([whole.partition("\n")[0]], delimiter=delimiter))]
    headless = release.headless(names)
    if headless:
        names = [f"column {number}" for number in range(1, len(names) + 1)]
    broken: list[Any] = []

    def skip(row: Any) -> str:
        broken.append(row)
        return "skip"

    table = pacsv.read_csv(
        io.BytesIO(whole.encode()),
        # one thread, which alone knows the numbers of broken lines
        pacsv.ReadOptions(column_names=names, skip_rows=0 if headless else 1, use_threads=False),
        pacsv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=skip),
        # texts, so that what is no number can be shown
        pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=EMPTY
        ),
    )
    if broken:
        row = broken[0]
        raise TableError(
            f"{path}, line {lines[row.number - 1]}: has {row.actual_columns} columns, allowed: {row.expected_columns}"
        )
    source = _source(path, "line", lines[0 if headless else 1 :][: table.num_rows], table)
    if delimiter != ",":
        columns = {
            name: pc.replace_substring_regex(cells, DECIMAL_COMMA, r"\1.\2") for name, cells in source.columns.items()
        }
        source = replace(source, columns=columns)
    source = source.keep(~np.all([column.is_null() for column in source.columns.values()], axis=0))
    return release.named(source) if headless else source


def _first_lines(whole: str) -> np.ndarray:
    """Compute the line of the file, from 1, of each line of a text whose quoted newlines are ``BROKEN``."""
    rows = whole.count("\n") + 1
    if BROKEN not in whole:
        return np.arange(1, rows + 1)
    held = np.array([row.count(BROKEN) for row in whole.split("\n")])
    return np.asarray(np.arange(1, rows + 1) + np.cumsum(held) - held)


def _source(path: Path, unit: str, rows: np.ndarray, table: Any) -> Source:
    names = table.column_names
    for name in names:
        if names.count(name) > 1:
            raise TableError(f"{path}: column {name!r} stands there twice, allowed: once")
    columns = {name: table[name].combine_chunks() for name in names}
    return Source(path, unit, rows, columns)
