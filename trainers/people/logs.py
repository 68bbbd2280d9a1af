"""The logs of groups, as rows of the database and back."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from sqlalchemy import Row

from lawgiver.envs.core.errors import brief
from lawgiver.envs.files.json_text import from_json, to_json
from lawgiver.trainers.people.database import StoreError
from lawgiver.trainers.people.happenings import KINDS, Back, Decision, Happening, Left, Vote
from lawgiver.trainers.people.ledger import NewRow, Write
from lawgiver.trainers.people.tables import ABSENCE, DECISION, VOTE

LOGGED = (DECISION, VOTE, ABSENCE)
"""The tables that hold logs."""


def stored(
    group_id: int, place: int, happened: Iterable[Happening], now: float, since: float | None = None
) -> list[Write]:
    """Write what happened in a group as rows.

    Args:
        group_id: the group.
        place: of the first of them in the group's log.
        happened: entries of the log.
        now: when, in UTC seconds.
        since: when the person whose answer made it happen was shown the page; None if that is not known.
    """
    statements = list[Write]()
    for number, one in enumerate(happened, start=place):
        when: dict[str, Any] = {"group_id": group_id, "place": number, "at": now}
        if not isinstance(one, (Decision, Vote)):
            (kind,) = (name for name, made in KINDS.items() if type(one) is made)
            statements.append(NewRow(ABSENCE, {"kind": kind, "seat": one.seat, **when}))
            continue
        when["shown"] = since if one.source == "person" else None
        if isinstance(one, Decision):
            statements.append(NewRow(DECISION, {**vars(one), "action": to_json(one.action), **when}))
        else:
            statements.append(NewRow(VOTE, {**vars(one), **when}))
    return statements


def read_logs(name: str, *tables: Iterable[Row[Any]]) -> dict[int, list[Happening]]:
    """Read the logs of all groups, by the group's number, in the order in which they happened.

    Args:
        name: of the database, for errors.
        tables: rows of the tables ``LOGGED``.

    Raises:
        StoreError: if an action is no JSON.
    """
    found: dict[int, list[tuple[int, Happening]]] = {}
    for row in chain(*tables):
        found.setdefault(row.group_id, []).append((row.place, _happening(name, row)))
    return {group_id: [one for _, one in sorted(log, key=lambda pair: pair[0])] for group_id, log in found.items()}


def _happening(name: str, row: Row[Any]) -> Happening:
    found = row._mapping
    if "action" in found:
        return Decision(row.episode, row.step, row.role, row.seat, _action(name, row.action), row.source)
    if "source" in found:
        return Vote(row.seat, row.episode, row.source)
    return Back(row.seat) if row.kind == "back" else Left(row.seat)


def _action(name: str, text: str) -> Any:
    try:
        return from_json(text)
    except ValueError as error:
        raise StoreError(f"{name} has the action {brief(text)}, allowed: JSON") from error
