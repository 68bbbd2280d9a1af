"""The page of the experimenter, on a port of its own that only this machine reaches."""

from __future__ import annotations

import secrets
from decimal import Decimal

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lawgiver.trainers.people.experiment import Experiment
from lawgiver.trainers.people.forms import read_fields
from lawgiver.trainers.people.ledger import LedgerError
from lawgiver.trainers.people.monitor import monitor_of
from lawgiver.trainers.people.rendering import render
from lawgiver.trainers.people.server import OWN_HOSTS, Headers, require_own_origin, static
from lawgiver.trainers.people.words import sayer

INTAKES = ("open", "paused", "closed")


def monitor_address(port: int, token: str) -> str:
    """Write the address of the page."""
    return f"http://127.0.0.1:{port}/monitor?token={token}"


def monitor_application(experiment: Experiment, pay: Decimal, token: str, port: int) -> Starlette:
    """Make the application that serves the page.

    Args:
        experiment: what it shows.
        pay: of a person on average, see :func:`lawgiver.trainers.people.monitor.expected_pay`.
        token: which every request has to bring.
        port: under which it is asked.
    """

    def require(given: str) -> None:
        if not secrets.compare_digest(given.encode(errors="replace"), token.encode()):
            raise HTTPException(403)

    def require_host(request: Request) -> None:
        # A page elsewhere that has looked its own name up as this machine asks under that name.
        if request.headers.get("host") not in [f"{name}:{port}" for name in OWN_HOSTS]:
            raise HTTPException(400, "This page is asked for under another name.")

    async def show(request: Request) -> Response:
        require_host(request)
        require(request.query_params.get("token", ""))
        await experiment.ledger.settled()
        found = monitor_of(experiment, experiment.clock(), pay)
        heading, currency = sayer(experiment.language)("monitor_heading"), experiment.study.config.pay.currency
        shown = {"heading": heading, "monitor": found, "token": token, "currency": currency}
        return HTMLResponse(render(experiment.language, "monitor", **shown))

    async def set_intake(request: Request) -> Response:
        require_host(request)
        require_own_origin(request)
        fields = await read_fields(request)
        require(fields.get("token", ""))
        if fields.get("intake") not in INTAKES:
            raise HTTPException(422, f"intake is none of {', '.join(INTAKES)}.")
        await experiment.ledger.write(*experiment.set_intake(fields["intake"]))
        return RedirectResponse(f"/monitor?token={token}", 303)

    routes = [
        Route("/monitor", show),
        Route("/monitor/intake", set_intake, methods=["POST"]),
        Route("/static/{name}", static),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Headers)], exception_handlers={LedgerError: _stopped})


def beside(study: ASGIApp, monitor: ASGIApp, address: tuple[str, int]) -> ASGIApp:
    """Serve two applications by one server.

    Args:
        study: what is served at all other addresses.
        monitor: what is served at its own.
        address: of the monitor's socket. The port alone would not do: another address may have the same one.
    """

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        server = scope.get("server")
        own = server is not None and tuple(server) == address
        await (monitor if own else study)(scope, receive, send)

    return dispatch


async def _stopped(request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 503)
