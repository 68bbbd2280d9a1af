"""The page of the experimenter: what it shows, who may see it, and the intake."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import check, needs_chromium
from played_study import written
from test_people_experiment import STUDY, Lab
from test_people_experiment import lab as lab
from test_play import Visitor

from lawgiver.trainers.people.monitor import MonitoredGroup, expected_pay, monitor_of
from lawgiver.trainers.people.monitor_page import beside, monitor_application
from lawgiver.trainers.people.serve import Server, listening
from lawgiver.trainers.people.serve_study import opened_study
from lawgiver.trainers.people.server import make_application
from lawgiver.trainers.people.status import status_of
from lawgiver.trainers.people.study import read_study
from lawgiver.trainers.people.study_routes import study_routes

TOKEN = "the-token"
PAY = Decimal(5)


def test_what_is_shown_of_a_session_counted_by_hand(lab: Callable[..., Lab]) -> None:
    lab = lab()
    names = lab.group()
    lab.join()
    seats = [course.seat for name in names if (course := lab.person(name).course)]
    found = monitor_of(lab.experiment, lab.now, PAY)
    assert found.intake == "open" and found.stages == {"consent": 1, "play": 4} and found.ends == {}
    assert (found.valid, found.wanted, found.decisions, found.decision_s) == (0, 2, 0, None)
    assert found.groups == (MonitoredGroup(0, "play", 1, 1, (0, 1, 2, 3), 60.0, 0, ()),)
    assert (str(found.owed), str(found.expected)) == ("0.00", "40.00"), "four who play, four to come"
    for name, seconds in zip(names[:3], (7, 4, 10), strict=False):  # 7, 11 and 21 after the page was shown
        lab.now += seconds
        lab.send(name)
    found = monitor_of(lab.experiment, lab.now, PAY)
    assert found.groups == (MonitoredGroup(0, "play", 1, 1, (seats[3],), 39.0, 0, ()),)
    assert (found.decisions, found.decision_s) == (3, 11.0)
    lab.tick(39)
    assert monitor_of(lab.experiment, lab.now, PAY).groups[0].missed == 1
    for name in names[:3]:
        lab.send(name)
    lab.tick(60)
    (group,) = monitor_of(lab.experiment, lab.now, PAY).groups
    assert group == MonitoredGroup(0, "play", 1, 3, tuple(sorted(seats[:3])), 30.0, 2, (seats[3],))
    lab.leave(names[0])
    found = monitor_of(lab.experiment, lab.now, PAY)
    assert found.ends == {"left": 1} and found.stages == {"consent": 1, "play": 3}
    assert found.owed == status_of(lab.study).owed > 0
    assert found.expected == found.owed + 5 * (3 + 8), "the group is not going to be valid"


def test_pay_is_that_of_the_forecast(tmp_path: Path) -> None:
    fixed = '{show_up: "2.00", per_point: "0"}'
    assert expected_pay(read_study(written(tmp_path, STUDY, pay=fixed))) == 2


class Watched:
    """A study that is served in a thread, with its monitor."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.stack = stack.enter_context(ExitStack())
        self.experiment = self.stack.enter_context(opened_study(read_study(path)))
        own, monitor = self.stack.enter_context(listening(0)), self.stack.enter_context(listening(0))
        self.port, self.monitor = own.getsockname()[1], monitor.getsockname()[1]
        page = monitor_application(self.experiment, PAY, TOKEN, self.monitor)
        both = beside(make_application(self.experiment, study_routes()), page, monitor.getsockname())
        server = Server(self.experiment, both)
        thread = Thread(target=server.run, args=([own, monitor],))
        thread.start()
        self.stack.callback(thread.join)
        self.stack.callback(setattr, server, "should_exit", True)
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.001)

    def look(self, token: str = TOKEN) -> str:
        answer = Visitor(self.monitor).ask("GET", f"/monitor?token={token}")
        return answer.text if answer.status == 200 else str(answer.status)

    def set(self, intake: str, token: str = TOKEN, **headers: str) -> int:
        body = f"token={token}&intake={intake}"
        return Visitor(self.monitor).ask("POST", "/monitor/intake", body, **headers).status

    def come(self) -> str:
        """Let somebody come in; the answer's status, or how they have ended."""
        visitor = Visitor(self.port)
        answer = visitor.ask("GET", "/join")
        if answer.status != 303:
            return str(answer.status)
        visitor.path, visitor.cookie = answer.headers["location"], answer.headers["set-cookie"].partition(";")[0]
        return str(visitor.data()["told"].get("end"))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Callable[[], Watched]]:
    with ExitStack() as stack:
        yield lambda: Watched(written(tmp_path, STUDY), stack)


def test_only_the_token_opens_the_monitor(watched: Callable[[], Watched]) -> None:
    served = watched()
    assert "The study now" in served.look()
    for token in ("", "the-toke", "the-token1", "%C3%A4"):
        assert served.look(token) == "403" and served.set("closed", token) == 403
    assert served.look("%FF") == "403" and Visitor(served.monitor).ask("GET", "/monitor").status == 403
    assert served.experiment.intake == "open"


def test_neither_port_serves_what_is_the_others(watched: Callable[[], Watched]) -> None:
    served = watched()
    own, monitor = Visitor(served.port), Visitor(served.monitor)
    named = {"Host": f"127.0.0.1:{served.monitor}"}
    assert own.ask("GET", f"/monitor?token={TOKEN}", **named).status == 404
    assert own.ask("POST", "/monitor/intake", f"token={TOKEN}&intake=closed", **named).status == 404
    assert own.ask("GET", "/").status == 200
    for path in ("/", "/join", "/healthz", "/p/x"):
        assert monitor.ask("GET", path).status == 404
    assert served.experiment.people == {} and served.experiment.intake == "open"


def test_the_monitor_is_for_its_own_page_alone(watched: Callable[[], Watched]) -> None:
    served = watched()
    for host in ("elsewhere.example", "127.0.0.1", f"127.0.0.1:{served.port}"):
        assert Visitor(served.monitor).ask("GET", f"/monitor?token={TOKEN}", Host=host).status == 400
        assert served.set("closed", Host=host) == 400
    for origin in ("https://elsewhere.example", f"http://127.0.0.1:{served.port}", "null"):
        assert served.set("closed", Origin=origin) == 403
    assert served.set("shut") == 422 and served.experiment.intake == "open"
    answer = Visitor(served.monitor).ask("GET", f"/monitor?token={TOKEN}")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in answer.text
    for path in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        assert path.startswith("/static/") and Visitor(served.monitor).ask("GET", path).status == 200


def test_intake_is_set_and_outlives_the_server(watched: Callable[[], Watched]) -> None:
    served = watched()
    assert served.set("paused", Origin=f"http://127.0.0.1:{served.monitor}") == 303
    assert served.come() == "409" and "Nobody new" in served.look()
    served.stack.close()
    served = watched()
    assert served.experiment.intake == "paused" and served.come() == "409"
    assert served.set("open") == 303 and served.come() == "None"
    assert served.set("closed") == 303 and served.come() == "full"


@needs_chromium
@pytest.mark.parametrize("width", [1280, 320])
def test_a_browser_shows_the_monitor(watched: Callable[[], Watched], opened: Callable[..., Any], width: int) -> None:
    served = watched()
    for _ in range(4):
        served.come()
    page = opened(served.monitor, f"monitor?token={TOKEN}", viewport={"width": width, "height": 800})
    check(page, Axe())
    with page.expect_navigation():
        page.get_by_role("button", name="Pause").click()
    assert page.get_by_text("Nobody new may come in").count() and served.experiment.intake == "paused"
    check(page, Axe())
    page.evaluate("document.activeElement.blur()")
    with page.expect_navigation():  # by itself
        served.experiment.set_intake("closed")
    assert page.get_by_text("there are enough").count()
