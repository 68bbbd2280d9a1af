"""Tables of other hands: the page of the reference on behaviour records is run as it stands, and what may be wrong."""

import re
from pathlib import Path

import numpy as np
import pytest

from lawgiver.envs.core.errors import LawgiverError, ParameterError

pytest.importorskip("pyarrow")

from lawgiver.trainers.elections.records.readers import read_behaviour, read_records
from lawgiver.trainers.elections.records.source import TableError

PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "behaviour_records.md").read_text()
FILES = dict(re.findall(r'^```csv title="(\S+)"\n(.*?)^```$', PAGE, re.M | re.S))
TIDY = "group,episode,round,participant,endowment,contribution,payout"


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)


def test_the_page_is_right():
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
    assert len(FILES) == 4 and len(blocks) == 5
    scope = {"read_records": read_records}
    for block in blocks[1:]:
        exec(block, scope)


def test_rows_of_the_page_are_one_table_in_every_dialect():
    columns = {"group": "team", "round": "period", "participant": "id", "contribution": "invested", "payoff": "earned"}
    columns |= {"episode": 1, "endowment": 20}
    expected = read_records("payoffs.csv", columns=columns, counted_from=1)
    text = FILES["payoffs.csv"]
    commas = text.replace(",", ".").replace(";", ",")
    dialects = {
        "cr": text.replace("\n", "\r").encode(),
        "crlf and mark": b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
        "tabs": text.replace(";", "\t").encode(),
        "commas": commas.encode(),
        "utf-16": text.encode("utf-16"),
        "declared": b"sep=;\n" + text.encode(),
        "quoted newlines": re.sub("^A", '"A\n,;"', commas, flags=re.M).encode(),
    }
    for name, content in dialects.items():
        Path("other.csv").write_bytes(content)
        found = read_records("other.csv", columns=columns, counted_from=1)
        np.testing.assert_array_equal(found.contributions, expected.contributions, name)
        np.testing.assert_allclose(found.payouts, expected.payouts, err_msg=name)


def test_lines_are_those_of_the_file_past_quoted_newlines():
    Path("a.csv").write_text(f'{TIDY},note\n1,0,0,0,9,1,1,"two\nlines"\n1,1,0,0,9,ten,1,x\n')
    with pytest.raises(TableError, match=r"a\.csv, line 4, column 'contribution': is 'ten', allowed: a number"):
        read_records("a.csv")
    Path("a.csv").write_text(f'{TIDY}\n1,0,0,0,9,1,"1\n')
    with pytest.raises(TableError, match=r"a\.csv, line 2"):
        read_records("a.csv")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"columns": {"groop": "team"}}, "'groop' is no column of the table.*did you mean 'group'"),
        ({"columns": {"group": "teem"}}, "column 'teem', which columns names for 'group', is missing.*'team'"),
        ({"columns": {"group": None}}, "'group' is None, allowed: the column's name in the file, or a number"),
        ({"columns": {"endowment": float("nan")}}, "'endowment' is nan"),
        ({"counted_from": 2}, "counted_from is 2, allowed: an integer in 0..1"),
        ({"counted_from": np.array([0, 1])}, "counted_from is array"),
        ({"rounds": np.array(["apart", "together"])}, "rounds is array.*allowed: apart, together"),
        ({"votes": np.array([1, 2])}, "votes is array"),
        ({"rounds": "alone"}, "rounds is 'alone'"),
        ({"votes": "maybe"}, "votes is 'maybe'"),
    ],
)
def test_wrong_arguments_are_named(changed, said):
    with pytest.raises(LawgiverError, match=said):
        read_records("payoffs.csv", **changed)


def test_what_counts_from_one_is_told_in_the_file_s_own_numbers():
    Path("a.csv").write_text(f"{TIDY},vote\n1,1,1,1,9,1,1,1\n1,1,2,1,9,1,1,1\n1,2,1,1,9,1,1,2\n")
    with pytest.raises(TableError, match=r"has no row of episode 2, round 2, participant 1, all counted from 1"):
        read_records("a.csv", counted_from=1, votes="ignored")
    Path("a.csv").write_text(f"{TIDY},vote\n1,0,1,1,9,1,1,1\n")
    with pytest.raises(TableError, match=r"line 2, column 'episode': is 0, allowed: an integer, at least 1"):
        read_records("a.csv", counted_from=1)
    Path("a.csv").write_text(f"{TIDY},vote\n1,1,1,1,9,1,1,\n1,2,1,1,9,1,1,2\n")
    assert read_records(
        "a.csv",
        counted_from=1,
    ).votes.tolist() == [[1]]
    Path("a.csv").write_text(f"{TIDY},vote\n1,1,1,1,9,1,1,1\n1,2,1,1,9,1,1,2\n")
    with pytest.raises(TableError, match=r"column 'vote': is 2, but 1 in line 2, allowed: the same"):
        read_records("a.csv", counted_from=1)


def test_otree_s_columns_may_be_written_as_older_releases_did():
    old = re.sub(r"\b(participant|player|group|subsession|session)\.", lambda m: m[0].title(), FILES["otree.csv"])
    Path("old.csv").write_text(old)
    new, old = (read_behaviour(name, columns={"endowment": 100}) for name in ("otree.csv", "old.csv"))
    np.testing.assert_array_equal(new.records[0].payouts, old.records[0].payouts)


@pytest.mark.parametrize(
    ("change", "columns", "said"),
    [
        (lambda t: t, {}, "oTree does not export constants.*columns={'endowment': 20}"),
        (lambda t: t, {"endowment": 100}, r"line 9, column 'player\.contribution': is empty"),
        (lambda t: t.replace("player.contribution", "player.given"), {"endowment": 100}, "'contribution'.* is missing"),
        (lambda t: t.replace("group.id_in", "public.1.group.id_in"), {"endowment": 100}, "all apps side by side"),
        (lambda t: t.replace("100,2,w1b7d3zz,0\n2", "100,2,other,0\n2"), {"endowment": 100}, "is in group other/1"),
    ],
)
def test_what_is_wrong_with_a_table_of_otree_is_named(change, columns, said):
    Path("a.csv").write_text(change(FILES["otree.csv"]))
    with pytest.raises(LawgiverError, match=said):
        read_records("a.csv", columns=columns)


def test_otree_s_groups_may_be_matched_anew():
    text = FILES["otree.csv"].replace("z9p3r1ik,2,,0.0,", "z9p3r1ik,2,,105.0,35")
    rows = text.splitlines()
    rows[3], rows[7] = (
        rows[3].replace("100,2,w1", "75,2,w1").replace(",1,75", ",2,75"),
        rows[7].replace(",2,75", ",1,100"),
    )
    Path("a.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(TableError, match=r"participant \w+ is in group w1b7d3zz/\d, before it was in.*rounds='apart'"):
        read_records("a.csv", columns={"endowment": 100})
    found = read_records("a.csv", columns={"endowment": 100}, rounds="apart")
    assert found.contributions.shape == (4, 1, 1, 2)
    assert sorted(map(sorted, found.contributions.reshape(4, 2).tolist())) == [[0, 0], [30, 35], [40, 70], [60, 60]]


def test_groups_of_several_sizes_are_kept_apart_and_incomplete_ones_left_out():
    sizes = {"a": 2, "b": 3, "c": 2, "d": 3}
    rows = [f"{g},0,{t},{i},9,{i},1" for g, n in sizes.items() for t in (0, 1) for i in range(n)]
    rows.remove("d,0,1,2,9,2,1")
    Path("a.csv").write_text("\n".join([TIDY, *rows]) + "\n")
    found = read_behaviour("a.csv")
    assert [each.contributions.shape for each in found.records] == [(2, 1, 2, 2), (1, 1, 2, 3)]
    assert found.left_out == ("group d: there is no row of episode 0, round 1, participant 2",)
    assert read_behaviour("a.csv", participants=3).left_out[0] == "group a: has 2 participants, not 3"
    with pytest.raises(TableError, match="no group is complete; group a: has 2 participants, not 7"):
        read_behaviour("a.csv", participants=7)
    Path("a.csv").write_text("\n".join([TIDY, *rows[:-5]]) + "\n")
    with pytest.raises(TableError, match="has 3 participants, but group a 2"):
        read_records("a.csv")


def test_one_person_twice_in_a_round_is_named():
    Path("a.csv").write_text(f"{TIDY}\n1,0,0,ann,9,1,1\n1,0,0,ann,9,1,1\n")
    with pytest.raises(TableError, match=r"line 3, column 'participant': stands in this round of the group already"):
        read_records("a.csv", rounds="apart")
    with pytest.raises(ParameterError):
        read_records("a.csv", rounds=True)
