"""One person against programs: who has joined, the pages of each person in their order, and what is kept of them.

Whoever joins gets a group of their own, in which programs have all other seats. A person's way is that of the group,
with pages in between that only have to be read: the result of each game, and the outcome of the vote.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import update

from lawgiver.envs.core.errors import brief
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.files.json_text import from_json, to_json
from lawgiver.envs.views.screen import Shown, shown
from lawgiver.trainers.people.database import StoreError
from lawgiver.trainers.people.group import Group, taken_up
from lawgiver.trainers.people.happenings import Decision, Happening, Vote
from lawgiver.trainers.people.ledger import Ledger, NewRow, Write
from lawgiver.trainers.people.setup import Setup
from lawgiver.trainers.people.store import Store
from lawgiver.trainers.people.tables import DECISION, GRP, PERSON, VOTE
from lawgiver.trainers.people.views import View, earned

NOBODY = hashlib.sha256(b"").hexdigest()
"""Hash that the secrets of people who do not exist are compared with, so that their absence takes no less time."""


@dataclass(frozen=True)
class Page:
    """Content of a person's page.

    Attributes:
        stage: ``play``, ``result``, ``vote``, ``outcome``, ``end`` or ``broken``.
        at: the position, which every form sends back.
        episode: number of the game that it is about, from 0.
        several: whether there are several games, and a vote.
        view: of the group; that of the next game already, where a result is shown.
        last: of a result, what the person saw at the end of the game, and the payoffs of its last round.
        names: of the mechanisms of all games, in the order of play, once everything is over.
    """

    stage: str
    at: str
    episode: int
    several: bool
    view: View
    last: tuple[Shown, ...]
    names: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """Convert to plain data, for JSON."""
        return asdict(self)


@dataclass
class Person:
    """Somebody who plays.

    Attributes:
        id: what stands in the address of their page.
        secret_hash: SHA-256 of the secret in their cookie.
        group_id: number of their group.
        group: in which they play.
        seat: of theirs.
        names: of the mechanisms, in the order of play.
        read: how many of the pages in between they have read.
    """

    id: str
    secret_hash: str
    group_id: int
    group: Group
    seat: int
    names: tuple[str, ...]
    read: int = 0
    _shown: tuple[str, float] = ("", 0.0)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @cached_property
    def _pages_between(self) -> list[tuple[str, int]]:
        """The pages that only have to be read, in their order, with the game that each is about."""
        games = max(1, len(self.names))
        pages = [("result", episode) for episode in range(games)]
        return pages + ([("outcome", games), ("result", games)] if self.group.setup.votes else [])

    @property
    def _names_of_games(self) -> tuple[str, ...]:
        """The mechanism of each game, once the vote is over."""
        winner = self.group.winner
        return self.names if winner is None else (*self.names, self.names[winner])

    @property
    def stage(self) -> tuple[str, int]:
        """The page that is due, and the game that it is about."""
        group = self.group
        if group.stage == "broken":
            return "broken", group.game.number
        if self.read == len(self._pages_between):
            return "end", group.game.number
        kind, episode = self._pages_between[self.read]
        due = group.winner is not None if kind == "outcome" else group.games[episode:] and group.games[episode].over
        return (kind, episode) if due else (group.stage, group.game.number)

    @property
    def at(self) -> str:
        """The position: ``stage.episode.step``."""
        stage, episode = self.stage
        return self.group.at if stage == self.group.stage else f"{stage}.{episode}.0"

    def page(self) -> Page:
        """Make the page that is due, and note when it was first shown."""
        (stage, episode), at = self.stage, self.at
        if self._shown[0] != at:
            self._shown = at, time.time()
        setup, view = self.group.setup, self.group.view(self.seat)
        last: tuple[Shown, ...] = ()
        if stage == "result":
            last = shown(setup.game, setup.wording, self.group.games[episode].seen[self.seat])
            rounds = view.results[episode].rounds
            last += (earned(setup.wording, rounds[-1]),) if len(rounds) > 1 else ()
        names = self._names_of_games if stage == "end" else ()
        return Page(stage, at, episode, setup.votes, view, last, names)

    def take(self, sent: Mapping[str, str]) -> list[Write]:
        """Take what a page sends, and return what is to be stored; nothing if it is for a page that is over.

        Raises:
            FormError: if it holds no answer to the page.
        """
        at = self.at
        if sent.get("at") != at:
            return []
        if at == self.group.at:
            since = self._shown[1] if self._shown[0] == at else None
            begun = len(self.group.log)
            happened = self.group.answer(self.seat, at, sent)
            statements = stored(self.group_id, begun, happened, since)
        elif self.read < len(self._pages_between):
            self.read += 1
            statements = [update(PERSON).where(PERSON.c.id == self.id).values(read=self.read)]
        else:
            return []
        self.wake()
        return statements

    def wake(self) -> None:
        """Answer all who wait for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed_within(self, seconds: float) -> None:
        """Wait until they are to be shown something else, or the time is up."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return


def stored(group_id: int, place: int, happened: Iterable[Happening], since: float | None) -> list[Write]:
    """Write what happened in a group as rows.

    Args:
        group_id: the group.
        place: of the first of them in the group's log.
        happened: decisions and votes; nothing else happens to a person who is not waited for by others.
        since: when the person whose answer made it happen was shown the page; None if that is not known.
    """
    now, statements = time.time(), list[Write]()
    for number, one in enumerate(happened, start=place):
        assert isinstance(one, (Decision, Vote))
        when = {"group_id": group_id, "place": number, "at": now, "shown": since if one.source == "person" else None}
        if isinstance(one, Decision):
            statements.append(NewRow(DECISION, {**vars(one), "action": to_json(one.action), **when}))
        else:
            statements.append(NewRow(VOTE, {**vars(one), **when}))
    return statements


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

    def __init__(
        self,
        game: Game[Any],
        mechanisms: Mapping[str, Policy],
        others: Policy,
        store: Store,
    ) -> None:
        self._game, self._mechanisms, self._others, self._seed = game, dict(mechanisms), others, store.seed
        self.people: dict[str, Person] = {}
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
        name, secret = secrets.token_urlsafe(9), secrets.token_urlsafe(24)
        group_id = len(self.people)
        setup, order = self._setup(group_id)
        group = Group(setup)
        person = Person(name, _hash(secret), group_id, group, setup.seats[0], tuple(order))
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
                    "seat": person.seat,
                    "joined": now,
                },
            ),
            *stored(group_id, 0, group.log, None),
        )
        return name, secret

    def person(self, name: str, secret: str) -> Person | None:
        """Find somebody by their id, if the secret is theirs."""
        found = self.people.get(name)
        own = secrets.compare_digest(_hash(secret), NOBODY if found is None else found.secret_hash)
        return found if own else None

    def wake_all(self) -> None:
        """Answer everybody who waits for a change."""
        for person in self.people.values():
            person.wake()

    def _restore(self) -> None:
        """Play again what the database holds."""
        logs: dict[int, list[tuple[int, Happening]]] = {}
        for row in self.store.rows(DECISION):
            one = Decision(row.episode, row.step, row.role, row.seat, self._action(row.action), row.source)
            logs.setdefault(row.group_id, []).append((row.place, one))
        for row in self.store.rows(VOTE):
            logs.setdefault(row.group_id, []).append((row.place, Vote(row.seat, row.episode, row.source)))
        for row in sorted(self.store.rows(PERSON), key=lambda each: -1 if each.group_id is None else each.group_id):
            self._check("group_id", row.group_id, (len(self.people),))  # everybody has one of their own, in order
            setup, order = self._setup(row.group_id)
            log = [one for _, one in sorted(logs.get(row.group_id, []), key=lambda pair: pair[0])]
            group = taken_up(setup, log)
            person = Person(row.id, row.secret_hash, row.group_id, group, row.seat, tuple(order), row.read)
            self._check("seat", row.seat, setup.seats)
            self._check("read", row.read, range(len(person._pages_between) + 1))
            self.people[row.id] = person

    def _check(self, column: str, value: Any, known: Sequence[int]) -> None:
        """Refuse a database with a person who cannot be as it says."""
        if value not in known:
            told = str(known[0]) if len(known) == 1 else f"{known[0]} to {known[-1]}"
            raise StoreError(f"{self.store.name} has a person whose {column} is {brief(value)}, allowed: {told}")

    def _action(self, text: str) -> Any:
        try:
            return from_json(text)
        except ValueError as error:
            raise StoreError(f"{self.store.name} has the action {brief(text)}, allowed: JSON") from error


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
