"""What tests of pages in a browser share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and "REQUIRE_CHROMIUM" not in os.environ,
    reason="no chromium here: apt-get install --no-install-recommends chromium fonts-dejavu-core",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's browser."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield started
        started.close()


def stage_of(page: Page) -> str:
    """Return what is shown."""
    return str(page.evaluate("(document.body.dataset.seen || 'start').split('.')[0]"))


def check(page: Page, axe: Axe | None) -> None:
    """Check that a page fits its window, and what axe says about it."""
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    if axe is not None:
        found = axe.run(page)
        assert found.violations_count == 0, found.generate_report()
