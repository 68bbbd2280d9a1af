"""Links for people, counts of a study, and what is left of people who are forgotten."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from played_study import PlayedStudy, written
from sqlalchemy import insert, update
from typer.testing import CliRunner

from lawgiver.envs.core.errors import ParameterError
from lawgiver.trainers.cli import app
from lawgiver.trainers.people.export import export
from lawgiver.trainers.people.group import Group
from lawgiver.trainers.people.links import code_id, new_links
from lawgiver.trainers.people.privacy import MOMENTS, anonymise, forget
from lawgiver.trainers.people.recorded import read_recording
from lawgiver.trainers.people.status import status_of
from lawgiver.trainers.people.store import StoreError, open_study, reading, rows
from lawgiver.trainers.people.study import Study, read_study
from lawgiver.trainers.people.tables import OUTSIDE, PERSON, STUDY

PAY = "{currency: GBP, show_up: '2.50'}"
EXPORTED = ("people.csv", "groups.csv", "decisions.parquet", "records.parquet")


def give_nothing(group: Group) -> None:
    for seat in group.waiting:
        group.answer(seat, group.at, {"choice": "0"})


@pytest.fixture
def played(tmp_path: Path) -> Study:
    """Return a study that two groups have played, whose people are known as ``outside0`` to ``outside7``."""
    study = read_study(written(tmp_path, pay=PAY, access="codes"))
    with PlayedStudy(study) as database:
        for number in range(2):
            database.play(number, give_nothing)
        with database.store.engine.begin() as connection:
            connection.execute(update(STUDY).values(created=990.0))
            known = [
                {"kind": "code", "person_id": f"g{group}p{seat}", "outside_id": f"outside{4 * group + seat}"}
                for group in range(2)
                for seat in range(4)
            ]
            connection.execute(insert(OUTSIDE), known)
    return study


def run(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["experiment", *words])
    return found.exit_code, found.output


def test_links_let_people_in_and_only_hashes_of_them_are_kept(tmp_path):
    study = read_study(written(tmp_path, access="codes"))
    links = new_links(study, 3, "https://example.org")
    codes = [link.link.removeprefix("https://example.org/join?code=") for link in links]
    assert len(set(codes)) == 3 and all(len(code) >= 16 for code in codes)
    assert [link.outside_id for link in links] == [code_id(code) for code in codes]
    with reading(study.database) as engine:
        kept = rows(engine, OUTSIDE)
    assert {row.outside_id for row in kept} == {link.outside_id for link in links}
    assert all(row.person_id is None and row.kind == "code" for row in kept)
    for file in tmp_path.glob("study.sqlite*"):
        assert not any(code.encode() in file.read_bytes() for code in codes)


def test_links_are_printed_as_csv(tmp_path):
    status, out = run("links", str(written(tmp_path, access="codes")), "--count", "2")
    found = list(csv.DictReader(io.StringIO(out)))
    assert status == 0 and len(found) == 2
    assert all(code_id(line["link"].partition("code=")[2]) == line["outside_id"] for line in found)
    assert all(line["link"].startswith("http://127.0.0.1:8000/join?code=") for line in found)


@pytest.mark.parametrize(
    ("access", "count", "address", "told"),
    [
        ("codes", 0, "http://a", "count is 0, allowed: an integer in 1"),
        ("open", 1, "http://a", "access is 'open', allowed for links: codes"),
        ("codes", 1, "ftp://a", "address is 'ftp://a', allowed"),
        ("codes", 1, "http://a/join", "without a path"),
    ],
)
def test_links_that_would_let_nobody_in_are_refused(tmp_path, access, count, address, told):
    with pytest.raises(ParameterError, match=told):
        new_links(read_study(written(tmp_path, access=access)), count, address)
    assert not (tmp_path / "study.sqlite").exists()


def test_who_is_forgotten_is_deleted_and_their_group_is_left_out(played, tmp_path):
    forget(played, "outside5")
    with reading(played.database) as engine:
        recording = read_recording(played, engine)
    assert [recording.why_not(group) for group in recording.groups] == [(), ("withdrawn",)]
    (gone,) = [person for person in recording.people if not person.secret_hash]
    assert gone.id == "g1p1" and not recording.anonymised
    assert len(recording.outside) == 7
    assert not any(b"outside5" in file.read_bytes() for file in tmp_path.glob("study.sqlite*"))
    found = export(played.path, tmp_path / "out")
    assert found.valid == 1
    lines = list(csv.DictReader((tmp_path / "out" / "payments.csv").open()))
    assert "outside5" not in [line["outside_id"] for line in lines]


def test_somebody_is_forgotten_by_their_code_too(played):
    with open_study(played).engine.begin() as connection:
        connection.execute(insert(OUTSIDE).values(kind="code", outside_id=code_id("secret")))
    forget(played, "secret")
    with reading(played.database) as engine:
        assert code_id("secret") not in [row.outside_id for row in rows(engine, OUTSIDE)]


def test_nothing_tells_who_took_part_once_a_study_is_anonymous(played, tmp_path):
    export(played.path, tmp_path / "before")
    assert anonymise(played) == 8
    with reading(played.database) as engine:
        recording = read_recording(played, engine)
        moments = [
            row._mapping[column.name]
            for table, columns in MOMENTS.items()
            for row in rows(engine, table)
            for column in columns
        ]
    assert recording.anonymised and not recording.outside and recording.row.intake == "closed"
    assert min(one for one in moments if one is not None) >= -120
    assert max(one for one in moments if one is not None) < 600, "seconds since the study began, none of the clock"
    for file in tmp_path.glob("study.sqlite*"):
        assert not any(f"outside{number}".encode() in file.read_bytes() for number in range(8)), file
    found = export(played.path, tmp_path / "after")
    assert found.anonymised and not (tmp_path / "after" / "payments.csv").exists()
    for name in EXPORTED:
        assert (tmp_path / "after" / name).read_bytes() == (tmp_path / "before" / name).read_bytes(), name


def test_a_study_with_people_in_it_is_not_made_anonymous(played):
    with open_study(played).engine.begin() as connection:
        connection.execute(update(PERSON).where(PERSON.c.id == "g1p2").values(end=None))
    with pytest.raises(ParameterError, match="1 people have not ended, allowed: once all have"):
        anonymise(played)


def test_people_are_not_forgotten_while_the_study_is_served(played):
    store = open_study(played)
    for change in (
        lambda: forget(played, "outside1"),
        lambda: anonymise(played),
        lambda: new_links(played, 1, "http://a"),
    ):
        with pytest.raises(StoreError, match="is in use by another process"):
            change()
    store.close()
    with pytest.raises(ParameterError, match=r"outside_id is .nobody., allowed: that of somebody in .*study\.sqlite"):
        forget(played, "nobody")


def test_status_counts_groups_and_what_is_owed(played):
    found = status_of(played)
    assert (found.valid, found.wanted, found.intake, str(found.owed)) == (2, 6, "open", "20.00")
    assert found.tables["people by end"] == {"done": 8}
    status, out = run("status", str(played.path))
    assert status == 0 and "2 of 6 groups are valid; intake is open" in out and "owed so far: 20.00 GBP" in out


def test_a_study_that_was_not_begun_has_no_status(tmp_path):
    with pytest.raises(StoreError, match=r"study\.sqlite is no file"):
        status_of(read_study(written(tmp_path)))


def test_anonymising_asks_before_it_does_anything(played):
    status, out = run("anonymise", str(played.path))
    assert status != 0 and "cannot be undone" in out
    with reading(played.database) as engine:
        assert rows(engine, OUTSIDE)
    assert run("anonymise", str(played.path), "--yes") == (0, "anonymised: 8 people\n")
