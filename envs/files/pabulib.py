"""Pabulib's files of participatory budgets: three tables with semicolons, headed META, PROJECTS and VOTES.

Only the votes are read, as approvals or as orders of projects; costs are of no use to a choice of one. A cell may be
quoted, with quotation marks in it doubled.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.envs.files.votes import Votes, check_cells, refuse

SECTIONS = {"META": ("key", "value"), "PROJECTS": ("project_id",), "VOTES": ("voter_id", "vote")}
"""The tables in their order, and the columns that each must have."""
VOTE_TYPES = {"approval": ("approved", "not approved"), "ordinal": ()}
"""The types of votes that are read, and the categories of each."""


@dataclass(frozen=True)
class _Section:
    columns: Mapping[str, int]
    rows: list[tuple[int, list[str]]]


def parse_pabulib(file: str, text: str) -> Votes:
    r"""Parse the text of a Pabulib file whose votes are approvals, or orders.

    Args:
        file: its path, for messages.
        text: what it holds, with ``\n`` newlines.

    Raises:
        ParameterError: one line that names the file, the line at fault, and what is allowed there.
    """
    sections = _sections(file, text)
    meta: dict[str, tuple[int, str]] = {}
    for line, cells in sections["META"].rows:
        key, value = cells[0].strip(), cells[1].strip()
        if key in meta:
            refuse(file, line, f"has {brief(key)} again, allowed: once, and it stands in line {meta[key][0]}")
        meta[key] = line, value
    if "vote_type" not in meta:
        raise ParameterError(f"{file!r} has no vote_type in META, allowed: {', '.join(VOTE_TYPES)}")
    line, kind = meta["vote_type"]
    if kind not in VOTE_TYPES:
        refuse(file, line, f"vote_type is {brief(kind)}, allowed: {', '.join(VOTE_TYPES)}")
    projects = _projects(file, sections["PROJECTS"])
    votes = sections["VOTES"]
    for key, found in {"num_projects": len(projects), "num_votes": len(votes.rows)}.items():
        if key not in meta:
            raise ParameterError(f"{file!r} has no {key} in META")
        line, said = meta[key]
        if said != str(found):
            refuse(file, line, f"{key} is {brief(said)}, but the file has {found:,}")
    if not votes.rows or not projects:
        raise ParameterError(f"{file!r} has {len(projects):,} projects and {len(votes.rows):,} votes, allowed: some")
    check_cells(file, len(votes.rows), len(projects))
    levels = np.zeros((len(votes.rows), len(projects)), np.int32)
    voters: dict[str, int] = {}
    named: list[int] = []
    for row, (line, cells) in enumerate(votes.rows):
        voter = cells[votes.columns["voter_id"]].strip()
        before = voters.setdefault(voter, line)
        if before != line:
            refuse(file, line, f"voter {brief(voter)} votes again, allowed: once, and the first is in line {before}")
        chosen = _vote(file, line, cells[votes.columns["vote"]], projects)
        levels[row] = 1 if kind == "approval" else len(chosen)
        levels[row, chosen] = 0 if kind == "approval" else np.arange(len(chosen))
        named.append(len(projects) if kind == "approval" else len(chosen))
    lines = np.array([line for line, _ in votes.rows])
    counts = np.ones(len(lines), np.int64)
    return Votes(file, kind, tuple(projects), levels, counts, lines, np.array(named), VOTE_TYPES[kind])


def _sections(file: str, text: str) -> dict[str, _Section]:
    """Split a text into its tables, and check that each has its columns."""
    reader = csv.reader(text.split("\n"), delimiter=";", strict=True)
    found: dict[str, _Section] = {}
    heading, headed = "", 0
    try:
        for cells in reader:
            line = reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            name = cells[0].strip() if not any(cell.strip() for cell in cells[1:]) else ""
            if name in SECTIONS:
                _check_order(file, line, name, found, heading)
                heading, headed = name, line
            elif not heading:
                refuse(file, line, f"is {brief(';'.join(cells))}, allowed: META, the heading of the first table")
            elif heading not in found:
                found[heading] = _Section(_columns(file, line, heading, cells), [])
            elif len(cells) != len(found[heading].columns):
                width = len(found[heading].columns)
                refuse(file, line, f"has {len(cells)} cells in {heading}, allowed: {width}, as its header")
            else:
                found[heading].rows.append((line, cells))
    except csv.Error as error:
        refuse(file, reader.line_num, f'{error}; allowed: cells with ; between them, quoted ones with " doubled')
    for name in SECTIONS:
        if name not in found:
            told = f"the table {name} of line {headed} has no columns" if name == heading else f"has no table {name}"
            raise ParameterError(f"{file!r}: {told}, allowed: {', '.join(SECTIONS)}, each with a line of columns")
    return found


def _check_order(file: str, line: int, name: str, found: Mapping[str, _Section], heading: str) -> None:
    order = list(SECTIONS)
    following = order[order.index(heading) + 1 :] if heading else order
    if name not in following[:1] or (heading and heading not in found):
        refuse(file, line, f"begins the table {name}, allowed: {', then '.join(order)}, each once, and none empty")


def _columns(file: str, line: int, heading: str, cells: list[str]) -> dict[str, int]:
    names = [cell.strip().lower() for cell in cells]
    for name in SECTIONS[heading]:
        if names.count(name) != 1:
            refuse(file, line, f"{heading} has the column {name!r} {names.count(name)} times, allowed: once")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        refuse(file, line, f"{heading} has the column {brief(twice)} twice, allowed: once")
    if heading == "META" and names != ["key", "value"]:
        refuse(file, line, f"META has the columns {brief(';'.join(names))}, allowed: key;value")
    return {name: place for place, name in enumerate(names)}


def _projects(file: str, section: _Section) -> dict[str, int]:
    projects: dict[str, int] = {}
    for line, cells in section.rows:
        name = cells[section.columns["project_id"]].strip()
        if not name or name in projects:
            refuse(file, line, f"project_id is {brief(name)}, allowed: one that no other project has")
        projects[name] = len(projects)
    return projects


def _vote(file: str, line: int, cell: str, projects: Mapping[str, int]) -> list[int]:
    named: list[int] = []
    for each in cell.split(","):
        name = each.strip()
        if name not in projects:
            told = f"has project {brief(name)}" if name else "leaves out a project"
            refuse(file, line, f"the vote {told}, allowed: ids that PROJECTS lists, with commas between them")
        named.append(projects[name])
    if len(set(named)) < len(named):
        twice = next(name for place, name in enumerate(named) if name in named[:place])
        refuse(file, line, f"the vote has project {list(projects)[twice]!r} twice, allowed: once")
    return named
