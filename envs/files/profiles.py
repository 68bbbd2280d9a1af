"""Whole profiles of types out of a file: a NumPy archive, or a table as text.

An archive holds an array for each field of a type, named by the field with an s (``values``, ``costs``), of shape
(N, n, k): N profiles of n participants with k numbers each, or (N, n) where k is 1. A table has a row for each
participant of each profile, with the columns ``profile``, ``participant`` (counting from 0 or from 1) and, for each
field, ``value`` where k is 1, else ``value_1`` to ``value_k``, or from 0 on; its columns stand apart by comma,
semicolon or tab. Other columns, such as notes, are not looked at.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.envs.core.fields import Field, Layout, within
from lawgiver.envs.files.delimited import NumberTable, read_numbers
from lawgiver.envs.files.reading import LARGEST_FILE, open_regular

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""Readers of an array's header by the version of its format."""


def read_types(file: str, n: int, layout: Layout) -> np.ndarray:
    """Read profiles of types.

    Args:
        file: path of an ``.npz`` archive, or of a ``.csv``, ``.tsv`` or ``.txt`` table.
        n: participants.
        layout: the fields of a type, with the bounds that hold for every participant.

    Returns:
        Types (N, n, k) in float64, in the order of the layout.

    Raises:
        ParameterError: one line that names the file, and what is wrong in it.
    """
    what = f"types_file {file!r}"
    table = Path(file).suffix.lower() in (".csv", ".tsv", ".txt")
    found = _of_table(read_numbers(file), n, layout) if table else _of_archive(file, what, layout)
    for field in layout:
        name, array = plural(field), found[plural(field)]
        if array.ndim == 2 and field.size == 1:
            array = found[name] = array[..., None]
        if array.ndim != 3 or array.shape[1:] != (n, field.size) or not len(array):
            raise ParameterError(f"{what} has {name} of shape {array.shape}, allowed: (N, {n}, {field.size})")
        wrong = np.argwhere(~within(array, field.low, field.high))
        if len(wrong):
            at = tuple(wrong[0].tolist())
            bounds = f"[{field.low:g}, {field.high:g}]"
            raise ParameterError(f"{what} has {name}{list(at)} = {array[at]:g}, allowed: numbers in {bounds}")
    counts = [(len(array), name) for name, array in found.items()]
    for count, name in counts[1:]:
        if count != counts[0][0]:
            told = f"{counts[0][0]} profiles of {counts[0][1]} and {count} of {name}"
            raise ParameterError(f"{what} has {told}, allowed: as many")
    return np.concatenate([np.clip(found[plural(field)], field.low, field.high) for field in layout], axis=-1)


def types_path(given: object, name: str = "types_file", file: str = "an .npz or .csv file") -> str | None:
    """Return the path of a ``types_file``, or of another parameter of that kind, as text; None stays.

    Raises:
        ParameterError: if it is no path.
    """
    if given is None or isinstance(given, (str, Path)):
        return None if given is None else str(given)
    raise ParameterError(f"{name} is {brief(given)}, allowed: the path of {file}")


def draw_profiles(profiles: np.ndarray, draws: Array) -> Array:
    """Return types (B, n, k) out of profiles (N, n, k), by the first of a game's uniform numbers (B, ...)."""
    xp = namespace(draws)
    chosen = xp.astype(xp.reshape(draws, (draws.shape[0], -1))[:, 0] * len(profiles), xp.int64)
    return constant(profiles, draws)[chosen]


def plural(field: Field) -> str:
    """Return the name of a field's array in an archive."""
    return f"{field.name}s"


def _of_archive(file: str, what: str, layout: Layout) -> dict[str, np.ndarray]:
    names = [plural(field) for field in layout]
    try:
        with open_regular(file) as stream, zipfile.ZipFile(stream) as archive:
            return {name: _array(archive, f"{name}.npy") for name in names}
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).strip("'\"")
        raise ParameterError(
            f"{what} cannot be read ({reason}), allowed: an .npz file with numeric arrays {' and '.join(names)}, or a"
            " .csv table"
        ) from None


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Read an array of numbers, after checking its declared size against the file."""
    size = archive.getinfo(name).file_size
    with archive.open(name) as stream:
        reader = HEADERS.get(np.lib.format.read_magic(stream))
        if reader is None:
            raise ValueError(f"{name} has a header of another version")
        shape, _, dtype = reader(stream)
    if dtype.kind not in "iuf":
        raise ValueError(f"{name} holds {dtype}, no numbers")
    if size > LARGEST_FILE or math.prod(shape) * dtype.itemsize > size:
        raise ValueError(f"{name} says that it has the shape {shape}, of {size:,} bytes")
    with archive.open(name) as stream:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False), float)


def _of_table(table: NumberTable, n: int, layout: Layout) -> dict[str, np.ndarray]:
    wanted = {field: _columns(table, field) for field in layout}
    for name in ("profile", "participant"):
        if name not in table.names:
            raise ParameterError(f"{table.file!r} has the columns {', '.join(table.names)}, {name!r} is missing")
    if not table.rows:
        raise ParameterError(f"{table.file!r} has no rows, allowed: one for each participant of each profile")
    given = table.numbers("profile", "participant")
    unknown = np.flatnonzero(~np.isfinite(given[:, 0]))
    if unknown.size:
        value = given[unknown[0], 0]
        raise ParameterError(f"{table.file!r}, line {table.lines[unknown[0]]}, profile is {value}, allowed: a number")
    _, profile = np.unique(given[:, 0], return_inverse=True)
    seat = given[:, 1]
    seat = seat - (1 if seat.min() == 1 else 0)
    wrong = np.flatnonzero(~np.isin(seat, np.arange(n)))
    if wrong.size:
        told = f"line {table.lines[wrong[0]]}, participant is {given[wrong[0], 1]:g}"
        raise ParameterError(f"{table.file!r}, {told}, allowed: whole numbers 0 to {n - 1}, or 1 to {n}")
    row: np.ndarray = np.full((profile.max() + 1, n), -1)
    row[profile, seat.astype(int)] = np.arange(len(given))
    there = np.bincount(profile * n + seat.astype(int), minlength=row.size).reshape(row.shape)
    off = np.argwhere(there != 1)
    if off.size:
        one, who = off[0]
        line = table.lines[int(np.flatnonzero(profile == one)[0])]
        raise ParameterError(
            f"{table.file!r}: the profile that begins in line {line} has {there[one, who]} rows of one participant,"
            f" number {who + 1} of {n}, allowed: one"
        )
    return {plural(field): table.numbers(*columns)[row] for field, columns in wanted.items()}


def _columns(table: NumberTable, field: Field) -> list[str]:
    """Return the names of the columns that hold the numbers of a field."""
    options = [[f"{field.name}_{i + first}" for i in range(field.size)] for first in (1, 0)]
    for names in ([[field.name]] if field.size == 1 else []) + options:
        if set(names) <= set(table.names):
            return names
    told = f"{options[0][0]} to {options[0][-1]}" if field.size > 1 else field.name
    raise ParameterError(f"{table.file!r} has the columns {', '.join(table.names)}, allowed: {told} among them")
