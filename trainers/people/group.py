"""One group of people in play: decisions come in, decisions and views go out.

A group is its log: what has happened, see :mod:`lawgiver.trainers.people.happenings`. :func:`replayed` plays a log
again and arrives at the same group, whatever is drawn at random, because all streams of random numbers follow from the
group's seed. Nothing here knows what time it is: whoever keeps the deadlines calls :meth:`Group.expire`.

The stages are ``play``, under each mechanism in turn; ``vote``; ``play`` once more; and ``ended``. ``broken`` is a
group whose log was played again with another result. The position in that, :attr:`Group.at`, comes with everything
that is sent: what comes for a position that is over, or from somebody who has decided already, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np

from lawgiver.envs.core.errors import ActionError, LawgiverError, ParameterError, brief
from lawgiver.envs.core.validation import check_actions
from lawgiver.envs.views.screen import read_form
from lawgiver.trainers.people.game_in_play import GameInPlay, Key
from lawgiver.trainers.people.happenings import WAITED, Back, Decision, Happening, Left, Vote
from lawgiver.trainers.people.played import Person
from lawgiver.trainers.people.setup import TIES, Setup
from lawgiver.trainers.people.views import View, ballot, view_of

Happened = tuple[Happening, ...]
"""What a call has made happen: the last entries of the log, to be stored together; empty if nothing has changed."""


class Group:
    """A group in play.

    Args:
        setup: what it plays.
        known: decisions of a log that is played again, see :func:`replayed`.

    Attributes:
        log: everything that has happened so far; the first entries are there when the group is made.
        stage: ``play``, ``vote``, ``ended`` or ``broken``.
        people: how each person takes part, by seat.
        games: those begun so far; the last is the current one.
        votes: for the episode, by seat; None where no vote was cast.
        winner: the episode that won the vote.
        cut_short: whether it has ended early because too many were gone.
    """

    def __init__(self, setup: Setup, known: Mapping[Key, Decision] | None = None) -> None:
        """Begin the first game, and play up to somebody's turn."""
        self.setup = setup
        self.log: list[Happening] = []
        self.stage: Literal["play", "vote", "ended", "broken"] = "play"
        self.people = {seat: Person() for seat in setup.seats}
        self.games: list[GameInPlay] = []
        self.votes: dict[int, int | None] = {}
        self.winner: int | None = None
        self.cut_short = False
        self._known = {} if known is None else dict(known)
        self._begin(0)
        self._go_on(0)

    @property
    def game(self) -> GameInPlay:
        """The current game, or the last one."""
        return self.games[-1]

    @property
    def at(self) -> str:
        """The position: ``stage.episode.step``."""
        return f"{self.stage}.{self.game.number}.{self.game.step}"

    @property
    def waiting(self) -> tuple[int, ...]:
        """The seats of those whose decision or vote is waited for."""
        if self.stage not in ("play", "vote"):
            return ()
        if self.stage == "vote":
            return tuple(seat for seat in self.people if seat not in self.votes)
        return tuple(seat for seat in self.people if seat in self.game.acting and seat not in self.game.pending)

    @property
    def fault(self) -> str | None:
        """Why the group is broken; None if it is not."""
        return self.game.fault

    def view(self, seat: int) -> View:
        """Return everything that a page shows to a person.

        Raises:
            ParameterError: if the seat is no person's.
        """
        self._person(seat)
        return view_of(self, seat)

    # -- what people do ---------------------------------------------------------------------------------------------

    def answer(self, seat: int, at: str, sent: Mapping[str, Any]) -> Happened:
        """Take the form of a person's turn, or of the vote.

        Args:
            seat: of the person.
            at: the position for which it is meant.
            sent: what the form sends, by key: texts, or the numbers of JSON.

        Raises:
            FormError: if it holds no action that is legal now, or no vote for a game.
        """
        self._person(seat)
        if at != self.at or seat not in self.waiting:
            return ()
        if self.stage == "vote":
            return self.vote(seat, at, int(read_form(ballot(self), sent)))  # type: ignore[arg-type]  # one whole number
        return self.decide(seat, at, read_form(self.game.form(seat), sent))

    def decide(self, seat: int, at: str, action: Any) -> Happened:
        """Take a person's decision, and play the round once everybody has decided.

        Args:
            seat: of the person.
            at: the position for which it is meant.
            action: a number for Discrete, (k,) for a Box.

        Raises:
            ActionError: if the action is outside its space or not legal now.
        """
        person = self._person(seat)
        if self.stage != "play" or at != self.at or seat not in self.waiting:
            return ()
        (checked,) = check_actions(self.setup.game, "participant", [action], [f"participant_{seat}"])
        legal = self.game.legal(seat)
        if legal is not None and not legal[checked]:
            raise ActionError(f"action {action} of participant_{seat} is not legal now")
        before = len(self.log)
        person.in_a_row = 0
        self.game.take(seat, checked, "person")
        return self._go_on(before)

    def vote(self, seat: int, at: str, episode: int) -> Happened:
        """Take a person's vote for a game, by its episode, and count the votes once everybody has voted.

        Raises:
            ActionError: if there is no such game.
        """
        person = self._person(seat)
        if self.stage != "vote" or at != self.at or seat not in self.waiting:
            return ()
        if not isinstance(episode, int) or isinstance(episode, bool) or not 0 <= episode < len(self.games):
            raise ActionError(f"a vote is for {brief(episode)}, allowed: a game, 0 to {len(self.games) - 1}")
        before = len(self.log)
        person.in_a_row = 0
        self._cast(Vote(seat, episode, "person"))
        return self._go_on(before)

    def expire(self, at: str) -> Happened:
        """End the time for a position: a program decides for all who have not decided; who has not voted, does not."""
        before = len(self.log)
        for seat in self.waiting if at == self.at else ():
            self.miss(seat)
        return self._go_on(before)

    def miss(self, seat: int) -> None:
        """Do without what somebody has not decided in time, without going on."""
        person = self._person(seat)
        if self.stage == "vote":
            self._cast(Vote(seat, None, "missed"))
            return
        person.missed += 1
        person.replaced += 1
        person.in_a_row += 1
        person.gone = person.gone or person.in_a_row >= self.setup.dropouts.gone_after
        self.game.take(seat, None, "missed")

    def back(self, seat: int) -> Happened:
        """Let somebody who is gone decide again from the next round on, unless they have left."""
        person = self._person(seat)
        if self.stage not in ("play", "vote") or not person.gone or person.left:
            return ()
        person.gone, person.in_a_row, person.gone_rounds = False, 0, 0
        self.log.append(Back(seat))
        return (self.log[-1],)

    def leave(self, seat: int) -> Happened:
        """Let somebody leave for good; a program decides for them from now on."""
        person, before = self._person(seat), len(self.log)
        if self.stage not in ("play", "vote") or person.left:
            return ()
        awaited = seat in self.waiting
        person.left = person.gone = person.withdrew = True
        self.log.append(Left(seat))
        if awaited:
            self._pass_over(seat)
        return self._go_on(before)

    def _person(self, seat: int) -> Person:
        if seat not in self.people:
            raise ParameterError(f"seat {brief(seat)} is nobody's, allowed: {', '.join(map(str, self.people))}")
        return self.people[seat]

    # -- how it goes on ---------------------------------------------------------------------------------------------

    def _go_on(self, before: int) -> Happened:
        """Play rounds and count votes until somebody is waited for or all is over; return the log from there on."""
        while self.stage in ("play", "vote") and not self.waiting:
            if self.stage == "play":
                self._play_round()
            else:
                self._count()
        return tuple(self.log[before:])

    def _begin(self, number: int) -> None:
        """Begin a game."""
        of = number if self.winner is None else self.winner
        mechanism = of if self.setup.mechanisms else None
        earlier = self.games[-1] if self.games else None
        self.games.append(GameInPlay(self.setup, number, mechanism, self.log, self._known, earlier))
        self._open("play")

    def _open(self, stage: Literal["play", "vote"]) -> None:
        """Open a turn or the vote; it passes over those who are gone."""
        self.stage = "broken" if self.fault else stage
        for seat in self.waiting:
            if self.people[seat].gone:
                self._pass_over(seat)

    def _pass_over(self, seat: int) -> None:
        """Do without what somebody who is gone would decide."""
        if self.stage == "vote":
            self._cast(Vote(seat, None, "gone"))
        else:
            self.people[seat].replaced += 1
            self.game.take(seat, None, "gone")

    def _play_round(self) -> None:
        played = self.game.play()
        for seat, person in self.people.items():
            source = played.sources[seat]
            own = source == "person" or (source == WAITED and not person.gone)
            person.points += float(played.rewards[seat]) if own else 0.0
            if source != WAITED:
                person.gone_rounds = person.gone_rounds + 1 if source == "gone" else 0
            person.left = person.left or person.gone_rounds >= self.setup.dropouts.removed_after
        if self.fault or not (self.game.over or self._too_few()):
            self._open("play")
        else:
            self._end_game()

    def _end_game(self) -> None:
        """Go on to the next game, to the vote or to the end."""
        done, asked = self.game.number + 1, max(1, len(self.setup.mechanisms))
        if self.game.over and (self.winner is not None or (done == asked and not self.setup.votes)):
            self.stage = "ended"
        elif self._too_few():
            self.stage, self.cut_short = "ended", True
        elif done == asked:
            self._open("vote")
        else:
            self._begin(done)

    def _too_few(self) -> bool:
        """Whether so many are gone that the group ends."""
        gone = sum(person.gone for person in self.people.values())
        return gone >= min(self.setup.dropouts.end_group_at, len(self.people))

    def _cast(self, vote: Vote) -> None:
        self.log.append(vote)
        self.votes[vote.seat] = vote.episode

    def _count(self) -> None:
        """Count the votes, draw among those that are tied, and begin the game that has won."""
        games = len(self.setup.mechanisms)
        counts = np.bincount([one for one in self.votes.values() if one is not None], minlength=games)
        tied = np.flatnonzero(counts == counts.max())
        self.winner = int(tied[self.setup.rng(0, TIES).integers(len(tied))])
        if self.setup.third_game and not self._too_few():
            self._begin(games)
        else:
            self.stage, self.cut_short = "ended", self.setup.third_game


def replayed(setup: Setup, log: Iterable[Happening]) -> Group:
    """Play the log of a group again.

    What programs decided is taken from the log, what the mechanism makes is compared with it: a group in which that
    differs by more than 1e-9 is ``broken``, so that a network on another machine does not change a game in play.

    Args:
        setup: of the group, as it was.
        log: everything that has happened, in order. What follows from it at once may be missing at its end, and is
            in the log of the group that is returned.

    Raises:
        LawgiverError: if this is no log of a group with this setup.
    """
    log = list(log)
    known = {(one.episode, one.step, one.role, one.seat): one for one in log if isinstance(one, Decision)}
    group = Group(setup, known)
    for index, happened in enumerate(log):
        if index == len(group.log) and group.stage != "broken":
            _happen(group, happened)
        if group.stage == "broken":
            return group
        if index >= len(group.log) or group.log[index] != happened:
            found = group.log[index] if index < len(group.log) else "nothing"
            raise ParameterError(f"record {index} of a log is {happened}; played again it is {found}")
    group._known.clear()
    return group


def taken_up(setup: Setup, log: Iterable[Happening]) -> Group:
    """Play the log of a group again, as :func:`replayed` does; if it is none of such a group, that one is ``broken``.

    So one log that something else has written into does not keep the other groups from going on.
    """
    try:
        return replayed(setup, log)
    except LawgiverError as error:
        group = Group(setup)
        group.game.fault, group.stage = str(error), "broken"
        return group


def _happen(group: Group, happened: Happening) -> None:
    """Let happen what does not follow from what has happened before."""
    if isinstance(happened, Back):
        group.back(happened.seat)
    elif isinstance(happened, Left):
        group.leave(happened.seat)
    elif happened.source == "missed":
        group.miss(happened.seat)
        group._go_on(0)
    elif happened.source == "person" and isinstance(happened, Decision):
        group.decide(happened.seat, group.at, happened.action)
    elif happened.source == "person" and isinstance(happened, Vote):
        group.vote(happened.seat, group.at, happened.episode)  # type: ignore[arg-type]  # refused unless a number
