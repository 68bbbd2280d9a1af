"""Tables of school choice: how students rank schools, how schools rank students, and how many seats these have.

Each is a CSV table: ``student,place,school`` and ``school,place,student`` with places 1, 2, ... in each list, and
``school,seats``. Who is not on a list is not acceptable. Other columns are not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.envs.files.delimited import NumberTable, read_numbers

WHOLE = re.compile(r"0*[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class SchoolChoice:
    """Students, schools, and the lists of both.

    Attributes:
        students: their names, n, in the order in which the rankings have them first.
        schools: their names, m, in the order of the table of seats.
        seats: of each school, m.
        rankings: of each student, numbers of schools from 0, best first.
        priorities: of each school, numbers of students from 0, best first.
    """

    students: tuple[str, ...]
    schools: tuple[str, ...]
    seats: tuple[int, ...]
    rankings: tuple[tuple[int, ...], ...]
    priorities: tuple[tuple[int, ...], ...]


def read_school_choice(rankings: str | Path, priorities: str | Path, seats: str | Path) -> SchoolChoice:
    """Read the three tables of school choice.

    Args:
        rankings: CSV with the columns ``student``, ``place`` and ``school``.
        priorities: CSV with the columns ``school``, ``place`` and ``student``.
        seats: CSV with the columns ``school`` and ``seats``.

    Raises:
        ParameterError: one line that names the file, the line at fault, and what is allowed there.
    """
    known: dict[str, int] = {}
    numbers: list[int] = []
    table = _columns(seats, "school", "seats")
    for row, (school, count) in enumerate(_texts(table, "school", "seats")):
        if school in known:
            _refuse(table, row, f"school {brief(school)} is there already, allowed: once")
        if not WHOLE.fullmatch(count):
            _refuse(table, row, f"seats of {brief(school)} are {brief(count)}, allowed: a whole number >= 1")
        known[school] = len(known)
        numbers.append(int(count))
    table = _columns(rankings, "student", "place", "school")
    students: dict[str, int] = {}
    for student, *_ in _texts(table, "student", "place", "school"):
        students.setdefault(student, len(students))
    ranked = _lists(table, ("student", students), ("school", known))
    table = _columns(priorities, "school", "place", "student")
    return SchoolChoice(
        tuple(students), tuple(known), tuple(numbers), ranked, _lists(table, ("school", known), ("student", students))
    )


def _columns(path: str | Path, *names: str) -> NumberTable:
    table = read_numbers(path)
    for name in names:
        if name not in table.names:
            raise ParameterError(
                f"{table.file!r} has the columns {brief(', '.join(table.names))}, and lacks {name!r}, allowed:"
                f" {','.join(names)}"
            )
    if not table.rows:
        raise ParameterError(f"{table.file!r} has no rows below its header, allowed: one or more")
    return table


def _texts(table: NumberTable, *names: str) -> list[tuple[str, ...]]:
    """Return the texts of some columns, row by row, none of them empty."""
    places = [table.names.index(name) for name in names]
    found = [tuple(cells[at].strip() for at in places) for cells in table.rows]
    for row, cells in enumerate(found):
        if "" in cells:
            _refuse(table, row, f"{names[cells.index('')]} is empty, allowed: a value in every row")
    return found


def _lists(
    table: NumberTable, whose: tuple[str, dict[str, int]], what: tuple[str, dict[str, int]]
) -> tuple[tuple[int, ...], ...]:
    """Return the list of everybody in ``whose``, of numbers of ``what``, best first; empty for who is not there."""
    (owner, owners), (partner, partners) = whose, what
    at: list[dict[int, tuple[int, int]]] = [{} for _ in owners]  # by place, the partner and its row
    for row, (name, place, other) in enumerate(_texts(table, owner, "place", partner)):
        for noun, each, known in ((owner, name, owners), (partner, other, partners)):
            if each not in known:
                _refuse(table, row, f"{noun} {brief(each)} is in none of the other tables, allowed: one that is")
        if not WHOLE.fullmatch(place):
            _refuse(table, row, f"place is {brief(place)}, allowed: a whole number >= 1")
        own, number = at[owners[name]], partners[other]
        if int(place) in own:
            line = table.lines[own[int(place)][1]]
            _refuse(table, row, f"{owner} {brief(name)} has place {place} in line {line} already, allowed: an order")
        twice = next((before for each, before in own.values() if each == number), None)
        if twice is not None:
            told = f"{owner} {brief(name)} lists {brief(other)} in line {table.lines[twice]} already"
            _refuse(table, row, f"{told}, allowed: once")
        own[int(place)] = number, row
    for name, number in owners.items():
        places = at[number]
        missing = next((place for place in range(1, len(places) + 1) if place not in places), None)
        if missing is not None:
            told = f"place {missing} of {owner} {brief(name)} is missing"
            _refuse(table, max(row for _, row in places.values()), f"{told}, allowed: places 1 to {len(places)}")
    return tuple(tuple(places[place][0] for place in sorted(places)) for places in at)


def _refuse(table: NumberTable, row: int, said: str) -> NoReturn:
    raise ParameterError(f"{table.file!r}, {table.unit} {table.lines[row]}: {said}")
