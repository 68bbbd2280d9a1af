"""The league of self-play: frozen copies of the learner, and the frequencies with which it meets them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EASIEST = 0.02
"""Lower bound of 1 - win rate, so that every copy in the league is met with positive probability."""


@dataclass(frozen=True)
class LeagueMapping:
    """Seats the learner at one seat of each game, drawn evenly, and frozen copies of it at the others.

    The draws are checksums of the episode's id, so that they are the same in every process.

    Attributes:
        learner: id of the module that is trained.
        seats: number of seats.
        opponents: ids of the frozen copies.
        shares: of the seats that each of them takes, summing to one.
    """

    learner: str
    seats: int
    opponents: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()

    def __call__(self, agent_id: str, episode: Any, **kwargs: Any) -> str:
        """Choose the module of an agent in an episode."""
        seat = int(agent_id.rpartition("_")[2])
        learners = zlib.crc32(f"seat/{episode.id_}".encode()) % self.seats
        if seat == learners or not self.opponents:
            return self.learner
        level = zlib.crc32(f"{seat}/{episode.id_}".encode()) / 2**32
        for opponent, share in zip(self.opponents, self.shares, strict=True):
            level -= share
            if level < 0:
                return opponent
        return self.opponents[-1]


@dataclass
class Member:
    """A frozen copy of the learner.

    Attributes:
        made: after which iteration.
        elections: against it, older ones counting less.
        won: of these by the learner, a tie counting half.
        votes: the sum of its shares in them.
    """

    made: int
    elections: float = 0.0
    won: float = 0.0
    votes: float = 0.0

    @property
    def win_rate(self) -> float:
        """Share of the elections that the learner wins; one half as long as there were none."""
        return self.won / self.elections if self.elections else 0.5

    @property
    def vote_share(self) -> float:
        """Share of the votes that the learner takes; one half before the first election."""
        return self.votes / self.elections if self.elections else 0.5


@dataclass
class League:
    """Frozen copies of a learner by module id, the first one for ever (Vinyals et al. 2019, prioritised self-play).

    Attributes:
        learner: id of the module that is trained.
        largest: how many copies there can be.
        power: copies are met in proportion to (1 - win rate) to this power; 0 for all alike.
        memory: how much an election counts an iteration later.
        members: the copies, the oldest first.
    """

    learner: str
    largest: int
    power: float
    memory: float
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """Id of the first copy."""
        return f"{self.learner}.0"

    def shares(self) -> dict[str, float]:
        """Compute the frequency of each copy, summing to one."""
        weights = {name: max(1 - m.win_rate, EASIEST) ** self.power for name, m in self.members.items()}
        return {name: weight / sum(weights.values()) for name, weight in weights.items()}

    def mapping(self, seats: int) -> LeagueMapping:
        """Make the mapping of seats to modules from now on."""
        shares = self.shares()
        return LeagueMapping(self.learner, seats, tuple(shares), tuple(shares.values()))

    def observe(self, elections: Mapping[str, float], won: Mapping[str, float], votes: Mapping[str, float]) -> None:
        """Take the elections of an iteration into account, all by module id."""
        for name, count in elections.items():
            member = self.members[name]
            member.elections = self.memory * member.elections + count
            member.won = self.memory * member.won + won[name]
            member.votes = self.memory * member.votes + votes[name]

    def admit(self, iteration: int) -> str:
        """Make room for a copy that is made after ``iteration``, and return its id.

        Where the league is full, the one that is beaten most often makes room, unless it is the first.
        """
        name = f"{self.learner}.{len(self.members)}"
        if len(self.members) == self.largest:
            name = max((n for n in self.members if n != self.first), key=lambda n: self.members[n].win_rate)
            del self.members[name]
        self.members[name] = Member(iteration)
        return name

    @property
    def win_rate(self) -> float:
        """Share of the elections that the learner wins against the league as it is met."""
        return sum(share * self.members[name].win_rate for name, share in self.shares().items())
