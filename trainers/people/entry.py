"""The way into an experiment: who somebody is outside of it, and what is stored of that."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, update

from lawgiver.trainers.people.ledger import NewRow, Write
from lawgiver.trainers.people.links import code_id
from lawgiver.trainers.people.settings import StudyConfig
from lawgiver.trainers.people.tables import OUTSIDE

CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
PROLIFIC_ID = re.compile(r"[0-9a-f]{24}")


class PausedError(Exception):
    """Nobody new may come in for now."""


class UnknownLinkError(Exception):
    """A link is none by which people come in."""


@dataclass(frozen=True)
class Entry:
    """Who somebody is outside.

    Attributes:
        kind: ``prolific``, ``code`` or ``open``.
        outside_id: a Prolific id, or the SHA-256 of a code; empty for nobody in particular.
        study_ref: the study there.
        session_ref: the session there.
    """

    kind: str
    outside_id: str = ""
    study_ref: str | None = None
    session_ref: str | None = None

    def rows(self, person_id: str) -> list[Write]:
        """Make the statements that store who somebody is."""
        if self.kind == "code":
            return [update(OUTSIDE).where(OUTSIDE.c.outside_id == self.outside_id).values(person_id=person_id)]
        return [NewRow(OUTSIDE, {"person_id": person_id, **vars(self)})] if self.outside_id else []


def read_entry(config: StudyConfig, query: Mapping[str, str]) -> Entry:
    """Read the link by which somebody comes in; whether a code was given to anybody is not looked up.

    Args:
        config: of the study.
        query: of the link.

    Raises:
        UnknownLinkError: if it is none of this study.
    """
    if config.access == "open":
        return Entry("open")
    if config.access == "codes":
        code = query.get("code", "")
        if not CODE.fullmatch(code):
            raise UnknownLinkError
        return Entry("code", code_id(code))
    own, study, session = (query.get(name, "") for name in ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID"))
    wanted = None if config.prolific is None else config.prolific.study_id
    if not PROLIFIC_ID.fullmatch(own) or (wanted is not None and study != wanted):
        raise UnknownLinkError
    if any(each and not CODE.fullmatch(each) for each in (study, session)):
        raise UnknownLinkError
    return Entry("prolific", own, study or None, session or None)


def forgotten(person_id: str) -> list[Write]:
    """Make the statements that forget who somebody is: a code may be used again, any other id is deleted."""
    own, coded = OUTSIDE.c.person_id == person_id, OUTSIDE.c.kind == "code"
    return [update(OUTSIDE).where(own, coded).values(person_id=None), delete(OUTSIDE).where(own, ~coded)]
