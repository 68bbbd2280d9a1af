"""A whole session of an experiment in four browsers at once, each used in another way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import check, needs_chromium, stage_of
from played_study import written
from playwright.sync_api import Error, Page

from lawgiver.trainers.people.serve import Server, listening
from lawgiver.trainers.people.serve_study import opened_study
from lawgiver.trainers.people.server import make_application
from lawgiver.trainers.people.study import Study, read_study
from lawgiver.trainers.people.study_routes import study_routes

pytestmark = needs_chromium

STUDY = """\
game: {name: public_investment, n_rounds: 2, endowments: [[20, 4, 4, 4]]}
mechanisms: [libertarian, strict_egalitarian]
people: 4
autoplay: simulated_people
groups: 1
access: open
practice: {rounds: 1}
time: {decide_s: 600, first_s: 600, vote_s: 600, ready_s: 600, present_s: 600}
pay: {show_up: "2.00", per_point: "0.01"}
texts:
  consent: consent.md
  contact: The lab, lab@example.org
  questions:
    - {key: clear, text: How clear were the rules?, scale: [1, 7]}
    - {key: more, text: What else do you want to say?}
"""
WAYS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1280, "height": 800}},
    "narrow": {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True},
    "keyboard": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},  # as 1280 wide at 200 %
    "no_script": {"java_script_enabled": False},
}
WAITING = ("waiting", "ready", "play", "vote")
"""Pages on which one may have to wait for others."""


@contextmanager
def served(study: Study) -> Iterator[int]:
    """Serve a study in a thread; the port."""
    with opened_study(study) as experiment, listening(0) as own:
        server = Server(experiment, make_application(experiment, study_routes()))
        thread = Thread(target=server.run, args=([own],))
        thread.start()
        try:
            yield own.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


class Walker:
    """Somebody with a browser, who looks at every kind of page with axe."""

    def __init__(self, way: str, page: Page, study: Study, pictures: Path) -> None:
        self.way, self.page, self.pictures = way, page, pictures
        self.right = [question.options[question.right] for question in study.wording.quiz]
        self.stages: list[str] = []
        self.axe = Axe() if way in ("wide", "narrow") else None

    @property
    def stage(self) -> str:
        return stage_of(self.page)

    @property
    def _text(self) -> str:
        return "3" if self.stage in ("play", "practice") else "<b>Nothing</b>"

    def look(self) -> None:
        """Look at a page that is new, and keep a picture of it."""
        stage = self.stage
        if not self.stages or self.stages[-1] != stage:
            new = stage not in self.stages
            self.stages.append(stage)
            check(self.page, self.axe if new else None)
            if new:
                self.page.screenshot(
                    path=self.pictures / f"{self.way}_{len(self.stages):02}_{stage}.png", full_page=True
                )

    def act(self) -> None:
        """Answer a page that has something to answer."""
        self.look()
        button = self.page.locator("main form button").first
        if self.stage == "end" or not button.count():
            return
        if self.way == "keyboard":
            self._by_keyboard()
        else:
            self._by_mouse(button)

    def _by_mouse(self, button: Any) -> None:
        for group in self.page.get_by_role("group").all():
            choices = group.get_by_role("radio")
            if not choices.count():
                continue
            wanted = [place for place in range(choices.count()) if self._label(choices.nth(place)) in self.right]
            choice = choices.nth(wanted[0] if wanted else 0)
            choice.tap() if self.way == "narrow" else choice.check()
        for field in self.page.get_by_role("textbox").all():
            field.fill(self._text)
        with self.page.expect_navigation():
            button.tap() if self.way == "narrow" else button.click()

    def _by_keyboard(self) -> None:
        """Go from field to field by Tab; choose by Space and the arrows, send by Enter."""
        focused = "document.activeElement"
        assert self.page.evaluate(f"{focused}.tagName") == "H1"
        while self.page.evaluate(f"{focused}.tagName") != "BUTTON":
            self.page.keyboard.press("Tab")
            kind = self.page.evaluate(f"{focused}.type || ''")
            if kind == "radio":
                count = self.page.evaluate(f"document.getElementsByName({focused}.name).length")
                self.page.keyboard.press("Space")
                for _ in range(count):
                    if (
                        self.stage != "quiz"
                        or self.page.evaluate(f"{focused}.parentNode.innerText.trim()") in self.right
                    ):
                        break
                    self.page.keyboard.press("ArrowDown")
            elif kind == "text":
                self.page.keyboard.type(self._text)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def _label(self, choice: Any) -> str:
        return str(choice.evaluate("choice => choice.parentNode.innerText.trim()"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return the folder for pictures of all pages: that of ``SCREENSHOTS``, so that they are kept."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path / "pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_four_browsers_from_the_consent_to_the_end(opened: Callable[..., Page], tmp_path: Path, pictures: Path) -> None:
    study = read_study(written(tmp_path, STUDY))
    with served(study) as port:
        walkers = [Walker(way, opened(port, "join", **options), study, pictures) for way, options in WAYS.items()]
        left = list(walkers)
        while left:
            for walker in list(left):
                try:
                    walker.act()
                    if walker.stages[-1] == "end":
                        left.remove(walker)
                except Error as error:  # the page has gone on by itself in the middle of it
                    if "navigat" not in str(error) and "context was destroyed" not in str(error):
                        raise
            time.sleep(0.05)
        for walker in walkers:
            assert walker.page.get_by_text("2.00").count(), "what is paid for taking part"
    for walker in walkers:
        for stage in ("consent", "instructions", "quiz", "practice", "play", "result", "vote", "outcome", "questions"):
            assert stage in walker.stages, (walker.way, walker.stages)
