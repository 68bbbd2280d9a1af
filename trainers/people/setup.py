"""The settings of a group: its game, mechanisms and programs, fixed before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lawgiver.agents.seated_policy import SeatedPolicy
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, brief, choice, integer, seed_number
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.wording import Wording, require_participants
from lawgiver.envs.election.state import phases

RULES, PARTNERS, OPENING, TIES = range(4)
"""Streams of random numbers of a group: of the rules and the mechanism, of programs, of the opening, of tied votes."""


@dataclass(frozen=True)
class Dropouts:
    """Rules for people who do not decide in time.

    Attributes:
        gone_after: deadlines missed in a row after which somebody is gone, and no longer waited for.
        removed_after: rounds gone in a row after which somebody cannot come back.
        end_group_at: people gone at once at which the group ends after the round; all of them, if they are fewer.
    """

    gone_after: int = 2
    removed_after: int = 10
    end_group_at: int = 2

    def __post_init__(self) -> None:
        """Check every number."""
        for name in ("gone_after", "removed_after", "end_group_at"):
            integer(name, getattr(self, name), 1)


@dataclass(frozen=True)
class Setup:
    """The settings of a group.

    The people play a game under each mechanism, all from the same opening, then vote for one of these games, and play
    it once more. Under one mechanism, or in a game that has none, they play one game and do not vote.

    Attributes:
        game: with participants.
        mechanisms: in the order of play; the same one may come twice. None in a game without a mechanism.
        autoplay: the participants' policy that decides for people who do not.
        seed: of everything that is drawn.
        seats: of the people, in ascending order.
        others: the participants' policy in the other seats; ``autoplay`` if None.
        condition: of the opening, by its name; None to draw it.
        third_game: whether the winner of the vote is played.
        dropouts: when people are gone.
        language: of the game's words.

    Raises:
        ParameterError: if a setting is outside its range.
        UnsupportedGameError: if people cannot play the game, or a policy does not fit it.
    """

    game: Game[Any]
    mechanisms: tuple[Policy, ...]
    autoplay: Policy
    seed: int
    seats: tuple[int, ...]
    others: Policy | None = None
    condition: str | None = None
    third_game: bool = True
    dropouts: Dropouts = Dropouts()
    language: str = "en"

    def __post_init__(self) -> None:
        """Check every setting."""
        game = self.game
        require_participants(game)
        mechanisms = game.roles.get("mechanism", 0)
        if mechanisms > 1:
            raise UnsupportedGameError(f"{game.name} has {mechanisms} mechanisms, allowed for people: one, or none")
        if bool(self.mechanisms) is not bool(mechanisms):
            needed = "one or more" if mechanisms else "none, as the game has none"
            raise ParameterError(f"{len(self.mechanisms)} mechanisms are given for {game.name}, allowed: {needed}")
        for mechanism in self.mechanisms:
            check_policy(game, "mechanism", mechanism)
        for partner in (self.autoplay, *([] if self.others is None else [self.others])):
            check_policy(game, "participant", partner)
        count = game.roles["participant"]
        if not self.seats or list(self.seats) != sorted(set(self.seats) & set(range(count))):
            told = f"allowed: one or more of 0 to {count - 1}, in ascending order"
            raise ParameterError(f"seats of people are {brief(list(self.seats))}, {told}")
        object.__setattr__(self, "seed", seed_number("seed", self.seed))
        if self.condition is not None:
            known = game.initial_states_by_condition(1, self.rng(0, OPENING))
            choice("condition", self.condition, known)
        choice("language", self.language, game.languages)

    @property
    def votes(self) -> bool:
        """Whether there is a vote: after two or more games."""
        return len(self.mechanisms) > 1

    def rng(self, episode: int, stream: int) -> np.random.Generator:
        """Make the generator of a stream in an episode."""
        return np.random.default_rng([self.seed, episode, stream])

    @cached_property
    def opening(self) -> Any:
        """The state with which every game of the group begins."""
        rng = self.rng(0, OPENING)
        if self.condition is None:
            return self.game.initial_state(1, rng)
        return self.game.initial_states_by_condition(1, rng)[self.condition]

    @cached_property
    def partners(self) -> Policy:
        """The policy of all participants: ``autoplay`` in people's seats, ``others`` in the rest."""
        if self.others is None or self.others is self.autoplay:
            return self.autoplay
        return SeatedPolicy(self.autoplay, self.others, np.isin(np.arange(self.game.roles["participant"]), self.seats))

    @cached_property
    def wording(self) -> Wording:
        """The words of the game."""
        return self.game.wording(self.language)

    @cached_property
    def rounds(self) -> int | None:
        """Number of rounds of a game; None where its players do not know it."""
        return phases(self.game).count("participant") if self.game.horizon_known else None
