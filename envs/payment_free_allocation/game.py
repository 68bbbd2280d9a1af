"""Payment-free allocation: divisible resources, shared by reported values and demands, without payments.

Participant i gets x_ij of resource j, of which there is b_j, and makes sum_j v_ij min(x_ij, d_ij) of it: more than its
demand d_ij is of no use to it. It alone knows v and d, and may report others. Without payments no mechanism has both
the greatest Nash welfare and honest participants: proportional fairness has the first, sharing by demand alone the
second, and in between a mechanism may *burn* a part, that is withhold what somebody wants, to make lies dear. Burning
invites reports of more demand than there is.

In ``allocate`` mode the mechanism sees the reports and shares. In ``announce`` mode it announces two numbers before,
how much it burns and how far it shares by demand alone, of a family between three rules that are known by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, cast

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, evolve, namespace, softmax
from lawgiver.envs.core.errors import ParameterError, counted, integer, number
from lawgiver.envs.core.fields import LOGIT_BOUND, Field, Layout
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.reporting_game import ReportingGame, ReportingState
from lawgiver.envs.payment_free_allocation.measures import efficiency, mean_log_utility, utilities
from lawgiver.envs.payment_free_allocation.sharing import water_filling
from lawgiver.envs.payment_free_allocation.types import beta, check_wanted, thinned
from lawgiver.envs.solvers.fair_division.partial_allocation import partial_allocation
from lawgiver.envs.solvers.fair_division.proportional_fairness import proportional_fairness, solve

LARGEST_N = 100
"""Participants, or resources."""
LARGEST_PROBLEM = 1_000
"""Largest number of (participant, resource) pairs."""
LARGEST_SHAPE = 50
"""Largest parameter of a Beta distribution."""
EXCESS = 1e-6
"""Tolerance of a supplied mechanism's amounts, as a share of the supply."""


@dataclass(frozen=True)
class AllocationState(ReportingState):
    """State of B games of n participants and m resources, with, besides the fields of every reporting game:

    Attributes:
        amounts: amounts of each resource to each participant, (B, n, m), zeros before.
    """

    amounts: Array


@dataclass(frozen=True)
class PaymentFreeAllocation(ReportingGame):
    """A mechanism that shares m divisible resources among n participants who report values and demands.

    Args:
        n: number of participants, >= 1.
        m: number of resources, >= 1.
        supply: b, how much there is, > 0: of every resource, or m numbers; None for n / 2, at which it is short.
        weights: w, how much each participant counts in Nash welfare, > 0: one number for all, or n of them.
        value_low: least value of a unit to anybody, >= 0.
        value_high: the greatest, above it. Reports may name any value from 0 to this.
        value_beta: whole parameters (a, b), 1 to 50, of the Beta distribution of values between these; (1, 1) is
            uniform.
        demand_low: least demand, >= 0, of those that are there.
        demand_high: the greatest, above it. Reports may name any demand from 0 to this.
        demand_beta: Beta parameters of demands, as ``value_beta``.
        present: probability, > 0, that a participant wants a resource at all; one that would want nothing wants one,
            each as likely.
        types_file: an .npz file with arrays ``values`` and ``demands``, (N, n, m) each, or a CSV table (see
            :mod:`lawgiver.envs.files.profiles`), from which whole profiles are drawn
            instead, with ``value_low`` and ``demand_low`` out of use; None to draw by distribution.
        objective: what the mechanism is paid: ``mean_log_utility``, mean_i w_i log u_i, the logarithm of Nash welfare
            (the geometric mean of utilities) where weights are 1; ``welfare``, the sum of utilities; ``efficiency``,
            the share of what could be used that is.
        mechanism_mode: ``allocate`` (logits of shares, after the reports) or ``announce`` (a rule of the family,
            before).

    Raises:
        ParameterError: if a parameter is outside its range, or the file does not hold what it should.
    """

    n: int = 5
    m: int = 3
    supply: float | Sequence[float] | None = None
    weights: float | Sequence[float] = 1.0
    value_low: float = 0.1
    value_high: float = 1.0
    value_beta: Sequence[int] = (1, 1)
    demand_low: float = 0.1
    demand_high: float = 1.0
    demand_beta: Sequence[int] = (1, 1)
    present: float = 1.0
    types_file: str | None = None
    objective: str = "mean_log_utility"
    mechanism_mode: Literal["announce", "allocate"] = "allocate"

    name: ClassVar[str] = "payment_free_allocation-v0"
    summary: ClassVar[str] = "shares resources by reports, without payments"
    reference: ClassVar[str] = (
        "Zeng, Bhatt, Kreacic, Hassanzadeh, Koppel and Ganesh 2023, Learning Payment-Free Resource Allocation"
        " Mechanisms; Cole, Gkatzelis and Goel 2013 for partial allocation"
    )
    relative_floor: ClassVar[float] = 1e-6  # nobody pays, so that only who gets nothing at all has next to 0
    objectives: ClassVar[tuple[str, ...]] = ("mean_log_utility", "welfare", "efficiency")
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "what its amounts are worth, up to its true demands, when the game is over",
        "mechanism": ReportingGame.reward_meaning["mechanism"],
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"uniform": {}, "sparse": {"present": 0.5}}
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"announce": {"mechanism_mode": "announce"}}

    def __post_init__(self) -> None:
        """Check the parameters, and read the file."""
        for name in ("n", "m"):
            object.__setattr__(self, name, integer(name, getattr(self, name), 1, LARGEST_N))
        if self.n * self.m > LARGEST_PROBLEM:
            raise ParameterError(
                f"{self.n:,} participants and {self.m:,} resources make {self.n * self.m:,} pairs, allowed:"
                f" {LARGEST_PROBLEM:,}; take m up to {LARGEST_PROBLEM // self.n:,}, or fewer participants"
            )
        if (
            isinstance(self.objective, str) and self.objective == "nash_welfare"
        ):  # what was so called until it got a name of its own
            raise ParameterError(
                "objective is 'nash_welfare': the mean of w_i log u_i, the logarithm of Nash welfare, is called"
                f" 'mean_log_utility' now; allowed: {', '.join(self.objectives)}"
            )
        self.check_choices()
        for name, count in {"supply": self.m, "weights": self.n}.items():
            object.__setattr__(self, name, _positive(name, getattr(self, name), count, none=name == "supply"))
        for name in ("value", "demand"):
            low, high, shape = (f"{name}_{end}" for end in ("low", "high", "beta"))
            object.__setattr__(self, low, number(low, getattr(self, low), "[0, inf)"))
            object.__setattr__(self, high, number(high, getattr(self, high), f"({getattr(self, low)}, inf)"))
            object.__setattr__(self, shape, _shape(shape, getattr(self, shape)))
        object.__setattr__(self, "present", number("present", self.present, "(0, 1]"))
        self.check_types_file()
        if self.profiles is not None:
            check_wanted(str(self.types_file), *self.split(self.profiles))

    @cached_property
    def supplies(self) -> np.ndarray:
        """Supply of each resource, (m,)."""
        return np.broadcast_to(np.asarray(self.n / 2 if self.supply is None else self.supply, float), (self.m,)).copy()

    @cached_property
    def weighting(self) -> np.ndarray:
        """Weight of each participant in Nash welfare, (n,)."""
        return np.broadcast_to(np.asarray(self.weights, float), (self.n,)).copy()

    # -- types --------------------------------------------------------------------------------------------------

    def type_layout(self) -> Layout:
        """Return values, then demands. Both may be reported from 0 on, whatever the least that types are drawn from."""
        return (
            Field("value", self.m, 0.0, self.value_high, "utility a unit", "what each resource is worth, up to demand"),
            Field("demand", self.m, 0.0, self.demand_high, "units", "how much of each resource is of use"),
        )

    def split(self, types: Array) -> tuple[Array, Array]:
        """Return values and demands, (..., n, m) each, of types or reports (..., n, 2m)."""
        return types[..., : self.m], types[..., self.m :]

    @property
    def draw_size(self) -> int:
        """The uniform numbers of the Beta distributions, and one per demand for its presence; one in all for a file."""
        return 1 if self.types_file else self.m * (_size(self.value_beta) + _size(self.demand_beta) + 1)

    def types_of(self, draws: Array) -> Array:
        """Return types (B, n, 2m) for numbers (B, n, d) drawn uniformly from [0, 1); for (B, 1, 1) of a file."""
        xp = namespace(draws)
        if self.profiles is not None:
            return self.drawn_profiles(draws)
        parts, start = [], 0
        for low, high, shape in (
            (self.value_low, self.value_high, self.value_beta),
            (self.demand_low, self.demand_high, self.demand_beta),
        ):
            size = self.m * _size(shape)
            drawn = xp.reshape(draws[..., start : start + size], (*draws.shape[:2], self.m, _size(shape)))
            parts.append(low + (high - low) * beta(drawn, (shape[0], shape[1])))
            start += size
        values, demands = parts
        return xp.concat([values, thinned(demands, draws[..., start:], self.present)], axis=-1)

    # -- rules --------------------------------------------------------------------------------------------------

    def rule_layout(self) -> Layout:
        """Return the fields of a rule: the degree of burning, and the weight on sharing by demand alone."""
        return (
            Field("burning", 1, 0.0, 1.0, "exponent", "0 burns nothing, 1 as much as partial allocation"),
            Field("sharing", 1, 0.0, 1.0, "share", "weight of water filling, by demand alone, in the allocation"),
        )

    @property
    def rule_formula(self) -> str | None:
        """Formula of the two announced numbers."""
        text = "(1 - sharing) PA^burning + sharing water filling, PA^c the c-th power of partial allocation's burning"
        return text if self.announces else None

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The three extreme rules of the family."""
        if not self.announces:
            return {}
        return {"proportional_fairness": (0.0, 0.0), "partial_allocation": (1.0, 0.0), "water_filling": (0.0, 1.0)}

    def decide(self, parameters: Array, reports: Array) -> Array:
        """Return (1 - s) PA^c + s water filling of the reports, flattened (B, n m), for (c, s) (B, 2).

        PA^c lets everybody keep the c-th power of what partial allocation lets it keep of proportional fairness.
        """
        return self._shared(parameters, reports, None)

    def decide_for(self, parameters: Array, reports: Array, seats: Array) -> Array:
        """Return the decision with burning as it is for one participant of each game, which takes fewer problems."""
        return self._shared(parameters, reports, seats)

    def _shared(self, parameters: Array, reports: Array, seats: Array | None) -> Array:
        values, demands = self.split(reports)
        burning, sharing = parameters[:, 0], parameters[:, 1, None, None]
        xp, known = namespace(demands), (self.supplies, self.weighting)
        even = water_filling(demands, *known)
        if bool(xp.all(sharing == 1)):
            return self.joined(even)
        # What partial allocation lets everybody keep takes n problems more for each profile.
        burns = bool(xp.any(burning > 0))
        if burns:
            fair = partial_allocation(values, demands, *known, burning=burning, seats=seats)
        else:
            fair = solve(values, demands, *known)
        return self.joined((1 - sharing) * fair + sharing * even)

    def decision_layout(self) -> Layout:
        """Return the logits of each participant's share of each resource, the burnt share last."""
        return (
            Field("share_logits", (self.n + 1) * self.m, -LOGIT_BOUND, LOGIT_BOUND, "log-odds",
                  "of each participant's share of each resource, participant by participant, then of what is burnt"),
        )  # fmt: skip

    def decision(self, actions: Array) -> Array:
        """Convert logits (B, (n + 1) m) of shares to amounts (B, n m), before caps."""
        xp = namespace(actions)
        logits = xp.reshape(actions, (actions.shape[0], self.n + 1, self.m))
        shares = xp.matrix_transpose(softmax(xp.matrix_transpose(logits)))[:, :-1]
        return self.joined(shares * constant(self.supplies, actions))

    def action_of(self, decision: Array) -> Array:
        """Return the logits (B, (n + 1) m) whose shares are nearest to amounts (B, n m)."""
        xp = namespace(decision)
        shares = self.amounts_of(decision) / constant(self.supplies, decision)
        shares = xp.concat([shares, 1 - xp.sum(shares, axis=1, keepdims=True)], axis=1)
        least = constant(np.exp(-2 * LOGIT_BOUND), decision)
        logits = xp.log(xp.maximum(shares / xp.max(shares, axis=1, keepdims=True), least)) + LOGIT_BOUND
        return xp.reshape(logits, (logits.shape[0], -1))

    def joined(self, amounts: Array) -> Array:
        """Return amounts (B, n, m) as a decision (B, n m)."""
        return namespace(amounts).reshape(amounts, (amounts.shape[0], -1))

    def amounts_of(self, decision: Array) -> Array:
        """Return amounts (B, n, m) of a decision (B, n m)."""
        return namespace(decision).reshape(decision, (decision.shape[0], self.n, self.m))

    def initial_state_from(self, types: Array) -> AllocationState:
        """Return games with given types (B, n, 2m) before the first step."""
        return AllocationState(
            **vars(super().initial_state_from(types)), amounts=namespace(types).zeros_like(types[..., : self.m])
        )

    def settle(self, state: ReportingState, decision: Array) -> ReportingState:
        """Return the state after amounts are allocated, capped at reported demands, without payments."""
        _, asked = self.split(state.reports)
        amounts = namespace(asked).minimum(self.amounts_of(decision), asked)
        return evolve(state, amounts=amounts, utilities=utilities(amounts, *self.split(state.types)))

    def outcome_error(self, state: ReportingState, outcome: np.ndarray) -> str | None:
        """Describe the fault of a supplied mechanism's rule or amounts; None if valid."""
        if self.announces:
            wrong = outcome[(outcome < 0) | (outcome > 1)]
            return f"has {wrong[0]:g} among burning and sharing, allowed: numbers in [0, 1]" if wrong.size else None
        amounts, tolerance = self.amounts_of(outcome), EXCESS * self.supplies
        if (amounts < -tolerance).any():
            return f"hands out {amounts.min():g}, allowed: amounts of at least 0"
        given = amounts.sum(1)
        over = np.argwhere(given > self.supplies + tolerance)
        if len(over):
            game, j = over[0].tolist()
            return (
                f"hands out {given[game, j]:g} of resource {j}, allowed: no more than its supply {self.supplies[j]:g}"
            )
        return None

    def own_measure(self, state: ReportingState) -> Array:
        """Compute mean log utility, welfare or efficiency, (B,), once the game is over."""
        if self.objective == "mean_log_utility":
            return mean_log_utility(state.utilities, self.weighting)
        if self.objective == "welfare":
            return super().own_measure(state)
        _, demands = self.split(state.types)
        return efficiency(allocated_amounts(state), demands, self.supplies)

    def envy(self, state: ReportingState) -> Array:
        """Compute each participant's largest gain from another's amounts, (B, n), at least 0."""
        values, demands = self.split(state.types)
        xp, amounts = namespace(values), allocated_amounts(state)
        swapped = xp.minimum(amounts[:, None], demands[:, :, None])  # row i: what i could use of everybody's amounts
        gains = xp.sum(values[:, :, None] * swapped, axis=-1) - state.utilities[..., None]
        return xp.max(xp.maximum(gains, 0 * gains), axis=-1)

    def infos(self, state: ReportingState) -> Mapping[str, Array]:
        """Return utilities (B, n) and amounts (B, n, m) of the outcome; zeros before there is one."""
        return {"utilities": state.utilities, "amounts": allocated_amounts(state)}

    def picture(self, state: ReportingState, index: int) -> dict[str, np.ndarray]:
        """Return types, reports, amounts and utilities of one game, and the unallocated resources."""
        shown = super().picture(state, index)
        for nothing in ("payments", "revenue"):
            del shown[nothing]
        amounts = np.asarray(allocated_amounts(state)[index])
        several = self.m > 1
        for j, left in enumerate(self.supplies - amounts.sum(0)):
            shown[f"amount{f' {j + 1}' if several else ''}"] = amounts[:, j]
            shown[f"left over{f' {j + 1}' if several else ''}"] = np.array([left])
        return shown

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The greatest Nash welfare of participants who tell the truth, which is proportional fairness."""
        types = self.initial_state(64, np.random.default_rng(0)).types
        values, demands = self.split(types)
        found = proportional_fairness(values, demands, self.supplies, self.weighting)
        logs = mean_log_utility(utilities(found.amounts, values, demands), self.weighting)
        return (
            KnownSolution(
                name="greatest mean log utility of the truth, mean of 64 profiles: proportional fairness",
                source="Eisenberg and Gale 1959, with caps; residual is the largest duality gap",
                value=lambda: float(logs.mean()),
                residual=lambda: float(found.gap.max()),
                tolerance=1e-8,
            ),
        )


def allocated_amounts(state: ReportingState) -> Array:
    """Return the amounts (B, n, m) of a state of this game."""
    return cast(AllocationState, state).amounts


def _positive(name: str, given: Any, count: int, *, none: bool) -> float | tuple[float, ...] | None:
    """Return one number above 0, or a tuple of ``count`` of them; None where that is allowed."""
    if given is None and none:
        return None
    if isinstance(given, (Sequence, np.ndarray)) and not isinstance(given, str):
        if len(given) != count:
            raise ParameterError(f"{name} has {counted(len(given), 'number')}, allowed: one, or {count}")
        return tuple(number(f"{name}[{i}]", value, "(0, 1e12]") for i, value in enumerate(given))
    return number(name, given, "(0, 1e12]")


def _shape(name: str, given: Any) -> tuple[int, int]:
    """Return the parameters of a Beta distribution."""
    if isinstance(given, str) or not isinstance(given, (Sequence, np.ndarray)) or len(given) != 2:
        raise ParameterError(f"{name} is {given!r}, allowed: two whole numbers from 1 to {LARGEST_SHAPE}")
    a, b = (integer(f"{name}[{k}]", value, 1, LARGEST_SHAPE) for k, value in enumerate(given))
    return a, b


def _size(shape: Sequence[int]) -> int:
    """Return of how many uniform numbers one of a Beta distribution is made."""
    return shape[0] + shape[1] - 1
