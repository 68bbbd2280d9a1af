"""``lawgiver play`` over HTTP: every game to its end, what is sent twice or too late, and what somebody else sends."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from sqlalchemy import delete, event, insert, update

import lawgiver
from lawgiver.agents.learned import save_policy
from lawgiver.agents.reporting import AffineMaximiser
from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.registry import GAMES, lookup, names
from lawgiver.trainers.people.ledger import Ledger, NewRow
from lawgiver.trainers.people.numbers import number
from lawgiver.trainers.people.play import opened
from lawgiver.trainers.people.serve import listening
from lawgiver.trainers.people.solo import Solo
from lawgiver.trainers.people.store import Store, StoreError, reading, rows
from lawgiver.trainers.people.tables import DECISION, GRP, STUDY, VOTE

LONGEST = 400
"""Pages of the longest game."""


@dataclass
class Answer:
    """What a server answers."""

    status: int
    headers: dict[str, str]
    text: str


class Form(HTMLParser):
    """The form of a page, and its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.choices: list[str] = []
        self.entries: list[dict[str, str]] = []
        self.action = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attributes}
        if tag == "form":
            self.action = found["action"]
        elif tag == "input" and found["type"] == "hidden":
            self.hidden[found["name"]] = found["value"]
        elif tag == "input" and found["type"] == "radio":
            assert "checked" not in found, "an answer that is there already suggests itself"
            self.choices.append(found["value"])
        elif tag == "input":
            assert not found["value"]
            self.entries.append(found)

    def filled(self, rng: np.random.Generator) -> dict[str, str]:
        """Return the fields of an answer at random."""
        sent = dict(self.hidden)
        if self.choices:
            sent["choice"] = str(rng.choice(self.choices))
        for entry in self.entries:
            low, high = float(entry["data-low"]), float(entry["data-high"])
            value = low + (high - low) * rng.random()
            sent[entry["name"]] = str(round(value)) if entry["data-step"] == "1" else f"{value:.6f}"
        return sent


@dataclass
class Visitor:
    """A browser without scripts."""

    port: int
    path: str = "/"
    cookie: str = ""

    def ask(self, method: str, path: str, body: bytes | str | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        own = {"Cookie": self.cookie} if self.cookie else {}
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        connection.request(method, path, body, {**own, **named})
        got = connection.getresponse()
        answer = Answer(got.status, {key.lower(): value for key, value in got.getheaders()}, got.read().decode())
        connection.close()
        return answer

    def join(self) -> Visitor:
        answer = self.ask("POST", "/join")
        assert answer.status == 303
        self.path, self.cookie = answer.headers["location"], answer.headers["set-cookie"].partition(";")[0]
        return self

    def page(self) -> str:
        answer = self.ask("GET", self.path)
        assert answer.status == 200, answer.text
        return answer.text

    def data(self) -> dict[str, Any]:
        answer = self.ask("GET", self.path, Accept="application/json")
        assert answer.status == 200 and answer.headers["content-type"] == "application/json"
        return json.loads(answer.text)

    def send(self, fields: dict[str, str]) -> Answer:
        return self.ask("POST", self.path, urlencode(fields), Content_Type="application/x-www-form-urlencoded")

    def send_json(self, fields: Any) -> Answer:
        body = fields if isinstance(fields, (str, bytes)) else json.dumps(fields)
        return self.ask("POST", self.path, body, Content_Type="application/json", Accept="application/json")

    def to_the_end(self, rng: np.random.Generator) -> list[str]:
        """Answer every page at random; return the stages."""
        stages: list[str] = []
        for _ in range(LONGEST):
            form = Form(self.page())
            if not form.hidden:
                return [*stages, "end"]
            stages.append(form.hidden["at"].partition(".")[0])
            answer = self.send(form.filled(rng))
            assert answer.status == 303 and answer.headers["location"] == self.path, answer.text
        raise AssertionError("a game without end")


Serving = Callable[..., Any]

VARIANTS = [
    pytest.param(name, parameters, id=f"{name}-{number}")
    for name in names(GAMES)
    if name != "election-v0"  # whose players are mechanisms
    for number, parameters in enumerate([{}, *lookup(GAMES, name).variants.values()])
]


@pytest.mark.parametrize(("name", "parameters"), VARIANTS)
def test_every_game_is_played_to_its_end(serving: Serving, name: str, parameters: dict[str, Any]) -> None:
    served = serving({"name": name, **parameters}, seed=1)
    visitor, solo = Visitor(served.port).join(), served.solo
    stages = visitor.to_the_end(np.random.default_rng(0))
    assert stages[-2:] == ["result", "end"] and stages.count("result") == 1
    (person,) = solo.people.values()
    turns = [one.sources[person.seat] for one in person.group.game.rounds]
    assert turns.count("person") == stages.count("play") and set(turns) <= {"person", "waited"}
    assert person.group.stage == "ended" and stages.count("play") > 0
    assert all((name in visitor.page()) for name in person.names)


def test_numbers_are_written_for_people() -> None:
    told = {
        6.4: "6.4",
        3.2000000000000006: "3.2",
        10.0: "10",
        -12: "\u221212",
        0.00456: "0.00456",
        1e-9: "0",
        -0.0: "0",
    }
    assert {value: number(value) for value in told} == told
    assert [number(value) for value in (12345.678, float("inf"), -float("inf"))] == [
        "12345.68",
        "\u221e",
        "\u2212\u221e",
    ]


# -- two games and a vote ---------------------------------------------------------------------------------------------

TWO = {"name": "public_investment", "n_rounds": 2, "endowments": [10, 4, 4, 4]}
BOTH = ["libertarian", "strict_egalitarian"]


def test_two_games_a_vote_and_what_is_told_at_the_end(serving: Serving) -> None:
    served = serving(TWO, mechanisms=BOTH, seed=3)
    visitor, solo = Visitor(served.port).join(), served.solo
    stages, texts = [], []
    while not stages or stages[-1] != "end":
        text = visitor.page()
        form = Form(text)
        stages.append(form.hidden["at"].partition(".")[0] if form.hidden else "end")
        texts.append(text)
        if form.hidden:
            visitor.send({**form.filled(np.random.default_rng(0)), **({"choice": "1"} if stages[-1] == "vote" else {})})
    game = ["play", "play", "result"]
    assert stages == [*game, *game, "vote", "outcome", *game, "end"]
    assert not any(name in text for text in texts[:-1] for name in BOTH), "names prime people"
    (person,) = solo.people.values()
    assert person.group.winner == 1 and sorted(person.names) == sorted(BOTH)
    rows = [one.partition("</tr>")[0] for one in texts[-1].split("<tr>")[2:]]
    told = [next(name for name in BOTH if name in row) for row in rows]
    assert told == [*person.names, person.names[1]]


def test_mechanisms_rule_in_either_order_and_people_sit_in_every_seat(serving: Serving) -> None:
    served = serving(TWO, mechanisms=BOTH, seed=0)
    solo = served.solo
    for _ in range(30):
        Visitor(served.port).join()
    assert {person.names for person in solo.people.values()} == {tuple(BOTH), tuple(BOTH[::-1])}
    assert {person.seat for person in solo.people.values()} == {0, 1, 2, 3}


# -- what is sent twice, or too late ----------------------------------------------------------------------------------


@pytest.fixture
def begun(serving: Serving) -> tuple[Visitor, Solo]:
    """Somebody who is to decide for the first time."""
    served = serving(TWO, mechanisms=BOTH, seed=3)
    return Visitor(served.port).join(), served.solo


def rows_of(solo: Solo) -> list[Any]:
    """Return what is stored of all decisions and votes."""
    return solo.store.rows(DECISION) + solo.store.rows(VOTE)


def test_the_same_answer_sent_twice_at_once_counts_once(begun: tuple[Visitor, Solo]) -> None:
    visitor, solo = begun
    sent = {**Form(visitor.page()).hidden, "choice": "3"}
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(visitor.send(sent))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [303] * 4
    (person,) = solo.people.values()
    assert len(person.group.game.rounds) == 1 and person.group.at == "play.0.2"
    own = [row for row in rows_of(solo) if row.source == "person"]
    assert [(row.step, row.action, row.seat) for row in own] == [(0, "3", person.seat)]
    assert own[0].shown <= own[0].at


def test_what_is_sent_for_another_step_changes_nothing(begun: tuple[Visitor, Solo]) -> None:
    visitor, solo = begun
    (person,) = solo.people.values()
    first = {**Form(visitor.page()).hidden, "choice": "1"}
    visitor.send(first)
    before, log = visitor.data(), list(person.group.log)
    tokens = [first["at"], "vote.1.4", "play.0.4", "result.0.0", "end.0.0", "", "nonsense", "play.0.2 "]
    for at in tokens:  # a second tab, the back button, a replayed request; a vote or a page before its time
        assert visitor.send({"at": at, "choice": "0"}).status == 303
        answer = visitor.send_json({"at": at, "choice": 0})
        assert answer.status == 200 and json.loads(answer.text)["at"] == before["at"]
    assert visitor.send({"choice": "0"}).status == 303
    assert list(person.group.log) == log and visitor.data() == before


def test_a_page_between_games_is_read_once(begun: tuple[Visitor, Solo]) -> None:
    visitor, _ = begun
    for _ in range(2):
        visitor.send({**Form(visitor.page()).hidden, "choice": "1"})
    result = Form(visitor.page()).hidden
    assert result == {"at": "result.0.0"}
    for _ in range(3):
        visitor.send(result)
    assert Form(visitor.page()).hidden == {"at": "play.1.0"}


def test_an_open_poll_is_answered_when_another_tab_goes_on(begun: tuple[Visitor, Solo]) -> None:
    visitor, _ = begun
    hidden = Form(visitor.page()).hidden
    assert json.loads(visitor.ask("GET", f"{visitor.path}/wait?seen=play.0.9").text) == {"seen": "play.0.0"}
    told: list[Answer] = []
    other = threading.Thread(target=lambda: told.append(visitor.ask("GET", f"{visitor.path}/wait?seen=play.0.0")))
    other.start()
    visitor.send({**hidden, "choice": "1"})
    other.join()
    assert json.loads(told[0].text) == {"seen": "play.0.2"}


# -- what somebody else sends -----------------------------------------------------------------------------------------


def test_a_page_is_for_whoever_holds_its_secret(serving: Serving) -> None:
    served = serving(TWO, mechanisms=BOTH)
    port, solo = served.port, served.solo
    own, other = Visitor(port).join(), Visitor(port).join()
    own.page()
    stranger = [(own.path, other.cookie), (own.path, ""), (own.path, "seat="), ("/p/invented", own.cookie)]
    logs = [list(person.group.log) for person in solo.people.values()]
    bodies = set()
    for path, cookie in stranger:
        for method, where in (("GET", path), ("POST", path), ("GET", f"{path}/wait?seen=x")):
            answer = Visitor(port, path, cookie).ask(
                method, where, "at=play.0.0&choice=1" if method == "POST" else None
            )
            assert answer.status == 403
            bodies.add(answer.text)
    assert len(bodies) == 1, "nothing tells who exists"
    assert [list(person.group.log) for person in solo.people.values()] == logs
    assert own.cookie.partition("=")[2] not in own.page()


def test_cookies_and_headers(serving: Serving) -> None:
    port = serving(TWO, mechanisms=BOTH).port
    answer = Visitor(port).ask("POST", "/join")
    attributes = set(answer.headers["set-cookie"].split("; ")[1:])
    assert attributes == {"HttpOnly", f"Path={answer.headers['location']}", "SameSite=lax"}
    visitor = Visitor(port).join()
    refused = Visitor(port, "/p/x")
    for page in (visitor.ask("GET", "/"), visitor.ask("GET", visitor.path), refused.ask("GET", "/p/x")):
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff" and page.headers["cache-control"] == "no-store"
        assert "server" not in page.headers
    for name in (part.partition('"')[0] for part in visitor.page().split('"/static/')[1:]):
        static = visitor.ask("GET", f"/static/{name}")
        assert static.status == 200 and "immutable" in static.headers["cache-control"]
    assert visitor.ask("GET", "/static/page.css").status == visitor.ask("GET", "/static/../server.py").status == 404
    assert visitor.ask("GET", "/p").status == 404 and visitor.ask("PUT", "/").status == 405
    assert visitor.ask("GET", "/healthz").text == "ok"


@pytest.mark.parametrize("path", ["/join", None])
def test_forms_of_other_sites_are_refused(begun: tuple[Visitor, Solo], path: str | None) -> None:
    visitor, solo = begun
    hidden = Form(visitor.page()).hidden
    body = urlencode({**hidden, "choice": "1"})
    for origin, status in (
        ("https://elsewhere.example", 403),
        ("null", 403),
        (f"http://127.0.0.1:{visitor.port}", 303),
    ):
        kind = "application/x-www-form-urlencoded"
        assert visitor.ask("POST", path or visitor.path, body, Origin=origin, Content_Type=kind).status == status
    assert len(solo.people) == (2 if path else 1)


ILLEGAL = [11, -1, 3.5, "x", "", "1e0", "1.0", " ", "٣", "0x1", 1e308, 10**22, "1" * 23, "NaN", "inf", "<b>"]
UNTYPED = [None, True, [], {}, [1], {"a": 1}]


def test_what_is_no_answer_is_refused_and_nothing_is_written(begun: tuple[Visitor, Solo]) -> None:
    visitor, solo = begun
    hidden = Form(visitor.page()).hidden
    before, rows = visitor.data(), rows_of(solo)
    for value in ILLEGAL:
        for answer in (visitor.send({**hidden, "choice": str(value)}), visitor.send_json({**hidden, "choice": value})):
            assert answer.status == 422, (value, answer.text)
        assert json.loads(answer.text)["fault"] == "Please choose one of the answers."
    for value in UNTYPED:
        assert visitor.send_json({**hidden, "choice": value}).status == 422, value
    assert visitor.send(hidden).status == visitor.send_json(hidden).status == 422
    assert visitor.data() == before and rows_of(solo) == rows


BROKEN = [
    b"{",
    b"[]",
    b"1",
    b"",
    b"\xff",
    b"[" * 4000,
    b'{"at": NaN}',
    b'{"at": "\\ud800"}',
    b'{"at": "\\u0000"}',
    b"null",
    b'"at"',
]


def test_what_is_no_request_is_refused(begun: tuple[Visitor, Solo]) -> None:
    visitor, _ = begun
    before = visitor.data()
    for body in BROKEN:
        assert visitor.send_json(body).status == 400, body
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    for body in (b"{", b"at", b"at=%ff", b"\xff=1", b"at=1&at=2", "&".join(f"a{i}=1" for i in range(101)).encode()):
        assert visitor.ask("POST", visitor.path, body, **form).status == 400, body
    assert visitor.ask("POST", visitor.path, b"at=" + b"1" * 5000, **form).status == 413
    assert visitor.send_json(b'{"at": "' + b"1" * 5000 + b'"}').status == 413
    many = json.dumps({f"a{i}": 1 for i in range(101)})
    assert visitor.send_json(many).status == 400
    assert visitor.data() == before


def test_a_wrong_answer_is_shown_again_as_text(serving: Serving) -> None:
    visitor = Visitor(serving("sealed_bid", mechanism="no_reserve", seed=0).port).join()
    form = Form(visitor.page())
    (entry,) = form.entries
    markup = '"><script>alert(1)</script>'
    answer = visitor.send({**form.hidden, entry["name"]: markup})
    assert answer.status == 422 and "<script>alert" not in answer.text and "&#34;&gt;&lt;script&gt;" in answer.text
    assert 'role="alert"' in answer.text and "Please enter a number, such as 2.5." in answer.text
    assert "from 0 to 1." in visitor.send({**form.hidden, entry["name"]: "1.5"}).text
    for value in ("-0.1", "1e400", "nan", "1_0", "²", "1,5"):
        assert visitor.send({**form.hidden, entry["name"]: value}).status == 422, value
    assert visitor.send({**form.hidden, entry["name"]: "1e-1"}).status == 303


# -- the command, and what is kept ------------------------------------------------------------------------------------


def started(*options: str, before: Callable[[], Any] | None = None) -> tuple[subprocess.Popen[str], int]:
    """Start the command; return its process and port."""
    command = [sys.executable, "-m", "lawgiver", "play", "taxed_dilemma", "mechanism=libertarian", "--port", "0"]
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=before
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"play at http://127\.0\.0\.1:(\d+)/; stop with Ctrl-C\n", line)
    assert found is not None, process.communicate()
    return process, int(found[1])


def interrupted(process: subprocess.Popen[str]) -> None:
    """Stop the command as Ctrl-C does."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (130, "", "")


def test_a_game_goes_on_after_a_restart(serving: Serving, tmp_path: Path) -> None:
    file = tmp_path / "kept.sqlite"
    first = serving(TWO, keep=file, mechanisms=BOTH)
    visitor, other = Visitor(first.port).join(), Visitor(first.port).join()
    rng = np.random.default_rng(1)
    for _ in range(6):  # two rounds, a result, and the same again
        visitor.send(Form(visitor.page()).filled(rng))
    before = [one.data() for one in (visitor, other)]
    assert before[0]["stage"] == "vote"
    logs = {name: person.group.log for name, person in first.solo.people.items()}
    first.stop()

    second = serving(TWO, keep=file, mechanisms=BOTH)
    visitor.port = other.port = second.port
    assert {name: person.group.log for name, person in second.solo.people.items()} == logs
    assert [one.data() for one in (visitor, other)] == before
    assert visitor.to_the_end(rng) == ["vote", "outcome", "play", "play", "result", "end"]
    ended = visitor.data()
    second.stop()

    third = serving(TWO, keep=file, mechanisms=BOTH, seed=second.solo.store.seed)
    visitor.port = third.port
    assert visitor.data() == ended and ended["names"][2] == ended["names"][ended["view"]["winner"]]


def test_a_log_that_cannot_be_played_again_breaks_its_own_group_alone(serving: Serving, tmp_path: Path) -> None:
    file = tmp_path / "kept.sqlite"
    first = serving(TWO, keep=file, mechanisms=BOTH)
    visitor, other = Visitor(first.port).join(), Visitor(first.port).join()
    visitor.send({**Form(visitor.page()).hidden, "choice": "1"})
    before, seed = other.data(), first.solo.store.seed
    first.stop()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE decision SET action = '99' WHERE source = 'person' AND group_id = 0")

    second = serving(TWO, keep=file, mechanisms=BOTH, seed=seed)
    visitor.port = other.port = second.port
    assert visitor.data()["stage"] == "broken" and "cannot be continued" in visitor.page()
    assert other.data() == before and other.to_the_end(np.random.default_rng(0))[-1] == "end"
    broken = next(person.group for person in second.solo.people.values() if person.group_id == 0)
    assert broken.fault is not None and "99" in broken.fault


@pytest.mark.parametrize(
    ("column", "value"), [("seat", 0), ("seat", None), ("group_id", None), ("read", 7), ("read", -1)]
)
def test_people_who_cannot_be_are_refused(tmp_path: Path, column: str, value: int | None) -> None:
    file = tmp_path / "kept.sqlite"

    async def come_and_go(solo: Solo) -> None:
        await solo.join()
        await solo.ledger.close()

    with opened(TWO, file, mechanisms=BOTH, seed=3) as solo:
        asyncio.run(come_and_go(solo))
        assert [person.seat for person in solo.people.values()] == [3]
    with sqlite3.connect(file) as connection:
        connection.execute(f"UPDATE person SET {column} = ?", (value,))
    told = f"has a person whose {column} is {value}, allowed: "
    with pytest.raises(StoreError, match=told), opened(TWO, file, mechanisms=BOTH):
        pass


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Return a file that is kept of a game."""
    file = tmp_path / "kept.sqlite"
    with opened("taxed_dilemma", file, mechanism="libertarian", seed=5):
        pass
    return file


REFUSED = [
    ({"seed": 6}, "was begun with seed=5, allowed: the same, or another database"),
    ({"mechanism": "strict_egalitarian"}, r"was begun with mechanisms=\['libertarian'\], allowed"),
    ({"game.continuation": 0.5}, "was begun with no game.continuation, allowed"),
]


@pytest.mark.parametrize(("changes", "told"), REFUSED)
def test_a_file_of_another_game_is_refused(kept: Path, changes: dict[str, Any], told: str) -> None:
    with (
        pytest.raises(StoreError, match=told),
        opened("taxed_dilemma", kept, **{"mechanism": "libertarian", **changes}),
    ):
        pass


def test_a_file_in_use_or_of_something_else_is_refused(kept: Path, tmp_path: Path) -> None:
    def refused(file: Path, told: str) -> None:
        with pytest.raises(StoreError, match=told), opened("taxed_dilemma", file, mechanism="libertarian"):
            pass

    with opened("taxed_dilemma", kept, mechanism="libertarian"):
        refused(kept, "is in use by another process")
    (tmp_path / "text").write_text("no database" * 100)
    refused(tmp_path / "text", "cannot be used as a database: file is not a database")
    refused(tmp_path / "nowhere" / "file", "cannot write .*: No such file or directory")
    for folder in (tmp_path, Path(), Path("/")):
        refused(folder, "is a folder, allowed: a file")
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("CREATE TABLE person (id INTEGER)")
    refused(tmp_path / "other", r"holds other tables \(person\), allowed: those of a study")
    with sqlite3.connect(tmp_path / "other") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("person",)]
    with sqlite3.connect(kept) as connection:
        connection.execute("INSERT INTO decision VALUES (0, 0, 0, 'participant', 0, 0, '{', 'person', NULL, 0)")
    refused(kept, "has the action '{', allowed: JSON")
    with sqlite3.connect(kept) as connection:
        connection.execute("UPDATE study SET schema = 99")
        connection.execute("DROP TABLE event")  # of another version there is no telling what it has
    refused(kept, "has tables of version 99, allowed: 2")
    with sqlite3.connect(kept) as connection:
        assert not connection.execute("SELECT name FROM sqlite_master WHERE name = 'event'").fetchall()


def test_what_cannot_be_written_is_not_answered_and_stops_the_server(tmp_path: Path) -> None:
    file = tmp_path / "kept.sqlite"
    process, port = started("--keep", str(file))
    visitor = Visitor(port).join()
    form = Form(visitor.page())
    with sqlite3.connect(file) as connection:
        connection.execute("ALTER TABLE decision RENAME TO gone")
    answer = visitor.send(form.filled(np.random.default_rng(0)))
    assert answer.status == 503 and "cannot store anything any more" in answer.text
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert err == f"lawgiver: cannot write {file}: no such table: decision; what was written before is intact\n"

    with sqlite3.connect(file) as connection:
        connection.execute("ALTER TABLE gone RENAME TO decision")
    process, visitor.port = started("--keep", str(file))
    assert Form(visitor.page()).hidden == form.hidden, "as it was, for what was not answered has not happened"
    interrupted(process)


def test_changes_that_arrive_together_are_committed_together(tmp_path: Path) -> None:
    store = Store(tmp_path / "file", {})
    ledger = Ledger(store.engine)

    async def write(count: int) -> None:
        rows = [insert(GRP).values(id=number, seed=1, mechanisms="[]", started=0.0) for number in range(count)]
        await asyncio.gather(*(ledger.write(row) for row in rows))
        await ledger.close()

    asyncio.run(write(50))
    assert len(store.rows(GRP)) == 50 and ledger.commits <= 2, "the first, and all that came while it was written"
    store.close()


def test_rows_of_one_commit_are_inserted_a_table_at_a_time_and_in_an_order_that_keys_allow(tmp_path: Path) -> None:
    store = Store(tmp_path / "file", {})
    ledger, told = Ledger(store.engine), list[str]()
    event.listen(store.engine, "before_cursor_execute", lambda *call: told.append(call[2]))

    def decided(group: int) -> NewRow:
        action = {"episode": 0, "step": 0, "role": "participant", "seat": 0, "action": "1", "source": "person"}
        return NewRow(DECISION, {"group_id": group, "place": 0, **action, "at": 1.0, "shown": None})

    def begun(group: int, **more: Any) -> NewRow:
        return NewRow(GRP, {"id": group, "seed": 1, "mechanisms": "[]", "started": 0.0, **more})

    async def write() -> None:
        await ledger.write(begun(0))
        ended = update(GRP).where(GRP.c.id == 2).values(state="ended")
        await ledger.write(decided(0), begun(1), decided(1), begun(2, winner=1), ended, decided(2))
        await ledger.close()

    asyncio.run(write())
    assert [row.group_id for row in store.rows(DECISION)] == [0, 1, 2]
    groups = [(row.winner, row.state == "ended") for row in store.rows(GRP)]
    assert groups == [(None, False), (None, False), (1, True)], "an update follows what is handed in before it"
    orders = [text.replace("INSERT INTO", "INSERT").split()[:2] for text in told if "SELECT" not in text]
    first, grp, decision = ["INSERT", "grp"], ["INSERT", "grp"], ["INSERT", "decision"]
    assert orders == [first, grp, grp, decision, ["UPDATE", "grp"], decision], "one insert of both decisions before it"
    store.close()


# -- bad input --------------------------------------------------------------------------------------------------------

BAD = [
    ("election", {}, "election-v0 has no participants, so that people cannot play it"),
    ("nothing", {}, "unknown game 'nothing'"),
    ("public_investment", {"mechanism": "vcg"}, "mechanism 'vcg'"),
    ("public_investment", {"mechanism": "libertarian", "mechanisms": BOTH}, "both given, allowed: one of them"),
    ("public_investment", {"mechanisms": ["libertarian", "libertarian"]}, "'libertarian' twice, allowed: each once"),
    ("public_investment", {"mechanisms": ["libertarian"]}, "mechanisms"),
    ("public_investment", {"others": "truthful"}, "truthful"),
    ("public_investment", {"mechanism": "./nowhere"}, "there is no such folder"),
    ("public_investment", {"mechanizm": "libertarian"}, "mechanizm.*did you mean 'mechanism'"),
    ("public_investment", {"game.n_rounds": 0}, "game.n_rounds is 0"),
    ("public_investment", {"seed": -1}, "seed"),
    ("matrix", {"mechanism": "random"}, "none, as matrix-v0 has none"),
]


@pytest.mark.parametrize(("game", "settings", "told"), BAD)
def test_bad_input_is_refused_before_anything_is_served(game: str, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(LawgiverError, match=told) as error, opened(game, **settings):
        pass
    assert "\n" not in str(error.value)


def test_a_port_that_is_taken_or_none() -> None:
    with listening(0) as own, pytest.raises(LawgiverError, match=r"cannot be opened: Address already in use"):
        listening(own.getsockname()[1])
    with pytest.raises(LawgiverError, match=r"port is 70000, allowed: an integer in 0\.\.65,535"):
        lawgiver.play("taxed_dilemma", port=70000)


def test_the_command_serves_until_it_is_interrupted() -> None:
    process, port = started()
    visitor = Visitor(port).join()
    poll = threading.Thread(target=lambda: visitor.ask("GET", f"{visitor.path}/wait?seen=play.0.0"))
    visitor.page()
    poll.start()
    interrupted(process)
    poll.join(timeout=120)
    assert not poll.is_alive()


def test_an_interrupt_ends_it_also_where_it_was_started_to_ignore_them() -> None:
    process, port = started(before=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    Visitor(port).join().page()
    interrupted(process)


def test_a_saved_policy_is_a_mechanism(serving: Serving, tmp_path: Path) -> None:
    game, folder = lawgiver.make_game("sequential_sales", n=2, m=1), tmp_path / "learned"
    save_policy(folder, AffineMaximiser(game, boosts=np.array([0, -0.5, -0.5])))
    served = serving({"name": "sequential_sales", "n": 2, "m": 1}, mechanism=str(folder))
    visitor = Visitor(served.port).join()
    assert visitor.to_the_end(np.random.default_rng(0)) == ["play", "result", "end"]
    assert str(folder) in visitor.page()


def test_a_database_is_read_while_it_is_served_and_cannot_be_written_then(kept: Path) -> None:
    with opened("taxed_dilemma", kept, mechanism="libertarian"), reading(kept) as engine:
        (study,) = rows(engine, STUDY)
        assert study.seed == 5
        with pytest.raises(StoreError, match="readonly"), reading(kept) as second, second.begin() as connection:
            connection.execute(delete(STUDY))
    with pytest.raises(StoreError, match="is no file"), reading(kept.with_name("nothing")):
        pass
    assert not kept.with_name("nothing").exists()
