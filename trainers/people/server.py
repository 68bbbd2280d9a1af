"""The web server of people who play: routes, cookies, headers and pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lawgiver.envs.files.json_text import record_to_json
from lawgiver.envs.views.screen import FormError
from lawgiver.trainers.people.forms import read_fields, said_of, wants_json
from lawgiver.trainers.people.ledger import LedgerError
from lawgiver.trainers.people.rendering import TYPES, heading_of, refusal, render, static_files
from lawgiver.trainers.people.solo import Person, Solo
from lawgiver.trainers.people.words import sayer

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
    return _html(request, "start", heading=setup.wording.title, setup=setup, players=setup.game.roles["participant"])


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


def _language(request: Request) -> str:
    return _solo(request).setup.language


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


def _html(request: Request, template: str, status: int = 200, **shown: Any) -> Response:
    return HTMLResponse(render(_language(request), template, **shown), status)


def _shown(
    request: Request, person: Person, fault: FormError | None = None, typed: Mapping[str, str] | None = None
) -> Response:
    """Answer with what a person sees now; with a fault, beside what was typed."""
    page, status = person.page(), 422 if fault else 200
    said = said_of(fault, sayer(_language(request))) if fault else ""
    if _asks_json(request):
        return Response(record_to_json({**vars(page), "fault": said}), status, media_type="application/json")
    shown = {"page": page, "view": page.view, "fault": fault, "said": said, "typed": typed or {}}
    heading = heading_of(page, _language(request))
    return _html(request, page.stage, status, heading=heading, address=f"/p/{person.id}", **shown)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = refusal(error, _language(request))
    if _asks_json(request):
        return JSONResponse({"fault": said}, error.status_code, error.headers)
    return _html(request, "refused", error.status_code, heading=said)


async def _stopped(request: Request, error: Exception) -> Response:
    return await _refuse(request, HTTPException(503))
