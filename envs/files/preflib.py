"""PrefLib's files of preferences, in the format of 2022: a header of ``# KEY: value``, then ``count: order`` lines.

The ending says which orders there may be: ``soc`` strict and complete, ``soi`` strict, ``toc`` complete with ties,
``toi`` any; ``cat`` sorts alternatives into categories, best first. Alternatives are numbered from 1. In an order a
comma separates what is better from what is worse, and braces hold what is tied, ``3: 1,{4,3},2``; in a ``cat`` file
each category is a number, or braces with any number of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lawgiver.envs.core.errors import ParameterError, brief, counted
from lawgiver.envs.files.votes import LARGEST_VOTES, Votes, check_cells, refuse

KINDS = ("soc", "soi", "toc", "toi", "cat")
STRICT = ("soc", "soi")
COMPLETE = ("soc", "toc")
LINES = {"wmd": "'from,to,weight'"}
"""Lines below the header, where they are not orders with counts."""
HEADER = re.compile(r"#\s*([^:]*?)\s*:\s*(.*?)\s*")
NAMED = re.compile(r"(ALTERNATIVE|CATEGORY) NAME ([0-9]{1,9})")
GROUP = re.compile(r"\s*(?:([0-9]+)|\{([^{}]*)\})\s*")
WHOLE = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Header:
    """The header of a file: values by key, and the line of each, and the names of alternatives and of categories."""

    file: str
    values: Mapping[str, tuple[int, str]]
    names: Mapping[str, Mapping[int, str]]

    def whole(self, *keys: str) -> int:
        """Return the whole number under the first of some keys that is there."""
        for key in keys:
            if key in self.values:
                line, text = self.values[key]
                if not WHOLE.fullmatch(text) or int(text) > LARGEST_VOTES:
                    refuse(self.file, line, f"{key} is {brief(text)}, allowed: a whole number up to 1e15")
                return int(text)
        raise ParameterError(f"{self.file!r} has no line '# {keys[0]}: ...' in its header")

    def listed(self, what: str, count: int) -> tuple[str, ...]:
        """Return the names 1 to ``count`` of alternatives or of categories."""
        given, key = self.names[what], f"{what} NAME"
        for number in given:
            if not 1 <= number <= count:
                line, _ = self.values[f"{key} {number}"]
                refuse(self.file, line, f"{key} {number}, allowed: 1 to {count}, as many as the header says")
        for number in range(1, min(count, len(given) + 1) + 1):  # of a billion that are missing the first will do
            if number not in given:
                raise ParameterError(f"{self.file!r} has no line '# {key} {number}: ...' in its header")
        return tuple(given[number] for number in range(1, count + 1))


def parse_preflib(file: str, text: str, kind: str) -> Votes:
    r"""Parse the text of a PrefLib file.

    Args:
        file: its path, for messages.
        text: what it holds, with ``\n`` newlines.
        kind: one of ``KINDS``, its ending.

    Raises:
        ParameterError: one line that names the file, the line at fault, and what is allowed there.
    """
    header, names, rows = headed(file, text, kind)
    m = len(names)
    size = header.whole("NUMBER CATEGORIES") if kind == "cat" else 0
    categories = header.listed("CATEGORY", size)
    check_cells(file, len(rows), m)
    levels = np.full((len(rows), m), 0, np.int32)
    counts: list[int] = []
    named: list[int] = []
    seen: dict[tuple[bytes, int], int] = {}
    for row, (line, text) in enumerate(rows):
        count, groups = _row(file, line, text, kind)
        _fill(file, line, groups, levels[row], kind, size)
        named.append(sum(map(len, groups)))
        before = seen.setdefault((levels[row].tobytes(), named[-1]), line)
        if before != line:
            refuse(file, line, f"is the same order as line {before}, allowed: each once, with its count")
        counts.append(count)
    check_count(header, sum(counts), "voters in all", "NUMBER VOTERS")
    unique = ("NUMBER UNIQUE PREFERENCES", "NUMBER UNIQUE ORDERS") if kind == "cat" else ("NUMBER UNIQUE ORDERS",)
    check_count(header, len(counts), "different orders", *unique)
    if not counts:
        raise ParameterError(f"{file!r} has a header and no votes, allowed: lines 'count: order' below it")
    lines = np.array([number for number, _ in rows])
    return Votes(file, kind, names, levels, np.array(counts, np.int64), lines, np.array(named), categories)


def headed(file: str, text: str, kind: str) -> tuple[Header, tuple[str, ...], list[tuple[int, str]]]:
    """Return the header of a file, the names of its alternatives, and the lines below, each with its number.

    Raises:
        ParameterError: as :func:`parse_preflib`.
    """
    rows = [(number, row.strip()) for number, row in enumerate(text.split("\n"), 1) if row.strip()]
    below = LINES.get(kind, "'count: order'")
    if not rows:
        raise ParameterError(f"{file!r} is empty, allowed: a header of '# KEY: value' lines, then {below} lines")
    first, start = rows[0]
    if not start.startswith("#"):
        old = WHOLE.fullmatch(start) is not None
        told = "the format of before 2022, which is not read" if old else "no line of a header"
        refuse(file, first, f"{brief(start)} is {told}, allowed: '# KEY: value', as PrefLib writes it since 2022")
    at = next((i for i, (_, row) in enumerate(rows) if not row.startswith("#")), len(rows))
    header = _header(file, rows[:at])
    line, told = header.values.get("DATA TYPE", (0, kind))
    if told.lower() != kind:
        refuse(file, line, f"DATA TYPE is {brief(told)}, but the file ends in .{kind}")
    m = header.whole("NUMBER ALTERNATIVES")
    if not m:
        refuse(file, header.values["NUMBER ALTERNATIVES"][0], "NUMBER ALTERNATIVES is 0, allowed: at least 1")
    names = header.listed("ALTERNATIVE", m)
    _check_distinct(header, names)
    return header, names, rows[at:]


def _header(file: str, rows: Sequence[tuple[int, str]]) -> Header:
    values: dict[str, tuple[int, str]] = {}
    names: dict[str, dict[int, str]] = {"ALTERNATIVE": {}, "CATEGORY": {}}
    for line, row in rows:
        found = HEADER.fullmatch(row)
        if found is None:
            refuse(file, line, f"is {brief(row)}, allowed: '# KEY: value'")
        key, value = found[1].upper(), found[2]
        named = NAMED.fullmatch(key)
        if named is not None:
            key = f"{named[1]} NAME {int(named[2])}"
            names[named[1]][int(named[2])] = value
        if key in values:
            refuse(file, line, f"{key} stands in line {values[key][0]} already, allowed: once")
        values[key] = line, value
    return Header(file, values, names)


def _check_distinct(header: Header, names: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        other = seen.setdefault(name, number)
        if other != number:
            line, _ = header.values[f"ALTERNATIVE NAME {number}"]
            refuse(header.file, line, f"alternative {number} has the name of {other}, {brief(name)}, allowed: its own")


def check_count(header: Header, found: int, what: str, *keys: str) -> None:
    """Raise ParameterError unless the header says, under one of some keys, as many as were found."""
    said = header.whole(*keys)
    if said != found:
        key = next(key for key in keys if key in header.values)
        refuse(header.file, header.values[key][0], f"{key} is {said:,}, but the file has {found:,} {what}")


def _row(file: str, line: int, text: str, kind: str) -> tuple[int, list[list[int]]]:
    """Parse ``count: order`` into the count and the groups of numbers, best first."""
    if text.startswith("#"):
        refuse(file, line, "is a line of the header below the first order, allowed: above")
    start, colon, order = text.partition(":")
    if not colon:
        refuse(file, line, f"is {brief(text)}, allowed: 'count: order'")
    if not WHOLE.fullmatch(start.strip()) or not 0 < int(start) <= LARGEST_VOTES:
        refuse(file, line, f"the count is {brief(start.strip())}, allowed: a whole number from 1 to 1e15")
    groups: list[list[int]] = []
    place = 0
    while True:
        found = GROUP.match(order, place)
        end = found.end() if found else place
        if found is None or order[end : end + 1] not in ("", ","):
            rest = brief(order[place:].strip())
            refuse(file, line, f"the order has {rest}, allowed: numbers, or {{numbers}}, with commas between them")
        groups.append([_number(file, line, found[1])] if found[1] else _inside(file, line, found[2], kind))
        place = end + 1
        if end == len(order):
            return int(start), groups


def _inside(file: str, line: int, text: str, kind: str) -> list[int]:
    if kind in STRICT:
        tie = brief("{" + text + "}")
        refuse(file, line, f"has the tie {tie}, allowed in .{kind}: strict orders; with ties it is a .toc or .toi")
    if kind == "cat" and not text.strip():
        return []
    return [_number(file, line, each.strip()) for each in text.split(",")]


def _number(file: str, line: int, text: str) -> int:
    if not WHOLE.fullmatch(text):
        refuse(file, line, f"has {brief(text)}, allowed: the number of an alternative")
    return int(text)


def _fill(file: str, line: int, groups: Sequence[Sequence[int]], levels: np.ndarray, kind: str, size: int) -> None:
    """Write the levels (m,) of one order; what it leaves out goes below."""
    m = len(levels)
    if kind == "cat" and len(groups) != size:
        refuse(file, line, f"has {counted(len(groups), 'group')}, allowed: {size}, one for each category")
    named: set[int] = set()
    below = size if kind == "cat" else len(groups)
    levels[:] = below
    for level, group in enumerate(groups):
        for number in group:
            if not 1 <= number <= m:
                refuse(file, line, f"has alternative {number}, allowed: 1 to {m}")
            if number in named:
                refuse(file, line, f"has alternative {number} twice, allowed: once")
            named.add(number)
            levels[number - 1] = level
    if kind in COMPLETE and len(named) < m:
        missing = next(number for number in range(1, m + 1) if number not in named)
        other = ".soi" if kind in STRICT else ".toi"
        refuse(file, line, f"lacks alternative {missing}, allowed in .{kind}: all of 1 to {m}; else it is a {other}")


def soc_text(
    orders: np.ndarray,
    names: Sequence[str] | None = None,
    *,
    title: str = "",
    file: str = "votes.soc",
    modification: str = "synthetic",
) -> str:
    """Write strict complete orders as the text of a ``.soc`` file.

    Args:
        orders: alternatives from 0, best first, (N, m) whole numbers, one row for each voter.
        names: of the alternatives, m, all different; None for ``Alternative 1`` and so on.
        title: of the election, one line.
        file: name of the file, as its header says.
        modification: ``original``, ``induced``, ``imbued`` or ``synthetic``: how the votes came about.

    Raises:
        ParameterError: if a row holds not each alternative once, or a name or title is not one line.
    """
    orders = np.asarray(orders)
    if orders.ndim != 2 or 0 in orders.shape or orders.dtype.kind not in "iu":
        raise ParameterError(f"orders are {orders.dtype} of shape {orders.shape}, allowed: whole numbers (N, m)")
    m = orders.shape[1]
    wrong = np.flatnonzero((np.sort(orders, axis=1) != np.arange(m)).any(1))
    if wrong.size:
        at = int(wrong[0])
        raise ParameterError(f"orders[{at}] is {orders[at].tolist()}, allowed: each of 0 to {m - 1} once")
    called = [f"Alternative {j + 1}" for j in range(m)] if names is None else list(names)
    if len(called) != m or len(set(called)) != m:
        raise ParameterError(f"names are {brief(called)}, allowed: {m} different ones")
    for text in (*called, title, file, modification):
        if not isinstance(text, str) or len(text.splitlines()) > 1 or text != text.strip():
            raise ParameterError(f"{brief(text)} in the header, allowed: text on one line, without spaces around it")
    different, counts = np.unique(orders, axis=0, return_counts=True)
    common = np.argsort(-counts, kind="stable")
    header = {
        "FILE NAME": file,
        "TITLE": title,
        "DESCRIPTION": "",
        "DATA TYPE": "soc",
        "MODIFICATION TYPE": modification,
        "RELATES TO": "",
        "RELATED FILES": "",
        "PUBLICATION DATE": "",
        "MODIFICATION DATE": "",
        "NUMBER ALTERNATIVES": m,
        "NUMBER VOTERS": len(orders),
        "NUMBER UNIQUE ORDERS": len(different),
    } | {f"ALTERNATIVE NAME {j}": name for j, name in enumerate(called, 1)}
    lines = [f"# {key}: {value}".rstrip() for key, value in header.items()]
    lines += [f"{counts[row]}: {','.join(str(j + 1) for j in different[row].tolist())}" for row in common]
    return "\n".join(lines) + "\n"


def write_soc(path: str | Path, orders: np.ndarray, names: Sequence[str] | None = None, *, title: str = "") -> None:
    """Write strict complete orders to a ``.soc`` file, atomically; see :func:`soc_text`.

    Raises:
        ParameterError: if they are none, the path ends in anything but ``.soc``, or cannot be written.
    """
    path = Path(path)
    if path.suffix != ".soc":
        raise ParameterError(f"{str(path)!r} ends in {path.suffix!r}, allowed: .soc")
    text = soc_text(orders, names, title=title, file=path.name)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except (OSError, ValueError) as error:
        raise ParameterError(f"{str(path)!r} cannot be written: {getattr(error, 'strerror', None) or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
