"""Records of behaviour: what they refuse, that tables hold them exactly, and what is said about broken files."""

import re
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lawgiver.envs.core.errors import ParameterError
from lawgiver.trainers.elections.records import Records, RecordsError, concatenate, select
from lawgiver.trainers.elections.records.readers import read_behaviour, read_records
from lawgiver.trainers.elections.records.source import TableError
from lawgiver.trainers.elections.records.table import write_table
from lawgiver.trainers.runs.atomic_files import RunError

pa = pytest.importorskip("pyarrow")
pacsv = pytest.importorskip("pyarrow.csv")
pq = pytest.importorskip("pyarrow.parquet")


def made(groups=3, episodes=2, rounds=3, n=4, seed=0, votes=-1):
    """Return records that anybody might have produced, of ``votes`` from that number on."""
    rng = np.random.default_rng(seed)
    endowments = rng.integers(1, 11, (groups, n))
    contributions = rng.integers(0, endowments[:, None, None, :] + 1, (groups, episodes, rounds, n))
    return Records(
        endowments, contributions, rng.random(contributions.shape) * 9, rng.integers(votes, episodes, (groups, n))
    )


def assert_same(found, expected):
    for field in fields(Records):
        np.testing.assert_equal(getattr(found, field.name), getattr(expected, field.name))


def arrays(records, **changed):
    return {field.name: getattr(records, field.name).copy() for field in fields(Records)} | changed


# ---- records


def test_payoffs_are_what_is_kept_and_what_comes_back():
    records = Records([[10, 4]], [[[[3, 4]]]], [[[[5.5, 0.5]]]], [[0, -1]])
    assert records.payoffs.tolist() == [[[[12.5, 0.5]]]]


def test_groups_are_chosen_and_joined():
    records = made(4)
    parts = [select(records, slice(2)), select(records, np.array([False, False, True, True]))]
    assert_same(concatenate(parts), records)
    assert_same(select(records, [3, 3]), concatenate([select(records, [3])] * 2))
    assert [len(part) for part in parts] == [2, 2]


def test_records_do_not_change_with_what_they_were_made_of():
    endowments = np.full((1, 1), 5.0)
    records = Records(endowments, np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 1)), np.zeros((1, 1), int))
    endowments[:] = 0
    assert records.endowments == 5


@pytest.mark.parametrize(
    ("name", "index", "value", "said"),
    [
        (
            "contributions",
            (1, 0, 2, 3),
            99,
            "contributions of group 1, episode 0, round 2, participant 3: is 99, allowed: 0 to",
        ),
        (
            "contributions",
            (0, 1, 0, 0),
            -1,
            "contributions of group 0, episode 1, round 0, participant 0: is -1, allowed: 0 to",
        ),
        ("contributions", (0, 1, 0, 0), np.nan, "is nan, allowed: a finite number"),
        ("payouts", (2, 1, 1, 1), np.inf, "payouts of group 2, episode 1, round 1, participant 1: is inf"),
        ("endowments", (2, 3), -4, "endowments of group 2, participant 3: is -4, allowed: at least 0"),
        ("votes", (0, 2), 2, "votes of group 0, participant 2: is 2, allowed: 0..1"),
        ("votes", (0, 2), -2, "votes of group 0, participant 2: is -2, allowed: 0..1"),
    ],
)
def test_records_name_what_is_wrong(name, index, value, said):
    given = arrays(made())
    given[name][index] = value
    with pytest.raises(RecordsError, match=re.escape(said)) as error:
        Records(**given)
    assert (error.value.name, error.value.index) == (name, index)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"votes": np.zeros((3, 3), int)}, "votes: shape is (3, 3), allowed: (3, 4)"),
        ({"endowments": np.ones(4)}, "endowments: shape is (4,), allowed: (group, participant)"),
        ({"payouts": np.ones((3, 2, 4, 4))}, "payouts: shape is (3, 2, 4, 4), allowed: (3, 2, 3, 4)"),
        ({"votes": np.zeros((3, 4))}, "votes: are float64, allowed: integers"),
        ({"contributions": np.full((3, 2, 3, 4), "3")}, "contributions: are <U1, allowed: numbers"),
    ],
)
def test_records_refuse_arrays_that_do_not_fit(changed, said):
    with pytest.raises(RecordsError, match=re.escape(said)):
        Records(**arrays(made(), **changed))


def test_no_groups_and_unlike_groups_are_refused():
    with pytest.raises(RecordsError, match="shape is \\(0, 2, 3, 4\\)"):
        select(made(), [])
    with pytest.raises(RecordsError, match=re.escape("(2, 3, 4) and (2, 4, 4)")):
        concatenate([made(), made(rounds=4)])
    with pytest.raises(RecordsError, match="of nothing"):
        concatenate([])


# ---- round trips


@settings(max_examples=30, deadline=None)
@given(*[st.integers(1, 4)] * 4, st.integers(0, 2**32 - 1))
def test_tables_hold_records_exactly(tmp_path_factory, groups, episodes, rounds, n, seed):
    folder = tmp_path_factory.mktemp("tables")
    records = made(groups, episodes, rounds, n, seed)
    write_table(folder / "a.parquet", records, "libertarian")
    table = pq.read_table(folder / "a.parquet")
    assert_same(read_records(folder / "a.parquet"), records)
    pacsv.write_csv(table, folder / "a.csv")
    assert_same(read_records(folder / "a.csv", participants=n), records)
    # rows in another order: groups then stand in order of first appearance
    order = np.random.default_rng(seed).permutation(table.num_rows)
    pacsv.write_csv(table.take(order), folder / "b.csv")
    seen = list(dict.fromkeys(table["group"].to_numpy()[order].tolist()))
    assert_same(read_records(folder / "b.csv"), select(records, seen))


def of_commons(groups=3, episodes=2, rounds=3, n=4, seed=0):
    """Return records of offers that change from round to round out of a pool."""
    rng = np.random.default_rng(seed)
    offers = rng.random((groups, episodes, rounds, n)) * 50
    returns = np.floor(offers * rng.random(offers.shape))
    pool = {"pool": rng.random(offers.shape[:3]) * 200, "shock": rng.normal(size=offers.shape[:3])}
    return Records(offers, returns, np.zeros_like(offers), np.full((groups, n), -1), pool)


@settings(max_examples=20, deadline=None)
@given(*[st.integers(1, 4)] * 4, st.integers(0, 2**32 - 1))
def test_tables_hold_endowments_by_round_and_numbers_of_the_group_exactly(
    tmp_path_factory, groups, episodes, rounds, n, seed
):
    folder = tmp_path_factory.mktemp("tables")
    records = of_commons(groups, episodes, rounds, n, seed)
    write_table(folder / "a.parquet", records)
    pacsv.write_csv(pq.read_table(folder / "a.parquet"), folder / "a.csv")
    for file in ("a.parquet", "a.csv"):
        found = read_records(folder / file, endowments="by_round", shared=("pool", "shock"))
        assert_same(found, records)
        assert found.shared.keys() == records.shared.keys()
        np.testing.assert_array_equal(found.payoffs, records.endowments - records.contributions)


def test_constant_endowments_can_be_read_by_round(tmp_path):
    records = made()
    write_table(tmp_path / "a.parquet", records)
    found = read_records(tmp_path / "a.parquet", endowments="by_round")
    assert found.by_round and not records.by_round
    np.testing.assert_array_equal(found.endowments, records.endowments_by_round)
    np.testing.assert_array_equal(found.payoffs, records.payoffs)


def test_records_by_round_are_chosen_and_joined_among_their_like():
    records = of_commons()
    parts = [select(records, slice(2)), select(records, [2])]
    assert parts[1].shared["pool"].shape == (1, 2, 3)
    assert_same(concatenate(parts), records)
    with pytest.raises(RecordsError, match=r"constant, with \[\] and by round, with \['pool', 'shock'\]"):
        concatenate([records, made()])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"endowments": -np.ones((3, 2, 3, 4))}, "endowments of group 0, episode 0, round 0, participant 0: is -1"),
        ({"endowments": np.ones((3, 2, 2, 4))}, "endowments: shape is (3, 2, 2, 4), allowed: (3, 2, 3, 4)"),
        ({"shared": {"pool": np.ones((3, 2))}}, "pool: shape is (3, 2), allowed: (group, episode, round)"),
        ({"shared": {"pool": np.full((3, 2, 3), np.inf)}}, "pool of group 0, episode 0, round 0: is inf"),
        ({"shared": {"vote": np.ones((3, 2, 3))}}, "vote: is a number of the group, allowed: another name"),
    ],
)
def test_records_by_round_refuse_what_does_not_fit(changed, said):
    with pytest.raises(RecordsError, match=re.escape(said)):
        Records(**arrays(of_commons(), **changed))


def test_groups_that_played_other_numbers_of_rounds_are_kept_apart(tmp_path):
    long, short = of_commons(2, 1, 5), of_commons(3, 1, 2, seed=1)
    write_table(tmp_path / "all.parquet", [long, short], "equal")
    assert sorted(set(pq.read_table(tmp_path / "all.parquet")["group"].to_pylist())) == [0, 1, 2, 3, 4]
    with pytest.raises(RecordsError, match="allowed: one kind"):
        write_table(tmp_path / "all.parquet", [long, made()])
    found = read_behaviour(tmp_path / "all.parquet", endowments="by_round", shared=["pool", "shock"])
    assert not found.left_out
    for records, expected in zip(found.records, (long, short), strict=True):
        assert_same(records, expected)


def test_mechanisms_stand_beside_the_episodes(tmp_path):
    write_table(tmp_path / "a.parquet", made(2, 2, 1, 2), [["a", "b"], ["c", "d"]])
    table = pq.read_table(tmp_path / "a.parquet")
    found = {(row["group"], row["episode"]): row["mechanism"] for row in table.to_pylist()}
    assert found == {(0, 0): "a", (0, 1): "b", (1, 0): "c", (1, 1): "d"}
    assert table["vote"].null_count == 4 * int((made(2, 2, 1, 2).votes < 0).sum()) // 2


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path):
    write_table(tmp_path / "a.parquet", made())
    with pytest.raises(RunError, match="cannot write"):
        write_table(tmp_path / "a.parquet" / "b.parquet", made())
    assert_same(read_records(tmp_path / "a.parquet"), made())
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]


def test_csv_of_other_hands_is_read(tmp_path):
    """Names of groups, floats for integers, blanks, blank lines, a mark at the start, a column more."""
    text = "\ufeffage,group,episode, round,participant,endowment,contribution,payout,vote\r\n"
    text += "30,red,0,0,0,10,3.0,1.5,1.0\r\n30,red,1,0,0,10,4,1e-3,1\r\n\r\n"
    text += ",b l,0,0,0, 4 ,4,0,NA\r\n,b l,1,0,0,4,4,0,\r\n\r\n"
    (tmp_path / "a.csv").write_bytes(text.encode())
    found = read_records(tmp_path / "a.csv")
    expected = Records(
        [[10], [4]], [[[[3]], [[4]]], [[[4]], [[4]]]], [[[[1.5]], [[1e-3]]], [[[0]], [[0]]]], [[1], [-1]]
    )
    assert_same(found, expected)


def test_votes_may_be_missing_unless_required(tmp_path):
    records = made(votes=0)
    write_table(tmp_path / "a.parquet", records)
    pq.write_table(pq.read_table(tmp_path / "a.parquet").drop_columns("vote"), tmp_path / "b.parquet")
    assert_same(read_records(tmp_path / "a.parquet", votes="required"), records)
    assert (read_records(tmp_path / "b.parquet").votes == -1).all()
    with pytest.raises(TableError, match="column 'vote' is missing; there are: group, episode"):
        read_records(tmp_path / "b.parquet", votes="required")
    with pytest.raises(ParameterError, match="did you mean 'required'"):
        read_records(tmp_path / "b.parquet", votes="require")


def test_reading_takes_no_step_of_python_for_a_row(tmp_path):
    calls = {}
    for groups in (20, 2000):  # five times a human experiment
        records = made(groups, 2, 10, 4)
        write_table(tmp_path / "a.parquet", records)
        pacsv.write_csv(pq.read_table(tmp_path / "a.parquet"), tmp_path / "a.csv")
        for file in ("a.parquet", "a.csv"):
            events: list[str] = []
            sys.setprofile(lambda frame, event, argument, events=events: events.append(event))
            try:
                found = read_records(tmp_path / file)
            finally:
                sys.setprofile(None)
            assert_same(found, records)
            calls.setdefault(file, []).append(len(events))
    assert all(many < 2 * few + 10_000 for few, many in calls.values()), calls


# ---- broken files


@pytest.fixture
def rows():
    """The rows of a good CSV file, 2 groups x 2 episodes x 3 rounds x 2 participants, by column; line = index + 2."""
    records = Records(
        np.array([[10, 4], [8, 6]]), np.full((2, 2, 3, 2), 2), np.full((2, 2, 3, 2), 3.5), np.array([[0, 1], [1, 1]])
    )
    group, episode, round_, participant = (axis.reshape(-1).tolist() for axis in np.indices((2, 2, 3, 2)))
    return [
        {
            "group": g,
            "episode": e,
            "round": t,
            "participant": p,
            "endowment": int(records.endowments[g, p]),
            "contribution": 2,
            "payout": 3.5,
            "vote": int(records.votes[g, p]),
        }
        for g, e, t, p in zip(group, episode, round_, participant, strict=True)
    ]


def write(folder, rows, name="bad.csv"):
    text = [",".join(rows[0]), *(",".join("" if cell is None else str(cell) for cell in row.values()) for row in rows)]
    (folder / name).write_text("\n".join(text) + "\n")
    return folder / name


def said_of(path, **options):
    with pytest.raises(TableError) as error:
        read_records(path, **options)
    message = str(error.value)
    assert "\n" not in message and str(path) in message
    return message.replace(str(path), "FILE")


def test_the_good_file_is_good(rows, tmp_path):
    assert len(read_records(write(tmp_path, rows), votes="required", participants=2)) == 2


@pytest.mark.parametrize(
    ("line", "changes", "said"),
    [
        (4, {"round": "1.5"}, "FILE, line 4, column 'round': is 1.5, allowed: an integer, at least 0"),
        (4, {"round": "two"}, "FILE, line 4, column 'round': is 'two', allowed: a number"),
        (4, {"round": -1}, "FILE, line 4, column 'round': is -1, allowed: an integer, at least 0"),
        (4, {"round": 1e300}, "FILE, line 4, column 'round': is 1e+300, allowed: an integer, at least 0"),
        (4, {"round": None}, "FILE, line 4, column 'round': is empty, allowed: a number"),
        (4, {"group": None}, "FILE, line 4, column 'group': is empty, allowed: a name or number"),
        (9, {"contribution": 5}, "FILE, line 9, column 'contribution': is 5, allowed: 0 to the endowment, 4"),
        (9, {"contribution": -1}, "FILE, line 9, column 'contribution': is -1, allowed: 0 to the endowment, 4"),
        (9, {"contribution": None}, "FILE, line 9, column 'contribution': is empty, allowed: a number"),
        (9, {"payout": "inf"}, "FILE, line 9, column 'payout': is inf, allowed: a finite number"),
        (9, {"payout": "3,5"}, "FILE, line 9: has 9 columns, allowed: 8"),
        (
            9,
            {"endowment": 5},
            "FILE, line 9, column 'endowment': is 5, but 4 in line 3, allowed: the same in all rows of a participant;"
            " or endowments='by_round'",
        ),
        (
            9,
            {"vote": 0},
            "FILE, line 9, column 'vote': is 0, but 1 in line 3, allowed: the same in all rows of a participant",
        ),
        (9, {"vote": -2}, "FILE, line 9, column 'vote': is -2, allowed: an integer, at least 0"),
        (
            5,
            {"round": 0},
            "FILE, line 5, column 'participant': group 0, episode 0, round 0, participant 1 stands in line 3 already, "
            "allowed: one row of each",
        ),
        (
            14,
            {"round": 10**9},
            "FILE, line 14, column 'round': group 1 has no row of episode 0, round 0, participant 0, "
            "all counted from 0",
        ),
    ],
)
def test_a_broken_row_is_named(rows, tmp_path, line, changes, said):
    rows[line - 2] |= changes
    assert said_of(write(tmp_path, rows)) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"pool": 7},
            "FILE, line 3, column 'pool': is 7, but 50 in line 2, allowed: the same in all rows of a round of",
        ),
        ({"pool": None}, "FILE, line 3, column 'pool': is empty, allowed: a number"),
        ({"endowment": 1}, "FILE, line 3, column 'contribution': is 2, allowed: 0 to the endowment, 1"),
        ({"endowment": -1}, "FILE, line 3, column 'endowment': is -1, allowed: at least 0"),
    ],
)
def test_a_broken_row_of_a_table_by_round_is_named(rows, tmp_path, changes, said):
    rows = [row | {"pool": 50} for row in rows]
    path = write(tmp_path, rows, "good.csv")
    assert (read_records(path, endowments="by_round", shared=("pool",)).shared["pool"] == 50).all()
    rows[1] |= changes
    assert said_of(write(tmp_path, rows), endowments="by_round", shared=("pool",)).startswith(said)


def test_what_is_asked_of_a_table_is_checked(tmp_path):
    write_table(tmp_path / "a.parquet", made())
    with pytest.raises(ParameterError, match="did you mean 'by_round'"):
        read_records(tmp_path / "a.parquet", endowments="round")
    for wrong in ("pool", ["vote"], [1]):
        with pytest.raises(ParameterError, match=r"shared is .*, allowed: names of columns other than"):
            read_records(tmp_path / "a.parquet", shared=wrong)
    with pytest.raises(TableError, match="column 'pool' is missing"):
        read_records(tmp_path / "a.parquet", shared=["pool"])


def test_lines_are_counted_past_blank_ones(rows, tmp_path):
    rows[5]["contribution"] = 99
    path = write(tmp_path, rows)
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[:3], "", "", *lines[3:]]))
    assert said_of(path).startswith("FILE, line 9, column 'contribution': is 99")


def test_rows_of_a_parquet_file_are_counted(rows, tmp_path):
    rows[5]["contribution"] = 99
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "bad.parquet")
    assert said_of(tmp_path / "bad.parquet").startswith("FILE, row 6, column 'contribution': is 99")


def test_missing_column(rows, tmp_path):
    for row in rows:
        row["contributions"] = row.pop("contribution")
    assert said_of(write(tmp_path, rows)) == (
        "FILE: column 'contribution' is missing; there are: "
        "group, episode, round, participant, endowment, payout, vote, contributions"
    )


def test_column_twice(rows, tmp_path):
    path = write(tmp_path, rows)
    path.write_text(path.read_text().replace("payout", "round", 1))
    assert said_of(path) == "FILE: column 'round' stands there twice, allowed: once"


def test_column_of_no_numbers(rows, tmp_path):
    for row in rows:
        row["payout"] = [1.0]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "bad.parquet")
    assert re.fullmatch("FILE, column 'payout': holds list<.*>, allowed: numbers", said_of(tmp_path / "bad.parquet"))


def test_missing_round(rows, tmp_path):
    rows = [row for row in rows if (row["group"], row["episode"], row["round"]) != (1, 1, 1)]
    assert said_of(write(tmp_path, rows)) == (
        "FILE, line 14, column 'round': group 1 has no row of episode 1, round 1, participant 0, all counted from 0"
    )


def test_missing_row(rows, tmp_path):
    del rows[-1]
    assert "group 1 has no row of episode 1, round 2, participant 1" in said_of(write(tmp_path, rows))


def test_rounds_counted_from_one(rows, tmp_path):
    for row in rows:
        row["round"] += 1
    assert said_of(write(tmp_path, rows)) == (
        "FILE, line 2, column 'round': group 0 has no row of episode 0, round 0, participant 0, all counted from 0"
    )


def test_missing_participant(rows, tmp_path):
    for row in rows:
        row["participant"] *= 2
    assert "column 'participant': group 0 has no row of episode 0, round 0, participant 1" in said_of(
        write(tmp_path, rows)
    )


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("participant", "line 14, column 'participant': group 1 has 1 participants, but group 0 2"),
        ("round", "line 14, column 'round': group 1 has 2 rounds, but group 0 3"),
        ("episode", "line 14, column 'episode': group 1 has 1 episodes, but group 0 2"),
    ],
)
def test_groups_unlike_each_other(rows, tmp_path, column, said):
    last = rows[-1][column]
    rows = [row for row in rows if row["group"] == 0 or row[column] != last]
    assert said_of(write(tmp_path, rows)) == f"FILE, {said}, allowed: as many in every group"


def test_groups_of_another_size_than_the_game_is_for(rows, tmp_path):
    said = "FILE, line 2, column 'participant': group 0 has 2 participants, allowed: 4"
    assert said_of(write(tmp_path, rows), participants=4) == said


def test_vote_missing_where_it_is_required(rows, tmp_path):
    for row in rows:
        if (row["group"], row["participant"]) == (1, 0):
            row["vote"] = None
    assert said_of(write(tmp_path, rows), votes="required") == (
        "FILE, line 14, column 'vote': is empty, allowed: the episode voted for, as votes are required"
    )


def test_vote_for_an_episode_that_is_not_there(rows, tmp_path):
    for row in rows:
        if (row["group"], row["participant"]) == (1, 0):
            row["vote"] = 2
    assert said_of(write(tmp_path, rows)).startswith("FILE, line 14, column 'vote': is 2, allowed: 0..1, the episodes")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "FILE is empty, allowed: a header row with group, episode"),
        ("a.csv", b"\n\n", "FILE is empty"),
        (
            "a.csv",
            b"group,episode,round,participant,endowment,contribution,payout\n",
            "FILE holds no rows, allowed: at least",
        ),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0", "FILE is no .csv table"),
        (
            "a.csv",
            b"group;episode;round\n1;2;3\n",
            "FILE: column 'participant' is missing; there are: group, episode, round",
        ),
        ("a.csv", b"group,episode\n\xff\xfe,2\n", "FILE is no .csv table"),
        ("a.parquet", b"group,episode\n1,2\n", "FILE is no .parquet table"),
        ("a.parquet", b"", "FILE is no .parquet table"),
        ("a.xlsx", b"PK", "FILE ends in '.xlsx', allowed: .csv, .parquet"),
    ],
)
def test_files_that_are_no_table(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    assert said_of(tmp_path / name).startswith(said)


@pytest.mark.parametrize("name", ["none.csv", "none.parquet"])
def test_missing_file(tmp_path, name):
    assert said_of(tmp_path / name) == "FILE cannot be read: No such file or directory"
    (tmp_path / name).mkdir()
    assert said_of(tmp_path / name) == "FILE cannot be read: it is a directory, allowed: a regular file"


def test_the_example_of_the_documentation(tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "reference" / "behaviour_records.md").read_text()
    (example,) = re.findall(r"^```csv\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "a.csv").write_text(example)
    expected = Records(
        [[10, 4]], [[[[5, 4], [6, 4]], [[2, 3], [0, 1]]]], [[[[8, 6.4], [9.6, 6.4]], [[4, 4], [0.8, 0.8]]]], [[0, -1]]
    )
    assert_same(read_records(tmp_path / "a.csv"), expected)


# ---- the official release

GAME = "player_id contribution endowment session timestep"
EXP1 = f"participant_id {GAME} endowcond mechanism_code baseline head rel_contribution payout"
EXP2 = f"{GAME} mechanism_code participant_id endowcond baseline head rel_contribution vote payout"
EXP4 = EXP1.replace("payout", "vote payout")


def release(votes=True):
    """Return rows in the release's columns of 2 groups, and their records: sessions 0 to 3, ids out of order.

    Participant ids are 4 g + 1 to 4 g + 4, of which the head is the last; 2 plays the baseline first, the other second.
    """
    rng = np.random.default_rng(1)
    records = {"endowments": [], "contributions": [], "payouts": [], "votes": []}
    rows = []
    for group in (0, 1):
        endowments = np.array([10, 4, 4, 4])
        contributions = rng.integers(0, endowments + 1, (4, 3, 4))
        payouts = np.broadcast_to(0.4 * contributions.sum(axis=-1, keepdims=True), contributions.shape)
        for_agent = rng.integers(0, 2, 4) if votes else np.full(4, -1)
        codes = [2, 3, 4, 3] if group else [2, 4, 3, 4]  # the baseline, 3, comes first in group 1, second in group 0
        for (session, timestep, player), coins in np.ndenumerate(contributions):
            rows.append(
                {
                    "participant_id": f"{4 * group + 4 - player}.0",
                    "player_id": player,
                    "contribution": coins,
                    "endowment": endowments[player],
                    "session": session,
                    "timestep": timestep,
                    "endowcond": 4,
                    "mechanism_code": codes[session],
                    "baseline": 3,
                    "head": player == 0,
                    "rel_contribution": coins / endowments[player],
                    "vote": f"{for_agent[player]:.1f}" if votes and player != 2 else "",
                    "payout": payouts[session, timestep, player],
                }
            )
        voted = np.where(for_agent == 1, 1, 0) if group else np.where(for_agent == 1, 0, 1)
        voted = np.where(np.arange(4) == 2, -1, voted) if votes else for_agent
        for name, values in zip(records, (endowments, contributions[1:3], payouts[1:3], voted), strict=True):
            records[name].append(values)
    return [rows[at] for at in rng.permutation(len(rows))], records


def write_release(folder, rows, columns, header=False):
    text = [",".join(columns.split())] if header else []
    text += [",".join(str(row[name]) for name in columns.split()) for row in rows]
    (folder / "data_exp.csv").write_text("\n".join(text) + "\n")
    return folder / "data_exp.csv"


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("columns", [EXP1, EXP2, EXP4])
def test_the_release_is_read(tmp_path, columns, header):
    rows, records = release(votes=columns != EXP1)
    found = read_records(write_release(tmp_path, rows, columns, header))
    first = next(row for row in rows if row["session"] in (1, 2))
    order = [0, 1] if float(first["participant_id"]) <= 4 else [1, 0]
    assert_same(found, select(Records(**{name: np.array(values) for name, values in records.items()}), order))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("payout", 50, "column 'payout': of the four participant_ids around"),
        ("contribution", 12, "column 'contribution': is 12, allowed: 0 to the endowment"),
        ("participant_id", 77, "column 'player_id': group 77-80 has 1 participants, allowed: 4"),
        ("player_id", 4, "column 'player_id': is 4, allowed: 0 to 3"),
        ("endowcond", 6, "column 'endowcond': is 6, but"),
        ("baseline", 1, "column 'baseline': is 1, but 3 in line"),
        ("mechanism_code", 6, "column 'mechanism_code': is 6, but"),
        ("vote", 2, "column 'vote': is 2, allowed: 0 to 1"),
        ("participant_id", 6, "column 'participant_id': is "),
        ("timestep", 7, "column 'timestep': group 5-8 has no row of"),
    ],
)
def test_a_broken_row_of_the_release_is_named(tmp_path, column, value, said):
    rows, _ = release()
    at = max(at for at, row in enumerate(rows) if row["session"] == 1)
    old = rows[at]["contribution"]
    rows[at] |= {column: value}
    if column == "contribution":  # the fund would have grown as well
        rows[at]["payout"] += 1.6 * (value - old)
    message = said_of(write_release(tmp_path, rows, EXP2))
    assert said in message and re.search(r"line \d+", message)


def test_participants_that_are_no_groups_are_refused(tmp_path):
    """Ids that do not run in blocks of four: who played with whom cannot be told."""
    rows, _ = release()
    for row in rows:
        row["participant_id"] = 3 * float(row["participant_id"])
    said = said_of(write_release(tmp_path, rows, EXP2))
    assert "participant" in said and "line" in said


def test_strangers_are_told_by_their_payouts(tmp_path):
    """Two people change places between groups, and nothing but the sums shows it."""
    rows, _ = release()
    for row in rows:
        if row["player_id"] == 1:
            group = int(float(row["participant_id"]) > 4)
            row["participant_id"] = float(row["participant_id"]) + (-4 if group else 4)
            row["mechanism_code"] = [3, 4][group if row["session"] == 1 else 1 - group]
    assert "column 'payout': of the four participant_ids around" in said_of(write_release(tmp_path, rows, EXP2))


def test_votes_without_a_baseline_are_refused(tmp_path):
    rows, _ = release()
    for row in rows:
        row["baseline"] = 1
    assert "so that a vote has no game" in said_of(write_release(tmp_path, rows, EXP2))


def test_a_referee_may_keep_some_of_the_fund(tmp_path):
    rows, _ = release()
    for row in rows:
        if row["mechanism_code"] == 4:
            row |= {"mechanism_code": 7, "payout": 0}
    assert len(read_records(write_release(tmp_path, rows, EXP4))) == 2


def test_files_of_players_are_refused(tmp_path):
    (tmp_path / "players.csv").write_text("4.0,0,3,True,10,True,0.0001,1\n")
    assert said_of(tmp_path / "players.csv").startswith("FILE holds players")


def test_a_release_without_the_two_games_is_refused(tmp_path):
    rows = [row for row in release()[0] if row["session"] == 3]
    assert "column 'session': has neither 1 nor 2" in said_of(write_release(tmp_path, rows, EXP2))
