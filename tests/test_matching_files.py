"""Files of matching markets: tables of school choice and PrefLib's weighted edges, and faults named by line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.files.schools import read_school_choice
from lawgiver.envs.files.wmd import read_edges
from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance
from lawgiver.envs.solvers.matching.preferences import values_of_lists

DATA = Path(__file__).parent / "data" / "schools"
TABLES = ("rankings", "priorities", "seats")


def read(folder, **changed):
    """Read the tables, some with a text in them replaced."""
    paths = []
    for name in TABLES:
        text = (DATA / f"{name}.csv").read_text()
        old, new = changed.get(name, ("", ""))
        assert old in text
        paths.append(folder / f"{name}.csv")
        paths[-1].write_text(text.replace(old, new, 1) if old else text)
    return read_school_choice(*paths)


def test_tables_of_school_choice_are_lists_of_both_sides(tmp_path):
    found = read(tmp_path)
    assert (found.students, found.schools, found.seats) == (("ann", "bob", "eve"), ("North", "South"), (1, 2))
    assert found.rankings == ((0, 1), (0,), (1, 0)) and found.priorities == ((2, 1, 0), (0, 2))
    values = values_of_lists(found.rankings, 2)[None]
    priorities = values_of_lists(found.priorities, 3).T[None]
    assert deferred_acceptance(values, priorities, found.seats).tolist() == [[1, 0, 1]]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"rankings": ("ann,2,South", "ann,2,North")},
         "rankings.csv', line 3: student 'ann' lists 'North' in line 2 already, allowed: once"),
        ({"rankings": ("ann,2,South", "ann,1,South")},
         "rankings.csv', line 3: student 'ann' has place 1 in line 2 already, allowed: an order"),
        ({"rankings": ("ann,2,South", "ann,3,South")},
         "rankings.csv', line 3: place 2 of student 'ann' is missing, allowed: places 1 to 2"),
        ({"rankings": ("ann,2,South", "ann,2,West")},
         "rankings.csv', line 3: school 'West' is in none of the other tables"),
        ({"rankings": ("ann,2,South", "ann,two,South")},
         "rankings.csv', line 3: place is 'two', allowed: a whole number >= 1"),
        ({"rankings": ("ann,2,South", "ann,2,")}, "rankings.csv', line 3: school is empty"),
        ({"rankings": ("ann,2,South", "ann,2")}, "rankings.csv', line 3: has 2 columns, allowed: 3"),
        ({"rankings": ("place", "rank")}, "lacks 'place', allowed: student,place,school"),
        ({"priorities": ("North,2,bob", "North,1,bob")},
         "priorities.csv', line 3: school 'North' has place 1 in line 2 already, allowed: an order"),
        ({"priorities": ("North,2,bob", "North,2,joe")},
         "priorities.csv', line 3: student 'joe' is in none of the other tables"),
        ({"seats": ("North,1", "North,0")}, "seats.csv', line 2: seats of 'North' are '0', allowed: a whole"),
        ({"seats": ("North,1", "North,1.5")}, "seats of 'North' are '1.5', allowed: a whole number >= 1"),
        ({"seats": ("South,2", "North,2")}, "seats.csv', line 3: school 'North' is there already, allowed: once"),
        ({"seats": ("North,1,here\nSouth,2,there\n", "")}, "seats.csv' has no rows below its header"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_in_its_line(tmp_path, changed, told):
    with pytest.raises(ParameterError, match=re.escape(told)) as error:
        read(tmp_path, **changed)
    assert "\n" not in str(error.value)


def edges(folder, old="", new=""):
    text = (DATA / "kidneys.wmd").read_text()
    assert old in text
    path = folder / "kidneys.wmd"
    path.write_text(text.replace(old, new, 1) if old else text)
    return read_edges(path)


def test_edges_have_ends_and_weights(tmp_path):
    found = edges(tmp_path)
    assert found.nodes == ("Pair 1", "Pair 2", "Altruist") and found.lines.tolist() == [9, 10, 11]
    assert found.ends.tolist() == [[0, 1], [1, 0], [2, 0]] and found.weights.tolist() == [1.0, 0.5, 2.0]
    assert np.array_equal(found.matrix(), [[0, 1, 0], [0.5, 0, 0], [2, 0, 0]])
    assert found.matrix(-1.0)[0].tolist() == [-1.0, 1.0, -1.0]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("2,1,0.5", "2,1", "line 10: is '2,1', allowed: 'from,to,weight'"),
        ("2,1,0.5", "2,4,0.5", "line 10: has the end '4', allowed: the number of an alternative, 1 to 3"),
        ("2,1,0.5", "x,1,0.5", "line 10: has the end 'x'"),
        ("2,1,0.5", "2,1,much", "line 10: has the weight 'much', allowed: a finite number"),
        ("2,1,0.5", "2,1,inf", "line 10: has the weight 'inf', allowed: a finite number"),
        ("2,1,0.5", "1,2,0.5", "line 10: is the same edge as line 9, allowed: each once"),
        ("2,1,0.5", "# 2,1,0.5", "line 10: is a line of the header below the first edge"),
        ("EDGES: 3", "EDGES: 4", "line 5: NUMBER EDGES is 4, but the file has 3 edges"),
        ("# NUMBER EDGES: 3\n", "", "has no line '# NUMBER EDGES: ...' in its header"),
        ("TYPE: wmd", "TYPE: soc", "line 3: DATA TYPE is 'soc', but the file ends in .wmd"),
        ("# FILE NAME: kidneys.wmd", "3", "line 1: '3' is the format of before 2022"),
    ],
)
def test_a_wrong_file_of_edges_is_refused_in_its_line(tmp_path, old, new, told):
    with pytest.raises(ParameterError, match=re.escape(told)) as error:
        edges(tmp_path, old, new)
    assert "\n" not in str(error.value)


def test_other_files_hold_no_edges(tmp_path):
    with pytest.raises(ParameterError, match=r"ends in '\.soc', allowed: \.wmd"):
        read_edges(tmp_path / "votes.soc")
    with pytest.raises(ParameterError, match="cannot be read: No such file"):
        read_edges(tmp_path / "missing.wmd")
    (tmp_path / "empty.wmd").write_text("\n")
    with pytest.raises(
        ParameterError, match="is empty, allowed: a header of '# KEY: value' lines, then 'from,to,weight'"
    ):
        read_edges(tmp_path / "empty.wmd")
