"""Repeated payment-free allocation: participants learn which misreports pay, mechanisms learn to withstand them.

Every round is a game of :mod:`lawgiver.envs.payment_free_allocation` with types drawn afresh. In place of any report a
participant chooses one of a finite menu of misreports, honesty among them, so that whatever learns Discrete actions can
learn to lie: exploitability as it is exploited in practice, by those who know their own type and nobody else's, where
an audit finds the best lie of one who knows everybody's.

In ``announce`` mode the mechanism announces how much it burns and how far it shares by demand alone, every round or
once a game, and participants see it before they report. In ``allocate`` mode it shares by the reports: any mechanism of
the one-shot game can be given for it, learned ones included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, constant, evolve, namespace
from lawgiver.envs.core.errors import ParameterError, choice, integer
from lawgiver.envs.core.fields import Field, Layout, columns
from lawgiver.envs.core.game import Draws, Game, KnownSolution, Rewards
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.reporting_game import ReportingState
from lawgiver.envs.payment_free_allocation.game import PaymentFreeAllocation
from lawgiver.envs.repeated_allocation.misreport_menu import HONEST, ladder, menu, misreported

PERIODS = ("round", "game")
"""How often a mechanism announces."""


@dataclass(frozen=True)
class RepeatedAllocationState:
    """State of B games.

    Attributes:
        round: completed rounds, (B,).
        now: the one-shot game of this round. Until they are made anew it shows the rule, the reports and the payoffs of
            the last round, zeros before the first.
    """

    round: Array
    now: ReportingState

    @property
    def turn(self) -> int:
        """0 for the first phase of a round, 1 for the second; always 1 once a rule is announced for the whole game."""
        return self.now.turn

    @property
    def payoffs(self) -> Array:
        """True utilities of the last completed round, (B, n)."""
        return self.now.payoffs

    @property
    def endowments(self) -> Array:
        """Payoffs without any allocation: zeros, (B, n)."""
        return namespace(self.now.payoffs).zeros_like(self.now.payoffs)


@dataclass(frozen=True)
class RepeatedAllocation(Game[RepeatedAllocationState]):
    """Payment-free allocation for a number of rounds, with a menu of misreports.

    Args:
        stage: parameters of the one-shot game, n, m and ``mechanism_mode`` among them; its ``objective`` is what the
            mechanism is paid each round, by true utilities.
        rounds: number of rounds, >= 1; types are drawn afresh in each.
        value_exponents: the menu's exponents, different numbers > 0, 1 among them; above 1 they sharpen values.
        demand_factors: the menu's factors, likewise; above 1 they exaggerate demands.
        announce_every: ``round`` or ``game``, of a mechanism that announces.

    Raises:
        ParameterError: if a parameter is outside its range, of the one-shot game's too.
    """

    stage: Mapping[str, Any] = field(default_factory=lambda: {"n": 3, "m": 2})
    rounds: int = 4
    value_exponents: Sequence[float] = (0.25, 1.0, 2.0)
    demand_factors: Sequence[float] = (1.0, 1.25, 1.5, 2.0)
    announce_every: Literal["round", "game"] = "round"

    name: ClassVar[str] = "repeated_allocation-v0"
    summary: ClassVar[str] = "shares resources round after round"
    reference: ClassVar[str] = "the one-shot game's, see payment_free_allocation-v0; the rounds are this library's"
    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "general"
    ordinal_actions: ClassVar[bool] = False
    budget_balanced: ClassVar[bool] = False
    horizon_known: ClassVar[bool] = True
    objective: ClassVar[None] = None  # the one-shot game's, paid for a round that its state has left behind by then
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the utility of what it is given under its true type, once a round",
        "mechanism": "the one-shot game's `objective` of true utilities, once a round",
    }
    nested: ClassVar[Mapping[str, str]] = {"stage": "payment_free_allocation"}
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "announce": {"stage": {"n": 3, "m": 2, "mechanism_mode": "announce"}},
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        object.__setattr__(self, "rounds", integer("rounds", self.rounds, 1))
        for name in ("value_exponents", "demand_factors"):
            object.__setattr__(self, name, ladder(name, getattr(self, name)))
        choice("announce_every", self.announce_every, PERIODS)
        if not isinstance(self.stage, Mapping):
            raise ParameterError(
                f"stage is {self.stage!r}, allowed: parameters of {PaymentFreeAllocation.name} by name"
            )
        _ = self.one_shot  # its own check

    @cached_property
    def one_shot(self) -> PaymentFreeAllocation:
        """The game of a single round, whose rules each round applies."""
        game = make_game(PaymentFreeAllocation.name, **{str(name): value for name, value in self.stage.items()})
        assert isinstance(game, PaymentFreeAllocation)
        return game

    @cached_property
    def menu(self) -> np.ndarray:
        """Exponent of values and factor of demands of each choice, (A, 2)."""
        return menu(self.value_exponents, self.demand_factors)

    @cached_property
    def honest(self) -> int:
        """The choice that reports the type as it is."""
        return int(np.argmax((self.menu == HONEST).all(axis=1)))

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
        """That of the one-shot game."""
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

    def phase(self, state: RepeatedAllocationState) -> str:
        """Return the role that acts now."""
        return self.one_shot.phase(state.now)

    def base_game_of(self, role: str) -> Game[Any]:
        """Return the one-shot game for mechanisms (same observations and actions), and this game for participants."""
        return self.one_shot if role == "mechanism" else self

    # -- observations and actions -------------------------------------------------------------------------------

    def observation_layout(self, role: str) -> Layout:
        """Participants see their type, the rule if one is announced, and the round; the mechanism sees the reports."""
        seen = self.one_shot.observation_layout(role)
        if role == "mechanism":
            return seen
        return (*seen, Field("round", 1, 0.0, float(self.rounds), "rounds", "completed rounds"))

    def action_layout(self, role: str) -> Layout | int:
        """Participants choose from the menu; the mechanism acts as in the one-shot game."""
        return len(self.menu) if role == "participant" else self.one_shot.action_layout(role)

    def observe(self, state: RepeatedAllocationState, role: str) -> Array:
        """Compute the observations of a role, (B, n_role, d)."""
        seen = self.one_shot.observe(state.now, role)
        if role == "mechanism":
            return seen
        xp = namespace(seen)
        return xp.concat([seen, xp.broadcast_to(state.round[:, None, None], (*seen.shape[:2], 1))], axis=-1)

    def reports_of(self, types: Array, choices: Array) -> Array:
        """Compute the reports (..., k) for types (..., k) and choices (...) of the menu."""
        xp = namespace(types)
        bent = constant(self.menu, types)[xp.astype(choices, xp.int64)]
        one = self.one_shot
        return misreported(types, bent, one.type_layout(), 0.0 if one.types_file else one.value_low)

    # -- the dynamics -------------------------------------------------------------------------------------------

    def draw_initial(self, batch: int, rng: Rng) -> Draws:
        """Draw the uniform numbers of the types."""
        return self.one_shot.draw_initial(batch, rng)

    def initial_state(self, batch: int, rng: Rng) -> RepeatedAllocationState:
        """Return ``batch`` games before their first round."""
        now = self.one_shot.initial_state(batch, rng)
        return RepeatedAllocationState(round=now.round, now=now)

    def draw(self, batch: int, rng: Rng) -> Draws:
        """Draw the uniform numbers of the next round's types."""
        return self.one_shot.draw_initial(batch, rng)

    def outcome(self, state: RepeatedAllocationState, actions: Array) -> Array:
        """Return reports (B, n, k), announced parameters (B, D), or amounts (B, n m)."""
        if self.phase(state) == "participant":
            return self.reports_of(state.now.types, actions)
        return self.one_shot.outcome(state.now, actions)

    def outcome_error(self, state: RepeatedAllocationState, outcome: np.ndarray) -> str | None:
        """Describe the fault of a supplied policy's outcome; None if it is valid."""
        return self.one_shot.outcome_error(state.now, outcome)

    def advance(
        self, state: RepeatedAllocationState, outcome: Array, draws: Draws
    ) -> tuple[RepeatedAllocationState, Rewards, Array, Array]:
        """Play a phase of the round's game; after the last one, begin the next with other types."""
        now, rewards, over, nobody = self.one_shot.advance(state.now, outcome, {})
        if now.turn < self.one_shot.max_steps:
            return evolve(state, now=now), rewards, over, nobody
        fresh = evolve(
            now, turn=int(self._announces_once), round=0 * now.round, types=self.one_shot.types_of(draws["types"])
        )
        after = RepeatedAllocationState(round=state.round + 1, now=fresh)
        return after, rewards, after.round >= self.rounds, nobody

    def infos(self, state: RepeatedAllocationState) -> Mapping[str, Array]:
        """Return utilities (B, n) and amounts (B, n, m) of the last completed round."""
        return self.one_shot.infos(state.now)

    def picture(self, state: RepeatedAllocationState, index: int) -> dict[str, np.ndarray]:
        """Return the types of this round, and of one game's last round the reports, amounts and utilities."""
        one = self.one_shot
        types, reports = (np.asarray(array[index]) for array in (state.now.types, state.now.reports))
        amounts = np.asarray(one.infos(state.now)["amounts"][index])
        shown = {"amount": amounts.T}
        for name, at in columns(one.type_layout()).items():
            shown |= {name: types[:, at].T, f"last reported {name}": reports[:, at].T}
        picture = {
            f"{name} {j + 1}" if one.m > 1 else name: row for name, rows in shown.items() for j, row in enumerate(rows)
        }
        rule = columns(one.rule_layout()) if self.announces else {}
        return {
            **picture,
            "utilities": np.asarray(state.payoffs[index]),
            "completed rounds": np.asarray(state.round[index : index + 1]),
            **{f"rule {name}": np.asarray(state.now.parameters[index, at]) for name, at in rule.items()},
        }

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """Zero gain of the menu's misreports under one rule, and of misreported values under another."""
        from lawgiver.envs.repeated_allocation.solutions import largest_gain

        def solution(name: str, rule: tuple[float, float], lies: np.ndarray) -> KnownSolution:
            def gain() -> float:
                return largest_gain(self, rule, np.flatnonzero(lies), profiles=16)

            return KnownSolution(
                name=f"greatest gain of {name}, over 16 profiles",
                source="Sprumont 1991 for water filling; Cole, Gkatzelis and Goel 2013 for partial allocation",
                value=gain,
                residual=lambda: max(0.0, gain()),
            )

        return (
            solution("any misreport under water filling", (0.0, 1.0), np.ones(len(self.menu), bool)),
            solution("a misreport of values under partial allocation", (1.0, 0.0), self.menu[:, 1] <= HONEST),
        )
