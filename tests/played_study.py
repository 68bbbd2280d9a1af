"""A study whose groups are played in process, for tests of what is made of its database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert, update

from lawgiver.envs.files.json_text import to_json
from lawgiver.trainers.people.group import Group
from lawgiver.trainers.people.happenings import Back, Decision, Happening, Left, Vote
from lawgiver.trainers.people.store import open_study
from lawgiver.trainers.people.study import Study
from lawgiver.trainers.people.tables import ABSENCE, DECISION, GRP, PERSON, VOTE

STUDY = """\
game: {name: public_investment, n_rounds: 3, endowments: [[10, 2, 2, 2], [10, 8, 8, 8]]}
mechanisms: [libertarian]
people: 4
autoplay: simulated_people
groups: 6
third_game: false
access: open
texts: {consent: consent.md, contact: nobody}
"""


def written(folder: Path, text: str = STUDY, **changed: str) -> Path:
    (folder / "consent.md").write_text("Do you agree?")
    for key, value in changed.items():
        lines = [line for line in text.splitlines() if not line.startswith(f"{key}:")]
        text = "\n".join([*lines, f"{key}: {value}"])
    (folder / "study.yaml").write_text(text + "\n")
    return folder / "study.yaml"


PACE_S = 5.0
"""Seconds that everybody takes to decide."""


class PlayedStudy:
    """A study's open database, into which groups are played; person p of group g is called ``g<g>p<p>``."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.store = open_study(study)
        self.clock = 1_000.0

    def __enter__(self) -> PlayedStudy:
        return self

    def __exit__(self, *_: Any) -> None:
        self.store.close()

    def play(self, number: int, act: Callable[[Group], None], condition: str | None = None, order: int = 0) -> Group:
        """Play a group until ``act`` changes nothing any more; what happens is written as it happens."""
        study = self.study
        condition = condition or study.conditions[number % len(study.conditions)]
        names, seats = study.orders[order], tuple(range(study.config.people))
        seed = int(np.random.default_rng([study.config.seed, number]).integers(2**62))
        group = Group(study.setup(seed, condition, names, seats))
        row = {"id": number, "seed": seed, "condition": condition, "mechanisms": to_json(names), "started": self.clock}
        self._write(insert(GRP).values(**row))
        for seat in seats:
            who = {
                "id": f"g{number}p{seat}",
                "secret_hash": "0" * 64,
                "stage": "play",
                "group_id": number,
                "seat": seat,
            }
            self._write(insert(PERSON).values(**who, joined=self.clock - 90, ready=self.clock, waited_s=30.0))
        written, before = 0, -1
        while len(group.log) > before:
            self._write(*(self._row(number, at, one) for at, one in enumerate(group.log[written:], written)))
            before = written = len(group.log)
            self.clock += PACE_S
            act(group)
        self._write(update(GRP).where(GRP.c.id == number).values(state=group.stage, winner=group.winner))
        if group.stage == "ended":
            end = {"stage": "end", "end": "done", "ended": self.clock}
            self._write(update(PERSON).where(PERSON.c.group_id == number, PERSON.c.end.is_(None)).values(**end))
        return group

    def _row(self, group_id: int, place: int, one: Happening) -> Any:
        own = {"group_id": group_id, "place": place, "at": self.clock}
        if isinstance(one, (Back, Left)):
            return insert(ABSENCE).values(kind="back" if isinstance(one, Back) else "left", seat=one.seat, **own)
        own["shown"] = self.clock - PACE_S if one.source == "person" else None
        if isinstance(one, Decision):
            return insert(DECISION).values(**{**asdict(one), "action": to_json(one.action)}, **own)
        assert isinstance(one, Vote)
        return insert(VOTE).values(**asdict(one), **own)

    def _write(self, *statements: Any) -> None:
        with self.store.engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)


def as_recorded(records: Any, number: int) -> Callable[[Group], None]:
    """Let the people of a group do what one of the groups in records did; in a game after the vote, give nothing."""

    def act(group: Group) -> None:
        at = group.at
        for seat in group.waiting:
            episode, rounds = group.game.number, len(group.game.rounds)
            if group.stage == "vote":
                group.vote(seat, at, int(records.votes[number, seat]))
            elif episode < records.contributions.shape[1]:
                group.decide(seat, at, int(records.contributions[number, episode, rounds, seat]))
            else:
                group.decide(seat, at, 0)

    return act


def missing(seat: int, position: str, act: Callable[[Group], None]) -> Callable[[Group], None]:
    """Let somebody miss what is due at a position."""

    def instead(group: Group) -> None:
        if group.at != position:
            return act(group)
        for other in group.waiting:
            if other != seat:
                group.decide(other, position, 0) if group.stage == "play" else group.vote(other, position, 0)
        group.expire(position)
        return None

    return instead
