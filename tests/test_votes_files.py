"""Files of votes and tables of annotators: what is read, what is refused in which line, and what is written."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.envs.files.annotators import Comparisons, Ratings, read_annotators
from lawgiver.envs.files.preflib import soc_text, write_soc
from lawgiver.envs.files.vote_files import read_votes

DATA = Path(__file__).parent / "data" / "votes"


def written(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    """Return a copy of a file of votes with some texts in it replaced."""
    text = (DATA / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    copy = folder / name
    copy.write_text(text)
    return copy


# -- PrefLib and Pabulib ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "levels", "counts"),
    [
        ("lunch.soc", "soc", [[0, 1, 2], [2, 0, 1], [2, 1, 0]], [4, 3, 2]),
        ("lunch.toi", "toi", [[0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [4, 3, 1, 1]),
        ("films.cat", "cat", [[0, 1, 1, 2], [1, 2, 3, 1], [0, 0, 0, 0]], [6, 3, 1]),
        ("street.pb", "approval", [[0, 0, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]], [1, 1, 1, 1]),
    ],
)  # fmt: skip
def test_votes_are_levels_with_counts(name, kind, levels, counts):
    votes = read_votes(DATA / name)
    assert votes.kind == kind and votes.levels.tolist() == levels and votes.counts.tolist() == counts
    assert len(votes.lines) == len(counts) and votes.approvals == (name == "street.pb")


def test_names_may_have_colons_and_semicolons(tmp_path):
    assert read_votes(DATA / "lunch.soc").alternatives == ("Canteen", "Market: the stall", "Park")
    assert read_votes(DATA / "films.cat").categories == ("Yes", "Perhaps", "No")
    ordinal = written(tmp_path, "street.pb", ("vote_type;approval", "vote_type;ordinal"), ("b;;12", "b;;12,7"))
    votes = read_votes(ordinal)
    assert votes.levels.tolist() == [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]] and not votes.categories


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("lunch.soc", [("4: 1,2,3", "4: 1,2")], "line 16: lacks alternative 3, allowed in .soc: all of 1 to 3"),
        ("lunch.soc", [("4: 1,2,3", "4: 1,2,2")], "line 16: has alternative 2 twice, allowed: once"),
        ("lunch.soc", [("4: 1,2,3", "4: 1,2,4")], "line 16: has alternative 4, allowed: 1 to 3"),
        ("lunch.soc", [("4: 1,2,3", "4: 0,1,2")], "line 16: has alternative 0, allowed: 1 to 3"),
        ("lunch.soc", [("4: 1,2,3", "4: 1,{2,3}")], "line 16: has the tie '{2,3}', allowed in .soc: strict orders"),
        ("lunch.soc", [("4: 1,2,3", "4: 1,{2,3")], "line 16: the order has '{2,3', allowed: numbers"),
        ("lunch.soc", [("4: 1,2,3", "4: 1,,3")], "line 16: the order has ',3', allowed"),
        ("lunch.soc", [("4: 1,2,3", "4: 1,2,3,")], "line 16: the order has '', allowed"),
        ("lunch.soc", [("4: 1,2,3", "4 1,2,3")], "line 16: is '4 1,2,3', allowed: 'count: order'"),
        ("lunch.soc", [("4: 1,2,3", "0: 1,2,3")], "line 16: the count is '0', allowed: a whole number from 1"),
        ("lunch.soc", [("4: 1,2,3", "-4: 1,2,3")], "line 16: the count is '-4'"),
        ("lunch.soc", [("4: 1,2,3", "4: 2,3,1")], "line 17: is the same order as line 16, allowed: each once"),
        ("lunch.soc", [("VOTERS: 9", "VOTERS: 10")], "line 11: NUMBER VOTERS is 10, but the file has 9 voters in all"),
        ("lunch.soc", [("ORDERS: 3", "ORDERS: 2")], "line 12: NUMBER UNIQUE ORDERS is 2, but the file has 3 different"),
        ("lunch.soc", [("VOTERS: 9", "VOTERS: nine")], "line 11: NUMBER VOTERS is 'nine', allowed: a whole number"),
        ("lunch.soc", [("ALTERNATIVES: 3", "ALTERNATIVES: 2")], "line 15: ALTERNATIVE NAME 3, allowed: 1 to 2"),
        ("lunch.soc", [("ALTERNATIVES: 3", "ALTERNATIVES: 999999999")], "no line '# ALTERNATIVE NAME 4: ...'"),
        ("lunch.soc", [("ALTERNATIVES: 3", "ALTERNATIVES: 0")], "line 10: NUMBER ALTERNATIVES is 0"),
        ("lunch.soc", [("NAME 3: Park", "NAME 3: Canteen")], "line 15: alternative 3 has the name of 1, 'Canteen'"),
        ("lunch.soc", [("NAME 3: Park", "NAME 2: Park")], "line 15: ALTERNATIVE NAME 2 stands in line 14 already"),
        ("lunch.soc", [("# NUMBER VOTERS: 9\n", "")], "has no line '# NUMBER VOTERS: ...' in its header"),
        ("lunch.soc", [("TYPE: soc", "TYPE: toc")], "line 4: DATA TYPE is 'toc', but the file ends in .soc"),
        ("lunch.soc", [("# TITLE: Where", "# Where")], "line 2: is '# Where to have lunch', allowed: '# KEY: value'"),
        ("lunch.soc", [("3: 2,3,1", "# TITLE: x")], "line 17: is a line of the header below the first order"),
        ("lunch.toi", [("1: 3\n", "1: 3,{}\n")], "line 18: has '', allowed: the number of an alternative"),
        ("films.cat", [("3: {}, {1, 4}, {2}", "3: {1, 4}, {2}")], "line 17: has 2 groups, allowed: 3, one for each"),
        ("films.cat", [("{1, 4}, {2}", "{1, 4}, {4}")], "line 17: has alternative 4 twice"),
        ("street.pb", [("vote_type;approval", "vote_type;cumulative")], "line 8: vote_type is 'cumulative', allowed:"),
        ("street.pb", [("vote_type;approval", "vote_type;shouting")], "is 'shouting', allowed: approval, ordinal"),
        ("street.pb", [("vote_type;approval\n", "")], "no vote_type in META"),
        ("street.pb", [("num_votes;4", "num_votes;5")], "line 6: num_votes is '5', but the file has 4"),
        ("street.pb", [("num_projects;3", "num_projects;4")], "line 5: num_projects is '4', but the file has 3"),
        ("street.pb", [("b;;12", "b;;13")], "line 18: the vote has project '13', allowed: ids that PROJECTS lists"),
        ("street.pb", [("b;;12", "b;;")], "line 18: the vote leaves out a project"),
        ("street.pb", [("b;;12", "b;;12,12")], "line 18: the vote has project '12' twice, allowed: once"),
        ("street.pb", [("b;;12", "b;12")], "line 18: has 2 cells in VOTES, allowed: 3"),
        ("street.pb", [("b;;12", "a;;12")], "line 18: voter 'a' votes again, allowed: once, and the first"),
        ("street.pb", [("9;500", "7;500")], "line 13: project_id is '7', allowed: one that no other project has"),
        ("street.pb", [('""oak"""', '"oak"')], "line 12: .*allowed: cells with ; between them, quoted ones"),
        ("street.pb", [("PROJECTS\n", "")], "line 10: has 3 cells in META, allowed: 2"),
        ("street.pb", [("voter_id;age;vote", "voter_id;age;choice")], "line 16: VOTES has the column 'vote' 0 times"),
        ("street.pb", [("META\n", "")], "line 1: is 'key;value', allowed: META"),
        ("street.pb", [("VOTES\n", "PROJECTS\n")], "line 15: begins the table PROJECTS, allowed: META, then PROJECTS"),
    ],
)  # fmt: skip
def test_a_file_at_fault_is_refused_with_the_line(tmp_path, name, changes, told):
    with pytest.raises(ParameterError, match=re.escape(told) if ".*" not in told else told) as error:
        read_votes(written(tmp_path, name, *changes))
    assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("old.soc", "3\n1,Ann\n2,Bob\n3,Cid\n9,9,2\n5,1,2,3\n4,3,2,1\n", "line 1: '3' is the format of before 2022"),
        ("old.soc", "Ann,Bob\n", "line 1: 'Ann,Bob' is no line of a header"),
        ("none.soc", "\n\n", "is empty, allowed: a header"),
        ("votes.csv", "a,b\n", "ends in '.csv', allowed: .soc, .soi, .toc, .toi, .cat, .pb"),
        ("votes.pb", "", "has no table META"),
        ("votes.pb", "META\n", "the table META of line 1 has no columns"),
        ("votes.soc", "# NUMBER ALTERNATIVES: 1\n# ALTERNATIVE NAME 1: A\n# NUMBER VOTERS: 0\n"
         "# NUMBER UNIQUE ORDERS: 0\n", "has a header and no votes"),
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_refused(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(ParameterError, match=re.escape(told)):
        read_votes(tmp_path / name)


def test_a_path_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "folder.soc").mkdir()
    (tmp_path / "bytes.pb").write_bytes(b"\xff\x00\xfe")
    for path, told in (
        ("nowhere.soc", "No such file"),
        ("folder.soc", "a directory"),
        ("bytes.pb", "no text in UTF-8"),
    ):
        with pytest.raises(ParameterError, match=told):
            read_votes(tmp_path / path)


@given(data=st.data(), name=st.sampled_from(["lunch.soc", "lunch.toi", "films.cat", "street.pb"]))
def test_no_damaged_file_of_votes_gives_a_traceback(tmp_path_factory, data, name):
    folder = tmp_path_factory.mktemp("fuzz")
    check = damaged(data, (DATA / name).read_text())
    (folder / name).write_text(check, newline="")
    try:
        votes = read_votes(folder / name)
    except ParameterError as error:
        assert name in str(error) and "\n" not in str(error)
    else:
        assert votes.levels.shape == (len(votes.counts), len(votes.alternatives)) and (votes.counts > 0).all()
        assert (votes.levels >= 0).all()


def damaged(data: st.DataObject, text: str) -> str:
    """Return a text with some characters of its own, or any others, in place of a part of it."""
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 8)))
        some = st.text(st.sampled_from('0123456789,{}:;#"\n \t-.\0abNaE'), max_size=6) | st.text(max_size=4)
        text = text[:start] + data.draw(some.filter(encodable)) + text[end:]
    return text


def encodable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


# -- writing ------------------------------------------------------------------------------------------------------


def test_orders_that_are_written_are_read_again(tmp_path):
    rng = np.random.default_rng(0)
    orders = np.argsort(rng.random((200, 4)), axis=1)
    write_soc(tmp_path / "played.soc", orders, ["A", "B: b", "C", "D"], title="An election")
    votes = read_votes(tmp_path / "played.soc")
    assert votes.alternatives == ("A", "B: b", "C", "D") and votes.counts.sum() == 200
    assert (np.diff(votes.counts) <= 0).all() and len(list(tmp_path.iterdir())) == 1
    back = np.repeat(np.argsort(votes.levels, axis=1), votes.counts, axis=0)
    assert np.array_equal(back[np.lexsort(back.T)], orders[np.lexsort(orders.T)])
    assert "# NUMBER VOTERS: 200\n" in soc_text(orders) and "# TITLE:\n" in soc_text(orders)


@pytest.mark.parametrize(
    ("orders", "given", "told"),
    [
        ([[0, 1], [1, 1]], {}, r"orders[1] is [1, 1], allowed: each of 0 to 1 once"),
        ([[1, 2]], {}, "orders[0] is [1, 2]"),
        ([[0.0, 1.0]], {}, "orders are float64 of shape (1, 2), allowed: whole numbers (N, m)"),
        (np.zeros((0, 2), int), {}, "of shape (0, 2)"),
        ([[0, 1]], {"names": ["A", "A"]}, "names are ['A', 'A'], allowed: 2 different ones"),
        ([[0, 1]], {"names": ["A", "B\n3: 1,2"]}, "allowed: text on one line"),
        ([[0, 1]], {"title": "a\x85b"}, "allowed: text on one line"),
    ],
)  # fmt: skip
def test_what_is_no_order_is_not_written(orders, given, told):
    with pytest.raises(ParameterError, match=re.escape(told)):
        soc_text(np.asarray(orders), **given)


def test_where_nothing_can_be_written_the_error_says_so(tmp_path):
    with pytest.raises(ParameterError, match=r"ends in '.txt', allowed: .soc"):
        write_soc(tmp_path / "a.txt", np.array([[0]]))
    with pytest.raises(ParameterError, match="cannot be written: No such file"):
        write_soc(tmp_path / "none" / "a.soc", np.array([[0]]))


# -- annotators ---------------------------------------------------------------------------------------------------

RATED = "annotator;item;value;group;note\nann;q1;1,5;north;x\nann;q2;0;north;\nbob;q2;-2e0;south;y\n"
COMPARED = "item,annotator,preferred,other\nq1,ann,r1,r2\nq1,bob,r2,r1\nq2,ann,r1,r3\n"


def tabled(folder: Path, text: str) -> Path:
    path = folder / "judgements.csv"
    path.write_text(text)
    return path


def test_ratings_are_a_matrix(tmp_path):
    found = read_annotators(tabled(tmp_path, RATED))
    assert isinstance(found, Ratings) and found.annotators == ("ann", "bob") and found.items == ("q1", "q2")
    assert np.array_equal(found.values, [[1.5, 0], [np.nan, -2]], equal_nan=True) and found.groups == ("north", "south")
    with pytest.raises(ParameterError, match="no value of annotator 'bob' for item 'q1', and lacks 1 of 4"):
        found.complete()
    full = read_annotators(tabled(tmp_path, RATED + "bob;q1;3;south;\n"))
    assert isinstance(full, Ratings) and full.complete().tolist() == [[1.5, 0], [3, -2]]


def test_comparisons_are_rows(tmp_path):
    found = read_annotators(tabled(tmp_path, COMPARED))
    assert isinstance(found, Comparisons) and found.replies == ("r1", "r2", "r3") and found.groups is None
    assert found.rows.tolist() == [[0, 0, 0, 1], [1, 0, 1, 0], [0, 1, 0, 2]]


def test_parquet_is_read_as_text_is(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = {"annotator": [7, 7, 8], "item": ["a", "b", "b"], "value": [0.1, 1.0, None], "when": [1, 2, 3]}
    path = tmp_path / "judgements.parquet"
    parquet.write_table(pa.table(table), path)
    with pytest.raises(ParameterError, match=r"row 3: value is empty, allowed: a number in every row"):
        read_annotators(path)
    parquet.write_table(pa.table(table | {"value": [0.1, 1.0, 2.5]}), path)
    found = read_annotators(path)
    assert isinstance(found, Ratings) and found.annotators == ("7", "8")
    assert np.array_equal(found.values, [[0.1, 1.0], [np.nan, 2.5]], equal_nan=True)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ParameterError, match="is no Parquet table"):
        read_annotators(path)


def test_parquet_alone_needs_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert isinstance(read_annotators(tabled(tmp_path, RATED)), Ratings)
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(LawgiverError, match=re.escape("reading Parquet needs pyarrow: pip install 'lawgiver[data]'")):
        read_annotators(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (RATED.replace("q2;0", "q2;"), "line 3: value is empty, allowed: a number in every row"),
        (RATED.replace("q2;0", "q2;good"), "line 3, value is 'good', allowed: a number"),
        (RATED.replace("q2;0", "q2;inf"), "line 3: value is inf, allowed: a finite number"),
        (RATED.replace("bob;q2", ";q2"), "line 4: annotator is empty, allowed: a name in every row"),
        (RATED.replace("bob;q2", "ann;q2"), "line 4: annotator 'ann' is of group 'south', but of 'north' in line 2"),
        (RATED.replace("q1;1,5", "q2;1,5"), "line 3: 'ann' rates 'q2' again, allowed: once, and it does in line 2"),
        (RATED.replace(";note", ""), "line 2: has 5 columns, allowed: 4"),
        (RATED.replace("value", "score"), "lacks 'value', allowed: annotator,item,value and annotator,item,preferred"),
        ("annotator,item,value\n", "has no rows, allowed: one for each judgement"),
        ("", "no header"),
        (COMPARED.replace("ann,r1,r3", "ann,r3,r3"), "line 4: preferred and other are both 'r3', allowed: two"),
        (COMPARED.replace("other", "worse"), "lacks 'other'"),
    ],
)  # fmt: skip
def test_a_table_of_annotators_at_fault_is_refused(tmp_path, text, told):
    with pytest.raises(ParameterError, match=re.escape(told)) as error:
        read_annotators(tabled(tmp_path, text))
    assert "judgements.csv" in str(error.value) and "\n" not in str(error.value)


@given(data=st.data(), text=st.sampled_from([RATED, COMPARED]))
def test_no_damaged_table_of_annotators_gives_a_traceback(tmp_path_factory, data, text):
    path = tmp_path_factory.mktemp("fuzz") / "judgements.csv"
    path.write_text(damaged(data, text), newline="")
    try:
        found = read_annotators(path)
    except ParameterError as error:
        assert "judgements.csv" in str(error) and "\n" not in str(error)
    else:
        if isinstance(found, Ratings):
            assert found.values.shape == (len(found.annotators), len(found.items))
        else:
            assert found.rows.min() >= 0 and (found.rows[:, 2] != found.rows[:, 3]).all()
