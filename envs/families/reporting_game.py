"""Reporting games: participants report private types, and the mechanism decides by the reports.

A report has the same fields as a type (a direct mechanism), so that telling the truth is well defined; whatever lies in
the fields' bounds may be reported. Where a report counts as one of finitely many, as a ballot does, it is read as that
one, so that no mechanism sees more of it. A *decision* is an outcome and payments. The mechanism comes to it in one of
two ways. In ``announce`` mode it first announces the parameters of a rule, which the participants see, and the rule
decides by the reports. In ``allocate`` mode it sees the reports and decides itself. A game is over after these two
steps.

Participants are paid the utility of the outcome under their true types, less what they pay to the mechanism.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, constant, evolve, floats, namespace, total, uniform
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.fields import Layout, columns, width
from lawgiver.envs.core.game import Draws, Rewards
from lawgiver.envs.core.objectives import welfare
from lawgiver.envs.families.two_modes import TwoModes
from lawgiver.envs.files.profiles import draw_profiles, read_types, types_path


@dataclass(frozen=True)
class ReportingState:
    """State of B games of n participants.

    Attributes:
        turn: 0 at first, 1 once the mechanism has announced (or the participants have reported), 2 when it is over.
        round: completed rounds, (B,): 0, and 1 when it is over.
        types: private, (B, n, k), with what is public behind, the same for all participants: (B, n, k + p).
        parameters: the announced parameters, (B, D); D is 0 in ``allocate`` mode.
        reports: as the game reads them, (B, n, k), zeros before.
        utilities: utilities of the outcome under the true types, without payments, (B, n).
        payments: what each participant pays to the mechanism, negative where it is paid, (B, n).
        payoffs: utilities less payments, (B, n).
    """

    turn: int
    round: Array
    types: Array
    parameters: Array
    reports: Array
    utilities: Array
    payments: Array
    payoffs: Array

    @property
    def endowments(self) -> Array:
        """Payoffs of participants who opt out: zeros, (B, n)."""
        return namespace(self.payoffs).zeros_like(self.payoffs)


@dataclass(frozen=True)
class ReportingGame(TwoModes[ReportingState]):
    """Participants report their types, and a mechanism decides.

    Args:
        n: number of participants.
        objective: the mechanism's reward, one of the game's ``objectives`` or of the entry-point group.
        mechanism_mode: ``announce`` or ``allocate``.
    """

    n: int
    objective: str
    mechanism_mode: Literal["announce", "allocate"]

    sum_type: ClassVar[Literal["general", "constant", "identical"]] = "general"
    budget_balanced: ClassVar[bool] = False
    horizon_known: ClassVar[bool] = True
    losses: ClassVar[tuple[str, ...]] = ()
    """Those of the game's own objectives that are to be small: the mechanism is paid minus them."""
    relative_floor: ClassVar[float] = 0.1
    """Least payoff that a gain is related to in audits, as a share of the scale of payoffs.

    Where there are payments a payoff near 0 is ordinary, and means little; games without any may go down to rounding.
    """
    menu_noun: ClassVar[str] = "reports"
    """Plural noun of the rows of :meth:`menu`, such as ``ballots``."""
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the utility of the outcome under the true type, less the payment, when the game is over",
        "mechanism": "the `objective` (minus it, where less is better), when the game is over",
    }

    # -- functions of a game ------------------------------------------------------------------------------------

    @abstractmethod
    def type_layout(self) -> Layout:
        """Return the fields of a type, and of a report, with the bounds that hold for every participant."""

    def public_layout(self) -> Layout:
        """Return the fields of a game that everybody sees; by default there are none.

        Types carry their p numbers behind their own k, (B, n, k + p); reports do not.
        """
        return ()

    @property
    def draw_size(self) -> int:
        """Number of uniform numbers per type; by default one for each of its components."""
        return width(self.type_layout()) if self.profiles is None else 1

    @abstractmethod
    def types_of(self, draws: Array) -> Array:
        """Return types (B, n, k + p) for numbers (B, n, d) drawn uniformly from [0, 1)."""

    def read(self, reports: Array) -> Array:
        """Map reports (..., k) to those they are taken for, the same for all that count as one; by default themselves.

        Mechanisms see what was read, and nothing else of a report. What was read is read as itself.
        """
        return reports

    def menu(self) -> np.ndarray | None:
        """List the reports that others are read as, (A, k), each once; None where they are too many, or infinitely so.

        Audits try all of them in place of a search, and participants of repeated games choose among them.
        """
        return None

    @property
    def menu_absence(self) -> str:
        """Why there is no menu although reports are read as one of finitely many: how many; else empty."""
        return ""

    @property
    def ordinal_menu(self) -> bool:
        """Whether the menu's rows are rankings of alternatives that have :meth:`prospects`, without payments."""
        return False

    def prospects(self, state: ReportingState) -> tuple[Array, Array]:
        """Compute each participant's chances (B, n, a) of its alternatives, and what these are worth to it, (B, n, a).

        Raises:
            UnsupportedGameError: unless menus are of rankings, see :attr:`ordinal_menu`.
        """
        raise UnsupportedGameError(f"{self.name} has no lottery over alternatives that participants rank")

    def honest_choice(self, types: Array) -> Array:
        """Find the row of the menu that the truth of types (..., k + p) is read as, integers (...).

        Raises:
            UnsupportedGameError: without a menu.
        """
        menu = self.menu()
        if menu is None:
            why = self.menu_absence or "it reads reports as they are"
            raise UnsupportedGameError(f"{self.name} has no menu of {self.menu_noun}: {why}")
        xp, told = namespace(types), self.read(self.private(types))
        return xp.argmin(xp.max(xp.abs(told[..., None, :] - constant(menu, types)), axis=-1), axis=-1)

    def private(self, types: Array) -> Array:
        """Select the private numbers (..., k) of types (..., k + p), or of reports, which are no wider."""
        return types[..., : self._private] if self.public_layout() else types

    @cached_property
    def _private(self) -> int:
        return width(self.type_layout())

    @abstractmethod
    def rule_layout(self) -> Layout:
        """Return the fields of the announced rule in ``announce`` mode."""

    @abstractmethod
    def decision_layout(self) -> Layout:
        """Return the fields of the mechanism's action in ``allocate`` mode."""

    @abstractmethod
    def decision(self, actions: Array) -> Array:
        """Return the decision (B, d) that an action (B, d) of ``allocate`` mode amounts to."""

    @abstractmethod
    def action_of(self, decision: Array) -> Array:
        """Return the action (B, d) of ``allocate`` mode nearest to a decision (B, d)."""

    @abstractmethod
    def decide(self, parameters: Array, reports: Array) -> Array:
        """Return the decision (B, d) of the rule with parameters (B, D), given reports (B, n, k)."""

    def decided_by(self, reports: Array, types: Array) -> Array:
        """Return the reports (B, n, k), with what is public of types behind where rules need it to decide."""
        return reports

    def decide_for(self, parameters: Array, reports: Array, seats: Array) -> Array:
        """Compute a decision (B, d) that is exact for one participant of each game, ``seats`` (B,).

        Audits call it most often: one participant misreports, and the others do not matter.
        By default it is the whole decision.
        """
        return self.decide(parameters, reports)

    @property
    def direct_rules(self) -> Mapping[str, Callable[[Array], Array]]:
        """Canonical rules by name that decide by the reports: decisions (B, d) for reports (B, n, k); by default none.

        They need not be among those that can be announced, :attr:`members`.
        """
        return {}

    @property
    def inapplicable_rules(self) -> Mapping[str, str]:
        """Canonical rules by name that the game lacks with its parameters, and which of these rule them out."""
        return {}

    @abstractmethod
    def settle(self, state: ReportingState, decision: Array) -> ReportingState:
        """Return the state with the utilities and payments of a decision (B, d), and whatever a game adds to it."""

    def own_measure(self, state: ReportingState) -> Array:
        """Compute revenue or welfare, (B,), once the game is over."""
        return {"revenue": state.payments, "welfare": state.utilities}[self.objective].sum(-1)

    def measures(self) -> dict[str, Callable[[ReportingState], Array]]:
        """Return the objective, and welfare."""
        return {self.objective: self.measure, "welfare": welfare}

    def limit(self) -> float | None:
        """Return a bound of the expected objective, if one is known.

        No mechanism passes it under which telling the truth is best and nobody loses by taking part.
        """
        return None

    def envy(self, state: ReportingState) -> Array | None:
        """Compute each participant's largest gain in another's place, once the game is over, (B, n).

        It is 0 without envy, and None where places cannot be exchanged.
        """
        return None

    # -- how it is played ---------------------------------------------------------------------------------------

    @property
    def sense(self) -> int:
        """1, or -1 where the objective is to be small."""
        return -1 if self.objective in self.losses else 1

    @property
    def roles(self) -> Mapping[str, int]:
        """The participants and one mechanism."""
        return {"participant": self.n, "mechanism": 1}

    @property
    def max_steps(self) -> int:
        """One step each."""
        return 2

    def phase(self, state: ReportingState) -> str:
        """Return the role that acts now."""
        return "mechanism" if (state.turn == 0) == self.announces else "participant"

    def observation_layout(self, role: str) -> Layout:
        """Participants see their own type, and the rule if one is announced; the mechanism sees the reports.

        Both see what is public.
        """
        if role == "mechanism":
            reported = tuple(
                replace(
                    field,
                    name=f"reported_{field.name}",
                    size=self.n * field.size,
                    low=min(0.0, field.low),
                    high=max(0.0, field.high),
                    meaning=f"{field.meaning}, as reported, participant by participant; 0 before",
                )
                for field in self.type_layout()
            )
            return (*reported, *self.public_layout())
        self.check_role(role)
        rule = self.rule_layout() if self.announces else ()
        return (
            *self.type_layout(),
            *self.public_layout(),
            *(replace(field, name=f"rule_{field.name}") for field in rule),
        )

    def action_layout(self, role: str) -> Layout | int:
        """Participants report; the mechanism announces a rule, or decides."""
        self.check_role(role)
        if role == "participant":
            return self.type_layout()
        return self.rule_layout() if self.announces else self.decision_layout()

    def observe(self, state: ReportingState, role: str) -> Array:
        """Compute the observations of a role, (B, n_role, d)."""
        xp = namespace(state.types)
        if role == "mechanism":
            fields = [
                xp.reshape(state.reports[..., at], (state.reports.shape[0], -1))
                for at in columns(self.type_layout()).values()
            ]
            if self.public_layout():
                fields.append(state.types[:, 0, self._private :])
            return xp.concat(fields, axis=-1)[:, None, :]
        self.check_role(role)
        rule = state.parameters[:, None, :]
        rule = xp.broadcast_to(rule, (rule.shape[0], self.n, rule.shape[-1]))
        return xp.concat([state.types, rule], axis=-1)

    def seen_reports(self, obs: Array) -> Array:
        """Return the reports (B, n, k) that the mechanism's observation (B, 1, d) shows: what rules decide by."""
        xp = namespace(obs)
        shown = list(columns(self.observation_layout("mechanism")).values())[: len(self.type_layout())]
        return xp.concat([xp.reshape(obs[:, 0, at], (obs.shape[0], self.n, -1)) for at in shown], axis=-1)

    @cached_property
    def profiles(self) -> np.ndarray | None:
        """Types (N, n, k) of the game's ``types_file``, from which whole profiles are drawn, None without one."""
        file = getattr(self, "types_file", None)
        return None if file is None else read_types(file, self.n, self.type_layout())

    def check_types_file(self) -> None:
        """Read the game's ``types_file``, if one is given; raises ParameterError where it does not hold types."""
        file = types_path(getattr(self, "types_file", None))
        if file is None:
            return
        object.__setattr__(self, "types_file", file)
        _ = self.profiles

    def drawn_profiles(self, draws: Array) -> Array:
        """Return types (B, n, k) out of the file for numbers (B, ..., 1) drawn uniformly from [0, 1): one is used."""
        assert self.profiles is not None
        return draw_profiles(self.profiles, draws)

    def draw_initial(self, batch: int, rng: Rng) -> Draws:
        """Draw the uniform numbers of the types; a profile of a file takes one for all of its participants."""
        return {"types": uniform(rng, (batch, self.n if self.profiles is None else 1, self.draw_size))}

    def initial_state(self, batch: int, rng: Rng) -> ReportingState:
        """Return ``batch`` games before the first step."""
        return self.initial_state_from(self.types_of(self.draw_initial(batch, rng)["types"]))

    def initial_state_from(self, types: Array) -> ReportingState:
        """Return games with given types (B, n, k + p) before the first step."""
        xp = namespace(types)
        nothing = xp.zeros_like(types[..., 0])
        size = width(self.rule_layout()) if self.announces else 0
        parameters = xp.broadcast_to(nothing[:, :1], (nothing.shape[0], size)) * 1.0
        return ReportingState(
            turn=0,
            round=xp.zeros_like(nothing[:, 0]),
            types=types,
            parameters=parameters,
            reports=xp.zeros_like(self.private(types)),
            utilities=nothing,
            payments=nothing,
            payoffs=nothing,
        )

    def outcome(self, state: ReportingState, actions: Array) -> Array:
        """Return reports (B, n, k), announced parameters (B, D), or a decision (B, d)."""
        sent = floats(actions, state.utilities)
        if self.phase(state) == "participant":
            return sent
        return sent[:, 0] if self.announces else self.decision(sent[:, 0])

    def advance(
        self, state: ReportingState, outcome: Array, draws: Draws
    ) -> tuple[ReportingState, Rewards, Array, Array]:
        """Take the announcement or the reports; then decide, settle and pay."""
        after = evolve(state, turn=state.turn + 1)
        if self.phase(state) == "participant":
            outcome = self.read(self.private(outcome))
            after = evolve(after, reports=outcome)
        elif self.announces:
            after = evolve(after, parameters=outcome)
        if state.turn == 0:
            nothing = namespace(state.utilities).zeros_like(state.utilities)
            return after, {"participant": nothing, "mechanism": nothing[:, :1]}, state.round > 0, state.round > 0
        if self.announces:
            outcome = self.decide(state.parameters, self.decided_by(outcome, state.types))
        done = self.settle(after, outcome)
        done = evolve(done, round=state.round + 1, payoffs=done.utilities - done.payments)
        rewards = {"participant": done.payoffs, "mechanism": self.sense * self.measure(done)[:, None]}
        return done, rewards, done.round > 0, done.round < 0

    def deficit(self, state: ReportingState) -> Array:
        """Compute the mechanism's payments less its receipts, (B,)."""
        return -total(state.payments)

    def infos(self, state: ReportingState) -> Mapping[str, Array]:
        """Return utilities and payments of the outcome, (B, n) each; zeros before there is one."""
        return {"utilities": state.utilities, "payments": state.payments}

    def picture(self, state: ReportingState, index: int) -> dict[str, np.ndarray]:
        """Return types, reports, utilities, payments and the mechanism's takings of one game."""
        shown: dict[str, np.ndarray] = {}
        for what, values in {"true": state.types, "reported": state.reports}.items():
            for name, at in columns(self.type_layout()).items():
                numbers = np.asarray(values[index])[:, at].T
                several = len(numbers) > 1
                shown |= {f"{what} {name}{f' {j + 1}' if several else ''}": row for j, row in enumerate(numbers)}
        payments = np.asarray(state.payments[index])
        return {
            **shown,
            "utilities": np.asarray(state.utilities[index]),
            "payments": payments,
            "revenue": payments.sum(keepdims=True),
        }


def simplex_error(weights: np.ndarray) -> str | None:
    """Describe the fault of probabilities (..., n); None if they are valid."""
    if (weights < 0).any():
        return f"has a probability of {weights.min():g}, allowed: at least 0"
    sums = weights.sum(-1)
    off = float(np.abs(sums - 1).max())
    return None if math.isfinite(off) and off <= 1e-6 else f"has probabilities that sum to 1 but for {off:.2g}"
