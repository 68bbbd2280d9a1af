"""Take the pictures of pages for people that the documentation shows: ``python docs/screenshots.py``.

One person plays against programs, then four take part in an experiment. It needs chromium, and playwright, which the
extra ``dev`` brings.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.routing import Route

from lawgiver.trainers.people.new import write_new
from lawgiver.trainers.people.play import opened
from lawgiver.trainers.people.serve import Server, listening
from lawgiver.trainers.people.serve_study import opened_study
from lawgiver.trainers.people.server import Host, make_application
from lawgiver.trainers.people.solo_routes import solo_routes
from lawgiver.trainers.people.study import Study, read_study
from lawgiver.trainers.people.study_routes import study_routes

IMAGES = Path(__file__).parent / "images"
CONTRIBUTIONS = (3, 2, 3, 4, 4, 3)
"""Contributions in each round of the three games."""


GAME = {"name": "public_investment", "endowments": [10, 4, 4, 4], "n_rounds": 2}
CHANGED = {
    "endowments: [[10, 2, 2, 2], [10, 4, 4, 4], [10, 6, 6, 6], [10, 8, 8, 8], [10, 10, 10, 10]]": "n_rounds: 2",
    "access: prolific": "access: open",
    "PLACEHOLDER (name, and an address that is read)": "The lab, lab@example.org",
    "PLACEHOLDER_": "",
    "PLACEHOLDER": "The lab",
}
"""Changes to a new study for its pictures."""


@contextmanager
def served(host: Host[Any], routes: list[Route]) -> Iterator[str]:
    """Serve pages in a thread; their address."""
    with listening(0) as own:
        server = Server(host, make_application(host, routes))
        thread = Thread(target=server.run, args=([own],))
        thread.start()
        yield f"http://127.0.0.1:{own.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


def new_study(folder: Path) -> Study:
    """Write the study of the pictures."""
    for file in write_new(folder / "study.yaml"):
        text = file.read_text(encoding="utf-8")
        for old, new in CHANGED.items():
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
    return read_study(folder / "study.yaml")


def take(page: Page, name: str) -> None:
    """Keep the visible card of a page as a picture with few colours."""
    shot = Image.open(BytesIO(page.locator("main").screenshot()))
    shot.convert("RGB").quantize(64).save(IMAGES / f"{name}.png", optimize=True)


def walk(browser: Browser, address: str, width: int, wanted: dict[str, str]) -> None:
    """Play to the end; take pictures of the positions in ``wanted``, by name."""
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(address)
    contributions = iter(CONTRIBUTIONS)
    while True:
        at = str(page.evaluate("document.body.dataset.seen || 'start'"))
        stage = at.partition(".")[0]
        if stage == "play":
            page.get_by_role("radio").nth(next(contributions)).check()
        elif stage == "vote":
            page.get_by_role("radio").last.check()
        if at in wanted:
            take(page, wanted[at])
        if stage == "end":
            return
        with page.expect_navigation():
            page.get_by_role("button").click()


def take_part(browser: Browser, address: str, study: Study, wanted: dict[str, str]) -> None:
    """Let four people take part, each in a browser of their own; take pictures of what one of them sees first."""
    pages = [browser.new_context(viewport={"width": 760, "height": 800}).new_page() for _ in range(4)]
    right = [question.options[question.right] for question in study.wording.quiz]
    left = dict(wanted)
    for page in pages:
        page.goto(f"{address}join")
    while any(stage_of(page) != "end" for page in pages):
        for page in reversed(pages):
            take_first(pages[0], left)
            if page.locator("main form button").count():
                answer(page, right)
    take_first(pages[0], left)


def stage_of(page: Page) -> str:
    """Return what is shown."""
    return str(page.evaluate("document.body.dataset.seen")).partition(".")[0]


def take_first(page: Page, left: dict[str, str]) -> None:
    """Take the picture of a page that is shown for the first time."""
    name = left.pop(stage_of(page), None)
    if name is not None:
        take(page, name)


def answer(page: Page, right: list[str]) -> None:
    """Answer everything on a page, the quiz rightly, and send it."""
    for group in page.get_by_role("group").all():
        choices = group.get_by_role("radio").all()
        labels = [choice.evaluate("choice => choice.parentNode.innerText.trim()") for choice in choices]
        chosen = [choice for choice, label in zip(choices, labels, strict=True) if label in right] or choices[2:]
        for choice in (chosen or choices)[:1]:
            choice.check()
    for field in page.get_by_role("textbox").all():
        field.fill("3")
    with page.expect_navigation():
        page.locator("main form button").first.click()


def main() -> None:
    """Take all pictures."""
    options = ["--no-sandbox", "--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        with (
            opened(GAME, mechanisms=["libertarian", "liberal_egalitarian"], seed=1) as solo,
            served(solo, solo_routes()) as address,
        ):
            wide = {"play.0.2": "decide", "result.0.0": "result", "vote.1.4": "vote", "end.2.0": "end"}
            walk(browser, address, 760, {at: f"play_{name}" for at, name in wide.items()})
            walk(browser, address, 320, {"play.0.2": "play_decide_narrow"})
        with TemporaryDirectory() as folder:
            study = new_study(Path(folder))
            stages = ("instructions", "quiz", "ready", "end")
            with opened_study(study) as experiment, served(experiment, study_routes()) as address:
                take_part(browser, address, study, {stage: f"study_{stage}" for stage in stages})
        browser.close()


if __name__ == "__main__":
    main()
