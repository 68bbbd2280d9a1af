"""Ways into an experiment and out of it."""

from __future__ import annotations

from sqlalchemy import select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from lawgiver.trainers.people.entry import PausedError, UnknownLinkError, read_entry
from lawgiver.trainers.people.experiment import Experiment
from lawgiver.trainers.people.participant import Participant
from lawgiver.trainers.people.server import (
    admitted,
    asks_json,
    host_of,
    html,
    performed,
    person_of,
    require_own_origin,
    shown,
)
from lawgiver.trainers.people.tables import OUTSIDE
from lawgiver.trainers.people.words import sayer


def study_routes() -> list[Route]:
    """Return the routes by which people come in and leave."""
    return [
        Route("/", _welcome),
        Route("/join", _join),
        Route("/p/{id}/leave", _ask_to_leave),
        Route("/p/{id}/leave", _leave, methods=["POST"]),
    ]


async def _welcome(request: Request) -> Response:
    study = host_of(request).study
    return html(request, "welcome", heading=study.texts.title, study=study)


async def _join(request: Request) -> Response:
    experiment: Experiment = host_of(request)
    say = sayer(experiment.language)
    try:
        entry = read_entry(experiment.study.config, request.query_params)
        if entry.kind == "code" and not _is_given(experiment, entry.outside_id):
            raise UnknownLinkError
        name, secret, statements = experiment.join(entry)
    except UnknownLinkError as error:
        raise HTTPException(400, say("unknown_link")) from error
    except PausedError as error:
        raise HTTPException(409, say("paused")) from error
    await experiment.ledger.write(*statements)
    return admitted(request, name, secret)


def _is_given(experiment: Experiment, outside_id: str) -> bool:
    """Check whether a code was given to anybody; it may have been since the experiment is served."""
    if outside_id in experiment.outside:
        return True
    with experiment.store.engine.connect() as connection:
        given = select(OUTSIDE.c.outside_id).where(OUTSIDE.c.outside_id == outside_id)
        return connection.execute(given).first() is not None


async def _ask_to_leave(request: Request) -> Response:
    person, experiment = person_of(request), host_of(request)
    assert isinstance(person, Participant)
    if person.end is not None:
        return RedirectResponse(f"/p/{person.id}", 303)
    heading = sayer(experiment.language)("leave_heading")
    waited = person.stage == "waiting" and experiment.may_leave(person)
    return html(request, "leave", heading=heading, address=f"/p/{person.id}", waited=waited)


async def _leave(request: Request) -> Response:
    person, experiment = person_of(request), host_of(request)
    require_own_origin(request)
    assert isinstance(person, Participant)
    await experiment.ledger.write(*performed(request, lambda: experiment.leave(person)))
    return shown(request, person) if asks_json(request) else RedirectResponse(f"/p/{person.id}", 303)
