"""One person against programs: whoever joins gets a group of their own, in which programs have all other seats."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import update

from lawgiver.envs.core.errors import brief
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.files.json_text import to_json
from lawgiver.trainers.people.database import StoreError
from lawgiver.trainers.people.group import Group, taken_up
from lawgiver.trainers.people.ledger import Ledger, NewRow, Write
from lawgiver.trainers.people.logs import LOGGED, read_logs, stored
from lawgiver.trainers.people.person import Course, Page, Visitor, find, new_credentials, secret_hash
from lawgiver.trainers.people.setup import Setup
from lawgiver.trainers.people.store import Store
from lawgiver.trainers.people.tables import GRP, PERSON


@dataclass
class Player(Visitor):
    """Somebody who plays.

    Attributes:
        group_id: number of their group.
        course: their way through it.
    """

    group_id: int
    course: Course

    @property
    def group(self) -> Group:
        """The group in which they play."""
        return self.course.group

    @property
    def seat(self) -> int:
        """Their seat in it."""
        return self.course.seat

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the mechanisms, in the order of play."""
        return self.course.names


class Solo:
    """All who play against programs on one server.

    Args:
        game: the game.
        mechanisms: by name; of several each rules a game, in an order that is drawn, and a vote is held. Empty in a
            game without a mechanism.
        others: policy of the other seats.
        store: the database; what it holds is taken up. Group g draws its seat, order and games from its ``[seed, g]``.

    Raises:
        UnsupportedGameError: if people cannot play the game, or a policy does not fit it.
        ParameterError: if the database holds something else than this plays.
        StoreError: if it holds an action that cannot be read.
    """

    templates: Mapping[str, str] = {}

    def __init__(
        self,
        game: Game[Any],
        mechanisms: Mapping[str, Policy],
        others: Policy,
        store: Store,
    ) -> None:
        self._game, self._mechanisms, self._others, self._seed = game, dict(mechanisms), others, store.seed
        self.people: dict[str, Player] = {}
        self.language, self.over = "en", False
        self.store = store
        self.setup, _ = self._setup(0)
        self.ledger = Ledger(store.engine)
        self._restore()

    def _setup(self, group_id: int) -> tuple[Setup, list[str]]:
        """Draw what a group plays: the seat of its person, and the order of the mechanisms."""
        rng = np.random.default_rng([self._seed, group_id])
        seat = int(rng.integers(self._game.roles.get("participant", 1)))
        order = [list(self._mechanisms)[place] for place in rng.permutation(len(self._mechanisms))]
        policies = tuple(self._mechanisms[name] for name in order)
        return Setup(self._game, policies, self._others, int(rng.integers(2**62)), (seat,)), order

    async def join(self) -> tuple[str, str]:
        """Take somebody new into a group of their own; return their id and the secret that proves who they are."""
        name, secret = new_credentials()
        group_id = len(self.people)
        setup, order = self._setup(group_id)
        group, seat = Group(setup), setup.seats[0]
        person = Player(name, secret_hash(secret), group_id, Course(group, seat, tuple(order)))
        self.people[name] = person
        now, kept = time.time(), to_json(order)
        await self.ledger.write(
            NewRow(GRP, {"id": group_id, "seed": setup.seed, "mechanisms": kept, "started": now}),
            NewRow(
                PERSON,
                {
                    "id": name,
                    "secret_hash": person.secret_hash,
                    "stage": "play",
                    "group_id": group_id,
                    "seat": seat,
                    "joined": now,
                },
            ),
            *stored(group_id, 0, group.log, now),
        )
        return name, secret

    def person(self, name: str, secret: str) -> Player | None:
        """Find somebody by their id, if the secret is theirs."""
        return find(self.people, name, secret)

    def page(self, person: Player) -> Page:
        """Make the page that somebody is to be shown."""
        return person.course.page(time.time(), person.group_id, reveals=True)

    def seen(self, person: Player) -> str:
        """Write a token of somebody's page, which changes when it has to be shown anew."""
        return person.course.seen

    def take(self, person: Player, sent: Mapping[str, str]) -> list[Write]:
        """Take what a page sends, and return what is to be stored; nothing if it is for a page that is over.

        Raises:
            FormError: if it holds no answer to the page.
        """
        course = person.course
        begun, read = len(course.group.log), course.read
        happened, since = course.take(sent)
        statements = stored(person.group_id, begun, happened, time.time(), since)
        if course.read > read:
            statements.append(update(PERSON).where(PERSON.c.id == person.id).values(read=course.read))
        if statements:
            person.wake()
        return statements

    def tick(self) -> list[Write]:
        """Do what has come due: nothing, as nobody has a deadline."""
        return []

    def shown(self, page: Page) -> Mapping[str, Any]:
        """Return values that a page shows besides: none."""
        return {}

    def wake_all(self) -> None:
        """Answer everybody who waits for a change."""
        for person in self.people.values():
            person.wake()

    def _restore(self) -> None:
        """Play again what the database holds."""
        logs = read_logs(self.store.name, *map(self.store.rows, LOGGED))
        for row in sorted(self.store.rows(PERSON), key=lambda each: -1 if each.group_id is None else each.group_id):
            self._check("group_id", row.group_id, (len(self.people),))  # everybody has one of their own, in order
            setup, order = self._setup(row.group_id)
            group = taken_up(setup, logs.get(row.group_id, ()))
            course = Course(group, row.seat, tuple(order), row.read)
            self._check("seat", row.seat, setup.seats)
            self._check("read", row.read, range(len(course.pages_between) + 1))
            self.people[row.id] = Player(row.id, row.secret_hash, row.group_id, course)

    def _check(self, column: str, value: Any, known: Sequence[int]) -> None:
        """Refuse a database with a person who cannot be as it says."""
        if value not in known:
            told = str(known[0]) if len(known) == 1 else f"{known[0]} to {known[-1]}"
            raise StoreError(f"{self.store.name} has a person whose {column} is {brief(value)}, allowed: {told}")
