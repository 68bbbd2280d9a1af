"""The tidy table of behaviour, one row per participant, round and episode: conversion to and from records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np

from lawgiver.envs.core.errors import ParameterError, choice
from lawgiver.envs.core.registry import extras
from lawgiver.trainers.elections.records.records import TAKEN, Records, RecordsError, require_one_kind
from lawgiver.trainers.elections.records.source import Source, TableError, joined
from lawgiver.trainers.runs.atomic_files import replacing

with extras("tables of behaviour"):
    import pyarrow as pa
    import pyarrow.parquet as pq

PLACE = ("group", "episode", "round", "participant")
ARRAYS = {"endowments": "endowment", "contributions": "contribution", "payouts": "payout", "votes": "vote"}
"""The column that an array of :class:`Records` stands in."""

Votes = Literal["required", "optional", "ignored"]
Endowments = Literal["constant", "by_round"]
NEEDED = ("endowment", "contribution", "payout")
"""Columns of which every row needs a number."""


@dataclass(frozen=True)
class Wanted:
    """Requirements of a table of behaviour.

    Attributes:
        votes: ``required`` if everybody must have voted; ``optional``: a vote may be empty, or the whole column
            missing; ``ignored``: it is not looked at.
        participants: the number that every group must have; None for any, the same in all groups.
        endowments: ``constant`` if a participant has the same in all rows, ``by_round`` if not.
        shared: columns of further numbers of the group, the same in all rows of a round.
    """

    votes: Votes = "optional"
    participants: int | None = None
    endowments: Endowments = "constant"
    shared: tuple[str, ...] = ()

    @classmethod
    def of(cls, votes: Votes, participants: int | None, endowments: Endowments, shared: Sequence[str]) -> Self:
        """Check the arguments."""
        choice("votes", votes, get_args(Votes))
        choice("endowments", endowments, get_args(Endowments))
        if isinstance(shared, str) or not all(isinstance(name, str) and name not in TAKEN for name in shared):
            raise ParameterError(f"shared is {shared!r}, allowed: names of columns other than {', '.join(TAKEN)}")
        return cls(votes, participants, endowments, tuple(dict.fromkeys(shared)))


@dataclass(frozen=True)
class Behaviour:
    """Behaviour of groups of any sizes.

    Attributes:
        records: one for each size and number of episodes and rounds, in order of first appearance.
        left_out: reason for each group that is left out, a line each.
    """

    records: tuple[Records, ...]
    left_out: tuple[str, ...]


def behaviour_of(source: Source, wanted: Wanted) -> Behaviour:
    """Convert the rows of a tidy table to records, separated by shape and without incomplete groups.

    Arguments and errors are those of :func:`records_of`; also raised if no group is left.
    """
    group, names = source.labels("group")
    sizes = np.stack([source.integers(name) for name in PLACE[1:]], axis=1)
    missing = np.any([source.empty(name) for name in (*NEEDED, *wanted.shared)], axis=0)
    shapes: dict[tuple[int, ...], list[int]] = {}
    left_out = []
    for at, name in enumerate(names):
        rows = group == at
        shape = tuple((sizes[rows].max(axis=0) + 1).tolist())
        if missing[rows].any():
            left_out.append(f"group {name}: {source.where(int(np.argmax(rows & missing)))} has no number")
        elif rows.sum() != np.prod(shape):
            _, cell = _missing(sizes[rows], source.first)
            left_out.append(f"group {name}: there is no row of {cell}")
        elif wanted.participants is not None and shape[-1] != wanted.participants:
            left_out.append(f"group {name}: has {shape[-1]} participants, not {wanted.participants}")
        else:
            shapes.setdefault(shape, []).append(at)
    if not shapes:
        raise TableError(f"{source.path}: no group is complete; {left_out[0]}")
    parts = [source.keep(np.isin(group, members)) for members in shapes.values()]
    return Behaviour(tuple(records_of(part, wanted) for part in parts), tuple(left_out))


def write_table(path: str | Path, records: Records | Sequence[Records], mechanisms: Any = None) -> None:
    """Write records as a Parquet file, at once; docs/reference/behaviour_records.md describes it.

    Args:
        path: of the file, which a new one takes the place of.
        records: to write; several where groups played different numbers of rounds.
        mechanisms: the names of the mechanisms: one for all, one an episode (E,), or (G, E); None leaves them out.

    Raises:
        RunError: if the file cannot be written.
        RecordsError: if endowments are by round in some of the records alone, or numbers of the group are.
    """
    path, parts = Path(path), [records] if isinstance(records, Records) else list(records)
    require_one_kind(parts)
    firsts = np.cumsum([0, *map(len, parts)])
    tables = [tidy_table(part, mechanisms, int(first)) for part, first in zip(parts, firsts[:-1], strict=True)]
    with replacing(path) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary)


def tidy_table(records: Records, mechanisms: Any = None, first: int = 0) -> Any:
    """Convert records to a pyarrow table, a row for each entry of the contributions (G, E, T, n), in their order.

    Args:
        records: to convert.
        mechanisms: the names of the mechanisms, as in :func:`write_table`.
        first: number of the first group.
    """
    shape = records.contributions.shape
    group, episode, round_, participant = np.indices(shape, np.int32).reshape(4, -1)
    votes = np.broadcast_to(records.votes[:, None, None, :], shape).reshape(-1)
    columns = {
        "group": group + np.int32(first),
        "episode": episode,
        "round": round_,
        "participant": participant,
        "endowment": records.endowments_by_round.reshape(-1),
        "contribution": records.contributions.reshape(-1),
        "payout": records.payouts.reshape(-1),
        "vote": pa.array(votes.astype(np.int32), mask=votes < 0),
        **{name: records.shared[name][group, episode, round_] for name in sorted(records.shared)},
    }
    if mechanisms is not None:
        names = np.broadcast_to(np.asarray(mechanisms, object), shape[:2])
        columns["mechanism"] = pa.array(names[group, episode], pa.string())
    return pa.table(columns)


def records_of(source: Source, wanted: Wanted) -> Records:
    """Convert the rows of a tidy table, in any order, to records.

    Raises:
        TableError: naming the row and the column at fault.
    """
    if not len(source.rows):
        raise TableError(f"{source.path} holds no rows, allowed: at least one group")
    index = _index(source, wanted.participants)
    endowments = source.numbers("endowment")
    group, participant = source.labels("group")[0], source.integers("participant")
    asked = _votes(source, wanted.votes, group, participant)
    if wanted.endowments == "constant":
        source.alike("endowment", endowments, (group, participant), "a participant; or endowments='by_round'")
    source.alike("vote", asked, (group, participant), "a participant")
    shared = {name: source.numbers(name) for name in wanted.shared}
    round_ = (group, *(source.integers(name) for name in ("episode", "round"))) if shared else ()
    for name, values in shared.items():
        source.alike(name, values, round_, "a round of the group")
    try:
        return Records(
            endowments=endowments[index][:, 0, 0] if wanted.endowments == "constant" else endowments[index],
            contributions=source.numbers("contribution")[index],
            payouts=source.numbers("payout")[index],
            votes=asked[index][:, 0, 0],
            shared={name: values[index[..., 0]] for name, values in shared.items()},
        )
    except RecordsError as error:
        place = error.index if len(error.index) != 2 else (error.index[0], 0, 0, error.index[1])
        row = index[place] if len(place) == index.ndim else index[(*place, 0)]
        raise source.error(row, ARRAYS.get(error.name, error.name), error.reason) from error


def _votes(source: Source, votes: Votes, group: np.ndarray, participant: np.ndarray) -> np.ndarray:
    """Find the vote of each row's participant, (N,), -1 for none; it may stand in one of their rows alone."""
    asked = np.full(len(source.rows), -1)
    if votes == "required" or (votes == "optional" and "vote" in source.columns):
        asked = source.integers("vote", empty=-1)
    if votes == "required":
        source.refuse("vote", asked < 0, lambda row: "is empty, allowed: the episode voted for, as votes are required")
    _, person = np.unique(joined(group, participant), return_inverse=True)
    said = np.full(person.max() + 1, -1)
    np.maximum.at(said, person, asked)
    return np.where(asked < 0, said[person], asked)


def _index(source: Source, participants: int | None) -> np.ndarray:
    """Find the row of each cell, (G, E, T, n), after checking that every cell has exactly one row."""
    group, names = source.labels("group")
    cells = np.stack([group, *(source.integers(name) for name in PLACE[1:])], axis=1)
    order = np.lexsort(cells.T[::-1])
    cells = cells[order]
    for at in np.flatnonzero((cells[1:] == cells[:-1]).all(axis=1))[:1]:
        place = ", ".join(
            f"{name} {value + source.first}" for name, value in zip(PLACE[1:], cells[at, 1:], strict=True)
        )
        reason = f"group {names[cells[at, 0]]}, {place} stands in {source.where(order[at])} already"
        raise source.error(order[at + 1], "participant", f"{reason}, allowed: one row of each")
    starts = np.flatnonzero(np.diff(cells[:, 0], prepend=-1))
    counts = np.diff(starts, append=len(cells))
    sizes = np.maximum.reduceat(cells[:, 1:], starts, axis=0) + 1
    firsts = np.minimum.reduceat(order, starts)
    if participants is not None:
        for g in np.flatnonzero(sizes[:, 2] != participants)[:1]:
            reason = f"group {names[g]} has {sizes[g, 2]} participants, allowed: {participants}"
            raise source.error(firsts[g], "participant", reason)
    for g in np.flatnonzero(counts != sizes.astype(float).prod(axis=1))[:1]:
        column, missing = _missing(cells[starts[g] : starts[g] + counts[g], 1:], source.first)
        reason = f"group {names[g]} has no row of {missing}, all counted from {source.first}"
        raise source.error(firsts[g], column, reason)
    for g, axis in np.argwhere(sizes != sizes[0])[:1]:
        column = PLACE[1:][axis]
        reason = f"group {names[g]} has {sizes[g, axis]} {column}s, but group {names[0]} {sizes[0, axis]}"
        raise source.error(firsts[g], column, f"{reason}, allowed: as many in every group")
    return order.reshape(len(starts), *sizes[0])


def _missing(cells: np.ndarray, first: int) -> tuple[str, str]:
    """Find the first (episode, round, participant) that is not among ``cells`` (N, 3), and the column to blame."""
    there = set(map(tuple, cells.tolist()))
    _, rounds, n = (int(largest) + 1 for largest in cells.max(axis=0))
    # of one more than there are rows one is missing, however large a mistyped number is
    counted = ((k // (rounds * n), k // n % rounds, k % n) for k in range(len(cells) + 1))
    cell = next(cell for cell in counted if cell not in there)
    columns = [name for name, value, known in zip(PLACE[1:], cell, cells.T, strict=True) if value not in known]
    place = ", ".join(f"{name} {value + first}" for name, value in zip(PLACE[1:], cell, strict=True))
    return (columns or ["round"])[0], place
