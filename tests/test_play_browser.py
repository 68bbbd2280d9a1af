"""``lawgiver play`` in a browser: from the start to the end, for eyes, keyboards and readers of screens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import check, needs_chromium, stage_of
from playwright.sync_api import Page

pytestmark = needs_chromium

GAME = {"name": "public_investment", "n_rounds": 2, "endowments": [20, 4, 4, 4]}
BOTH = ["libertarian", "strict_egalitarian"]
STAGES = ["play", "play", "result"]


def walked(page: Page, answer: Callable[[Page, str], None], axe: Axe | None) -> list[str]:
    """Go from the first page to the end, and return what was shown."""
    stages = [stage_of(page)]
    while stages[-1] != "end":
        check(page, axe if stages[-1] not in stages[:-1] else None)
        with page.expect_navigation():
            answer(page, stages[-1])
        stages.append(stage_of(page))
    check(page, axe)
    return stages


def by_mouse(page: Page, stage: str) -> None:
    """Answer as most people do."""
    if stage == "vote":
        page.get_by_role("radio").last.check()
    for field in page.get_by_role("textbox").all():
        field.fill("2")
    for choice in page.get_by_role("radio").all()[:1] if stage == "play" else ():
        choice.check()
    page.get_by_role("button").click()


def by_keyboard(page: Page, stage: str) -> None:
    """Answer without a mouse: the focus is on the heading."""
    assert page.evaluate("document.activeElement.tagName") == "H1"
    while page.evaluate("document.activeElement.tagName") != "BUTTON":
        page.keyboard.press("Tab")
        kind = page.evaluate("document.activeElement.type")
        if kind == "radio":
            page.keyboard.press("Space")
        elif kind == "text":
            page.keyboard.type("3")
    page.keyboard.press("Enter")


WHOLE = ["start", *STAGES, *STAGES, "vote", "outcome", *STAGES, "end"]
WAYS = {
    "wide": (by_mouse, {"viewport": {"width": 1280, "height": 800}}, True),
    "narrow": (by_mouse, {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}, True),
    "keyboard": (by_keyboard, {"viewport": {"width": 640, "height": 400}}, False),
    "no_script": (by_mouse, {"java_script_enabled": False}, False),
}


@pytest.mark.parametrize("way", WAYS)
def test_two_games_and_a_vote(serving: Any, opened: Callable[..., Page], way: str) -> None:
    answer, options, looked_at = WAYS[way]
    page = opened(serving(GAME, mechanisms=BOTH, seed=4).port, **options)
    if way == "no_script":  # the page's own scripts: what the test itself asks is still answered
        assert page.locator("input[type=range]").count() == 0
    assert walked(page, answer, Axe() if looked_at else None) == WHOLE
    assert all(page.get_by_text(name).count() for name in BOTH)


def test_a_number_field_its_slider_a_fault_and_a_second_tab(serving: Any, opened: Callable[..., Page]) -> None:
    page = opened(serving("sealed_bid", mechanism="no_reserve", seed=0).port)
    with page.expect_navigation():
        page.get_by_role("button").click()
    field, slider = page.get_by_role("textbox"), page.get_by_role("slider")
    assert (field.input_value(), slider.get_attribute("class")) == ("", "untouched"), "a thumb would suggest a value"
    slider.press("End")
    assert (field.input_value(), slider.get_attribute("class")) == ("1", "")
    field.fill("0.25")
    assert float(slider.input_value()) == 0.25

    other = page.context.new_page()
    other.goto(page.url)
    field.fill("much")
    with page.expect_navigation():
        page.get_by_role("button").click()
    alert = page.get_by_role("alert")
    assert "Please enter a number" in alert.inner_text() and page.evaluate("document.activeElement.role") == "alert"
    assert field.input_value() == "much" and field.get_attribute("aria-invalid") == "true"
    check(page, Axe())
    field.fill("0.25")
    with page.expect_navigation():
        page.get_by_role("button").click()
    other.wait_for_function("document.body.dataset.seen.startsWith('result')")
