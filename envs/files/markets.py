"""Matching markets out of files: the lists of rows, those of columns or their priorities, and seats.

A market is a folder with the three tables of school choice (``rankings.csv``, ``priorities.csv``, ``seats.csv``, see
:mod:`lawgiver.envs.files.schools`), or one or two files of votes (:mod:`lawgiver.envs.files.vote_files`). The voters of
the first are the rows, and its alternatives the columns; the second, if there is one, holds the lists of the columns,
each of which ranks the rows. Members are numbered in the order of the lines, each line as often as it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ParameterError, brief, counted
from lawgiver.envs.files.schools import read_school_choice
from lawgiver.envs.files.vote_files import ENDINGS, read_votes

TABLES = ("rankings.csv", "priorities.csv", "seats.csv")
"""Names of the tables in a folder."""
ALLOWED = f"a folder with {', '.join(TABLES)}, or the path of a file of votes ({', '.join(ENDINGS)}), or two of these"


@dataclass(frozen=True)
class Lists:
    """Lists of one side about m partners.

    Attributes:
        levels: of each partner in N different lists, (N, m) int32: 0 is best, equal levels are tied.
        acceptable: who is on each list, (N, m); all others come below.
        counts: how many members have each list, (N,), > 0.
    """

    levels: np.ndarray
    acceptable: np.ndarray
    counts: np.ndarray

    @property
    def size(self) -> int:
        """Members of the side."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class Market:
    """The lists of two sides, as far as they are given.

    Attributes:
        rows: lists of the rows about the columns.
        columns: lists of the columns about the rows; None where the files have none.
        seats: of the columns; None likewise.
        names: of the columns.
    """

    rows: Lists
    columns: Lists | None
    seats: tuple[int, ...] | None
    names: tuple[str, ...]


def market_paths(given: Any) -> tuple[str, ...] | None:
    """Return the paths of a market as texts; None stays.

    Raises:
        ParameterError: for anything but one path, or two.
    """
    if given is None:
        return None
    paths = [given] if isinstance(given, (str, Path)) else given
    several = isinstance(paths, Sequence) and len(paths) in (1, 2)
    if not several or not all(isinstance(path, (str, Path)) and str(path) for path in paths):
        raise ParameterError(f"market is {brief(given)}, allowed: {ALLOWED}")
    return tuple(str(path) for path in paths)


def read_market(paths: Sequence[str], accepted: int | None = None) -> Market:
    """Read a market.

    Args:
        paths: of a folder, of a file of rows' lists, or of this and a file of columns' lists.
        accepted: where the file of the rows sorts columns into categories, how many of these are acceptable; see
            :meth:`lawgiver.envs.files.votes.Votes.listed`.

    Raises:
        ParameterError: one line that names the file, the line at fault, and what is allowed there.
    """
    if len(paths) == 1 and Path(paths[0]).is_dir():
        if accepted is not None:
            raise ParameterError(f"accepted is {accepted}, allowed with a folder of tables: None")
        found = read_school_choice(*(Path(paths[0]) / table for table in TABLES))
        rows, columns = _ranked(found.rankings, len(found.schools)), _ranked(found.priorities, len(found.students))
        return Market(rows, columns, found.seats, found.schools)
    for path in paths:
        if Path(path).suffix.lower() not in ENDINGS:
            raise ParameterError(f"market is {brief(path)}, allowed: {ALLOWED}")
    votes, *others = (read_votes(path) for path in paths)
    rows = Lists(votes.levels, votes.listed(accepted), votes.counts)
    if not others:
        return Market(rows, None, None, votes.alternatives)
    (theirs,) = others
    columns = Lists(theirs.levels, theirs.listed(), theirs.counts)
    for own, lists, other in ((votes, rows, theirs), (theirs, columns, votes)):
        count = len(other.alternatives)
        if lists.size != count:
            told = f"{own.file!r} has {counted(lists.size, 'list')}, allowed: {count}"
            raise ParameterError(f"{told}, one for each alternative of {other.file!r}")
    return Market(rows, columns, None, votes.alternatives)


def _ranked(lists: Sequence[Sequence[int]], m: int) -> Lists:
    """Return lists of partners from 0, best first, as levels."""
    levels = np.full((len(lists), m), m, np.int32)
    for row, each in enumerate(lists):
        levels[row, list(each)] = np.arange(len(each))
    return Lists(levels, levels < m, np.ones(len(lists), np.int64))
