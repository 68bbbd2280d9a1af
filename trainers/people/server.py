"""The web server of people who play: routes, cookies, headers and pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lawgiver.envs.core.errors import ActionError
from lawgiver.envs.files.json_text import record_to_json
from lawgiver.envs.views.screen import FormError
from lawgiver.trainers.people.forms import read_fields, said_of, wants_json
from lawgiver.trainers.people.ledger import Ledger, LedgerError, Write
from lawgiver.trainers.people.limits import BusyError
from lawgiver.trainers.people.person import Page, Visitor, VisitorT
from lawgiver.trainers.people.rendering import TYPES, heading_of, refusal, render, static_files
from lawgiver.trainers.people.store import Store
from lawgiver.trainers.people.words import sayer

COOKIE = "seat"
POLL_S = 25.0
"""Longest time that a poll stays open, below the time-outs of proxies."""
OWN_HOSTS = ("127.0.0.1", "localhost")
"""Names of a server that only this machine reaches; under another a page elsewhere has looked its address up."""
HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"same-origin",  # under no-referrer browsers would send "null" as the origin of own forms
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
}
"""Headers of every response that has none of its own."""


class Host(Protocol[VisitorT]):
    """People with their pages, as a server needs them."""

    ledger: Ledger
    store: Store
    language: str
    templates: Mapping[str, str]
    """Names of templates by the stages that have none of their own name."""

    @property
    def over(self) -> bool:
        """Check whether nobody is waited for any more."""

    def tick(self) -> list[Write]:
        """Do what has come due, and return what is to be stored."""

    def person(self, name: str, secret: str) -> VisitorT | None:
        """Find somebody by their id, if the secret is theirs."""

    def page(self, person: VisitorT) -> Page:
        """Make the page that somebody is to be shown."""

    def seen(self, person: VisitorT) -> str:
        """Write a token of somebody's page, which changes when it has to be shown anew."""

    def take(self, person: VisitorT, sent: Mapping[str, str]) -> list[Write]:
        """Take what a page sends, and return what is to be stored."""

    def shown(self, page: Page) -> Mapping[str, Any]:
        """Return values that a page shows besides, which do not change."""

    def wake_all(self) -> None:
        """Answer everybody who waits for a change."""


def make_application(host: Host[Any], routes: Sequence[Route], hosts: Sequence[str] = OWN_HOSTS) -> Starlette:
    """Make the application that serves pages.

    Args:
        host: what is served.
        routes: those by which people come in, and others of its own.
        hosts: names under which the server is asked; ``*`` for any.
    """
    common = [
        Route("/p/{id}", _show),
        Route("/p/{id}", _submit, methods=["POST"]),
        Route("/p/{id}/wait", _wait),
        Route("/static/{name}", static),
        Route("/healthz", _health),
    ]
    handlers: dict[Any, Any] = {HTTPException: _refuse, LedgerError: _stopped, BusyError: _busy}
    outer = [Middleware(Headers), Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)]
    made = Starlette(routes=[*routes, *common], middleware=outer, exception_handlers=handlers)
    made.state.host = host
    return made


class Headers:
    """Adds the headers that keep pages to themselves."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in HEADERS.items() if pair[0] not in given)]
            await send(message)

        await self._app(scope, receive, with_headers)


# -- routes ---------------------------------------------------------------------------------------------------------


async def _show(request: Request) -> Response:
    person = person_of(request)
    await host_of(request).ledger.settled()
    return shown(request, person)


async def _submit(request: Request) -> Response:
    person, host = person_of(request), host_of(request)
    require_own_origin(request)
    fields = await read_fields(request)
    try:
        await host.ledger.write(*performed(request, lambda: host.take(person, fields)))
    except FormError as fault:
        await host.ledger.settled()
        return shown(request, person, fault, fields)
    if asks_json(request):
        return shown(request, person)
    return RedirectResponse(f"/p/{person.id}", 303)


async def _wait(request: Request) -> Response:
    person, host = person_of(request), host_of(request)
    if request.query_params.get("seen") == host.seen(person):
        cut = asyncio.create_task(_disconnected(request))
        await person.poll(POLL_S, cut)
        cut.cancel()
    await host.ledger.settled()
    return JSONResponse({"seen": host.seen(person)})


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def static(request: Request) -> Response:
    """Answer with a style, script or icon."""
    found = static_files().get(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    forever = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(found.read_bytes(), media_type=TYPES[found.suffix], headers=forever)


async def _health(request: Request) -> Response:
    await host_of(request).ledger.settled()
    return PlainTextResponse("ok")


# -- who asks, and what is answered ---------------------------------------------------------------------------------


def host_of(request: Request) -> Any:
    """Find what is served."""
    return request.app.state.host


def person_of(request: Request) -> Visitor:
    """Find the person whose page is asked for.

    Raises:
        HTTPException: 403 if the secret is not theirs, or there is nobody.
    """
    found: Visitor | None = host_of(request).person(request.path_params["id"], request.cookies.get(COOKIE, ""))
    if found is None:
        raise HTTPException(403)
    return found


def performed(request: Request, act: Callable[[], list[Write]]) -> list[Write]:
    """Do what is asked for, and return what is to be stored of it.

    What is not foreseen stops the ledger, and so the server: part of it may have been done, in memory alone.

    Raises:
        ActionError: if it is refused, before anything is done.
        LedgerError: if it was not foreseen.
    """
    try:
        return act()
    except ActionError:
        raise
    except Exception as error:
        host_of(request).ledger.stop(error)
        raise LedgerError from error


def admitted(request: Request, name: str, secret: str) -> Response:
    """Send somebody who has come in to their page, with the cookie that proves who they are."""
    response = RedirectResponse(f"/p/{name}", 303)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, secret, path=f"/p/{name}", httponly=True, samesite="lax", secure=secure)
    return response


def require_own_origin(request: Request) -> None:
    """Refuse forms of other sites, to which browsers add where they come from."""
    origin = request.headers.get("origin")
    if origin is not None and origin != f"{request.url.scheme}://{request.url.netloc}":
        raise HTTPException(403)


def asks_json(request: Request) -> bool:
    """Check whether the answer is to be JSON."""
    return wants_json(request.headers.get("accept", ""))


def html(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """Answer with a page."""
    return HTMLResponse(render(host_of(request).language, template, **values), status)


def shown(
    request: Request, person: Visitor, fault: FormError | None = None, typed: Mapping[str, str] | None = None
) -> Response:
    """Answer with what a person sees now; with a fault, beside what was typed."""
    host = host_of(request)
    page, status = host.page(person), 422 if fault else 200
    said = said_of(fault, sayer(host.language)) if fault else ""
    if asks_json(request):
        return Response(record_to_json({**page.fields(), "fault": said}), status, media_type="application/json")
    values = {"page": page, "view": page.view, "fault": fault, "said": said, "typed": typed or {}}
    values |= host.shown(page)
    heading = heading_of(page, host.language)
    template = host.templates.get(page.stage, page.stage)
    return html(request, template, status, heading=heading, address=f"/p/{person.id}", **values)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = refusal(error, host_of(request).language)
    if asks_json(request):
        return JSONResponse({"fault": said}, error.status_code, error.headers)
    return html(request, "refused", error.status_code, heading=said)


async def _stopped(request: Request, error: Exception) -> Response:
    return await _refuse(request, HTTPException(503))


async def _busy(request: Request, error: Exception) -> Response:
    return await _refuse(request, HTTPException(429, headers={"retry-after": "1"}))
