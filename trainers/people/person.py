"""People who play in a browser: how they are known, their way through the games of a group, their page."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from lawgiver.envs.views.screen import Option, Shown, shown
from lawgiver.trainers.people.group import Group, Happened
from lawgiver.trainers.people.views import View, earned

NOBODY = hashlib.sha256(b"").hexdigest()
"""Hash that the secrets of people who do not exist are compared with, so that their absence takes no less time."""


@dataclass(frozen=True)
class Asked:
    """A question of a page before or after the games.

    Attributes:
        key: under which the page sends the answer.
        text: the question.
        options: to choose one of; empty where any text is an answer.
        because: an explanation, after a wrong answer.
    """

    key: str
    text: str
    options: tuple[Option, ...] = ()
    because: str = ""


@dataclass(frozen=True)
class Page:
    """Content of a person's page.

    Attributes:
        stage: ``play``, ``gone``, ``result``, ``vote``, ``outcome``, ``end`` or ``broken``; or one before or after the
            games, see :mod:`lawgiver.trainers.people.stages`.
        at: the position, which every form sends back.
        seen: what differs once the page has to be shown anew.
        episode: number of the game that it is about, from 0.
        several: whether there are several games, and a vote.
        group: number of the person's group; None if they have none.
        seat: of the person in it.
        view: of the group; that of the next game already, where a result is shown. None outside of games.
        last: of a result, what the person saw at the end of the game, and the payoffs of its last round.
        names: of the mechanisms of all games, in the order of play, once everything is over and may be told.
        asked: questions of a page before or after the games.
        seconds_left: until the deadline, when the page was made; None without one.
        told: what else the page says, by name.
    """

    stage: str
    at: str
    seen: str
    episode: int = 0
    several: bool = False
    group: int | None = None
    seat: int | None = None
    view: View | None = None
    last: tuple[Shown, ...] = ()
    names: tuple[str, ...] = ()
    asked: tuple[Asked, ...] = ()
    seconds_left: float | None = None
    told: Mapping[str, Any] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """Collect what JSON has of the page; the view's form is beside it too."""
        return {**vars(self), "form": None if self.view is None else self.view.form}


@dataclass
class Course:
    """A person's way through the games of a group, with pages in between that only have to be read.

    Attributes:
        group: in which they play.
        seat: of theirs.
        names: of the mechanisms, in the order of play.
        read: how many of the pages in between they have read: the result of each game, and the outcome of the vote.
    """

    group: Group
    seat: int
    names: tuple[str, ...] = ()
    read: int = 0
    _shown: tuple[str, float] = ("", 0.0)

    @cached_property
    def pages_between(self) -> list[tuple[str, int]]:
        """The pages that only have to be read, in their order, with the game that each is about."""
        games = max(1, len(self.names))
        pages = [("result", episode) for episode in range(games)]
        return pages + ([("outcome", games), ("result", games)] if self.group.setup.votes else [])

    @property
    def names_of_games(self) -> tuple[str, ...]:
        """The mechanism of each game, once the vote is over."""
        winner = self.group.winner
        return self.names if winner is None else (*self.names, self.names[winner])

    @property
    def gone(self) -> bool:
        """Whether a program decides for the person, who may still come back."""
        return self.group.stage in ("play", "vote") and self.group.people[self.seat].gone

    @property
    def stage(self) -> tuple[str, int]:
        """The page that is due, and the game that it is about."""
        group = self.group
        if group.stage == "broken":
            return "broken", group.game.number
        if self.gone:
            return "gone", group.game.number
        for kind, episode in self.pages_between[self.read : self.read + 1]:
            if group.winner is not None if kind == "outcome" else group.games[episode:] and group.games[episode].over:
                return kind, episode
        return "end" if group.stage == "ended" else group.stage, group.game.number

    @property
    def at(self) -> str:
        """The position: ``stage.episode.step``."""
        stage, episode = self.stage
        return self.group.at if stage == self.group.stage else f"{stage}.{episode}.0"

    @property
    def seen(self) -> str:
        """The position, and whether the person is waited for there."""
        at = self.at
        return at if at != self.group.at or self.seat in self.group.waiting else f"{at}.waiting"

    def page(self, now: float, group_id: int | None = None, reveals: bool = False) -> Page:
        """Make the page that is due, and note when it was first shown.

        Args:
            now: in UTC seconds.
            group_id: number of the group.
            reveals: whether the last page names the mechanisms.
        """
        (stage, episode), at = self.stage, self.at
        if self._shown[0] != at:
            self._shown = at, now
        setup, view = self.group.setup, self.group.view(self.seat)
        last: tuple[Shown, ...] = ()
        if stage == "result":
            last = shown(setup.game, setup.wording, self.group.games[episode].seen[self.seat])
            rounds = view.results[episode].rounds
            last += (earned(setup.wording, rounds[-1]),) if len(rounds) > 1 else ()
        names = self.names_of_games if reveals and stage == "end" else ()
        return Page(stage, at, self.seen, episode, setup.votes, group_id, self.seat, view, last, names)

    def take(self, sent: Mapping[str, str]) -> tuple[Happened, float | None]:
        """Take what a page sends for its position.

        Returns:
            What has happened in the group, and when the page was shown, None if that is not known. Reading a page
            between the games makes nothing happen but adds to ``read``; what is sent for another position does
            nothing.

        Raises:
            FormError: if it holds no answer to the page.
        """
        at = self.at
        if sent.get("at") != at:
            return (), None
        if at == self.group.at:
            return self.group.answer(self.seat, at, sent), self._shown[1] if self._shown[0] == at else None
        if self.gone:
            return self.group.back(self.seat), None
        self.read += self.stage[0] in ("result", "outcome")
        return (), None


@dataclass
class Visitor:
    """Somebody with a page of their own.

    Attributes:
        id: what stands in the address of their page.
        secret_hash: SHA-256 of the secret in their cookie.
        polls: how many of their polls are open: one, as a newer one ends the older.
    """

    id: str
    secret_hash: str
    polls: int = field(default=0, kw_only=True)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, kw_only=True)

    def wake(self) -> None:
        """Answer all who wait for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def poll(self, seconds: float, cut: asyncio.Task[None]) -> None:
        """Wait until they are to be shown something else, time is up, or they poll again.

        Args:
            seconds: the time.
            cut: ends when they have gone away.
        """
        self.wake()
        change = asyncio.create_task(self._changed.wait())
        self.polls += 1
        try:
            await asyncio.wait({change, cut}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.polls -= 1
            change.cancel()


VisitorT = TypeVar("VisitorT", bound=Visitor)


def new_credentials() -> tuple[str, str]:
    """Draw the id of a person, and the secret that proves who they are."""
    return secrets.token_urlsafe(9), secrets.token_urlsafe(24)


def secret_hash(secret: str) -> str:
    """Compute what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def find(people: Mapping[str, VisitorT], name: str, secret: str) -> VisitorT | None:
    """Find somebody by their id, if the secret is theirs."""
    found = people.get(name)
    own = secrets.compare_digest(secret_hash(secret), NOBODY if found is None else found.secret_hash)
    return found if own else None
