"""Programs that take part in a study by HTTP, as people do: they read every page and send what it asks for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.trainers.people.http_client import Client, Log
from lawgiver.trainers.people.stages import CONSENT, quiz_key
from lawgiver.trainers.people.study import Study

Page = Mapping[str, Any]
"""A person's page, as a server answers it in JSON."""
Fields = dict[str, Any]
READ = ("instructions", "practised", "ready", "asleep", "gone", "result", "outcome")
"""Pages that ask for nothing but to go on."""


class BotError(Exception):
    """A server answered what no page does."""


class Chooser(Protocol):
    """The choices of one person."""

    def decide(self, page: Page) -> Fields:
        """Return the fields of a decision."""

    def vote(self, page: Page) -> int:
        """Return the episode of a vote."""


@dataclass
class Tally:
    """The doings of bots.

    Attributes:
        log: of their requests.
        decisions: that were taken.
        ends: how they ended, with their numbers; ``vanished`` for those who closed the page.
        refused: their answers that a server refused.
    """

    log: Log = field(default_factory=Log)
    decisions: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    refused: int = 0


@dataclass
class PolicyChooser:
    """Decides as a policy does for one participant, and votes for the game that has paid most.

    The policy sees the own observation in every seat, for nobody sees those of others.

    Attributes:
        game: the game.
        policy: of all participants.
        rng: generator of its choices.
    """

    game: Game[Any]
    policy: Policy
    rng: np.random.Generator
    _memory: Any = None
    _episode: int = -1

    def decide(self, page: Page) -> Fields:
        """Return the fields of a decision."""
        form, seat, n = page["view"]["form"], page["seat"], self.game.roles["participant"]
        if self._episode != page["episode"]:
            follows = getattr(self.policy, "next_game", None) if self._memory is not None else None
            self._memory = follows(self._memory) if follows else self.policy.initial_state(1, self.rng)
            self._episode = page["episode"]
        seen = np.broadcast_to(np.array(page["view"]["observation"], float), (1, n, len(page["view"]["observation"])))
        layout = self.game.action_layout("participant")
        mask = None
        if isinstance(layout, int):
            mask = np.zeros((1, n, layout), bool)
            mask[..., _legal(form, layout)] = True
        actions, self._memory = self.policy.act(seen, mask, self._memory, self.rng)
        return filled(form, np.asarray(actions)[0, seat])

    def vote(self, page: Page) -> int:
        """Return the episode of a vote."""
        totals = [each["totals"][0] for each in page["view"]["results"]]
        return int(self.rng.choice(np.flatnonzero(np.array(totals) == max(totals))))


def _legal(form: Mapping[str, Any], count: int) -> list[int]:
    """List the choices that a form allows, out of so many."""
    if form["options"]:
        return [option["value"] for option in form["options"]]
    entry = form["entries"][0]
    return list(range(max(0, int(entry["low"])), min(count, int(entry["high"]) + 1)))


def filled(form: Mapping[str, Any], action: Any) -> Fields:
    """Fill in a form of a decision with an action: a number, or one for each entry."""
    if form["options"]:
        return {"choice": int(action)}
    values = np.atleast_1d(action)
    entries = form["entries"]
    return {
        entry["key"]: int(value) if entry["whole"] else min(max(float(value), entry["low"]), entry["high"])
        for entry, value in zip(entries, values, strict=True)
    }


@dataclass
class Bot:
    """One who takes part.

    Attributes:
        study: the study, whose quiz has to be answered.
        client: who asks.
        chooser: of decisions and votes.
        tally: where it is noted what was done.
        outside: what stands behind the address of the study, for those who come by a link of their own.
        think_s: time to think before each answer, on average, in seconds.
        vanishes: number of decisions after which the page of the next one is closed; None for never.
        rng: generator of the time to think.
    """

    study: Study
    client: Client
    chooser: Chooser
    tally: Tally
    outside: str = ""
    think_s: float = 0.0
    vanishes: int | None = None
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    _decided: int = 0

    async def take_part(self) -> None:
        """Come in, and answer every page up to the last.

        Raises:
            BotError: if the server answers what no page does.
        """
        entered = await self.client.ask("GET", f"/join{self.outside}")
        if entered.status != 303:
            raise BotError(f"/join was answered with {entered.status}")
        path, self.client.cookie = entered.headers["location"], entered.headers["set-cookie"].partition(";")[0]
        page = await self._page(path)
        while page["stage"] != "end":
            if page["stage"] == "play" and self.vanishes is not None and self._decided >= self.vanishes:
                self.tally.ends["vanished"] += 1
                break
            page = await self._next(path, page)
        else:
            self.tally.ends[page["told"]["end"]] += 1
        self.client.close()

    async def _next(self, path: str, page: Page) -> Page:
        """Answer a page, or wait where it asks for nothing; return what comes then."""
        fields = self._answer(page)
        if fields is None:
            await self.client.ask("GET", f"{path}/wait?seen={page['seen']}", timed=False)
            return await self._page(path)
        if self.think_s:
            await asyncio.sleep(float(self.rng.uniform(0.5, 1.5)) * self.think_s)
        answer = await self.client.ask("POST", path, {"at": page["at"], **fields})
        if answer.status == 422:
            self.tally.refused += 1
            raise BotError(f"{page['stage']} refused {fields}: {answer.data['fault']}")
        after: Page = _read(answer)
        if page["stage"] == "play" and after["seen"] != page["seen"]:
            self._decided += 1
            self.tally.decisions += 1
        return after

    async def _page(self, path: str) -> Page:
        return _read(await self.client.ask("GET", path))

    def _answer(self, page: Page) -> Fields | None:
        """Make the fields that a page asks for; None if there is nothing to do but wait."""
        stage = page["stage"]
        if stage == "ready" and page["told"].get("confirmed"):
            return None
        if stage in READ:
            return {}
        if stage == "consent":
            return {CONSENT: 1}
        if stage == "quiz":
            right = {quiz_key(place): each.right for place, each in enumerate(self.study.wording.quiz)}
            return {asked["key"]: right[asked["key"]] for asked in page["asked"]}
        if stage == "questions":
            told = {each.key: each.instructed_value for each in self.study.config.texts.questions}
            return {asked["key"]: told[asked["key"]] or _first(asked["options"]) for asked in page["asked"]}
        form = page["view"] and page["view"]["form"]
        if not form:
            return None
        if stage == "practice":
            return _least(form)
        return {"choice": self.chooser.vote(page)} if stage == "vote" else self.chooser.decide(page)


def _read(answer: Any) -> Page:
    if answer.status != 200:
        raise BotError(f"a page was answered with {answer.status}")
    found: Page = answer.data
    return found


def _first(options: Sequence[Mapping[str, Any]]) -> str:
    """Return the first option of a question, or no text."""
    return str(options[0]["value"]) if options else ""


def _least(form: Mapping[str, Any]) -> Fields:
    """Fill in a form with the first option, or the least of every number."""
    if form["options"]:
        return {"choice": form["options"][0]["value"]}
    return {entry["key"]: int(entry["low"]) if entry["whole"] else entry["low"] for entry in form["entries"]}


async def all_take_part(bots: Sequence[Bot]) -> list[str]:
    """Let bots take part at the same time; return the errors of those that could not."""
    done = await asyncio.gather(*(bot.take_part() for bot in bots), return_exceptions=True)
    for one in done:
        if one is not None and not isinstance(one, BotError):
            raise one
    return [str(one) for one in done if one is not None]
