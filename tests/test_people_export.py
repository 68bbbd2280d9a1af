"""What is exported of a study: the same as is simulated, every exclusion with its rule, and nobody's name."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from played_study import PACE_S, STUDY, PlayedStudy, as_recorded, missing, written
from sqlalchemy import insert, update
from sqlalchemy.event import listens_for
from typer.testing import CliRunner

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.fields import component_names
from lawgiver.envs.core.make import make_game
from lawgiver.envs.election.game import Election
from lawgiver.trainers.cli import app
from lawgiver.trainers.elections.records.readers import read_records
from lawgiver.trainers.elections.records.table import write_table
from lawgiver.trainers.hcmd_zero.acquire import acquire
from lawgiver.trainers.people.export import ExportError, export
from lawgiver.trainers.people.group import Group
from lawgiver.trainers.people.recorded import read_recording
from lawgiver.trainers.people.store import reading
from lawgiver.trainers.people.study import read_study
from lawgiver.trainers.people.tables import ABSENCE, ANSWER, DECISION, EVENT, GRP, OUTSIDE, PERSON
from lawgiver.trainers.runs.yaml_text import parse_yaml


@pytest.mark.parametrize("mechanism", ["libertarian", "graph_network"])
def test_records_are_those_of_the_simulation(tmp_path, mechanism):
    """Six groups that do what simulated people did: the file is the same, row by row and bit by bit."""
    study = read_study(written(tmp_path, mechanisms=f"[{mechanism}]"))
    election = Election(base=study.config.game.model_dump())
    simulated = acquire(election, study.game, study.mechanisms[mechanism], 6, (3,))
    write_table(tmp_path / "simulated.parquet", simulated, mechanism)
    with PlayedStudy(study) as played:
        for number in range(6):
            played.play(number, as_recorded(simulated, number))
        found = export(study.path, tmp_path / "out")
    assert found.valid == 6
    expected, table = (pq.read_table(tmp_path / file) for file in ("simulated.parquet", "out/records.parquet"))
    assert table.select(expected.column_names).equals(expected)
    assert table.column_names[len(expected.column_names) :] == ["condition", "source", "seconds"]
    assert table["seconds"].to_pylist() == [PACE_S] * len(table) and set(table["source"].to_pylist()) == {"person"}
    assert table["condition"].to_pylist()[::24] == ["10-2-2-2", "10-8-8-8"] * 3
    records = read_records(tmp_path / "out/records.parquet", votes="required", participants=4)
    for name in ("endowments", "contributions", "payouts", "votes"):
        assert np.array_equal(getattr(records, name), getattr(simulated, name)), name


TWO = STUDY.replace("[libertarian]", "[libertarian, strict_egalitarian]").replace("third_game: false\n", "")
PROLIFIC = """\
access: prolific
prolific: {codes: {done: D, no_group: N, failed_quiz: F, left: L, full: U, broken: B}}
pay: {show_up: "2.00", per_point: "0.01", waiting_per_min: "0.10"}
"""


def gives(*coins: int) -> Callable[[Group], None]:
    """Let everybody give as many coins as their seat says, in every round, and vote for the second game."""

    def act(group: Group) -> None:
        at = group.at
        for seat in group.waiting:
            group.decide(seat, at, coins[seat]) if group.stage == "play" else group.vote(seat, at, 1)

    return act


def least(group: Group, seat: int) -> dict[str, str]:
    """Fill in a form with the first option, or with the least of every number."""
    form = group.game.form(seat)
    if form.options:
        return {"choice": str(form.options[0].value)}
    return {entry.key: str(entry.low) for entry in form.entries}


def leaving(seats: tuple[int, ...], act: Callable[[Group], None]) -> Callable[[Group], None]:
    """Let some people leave for good in the first round."""

    def instead(group: Group) -> None:
        for seat in seats:
            group.leave(seat)
        act(group)

    return instead


def lines_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """Seven groups under two mechanisms, five of which are not valid, for five reasons; and who sat in none."""
    folder = tmp_path_factory.mktemp("exported")
    study = read_study(written(folder, TWO.replace("access: open\n", PROLIFIC)))
    with PlayedStudy(study) as played:
        played.play(0, gives(4, 2, 1, 0))
        played.play(1, missing(3, "play.0.2", gives(4, 2, 1, 0)))  # the second round of the first game
        played.play(2, missing(0, "vote.1.6", gives(4, 2, 1, 0)), order=1)
        played.play(3, lambda group: None)
        played.play(4, leaving((2,), gives(1, 1, 1, 1)))
        played.play(5, leaving((1, 2), gives(1, 1, 1, 1)))
        played.play(6, gives(0, 2, 1, 0), order=1)
        for person, (end, waited) in {"early": ("no_group", 90.0), "late": (None, 0.0)}.items():
            row = {"id": person, "secret_hash": "1" * 64, "stage": "end" if end else "quiz", "end": end}
            played._write(insert(PERSON).values(**row, joined=1.0, ended=200.0 if end else None, waited_s=waited))
        for number, person in enumerate(("g0p0", "g0p1", "early", "late")):
            own = {"kind": "prolific", "outside_id": f"{number:024x}", "person_id": person}
            played._write(insert(OUTSIDE).values(**own))
        cheeky = {"person_id": "g0p0", "key": "free", "value": "=1+1", "tries": 1, "at": 2.0}
        played._write(insert(ANSWER).values(**cheeky), insert(ANSWER).values(**{**cheeky, "key": "n", "value": "-1"}))
        found = export(study.path)
    assert found.valid == 2 and not found.anonymised
    assert {file.parent for file in found.files} == {folder / "study_export"}
    return folder / "study_export"


def test_every_group_that_is_left_out_has_its_rule(exported):
    told = [(row["valid"], row["state"], row["why_not"]) for row in lines_of(exported / "groups.csv")]
    assert told == [
        ("True", "ended", ""),
        ("False", "ended", "valid.missed_per_person"),
        ("False", "ended", "valid.need_votes"),
        ("False", "play", "in_play"),
        ("False", "ended", "withdrawn; valid.missed_per_person; valid.need_votes"),
        ("False", "ended", "withdrawn; dropout.end_group_at; valid.missed_per_person; valid.need_votes"),
        ("True", "ended", ""),
    ]
    rows = lines_of(exported / "groups.csv")
    assert [row["group"] for row in rows] == list("0123456")
    assert rows[2]["order"] == "strict_egalitarian > libertarian" and rows[0]["winner"] == "1"
    counts = json.loads((exported / "study.json").read_text())["counts"]
    assert (counts["groups"], counts["groups_valid"], counts["people"], counts["people_in_groups"]) == (7, 2, 30, 28)
    assert counts["groups_valid_by_condition"] == {"10-2-2-2": 2} and counts["people_by_stage"]["quiz"] == 1


def test_records_hold_valid_groups_by_their_numbers_and_the_third_game_apart(exported):
    table, third = (pq.read_table(exported / name) for name in ("records.parquet", "third_game.parquet"))
    assert set(table["group"].to_pylist()) == set(third["group"].to_pylist()) == {0, 6}
    assert set(table["episode"].to_pylist()) == {0, 1} and set(third["episode"].to_pylist()) == {2}
    assert len(table) == 2 * 2 * 3 * 4 and len(third) == 2 * 3 * 4
    assert third.column_names == [*table.column_names, "chosen"] and set(third["chosen"].to_pylist()) == {1}
    chosen = dict(zip(third["group"].to_pylist(), third["mechanism"].to_pylist(), strict=True))
    assert chosen == {0: "strict_egalitarian", 6: "libertarian"}
    first = table.slice(0, 4).to_pydict()  # group 0, libertarian: everybody is paid 1.6 times what they gave
    assert first["contribution"] == [4, 2, 1, 0] and first["payout"] == pytest.approx([6.4, 3.2, 1.6, 0])
    assert third.slice(0, 4)["payout"].to_pylist() == pytest.approx([2.8] * 4)  # 7 coins, 1.6 times, in equal parts
    read = read_records(exported / "records.parquet", votes="required", participants=4)
    assert (read.votes == 1).all() and read.contributions.shape == (2, 2, 3, 4)


def test_decisions_are_those_of_all_groups_that_nobody_has_withdrawn_from(exported):
    table = pq.read_table(exported / "decisions.parquet").to_pylist()
    assert {row["group"] for row in table} == {0, 1, 2, 6}  # the third has not finished a round
    assert len(table) == 4 * 3 * 3 * 4
    second = [row for row in table if (row["group"], row["episode"], row["round"]) == (0, 0, 1)]
    assert [row["action"] for row in second] == [4, 2, 1, 0] and {row["step"] for row in second} == {2}
    own = [f"observed_{name}_0" for name in ("contributions", "payouts", "endowments")]
    assert [second[1][name] for name in own] == pytest.approx([2, 3.2, 2]) and second[1][
        "observed_contributions_1"
    ] == 4
    assert [row["reward"] for row in second] == pytest.approx([10 - 4 + 6.4, 3.2, 2 - 1 + 1.6, 2])
    missed = [row for row in table if row["source"] == "missed"]
    assert [(row["group"], row["episode"], row["round"], row["participant"]) for row in missed] == [(1, 0, 1, 3)]
    assert missed[0]["seconds"] is None and second[0]["seconds"] == PACE_S
    assert {row["mechanism"] for row in table if row["group"] == 0 and row["episode"]} == {"strict_egalitarian"}


def test_people_are_listed_by_random_ids_with_relative_times(exported):
    rows = {row["person"]: row for row in lines_of(exported / "people.csv")}
    head = rows["g0p0"]
    assert (head["group"], head["participant"], head["end"], head["missed"]) == ("0", "0", "done", "0")
    assert (head["minutes_before_waiting"], head["minutes_waiting"]) == ("1.0", "0.5")
    assert float(head["minutes_playing"]) == pytest.approx(11 * PACE_S / 60)  # ten pages, and one more look
    assert (head["answer_free"], head["answer_n"]) == ("'=1+1", "-1")
    assert rows["g1p3"]["missed"] == "1" and rows["early"]["group"] == "" and len(rows) == 30
    text = "".join(file.read_text() for file in exported.iterdir() if file.name in ("people.csv", "groups.csv"))
    assert f"{0:024x}" not in text


def test_payments_say_what_everybody_is_owed_and_are_for_the_owner_alone(exported):
    paid = {row["outside_id"]: row for row in lines_of(exported / "payments.csv") if row["outside_id"]}
    assert set(paid) == {f"{number:024x}" for number in range(3)}, "whoever has not ended is not paid yet"
    # the head: three rounds of 10 - 4 + 6.4, then six of 10 - 4 + 2.8
    points = 3 * 12.4 + 6 * 8.8
    head = paid[f"{0:024x}"]
    assert float(head["points"]) == pytest.approx(points) and head["end"] == "done"
    assert (head["bonus"], head["waiting"], head["show_up"], head["total"]) == ("0.90", "0.00", "2.00", "2.90")
    early = paid[f"{2:024x}"]
    assert (early["bonus"], early["waiting"], early["total"]) == ("0.00", "0.15", "0.15")
    second = 3 * 3.2 + 6 * 2.8
    bonus = f"{second / 100:.2f}"
    listed = sorted((exported / "prolific_bonus.csv").read_text().splitlines())
    assert listed == [f"{0:024x},0.90", f"{1:024x},{bonus}", f"{2:024x},0.15"]
    for name in ("payments.csv", "prolific_bonus.csv"):
        assert stat.S_IMODE((exported / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((exported / "people.csv").stat().st_mode) & 0o044


@pytest.mark.parametrize(
    ("game", "rules", "columns", "waits"),
    [
        ("{name: matrix, preset: chicken}", "[]", ["action"], False),
        ("{name: measured_effort}", "[random]", ["action_effort_0", "action_effort_1"], False),
        ("{name: online_allocation}", "[random]", ["action_answer"], True),
    ],
)
def test_decisions_of_any_game(tmp_path, game, rules, columns, waits):
    people = make_game(**parse_yaml(game)).roles["participant"]
    study = read_study(written(tmp_path, game=game, mechanisms=rules, people=str(people), autoplay="random"))

    def act(group: Group) -> None:
        at = group.at
        for seat in group.waiting:
            group.vote(seat, at, 0) if group.stage == "vote" else group.answer(
                seat, at, {"at": at, **least(group, seat)}
            )

    with PlayedStudy(study) as played:
        group = played.play(0, act)
        assert group.stage == "ended" and export(study.path).valid == 1
    assert not (tmp_path / "study_export/records.parquet").exists()
    table = pq.read_table(tmp_path / "study_export/decisions.parquet")
    assert [name for name in table.column_names if name.startswith("action")] == columns
    layout = component_names(study.game.observation_layout("participant"), 0)
    assert [name for name in table.column_names if name.startswith("observed_")] == [f"observed_{n}" for n in layout]
    rows = table.to_pylist()
    assert [row["reward"] for row in rows] == [
        value for one in group.games for each in one.rounds for value in each.rewards.tolist()
    ]
    turns = {row["source"] for row in rows}
    assert turns == ({"person", "waited"} if waits else {"person"})
    assert all((row[columns[0]] is None) == (row["source"] == "waited") for row in rows)
    assert {row["mechanism"] for row in rows} == ({None} if rules == "[]" else {"random"})


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        ("scale: [1, 7], instructed: 2", ("2", "3", None)),
        ('choices: ["Yes", "No", "Perhaps"], instructed: "No"', ("1", "0", None)),
    ],
)
def test_who_does_not_give_the_answer_that_is_instructed_is_marked_and_neither_left_out_nor_paid_less(
    tmp_path, question, answers
):
    texts = f"{{consent: consent.md, contact: nobody, questions: [{{key: look, text: Choose., {question}}}]}}"
    study = read_study(written(tmp_path, texts=texts, pay='{show_up: "2.00"}'))
    with PlayedStudy(study) as played:
        played.play(0, gives(1, 1, 1, 1))
        for seat, answer in enumerate(answers):
            if answer is not None:
                row = {"person_id": f"g0p{seat}", "key": "look", "value": answer, "tries": 1, "at": 9e3}
                played._write(insert(ANSWER).values(**row))
        assert export(study.path).valid == 1
    out = tmp_path / "study_export"
    rows = {row["person"]: row for row in lines_of(out / "people.csv")}
    assert [rows[f"g0p{seat}"]["attentive"] for seat in range(4)] == ["True", "False", "", ""]
    assert [row["total"] for row in lines_of(out / "payments.csv")] == ["2.00"] * 4
    assert json.loads((out / "study.json").read_text())["counts"]["people_inattentive"] == 1


def test_without_an_answer_that_is_instructed_nobody_is_told_to_be_attentive(exported):
    assert "attentive" not in lines_of(exported / "people.csv")[0]
    assert json.loads((exported / "study.json").read_text())["counts"]["people_inattentive"] is None


def test_without_a_valid_group_people_are_paid_and_the_rest_is_said(tmp_path):
    study = read_study(written(tmp_path, TWO.replace("access: open\n", PROLIFIC)))
    with pytest.raises(LawgiverError, match=r"study\.sqlite is no file"):
        export(study.path)
    with PlayedStudy(study) as played:
        told = r"^0 of 0 groups are valid; .*study_export has all tables but those of valid groups$"
        with pytest.raises(ExportError, match=told):
            export(study.path)
        assert (tmp_path / "study_export/groups.csv").read_text().startswith("group,condition,order")
        played.play(0, gives(1, 1, 1, 1))
        assert export(study.path).valid == 1
        played.play(1, missing(0, "vote.1.6", gives(1, 1, 1, 1)))
        played._write(insert(ABSENCE).values(group_id=0, place=10**6, kind="left", seat=0, at=1.0))
        with pytest.raises(ExportError, match=r"^0 of 2 groups are valid \(1 broken, 1 valid\.need_votes\)"):
            export(study.path)
    left = {file.name for file in (tmp_path / "study_export").iterdir()}
    assert left == {"decisions.parquet", "people.csv", "groups.csv", "payments.csv", "prolific_bonus.csv", "study.json"}
    assert len(lines_of(tmp_path / "study_export/payments.csv")) == 8


def test_nobody_is_paid_by_a_study_that_knows_nobody_any_more(tmp_path):
    study = read_study(written(tmp_path))
    with PlayedStudy(study) as played:
        played.play(0, gives(1, 1, 1, 1))
        played._write(update(PERSON).values(secret_hash=""))
        found = export(study.path)
    assert found.anonymised and found.valid == 1
    assert not [file for file in (tmp_path / "study_export").iterdir() if "p" in file.name and "bonus" in file.name]
    assert not (tmp_path / "study_export/payments.csv").exists()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_all_tables_are_of_one_moment(tmp_path, request, kind):
    """Another group plays whenever a table has been read: what was there at first is read, and nothing else."""
    elsewhere = {} if kind == "sqlite" else {"database": request.getfixturevalue("postgres")()}
    study = read_study(written(tmp_path, **elsewhere))
    with PlayedStudy(study) as played, reading(study.database) as engine:
        played.play(0, gives(1, 1, 1, 1))

        @listens_for(engine, "after_cursor_execute")
        def _go_on(connection, cursor, statement, *_):
            if statement.startswith("SELECT"):
                played.play(len(played.store.rows(GRP)), gives(1, 1, 1, 1))

        recording = read_recording(study, engine)
        assert len(played.store.rows(GRP)) > 5
    assert [group.row.id for group in recording.groups] == [0] and len(recording.people) == 4
    assert {row.group_id for row in recording.tables["decision"]} == {0}
    assert export(study.path).valid > 5


def test_who_has_withdrawn_is_in_no_table(tmp_path):
    study = read_study(written(tmp_path))
    with PlayedStudy(study) as played:
        for number in range(2):
            played.play(number, gives(1, 1, 1, 1))
        played._write(insert(EVENT).values(person_id="g1p2", group_id=1, what="withdrawn", at=9e3))
        assert export(study.path).valid == 1
    out = tmp_path / "study_export"
    assert [row["why_not"] for row in lines_of(out / "groups.csv")] == ["", "withdrawn"]
    assert set(pq.read_table(out / "decisions.parquet")["group"].to_pylist()) == {0}
    assert "g1p2" not in (out / "people.csv").read_text() and len(lines_of(out / "payments.csv")) == 7
    counts = json.loads((out / "study.json").read_text())["counts"]
    assert (counts["people"], counts["people_withdrawn"], counts["groups_left_out_by"]) == (8, 1, {"withdrawn": 1})


def test_the_database_of_another_study_is_refused(tmp_path):
    study = read_study(written(tmp_path))
    with PlayedStudy(study) as played:
        played.play(0, gives(1, 1, 1, 1))
    written(tmp_path, groups="7")  # may be changed
    assert export(study.path).valid == 1
    written(tmp_path, autoplay="random")
    with pytest.raises(LawgiverError, match=r"study\.sqlite: study_hash is .*, allowed: that of .*study\.yaml"):
        export(study.path)


def test_a_group_under_a_mechanism_that_makes_something_else_now_is_broken(tmp_path):
    study = read_study(written(tmp_path))
    with PlayedStudy(study) as played:
        for number in range(2):
            played.play(number, gives(1, 1, 1, 1))
        played._write(
            update(DECISION).where(DECISION.c.group_id == 1, DECISION.c.role == "mechanism").values(action="[1,0,0,0]")
        )
        assert export(study.path).valid == 1
    assert [row["why_not"] for row in lines_of(tmp_path / "study_export/groups.csv")] == ["", "broken"]
    assert set(pq.read_table(tmp_path / "study_export/decisions.parquet")["group"].to_pylist()) == {0}


def test_the_command_writes_the_tables(tmp_path, monkeypatch):
    study = read_study(written(tmp_path))
    with PlayedStudy(study) as played:
        played.play(0, gives(1, 1, 1, 1))
        done = CliRunner().invoke(app, ["experiment", "export", str(study.path), "--out", str(tmp_path / "tables")])
    assert done.exit_code == 0, done.output
    told = [f"written: {tmp_path / 'tables' / name}" for name in ("decisions.parquet", "records.parquet")]
    assert done.output.splitlines()[:2] == told
