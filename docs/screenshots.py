"""Take the pictures of ``lawgiver play`` that the documentation shows: ``python docs/screenshots.py``.

It needs chromium, and playwright, which the extra ``dev`` brings.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Thread

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from lawgiver.trainers.people.play import opened
from lawgiver.trainers.people.serve import Server, listening

IMAGES = Path(__file__).parent / "images"
CONTRIBUTIONS = (3, 2, 3, 4, 4, 3)
"""Contributions in each round of the three games."""


@contextmanager
def served() -> Iterator[str]:
    """Serve the games of the pictures."""
    game = {"name": "public_investment", "endowments": [10, 4, 4, 4], "n_rounds": 2}
    mechanisms = ["libertarian", "liberal_egalitarian"]
    with opened(game, mechanisms=mechanisms, seed=1) as solo, listening(0) as own:
        server = Server(solo)
        thread = Thread(target=server.run, args=([own],))
        thread.start()
        yield f"http://127.0.0.1:{own.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


def take(page: Page, name: str) -> None:
    """Keep the visible card of a page as a picture with few colours."""
    shot = Image.open(BytesIO(page.locator("main").screenshot()))
    shot.convert("RGB").quantize(64).save(IMAGES / f"play_{name}.png", optimize=True)


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


def main() -> None:
    """Take all pictures."""
    with served() as address, sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        walk(
            browser, address, 760, {"play.0.2": "decide", "result.0.0": "result", "vote.1.4": "vote", "end.2.0": "end"}
        )
        walk(browser, address, 320, {"play.0.2": "decide_narrow"})
        browser.close()


if __name__ == "__main__":
    main()
