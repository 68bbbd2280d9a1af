"""The first page of a game against programs, from which everybody can begin."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lawgiver.trainers.people.server import admitted, host_of, html, require_own_origin
from lawgiver.trainers.people.solo import Solo


def solo_routes() -> list[Route]:
    """Return the routes by which people come in."""
    return [Route("/", _start), Route("/join", _join, methods=["POST"])]


async def _start(request: Request) -> Response:
    solo: Solo = host_of(request)
    setup = solo.setup
    return html(request, "start", heading=setup.wording.title, setup=setup, players=setup.game.roles["participant"])


async def _join(request: Request) -> Response:
    require_own_origin(request)
    solo: Solo = host_of(request)
    return admitted(request, *await solo.join())
