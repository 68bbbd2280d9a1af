"""An experiment over HTTP: ways in, what others cannot do, two studies at once, and a database that fails."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from played_study import written
from sqlalchemy import insert
from test_people_experiment import PROLIFIC, STUDY
from test_play import Visitor

from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.trainers.cli import main
from lawgiver.trainers.people.database import StoreError
from lawgiver.trainers.people.ledger import Ledger, LedgerError
from lawgiver.trainers.people.limits import Allowance
from lawgiver.trainers.people.links import code_id
from lawgiver.trainers.people.serve import Server, listening, serve
from lawgiver.trainers.people.serve_study import opened_study, require_ready
from lawgiver.trainers.people.server import make_application
from lawgiver.trainers.people.store import Store
from lawgiver.trainers.people.study import read_study
from lawgiver.trainers.people.study_routes import study_routes
from lawgiver.trainers.people.tables import EVENT, OUTSIDE, PERSON
from lawgiver.trainers.runs.atomic_files import WaitingError


class Serving:
    """A study that is served in a thread."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.study = read_study(path)
        self.experiment = stack.enter_context(opened_study(self.study))
        own = stack.enter_context(listening(0))
        self.port = own.getsockname()[1]
        self.server = Server(self.experiment, make_application(self.experiment, study_routes()))
        self.ending: BaseException | None = None
        self.thread = Thread(target=self._serve, args=(own,))
        self.thread.start()
        stack.callback(self.thread.join)
        stack.callback(setattr, self.server, "should_exit", True)
        while not self.server.started:
            assert self.thread.is_alive()
            time.sleep(0.001)

    def _serve(self, own: Any) -> None:
        try:
            serve(self.server, own)
        except BaseException as error:
            self.ending = error

    def join(self, query: str = "") -> Visitor:
        visitor = Visitor(self.port)
        answer = visitor.ask("GET", f"/join{query}")
        assert answer.status == 303, answer.text
        visitor.path, visitor.cookie = answer.headers["location"], answer.headers["set-cookie"].partition(";")[0]
        return visitor

    def go_on(self, visitor: Visitor, **fields: str) -> dict[str, Any]:
        """Answer a page, rightly by default, and return the next."""
        quiz = {f"quiz.{place}": str(each.right) for place, each in enumerate(self.study.wording.quiz)}
        sent = {"at": visitor.data()["at"], "consent": "1", "choice": "1", **quiz, **fields}
        answer = visitor.send_json(sent)
        assert answer.status == 200, answer.text
        page: dict[str, Any] = json.loads(answer.text)
        return page


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    with ExitStack() as stack:

        def make(name: str = "one", **changed: str) -> Serving:
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            return Serving(written(folder, STUDY, **changed), stack)

        yield make


def test_every_page_before_the_games_is_html_and_json(lab: Callable[..., Serving]) -> None:
    served = lab()
    visitor, stages = served.join(), []
    served.experiment.people[visitor.path[3:]].allowance = Allowance(100, 0)
    for _ in range(6):
        page = visitor.data()
        assert {"stage", "at", "seen", "group", "seat", "view", "form", "asked"} <= set(page)
        stages.append(page["stage"])
        text = visitor.page()
        assert "nobody" in text and f"{visitor.path}/leave" in text and text.count("<h1") == 1
        assert not any(name in text for name in ("libertarian", "egalitarian", "public_investment"))
        served.go_on(visitor)
    assert stages == ["consent", "instructions", "quiz", "practice", "practised", "waiting"]
    assert '<meta http-equiv="refresh" content="5">' in visitor.page()


def test_leaving_is_asked_and_then_done(lab: Callable[..., Serving]) -> None:
    served = lab()
    visitor = served.join()
    assert visitor.ask("GET", f"{visitor.path}/leave").status == 200 and visitor.data()["stage"] == "consent"
    assert visitor.ask("POST", f"{visitor.path}/leave", Origin="https://elsewhere.example").status == 403
    assert visitor.ask("POST", f"{visitor.path}/leave").status == 303
    assert visitor.data()["told"]["end"] == "left" and "You have left" in visitor.page()
    assert visitor.ask("GET", f"{visitor.path}/leave").status == 303


def test_pages_of_others_are_refused_in_the_same_way(lab: Callable[..., Serving]) -> None:
    served = lab()
    own, other = served.join(), served.join()
    asked = [("GET", ""), ("POST", ""), ("GET", "/wait?seen=x"), ("GET", "/leave"), ("POST", "/leave")]
    bodies = set()
    for path, cookie in ((own.path, other.cookie), (own.path, ""), ("/p/invented", own.cookie)):
        for method, rest in asked:
            answer = Visitor(served.port, path, cookie).ask(method, path + rest)
            assert answer.status == 403
            bodies.add(answer.text)
    assert len(bodies) == 1 and own.data()["stage"] == other.data()["stage"] == "consent"
    assert [row.what for row in served.experiment.store.rows(EVENT)] == ["joined", "joined"]


def test_answers_that_are_none_are_refused(lab: Callable[..., Serving]) -> None:
    served = lab()
    visitor = served.join()
    markup = "<script>alert(1)</script>"
    for value in ("", "2", "yes", "01", markup, "-1"):
        answer = visitor.send_json({"at": "consent.0.0", "consent": value})
        assert answer.status == 422, value
    served.go_on(visitor)
    served.go_on(visitor)
    answer = visitor.send({"at": "quiz.0.0", "quiz.0": markup})
    assert answer.status == 422 and "<script>alert" not in answer.text and 'role="alert"' in answer.text
    assert visitor.data()["at"] == "quiz.0.0"


def test_links_lead_in_and_back(lab: Callable[..., Serving]) -> None:
    served = lab(access="codes")
    for query in ("", "?code=", "?code=invented", "?code=<b>", "?PROLIFIC_PID=" + "a" * 24):
        answer = Visitor(served.port).ask("GET", f"/join{query}")
        assert answer.status == 400 and "does not lead to a study" in answer.text
    with served.experiment.store.engine.begin() as connection:
        connection.execute(insert(OUTSIDE).values(kind="code", outside_id=code_id("given")))
    first = served.join("?code=given")
    served.go_on(first)
    second = served.join("?code=given")
    assert second.path == first.path and second.data()["stage"] == "instructions"
    assert first.ask("GET", first.path).status == 403, "the old secret is void"
    assert len(served.experiment.store.rows(PERSON)) == 1
    assert "use the link" in Visitor(served.port).ask("GET", "/").text


def test_somebody_from_prolific_gets_a_code_and_the_way_back(lab: Callable[..., Serving]) -> None:
    served = lab(access="prolific", prolific=PROLIFIC)
    visitor = served.join("?PROLIFIC_PID=" + "a" * 24 + "&STUDY_ID=" + "b" * 24 + "&SESSION_ID=" + "c" * 24)
    visitor.ask("POST", f"{visitor.path}/leave")
    text = visitor.page()
    assert ">D</strong>" in text and "https://app.prolific.com/submissions/complete?cc=D" in text


def test_another_name_of_this_machine_is_refused(lab: Callable[..., Serving]) -> None:
    served = lab()
    assert Visitor(served.port).ask("GET", "/join", Host="elsewhere.example").status == 400


def test_too_many_requests_of_one_person(lab: Callable[..., Serving]) -> None:
    visitor = lab().join()
    answers = [visitor.ask("GET", visitor.path).status for _ in range(60)]
    assert answers[:20] == [200] * 20 and 429 in answers


def test_two_studies_in_one_browser_and_one_server_a_database(lab: Callable[..., Serving], tmp_path: Path) -> None:
    one, two = lab("one"), lab("two", seed="1")
    first, second = one.join(), two.join()
    both = f"{first.cookie}; {second.cookie}"
    assert first.path != second.path, "a browser sends each page the cookie of its path alone"
    assert Visitor(one.port, first.path, first.cookie).data()["stage"] == "consent"
    assert Visitor(two.port, second.path, second.cookie).data()["stage"] == "consent"
    assert Visitor(two.port, first.path, both).ask("GET", first.path).status == 403
    with pytest.raises(StoreError, match="in use"), opened_study(one.study):
        pass


def test_a_failing_database_stops_the_server_and_a_restart_goes_on(lab: Callable[..., Serving]) -> None:
    served = lab()
    visitor = served.join()
    at = visitor.data()["at"]
    with served.experiment.store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE person RENAME TO lost")
    answer = visitor.send_json({"at": at, "consent": "1"})
    assert answer.status == 503
    served.thread.join(60)
    assert isinstance(served.ending, LedgerError) and "cannot write" in str(served.ending)
    assert "what was written before is intact" in str(served.ending)
    with served.experiment.store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE lost RENAME TO person")
    served.experiment.store.close()
    again = lab()
    visitor.port = again.port
    assert visitor.data()["at"] == at, "what was not answered has not happened"
    assert again.go_on(visitor)["stage"] == "instructions"


def test_a_page_waits_for_what_was_done_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "file", {})
    ledger, disk = Ledger(store.engine), Event()
    commit = ledger._commit
    monkeypatch.setattr(ledger, "_commit", lambda writes: (disk.wait(), commit(writes)))

    async def ask() -> None:
        writing = asyncio.create_task(ledger.write(insert(OUTSIDE).values(kind="code", outside_id="one")))
        await asyncio.sleep(0)
        showing = asyncio.create_task(ledger.settled())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not showing.done() and not writing.done()
        disk.set()
        await showing
        assert len(store.rows(OUTSIDE)) == 1
        await ledger.close()

    asyncio.run(ask())
    store.close()


def test_an_unforeseen_fault_stops_the_server(lab: Callable[..., Serving], monkeypatch: pytest.MonkeyPatch) -> None:
    served = lab()
    monkeypatch.setattr(served.experiment, "tick", lambda: 1 / 0)
    served.thread.join(60)
    assert isinstance(served.ending, ZeroDivisionError)


@pytest.mark.parametrize("path", ["", "/leave"])
def test_what_was_done_in_part_stops_the_server_and_has_not_happened(
    lab: Callable[..., Serving], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    served = lab()
    visitor = served.join()
    monkeypatch.setattr(served.experiment, "_match", lambda now: 1 / 0)
    monkeypatch.setattr(served.experiment, "tick", list)
    body = json.dumps({"at": visitor.data()["at"], "consent": "1"})
    answer = visitor.ask("POST", visitor.path + path, body, Content_Type="application/json")
    assert answer.status == 503
    served.thread.join(60)
    assert isinstance(served.ending, ZeroDivisionError)
    served.experiment.store.close()
    visitor.port = lab().port
    assert visitor.data()["stage"] == "consent"


def test_a_study_that_is_not_ready_is_not_served_to_others(tmp_path: Path) -> None:
    study = read_study(written(tmp_path, STUDY))
    require_ready(study, "127.0.0.1", behind_proxy=False)
    for host, proxy in (("0.0.0.0", False), ("127.0.0.1", True)):
        with pytest.raises(LawgiverError, match="access is 'open', allowed on a public host: prolific or codes"):
            require_ready(study, host, proxy)
    unready = read_study(written(tmp_path, STUDY, access="prolific", prolific=PROLIFIC.replace("A", "PLACEHOLDER")))
    with pytest.raises(LawgiverError, match=r"prolific\.codes\.done: still placeholders"):
        require_ready(unready, "0.0.0.0", behind_proxy=False)
    with pytest.raises(LawgiverError, match=r"host is 'example\.org', allowed: an address such as 127\.0\.0\.1"):
        require_ready(study, "example.org", behind_proxy=False)


@pytest.mark.parametrize(("error", "code"), [(LedgerError, 1), (ParameterError, 2), (WaitingError, 3)])
def test_the_command_ends_with_the_exit_code_of_its_error_and_one_line(
    error: type[Exception], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise error("what has happened")

    monkeypatch.setattr("lawgiver.trainers.people.serve_study.serve_study", fail)
    monkeypatch.setattr("sys.argv", ["lawgiver", "experiment", "serve", "study.yaml"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert capsys.readouterr().err == "lawgiver: what has happened\n"
