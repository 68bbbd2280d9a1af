"""The web server of people who play: routes, cookies, headers and pages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lawgiver.envs.core.wording import PAYOFFS
from lawgiver.envs.files.json_text import to_json
from lawgiver.envs.views.screen import Entry, FormError, Shown
from lawgiver.trainers.people.forms import read_fields, said_of, wants_json
from lawgiver.trainers.people.ledger import LedgerError
from lawgiver.trainers.people.numbers import number
from lawgiver.trainers.people.solo import Page, Person, Solo
from lawgiver.trainers.people.views import letter

PAGES = Path(__file__).parent / "pages"
COOKIE = "seat"
POLL_S = 25.0
"""Longest time that a poll stays open, below the time-outs of proxies."""
HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"same-origin",  # under no-referrer browsers would send "null" as the origin of own forms
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
}
"""Headers of every response that has none of its own."""
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def make_application(solo: Solo) -> Starlette:
    """Make the application that serves a game to whoever opens it."""
    routes = [
        Route("/", _start),
        Route("/join", _join, methods=["POST"]),
        Route("/p/{id}", _show),
        Route("/p/{id}", _submit, methods=["POST"]),
        Route("/p/{id}/wait", _wait),
        Route("/static/{name}", _static),
        Route("/healthz", _health),
    ]
    handlers: dict[Any, Any] = {HTTPException: _refuse, LedgerError: _stopped}
    made = Starlette(routes=routes, middleware=[Middleware(_Headers)], exception_handlers=handlers)
    made.state.solo = solo
    return made


class _Headers:
    """Adds the headers that keep pages to themselves."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in HEADERS.items() if pair[0] not in given)]
            await send(message)

        await self._app(scope, receive, with_headers)


# -- routes ---------------------------------------------------------------------------------------------------------


async def _start(request: Request) -> Response:
    setup = _solo(request).setup
    return _page("start", heading=setup.wording.title, setup=setup, players=setup.game.roles["participant"])


async def _join(request: Request) -> Response:
    _require_own_origin(request)
    person, secret = await _solo(request).join()
    response = RedirectResponse(f"/p/{person}", 303)
    response.set_cookie(COOKIE, secret, path=f"/p/{person}", httponly=True, samesite="lax")
    return response


async def _show(request: Request) -> Response:
    person = _person(request)
    await _solo(request).ledger.settled()
    return _shown(request, person)


async def _submit(request: Request) -> Response:
    person = _person(request)
    _require_own_origin(request)
    fields = await read_fields(request)
    try:
        await _solo(request).ledger.write(*person.take(fields))
    except FormError as fault:
        await _solo(request).ledger.settled()
        return _shown(request, person, fault, fields)
    if _asks_json(request):
        return _shown(request, person)
    return RedirectResponse(f"/p/{person.id}", 303)


async def _wait(request: Request) -> Response:
    person = _person(request)
    if request.query_params.get("seen") == person.at:
        await person.changed_within(POLL_S)
    await _solo(request).ledger.settled()
    return JSONResponse({"seen": person.at})


async def _static(request: Request) -> Response:
    found = static_files().get(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    forever = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(found.read_bytes(), media_type=TYPES[found.suffix], headers=forever)


async def _health(request: Request) -> Response:
    await _solo(request).ledger.settled()
    return PlainTextResponse("ok")


# -- who asks, and what is answered ---------------------------------------------------------------------------------


def _solo(request: Request) -> Solo:
    found: Solo = request.app.state.solo
    return found


def _person(request: Request) -> Person:
    found = _solo(request).person(request.path_params["id"], request.cookies.get(COOKIE, ""))
    if found is None:
        raise HTTPException(403)
    return found


def _require_own_origin(request: Request) -> None:
    """Refuse forms of other sites, to which browsers add where they come from."""
    origin = request.headers.get("origin")
    if origin is not None and origin != f"{request.url.scheme}://{request.url.netloc}":
        raise HTTPException(403)


def _asks_json(request: Request) -> bool:
    return wants_json(request.headers.get("accept", ""))


@cache
def static_files() -> dict[str, Path]:
    """Map the names under which style and script are served, which change with their content, to the files."""
    named = {}
    for path in sorted(PAGES.glob("page.*")):
        if path.suffix in TYPES:
            named[f"page.{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}{path.suffix}"] = path
    return named


@cache
def _templates() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(PAGES)
    made = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"number": number, "letter": letter}
    made.tests |= {"worded": _is_worded, "unworded": _is_unworded}
    made.globals["static"] = {Path(name).suffix[1:]: f"/static/{name}" for name in static_files()}
    return made


def _is_worded(field: Shown | Entry) -> bool:
    """Test whether a game has words of its own for a field, which need no unit and no explanation."""
    return isinstance(field, Shown) and field.name != PAYOFFS and field.label != field.name.replace("_", " ")


def _is_unworded(field: Shown) -> bool:
    """Test whether the meaning of a field has to be told beside its name."""
    return field.name != PAYOFFS and bool(field.meaning) and not _is_worded(field)


def heading_of(page: Page) -> str:
    """Write the heading of a page, and of its tab."""
    view, game = page.view, f"Game {letter(page.episode)}" if page.several else "The game"
    if page.stage == "play":
        if view.rounds == 1:
            return game if page.several else "Your turn"
        place = f"{game}, round {view.round}" if page.several else f"Round {view.round}"
        return place if view.rounds is None else f"{place} of {view.rounds}"
    return {
        "result": f"{game} is over",
        "vote": "One game more",
        "outcome": "The vote",
        "end": "The end",
    }.get(page.stage, "The game has stopped")


def _page(name: str, status: int = 200, **shown: Any) -> Response:
    return HTMLResponse(_templates().get_template(f"{name}.html").render(**shown), status)


def _shown(
    request: Request, person: Person, fault: FormError | None = None, typed: Mapping[str, str] | None = None
) -> Response:
    """Answer with what a person sees now; with a fault, beside what was typed."""
    page, status = person.page(), 422 if fault else 200
    said = said_of(fault) if fault else ""
    if _asks_json(request):
        return Response(to_json({**page.as_data(), "fault": said}), status, media_type="application/json")
    shown = {"page": page, "view": page.view, "fault": fault, "said": said, "typed": typed or {}}
    return _page(page.stage, status, heading=heading_of(page), address=f"/p/{person.id}", **shown)


SAID = {
    403: "This page belongs to somebody else.",
    404: "There is no such page.",
    405: "This page takes no such request.",
    503: "The server cannot store anything any more and has stopped.",
}
"""Texts of error pages, where the error has none of its own."""


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = SAID.get(error.status_code, error.detail)
    if _asks_json(request):
        return JSONResponse({"fault": said}, error.status_code, error.headers)
    return _page("refused", error.status_code, heading=said)


async def _stopped(request: Request, error: Exception) -> Response:
    return await _refuse(request, HTTPException(503))
