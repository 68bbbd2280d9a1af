"""Reading of what pages send: a few short fields, url-encoded or as a JSON object; and what is said of a wrong one."""

from __future__ import annotations

import json
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from lawgiver.envs.views.screen import FormError
from lawgiver.trainers.people.numbers import number
from lawgiver.trainers.people.words import Say

LARGEST_BODY = 4096
"""Largest body of a request, in bytes."""
MOST_FIELDS = 100
"""Most fields of a form."""


async def read_fields(request: Request) -> dict[str, str]:
    """Read the fields of a request as text, whatever may be in them.

    Of a JSON object, texts and numbers are taken, a number as it is written.

    Raises:
        HTTPException: 413 for a body of more than ``LARGEST_BODY`` bytes; 400 for one that is neither a form nor a JSON
            object, has a field twice, or a NUL; 422 for a JSON value that is neither a text nor a number.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"The request has more than {LARGEST_BODY} bytes.")
    try:
        pairs = _of_json(body) if wants_json(request.headers.get("content-type", "")) else _of_form(body)
        fields = dict(pairs)
        if len(fields) < len(pairs):
            raise ValueError("a field is given twice")
        texts = "".join([*fields, *filter(_is_text, fields.values())])
        texts.encode()  # JSON can write half a character
        if "\0" in texts:
            raise ValueError("a character that not every database can store")
    except (ValueError, RecursionError) as error:  # what is written otherwise, or brackets in brackets
        raise HTTPException(400, "The request is neither a form nor a JSON object.") from error
    for name, value in fields.items():
        if not _is_text(value):
            raise HTTPException(422, f"{name[:40]} is neither a text nor a number.")
    return fields


def wants_json(media_type: str) -> bool:
    """Test whether a media type is that of JSON."""
    return media_type.partition(";")[0].strip().lower() == "application/json"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _of_form(body: bytearray) -> list[tuple[str, Any]]:
    options: dict[str, Any] = {"keep_blank_values": True, "strict_parsing": True, "errors": "strict"}
    return list(parse_qsl(body.decode("ascii"), max_num_fields=MOST_FIELDS, **options))


def _of_json(body: bytearray) -> list[tuple[str, Any]]:
    readers: dict[str, Any] = {"parse_int": str, "parse_float": str, "parse_constant": _refuse}
    found = json.loads(body.decode("utf-8"), **readers)
    if not isinstance(found, dict) or len(found) > MOST_FIELDS:
        raise ValueError("no object, or one of too many fields")
    return list(found.items())


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def said_of(fault: FormError, say: Say) -> str:
    """Explain to a person the fault of their entry."""
    entry = fault.entry
    if entry is None:
        return say("choose_one")
    said = {
        "missing": say("number_missing"),
        "whole": say("number_whole"),
        "range": say("number_range", low=number(entry.low), high=number(entry.high)),
    }.get(fault.fault, say("number_wrong"))
    return say("fault_of", entry=entry.label, fault=said) if entry.label else said
