"""Pages as HTML: templates, style and script, and the headings."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape
from starlette.exceptions import HTTPException

from lawgiver.envs.core.wording import PAYOFFS, filled
from lawgiver.envs.views.screen import Entry, Shown
from lawgiver.trainers.people.numbers import number
from lawgiver.trainers.people.person import Page
from lawgiver.trainers.people.views import letter
from lawgiver.trainers.people.words import catalogue, sayer

PAGES = Path(__file__).parent / "pages"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def static_files() -> dict[str, Path]:
    """Map the names under which style and script are served, which change with their content, to the files."""
    named = {}
    for path in sorted(PAGES.glob("page.*")):
        if path.suffix in TYPES:
            named[f"page.{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}{path.suffix}"] = path
    return named


@cache
def _templates(language: str) -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(PAGES)
    made = jinja2.Environment(
        loader=loader,
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    texts = {key: str(escape(text)) for key, text in catalogue(language).items()}

    def say(key: str, **values: object) -> Markup:
        return Markup(filled(texts[key], {name: str(escape(value)) for name, value in values.items()}))

    made.filters |= {"number": number, "letter": letter}
    made.tests |= {"worded": _is_worded, "unworded": _is_unworded}
    made.globals["static"] = {Path(name).suffix[1:]: f"/static/{name}" for name in static_files()}
    made.globals |= {"say": say, "language": language}
    return made


def render(language: str, template: str, **shown: Any) -> str:
    """Write a page as HTML.

    Args:
        language: of the pages' own words.
        template: its name, without the ending.
        shown: what it shows.
    """
    return _templates(language).get_template(f"{template}.html").render(**shown)


def _is_worded(field: Shown | Entry) -> bool:
    """Test whether a game has words of its own for a field, which need no unit and no explanation."""
    return isinstance(field, Shown) and field.name != PAYOFFS and field.label != field.name.replace("_", " ")


def _is_unworded(field: Shown) -> bool:
    """Test whether the meaning of a field has to be told beside its name."""
    return field.name != PAYOFFS and bool(field.meaning) and not _is_worded(field)


def heading_of(page: Page, language: str) -> str:
    """Write the heading of a page, and of its tab."""
    view, say = page.view, sayer(language)
    game = say("game", letter=letter(page.episode)) if page.several else say("the_game")
    if page.stage != "play" or view is None:
        return say(f"{page.stage}_heading", **{"game": game, **page.told})
    if view.rounds == 1:
        return game if page.several else say("turn")
    key = ("game_round" if page.several else "round") + ("" if view.rounds is None else "_of")
    return say(key, game=game, round=view.round, rounds=view.rounds)


def refusal(error: HTTPException, language: str) -> str:
    """Write the heading of a page that is refused; the error's own words where its status has none."""
    key = f"refused_{error.status_code}"
    return sayer(language)(key) if key in catalogue(language) else error.detail
