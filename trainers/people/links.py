"""One-time codes by which people come into a study, as links."""

from __future__ import annotations

import hashlib
import re
import secrets
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import insert

from lawgiver.envs.core.errors import ParameterError, integer
from lawgiver.trainers.people.store import open_study
from lawgiver.trainers.people.study import Study
from lawgiver.trainers.people.tables import OUTSIDE

MOST_LINKS = 10_000
ADDRESS = re.compile(r"https?://[^\s/?#\"'<>]+")


@dataclass(frozen=True)
class Link:
    """A link for one person.

    Attributes:
        outside_id: by which tables of payments call the person; it does not let anybody in.
        link: for that person alone.
    """

    outside_id: str
    link: str


def code_id(code: str) -> str:
    """Compute what is stored of a code: its SHA-256, which does not let anybody in."""
    return hashlib.sha256(code.encode()).hexdigest()


def new_links(study: Study, count: int, address: str) -> list[Link]:
    """Draw codes, and store what lets the server know them.

    Args:
        study: whose ``access`` is ``codes``.
        count: how many, 1 to 10,000.
        address: of the server as people reach it, such as ``https://study.example.org``.

    Raises:
        ParameterError: if an argument is outside its range, or people come to the study by other ways.
        StoreError: if the database cannot be used, or is in use, as while the study is served.
    """
    integer("count", count, 1, MOST_LINKS)
    if study.config.access != "codes":
        raise ParameterError(f"access is {study.config.access!r}, allowed for links: codes")
    if not ADDRESS.fullmatch(address):
        raise ParameterError(f"address is {address!r}, allowed: http:// or https:// and a host, without a path")
    codes = [secrets.token_urlsafe(12) for _ in range(count)]
    with closing(open_study(study)) as store, store.engine.begin() as connection:
        connection.execute(insert(OUTSIDE), [{"kind": "code", "outside_id": code_id(code)} for code in codes])
    return [Link(code_id(code), f"{address}/join?code={code}") for code in codes]
