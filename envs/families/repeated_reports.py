"""Reporting games round after round, with finitely many reports to choose from.

Every round is a reporting game, the *stage*, with types drawn afresh. In place of any report a participant chooses one
of finitely many, so that whatever learns Discrete actions can learn to lie: exploitability as it is exploited in
practice, by those who know their own type and nobody else's, where an audit finds the best lie of one who knows
everybody's.

In ``announce`` mode the mechanism announces its rule, every round or once a game, and participants see it before they
report. In ``allocate`` mode it decides by the reports: any mechanism of the stage can be given for it, learned ones
included.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, evolve, namespace
from lawgiver.envs.core.errors import choice, integer
from lawgiver.envs.core.fields import Field, Layout, columns
from lawgiver.envs.core.game import Draws, Game, Rewards
from lawgiver.envs.families.reporting_game import ReportingGame, ReportingState

PERIODS = ("round", "game")
"""How often a mechanism announces."""


@dataclass(frozen=True)
class RepeatedState:
    """State of B games.

    Attributes:
        round: completed rounds, (B,).
        now: the stage of this round. Until they are made anew it shows the rule, the reports and the payoffs of the
            last round, zeros before the first.
    """

    round: Array
    now: ReportingState

    @property
    def turn(self) -> int:
        """0 for the first phase of a round, 1 for the second; always 1 once a rule is announced for the whole game."""
        return self.now.turn

    @property
    def payoffs(self) -> Array:
        """Payoffs of the last completed round, (B, n)."""
        return self.now.payoffs

    @property
    def endowments(self) -> Array:
        """Payoffs of who stays away: zeros, (B, n)."""
        return namespace(self.now.payoffs).zeros_like(self.now.payoffs)


class RepeatedReports(Game[RepeatedState]):
    """A reporting game for a number of rounds, with finitely many reports to choose from.

    A game of this family is a dataclass with these two fields, which :meth:`check_rounds` checks:

        rounds: number of rounds, >= 1; types are drawn afresh in each.
        announce_every: ``round`` or ``game``, of a mechanism that announces.
    """

    rounds: int
    announce_every: Literal["round", "game"]

    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "general"
    ordinal_actions: ClassVar[bool] = False
    budget_balanced: ClassVar[bool] = False
    horizon_known: ClassVar[bool] = True
    objective: ClassVar[None] = None  # the stage's, paid for a round that its state has left behind by then
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the stage's payoff under the true type, once a round",
        "mechanism": "the stage's `objective`, once a round",
    }

    def check_rounds(self) -> None:
        """Raise ParameterError if the number of rounds or the period of announcements is out of range."""
        object.__setattr__(self, "rounds", integer("rounds", self.rounds, 1))
        choice("announce_every", self.announce_every, PERIODS)

    @property
    @abstractmethod
    def one_shot(self) -> ReportingGame:
        """The game of a single round, whose rules each round applies."""

    @property
    @abstractmethod
    def choices(self) -> int:
        """Number of reports to choose from, A."""

    @abstractmethod
    def reports_of(self, types: Array, choices: Array) -> Array:
        """Compute the reports (..., k) for types (..., k + p) and choices (...)."""

    @abstractmethod
    def honest_choice(self, types: Array) -> Array:
        """Find the choice that tells the truth, integers (...), for types (..., k + p)."""

    @property
    def announces(self) -> bool:
        """Whether the mechanism moves first."""
        return self.one_shot.announces

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The named rules that can be announced."""
        return self.one_shot.members

    @property
    def rule_formula(self) -> str | None:
        """That of the stage."""
        return self.one_shot.rule_formula

    @property
    def roles(self) -> Mapping[str, int]:
        """The participants and one mechanism."""
        return self.one_shot.roles

    @property
    def _announces_once(self) -> bool:
        return self.announces and self.announce_every == "game"

    @property
    def max_steps(self) -> int:
        """Two phases a round, or one after the announcement of a rule for the whole game."""
        return self.rounds + 1 if self._announces_once else 2 * self.rounds

    def phase(self, state: RepeatedState) -> str:
        """Return the role that acts now."""
        return self.one_shot.phase(state.now)

    def base_game_of(self, role: str) -> Game[Any]:
        """Return the stage for mechanisms (same observations and actions), and this game for participants."""
        return self.one_shot if role == "mechanism" else self

    # -- observations and actions -------------------------------------------------------------------------------

    def observation_layout(self, role: str) -> Layout:
        """Participants see their type, the rule if one is announced, and the round; the mechanism sees the reports."""
        seen = self.one_shot.observation_layout(role)
        if role == "mechanism":
            return seen
        return (*seen, Field("round", 1, 0.0, float(self.rounds), "rounds", "completed rounds"))

    def action_layout(self, role: str) -> Layout | int:
        """Participants choose a report; the mechanism acts as in the stage."""
        return self.choices if role == "participant" else self.one_shot.action_layout(role)

    def observe(self, state: RepeatedState, role: str) -> Array:
        """Compute the observations of a role, (B, n_role, d)."""
        seen = self.one_shot.observe(state.now, role)
        if role == "mechanism":
            return seen
        xp = namespace(seen)
        return xp.concat([seen, xp.broadcast_to(state.round[:, None, None], (*seen.shape[:2], 1))], axis=-1)

    # -- the dynamics -------------------------------------------------------------------------------------------

    def draw_initial(self, batch: int, rng: Rng) -> Draws:
        """Draw the uniform numbers of the types."""
        return self.one_shot.draw_initial(batch, rng)

    def initial_state(self, batch: int, rng: Rng) -> RepeatedState:
        """Return ``batch`` games before their first round."""
        now = self.one_shot.initial_state(batch, rng)
        return RepeatedState(round=now.round, now=now)

    def draw(self, batch: int, rng: Rng) -> Draws:
        """Draw the uniform numbers of the next round's types."""
        return self.one_shot.draw_initial(batch, rng)

    def outcome(self, state: RepeatedState, actions: Array) -> Array:
        """Return reports (B, n, k), announced parameters (B, D), or a decision (B, d)."""
        if self.phase(state) == "participant":
            return self.reports_of(state.now.types, actions)
        return self.one_shot.outcome(state.now, actions)

    def outcome_error(self, state: RepeatedState, outcome: np.ndarray) -> str | None:
        """Describe the fault of a supplied policy's outcome; None if it is valid."""
        return self.one_shot.outcome_error(state.now, outcome)

    def advance(
        self, state: RepeatedState, outcome: Array, draws: Draws
    ) -> tuple[RepeatedState, Rewards, Array, Array]:
        """Play a phase of the round's game; after the last one, begin the next with other types."""
        now, rewards, over, nobody = self.one_shot.advance(state.now, outcome, {})
        if now.turn < self.one_shot.max_steps:
            return evolve(state, now=now), rewards, over, nobody
        fresh = evolve(
            now, turn=int(self._announces_once), round=0 * now.round, types=self.one_shot.types_of(draws["types"])
        )
        after = RepeatedState(round=state.round + 1, now=fresh)
        return after, rewards, after.round >= self.rounds, nobody

    def deficit(self, state: RepeatedState) -> Array:
        """Compute the mechanism's payments less its receipts in the last completed round, (B,)."""
        return self.one_shot.deficit(state.now)

    def infos(self, state: RepeatedState) -> Mapping[str, Array]:
        """Return the stage's infos of the last completed round."""
        return self.one_shot.infos(state.now)

    def picture(self, state: RepeatedState, index: int) -> dict[str, np.ndarray]:
        """Return the types of this round, and of one game's last round the reports and what the stage shows."""
        shown = {
            "last " * name.startswith("reported ") + name.removeprefix("true "): numbers
            for name, numbers in self.one_shot.picture(state.now, index).items()
        }
        rule = columns(self.one_shot.rule_layout()) if self.announces else {}
        return {
            **shown,
            "completed rounds": np.asarray(state.round[index : index + 1]),
            **{f"rule {name}": np.asarray(state.now.parameters[index, at]) for name, at in rule.items()},
        }
