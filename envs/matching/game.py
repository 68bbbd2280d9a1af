"""Matching: rows and columns are matched by lists of acceptable partners, without payments.

With two sides, as workers and firms, all participants report whom they would like, and how well. With one side, as
students and schools, rows alone report; columns have seats, and public priorities. A mechanism decides how likely each
pair is. No mechanism is stable and truthful for both sides (Roth 1982): deferred acceptance is stable and truthful for
the side that proposes, top trading cycles and random priority are truthful for the rows, and how much of the one costs
how much of the other is what is learned (Ravindranath et al. 2021).

In ``allocate`` mode the mechanism sees the lists and decides. In ``announce`` mode it announces before, how often each
of the known rules decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, Literal, cast

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, evolve, floats, namespace, total
from lawgiver.envs.core.errors import ParameterError, brief, choice, counted, integer, number
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.reporting_game import ReportingGame, ReportingState
from lawgiver.envs.files.markets import Market, market_paths, read_market
from lawgiver.envs.matching import types
from lawgiver.envs.matching.market import (
    LARGEST_SIDE,
    check_market,
    columns_of,
    default_n,
    numbers_of,
    priorities_of,
    rows_of,
)
from lawgiver.envs.matching.solutions import known
from lawgiver.envs.solvers.matching.acceptance import deferred_acceptance, immediate_acceptance
from lawgiver.envs.solvers.matching.assignment import greatest_weight, least_rank
from lawgiver.envs.solvers.matching.measures import (
    expected_blocking,
    expected_envy,
    expected_rank,
    participation_violation,
    stability_violation,
)
from lawgiver.envs.solvers.matching.preferences import (
    LARGEST_LIST,
    all_reports,
    listed,
    number_of_reports,
    seats_of,
    shares,
    values_of_lists,
)
from lawgiver.envs.solvers.matching.serial import (
    LARGEST_ORDERED,
    probabilistic_serial,
    random_priority,
    serial_dictatorship,
)
from lawgiver.envs.solvers.matching.trading import top_trading_cycles

SIDES = ("one", "two")
DEFAULT_N = 8
DERIVED: Any = None
"""Default of a number that is derived from the market, or from a default, when the game is made."""
LARGEST_TYPES = 100_000
"""Numbers of all participants' types, public ones with them."""
LARGEST_COUNTED = 10
"""Partners up to which the number of lists is written out."""
EXCESS = 1e-6
"""Tolerance of a supplied mechanism's shares."""
FAMILY = ("deferred_acceptance", "top_trading_cycles", "immediate_acceptance", "random_priority")
"""Rules that are mixed where the mechanism announces."""


@dataclass(frozen=True)
class MatchingState(ReportingState):
    """State of B games of r rows and c columns, with, besides the fields of every reporting game:

    Attributes:
        shares: probability of each pair, (B, r, c), zeros before.
    """

    shares: Array


@dataclass(frozen=True)
class Matching(ReportingGame):
    """Rows and columns are matched by reported lists of acceptable partners, and a mechanism decides on the chances.

    Args:
        n: number of participants, at least 1: with two sides an even one, half of them rows and half columns; with one
            side all are rows. None for as many as the market has, or 8.
        sides: ``two``, both report, or ``one``, columns have public priorities; None for ``one`` with a market, else
            ``two``.
        m: number of columns with one side, 1 to 100; None for as many as the market has, or as there are rows. With two
            sides it is that.
        capacities: seats of each column, one whole number >= 1 for all, or one for each; None for the market's, or 1.
        priorities: with one side, for each column all rows, numbered from 0, in the order of priority; None for those
            of the market, or to draw them.
        truncation: probability that a drawn list is cut: a partner, each as likely, changes places with being alone.
        correlation: probability that a participant whose list is drawn has its side's common list, and that a column
            has the common priorities where these are drawn.
        market: files with the lists of participants: the path of a folder with the tables rankings.csv, priorities.csv
            and seats.csv, or of a file of votes (.soc, .soi, .toc, .toi, .cat, .pb), whose voters are the rows, or two
            of these, the second of columns' lists. With one side and another n than the market has, rows are drawn from
            its rows, with replacement.
        accepted: where the market's rows sort columns into categories, how many of these are acceptable, the best
            first; None for all but the last.
        objective: what the mechanism is paid: minus ``stability``, the published violation, what pairs can expect to
            gain by each other and what is lost by those who would rather be alone; minus ``blocking``, the expected
            number of blocking pairs, minus ``rank``, the mean rank of partners, ``welfare``, the mean utility, or minus
            ``envy``, the expected number of pairs of rows with justified envy. Chances of a pair's two are multiplied
            in ``blocking`` and ``envy``, as if both were matched independently: without luck these are numbers.
        mechanism_mode: ``allocate`` (shares of pairs, after the lists) or ``announce`` (how often each rule decides,
            before).

    Raises:
        ParameterError: if a parameter is outside its range.
    """

    n: int = DERIVED
    sides: str | None = None
    m: int | None = None
    capacities: int | Sequence[int] | None = None
    priorities: Sequence[Sequence[int]] | None = None
    truncation: float = 0.2
    correlation: float = 0.0
    market: str | Sequence[str] | None = None
    accepted: int | None = None
    objective: str = "stability"
    mechanism_mode: Literal["announce", "allocate"] = "allocate"

    name: ClassVar[str] = "matching-v0"
    summary: ClassVar[str] = "matches two sides by lists, without payments"
    reference: ClassVar[str] = (
        "Gale and Shapley 1962, College Admissions and the Stability of Marriage; Roth 1982; Abdulkadiroglu and Sonmez"
        " 2003; Ravindranath, Feng, Li, Ma, Kominers and Parkes 2021, Deep Learning for Two-Sided Matching"
    )
    menu_noun: ClassVar[str] = "lists"
    objectives: ClassVar[tuple[str, ...]] = ("stability", "blocking", "rank", "welfare", "envy")
    losses: ClassVar[tuple[str, ...]] = ("stability", "blocking", "rank", "envy")
    relative_floor: ClassVar[float] = 1e-6  # nobody pays, and who is alone has 0
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the expected worth of its partner under the true type, when the game is over",
        "mechanism": ReportingGame.reward_meaning["mechanism"],
    }
    measure_meanings: ClassVar[Mapping[str, str]] = {
        "stability": "expected gains of pairs by each other, multiplied, and losses of who would rather be alone",
        "blocking": "expected number of pairs that would rather have each other, both matched independently",
        "rank": "mean rank of partners, 1 the best; to be alone comes after the list",
        "welfare": "mean over participants of the expected utility",
        "envy": "expected number of pairs of rows with justified envy, both matched independently",
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "correlated": {"correlation": 0.75},
        "three": {"n": 6, "truncation": 0.0},
        "schools": {"sides": "one", "n": 12, "m": 4, "capacities": 3, "objective": "envy"},
    }
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "announce": {"mechanism_mode": "announce"},
        "one": {"sides": "one"},
    }

    def __post_init__(self) -> None:
        """Check the parameters."""
        self._check_market()
        object.__setattr__(self, "n", integer("n", self.n, 1, LARGEST_SIDE * (2 if self.two_sided else 1)))
        if self.two_sided and self.n % 2:
            raise ParameterError(
                f"n is {self.n}, allowed with sides='two': an even number, of which half are rows and half columns"
            )
        if self.m is not None:
            object.__setattr__(self, "m", integer("m", self.m, 1, LARGEST_SIDE))
        if self.files is not None:
            check_market(self.files, self.n, self.m, two_sided=self.two_sided)
        if self.two_sided and self.m not in (None, self.rows):
            raise ParameterError(f"m is {self.m}, allowed with sides='two': {self.rows}, half of n, or None")
        if self.n * (self.columns + self._public) > LARGEST_TYPES:
            raise ParameterError(
                f"{self.n} participants and {self.columns} columns make {self.n * (self.columns + self._public):,}"
                f" numbers, priorities with them, allowed: {LARGEST_TYPES:,}; take fewer"
            )
        self.check_choices()
        for name in ("truncation", "correlation"):
            object.__setattr__(self, name, number(name, getattr(self, name), "[0, 1]"))
        if self.capacities is None:
            object.__setattr__(self, "capacities", (self.files.seats if self.files else None) or 1)
        if not isinstance(self.capacities, (int, np.integer)):
            object.__setattr__(self, "capacities", tuple(self.seats.tolist()))
        _ = self.seats
        if self.priorities is not None:
            object.__setattr__(self, "priorities", self._checked_priorities(self.priorities))

    def _check_market(self) -> None:
        """Read the market, and set what it decides where that is not given."""
        object.__setattr__(self, "market", market_paths(self.market))
        if self.accepted is not None:
            object.__setattr__(self, "accepted", integer("accepted", self.accepted, 1))
            if self.market is None:
                raise ParameterError(f"accepted is {self.accepted}, allowed without a market: None")
        if self.sides is not None:
            choice("sides", self.sides, SIDES)
        if self.n is DERIVED:
            size = default_n(self.files, two_sided=self.two_sided) if self.files else DEFAULT_N
            object.__setattr__(self, "n", size)

    @cached_property
    def files(self) -> Market | None:
        """The market of the files, None without one."""
        return None if self.market is None else read_market(self.market, self.accepted)

    def _checked_priorities(self, given: Any) -> tuple[tuple[int, ...], ...]:
        """Return an order of all rows for each column."""
        if self.two_sided:
            raise ParameterError("priorities are given, allowed with sides='two': None, as columns have lists")
        if not isinstance(given, (list, tuple, np.ndarray)) or len(given) != self.columns:
            raise ParameterError(f"priorities is {brief(given)}, allowed: a list of {counted(self.columns, 'order')}")
        for j, order in enumerate(given):
            flat = isinstance(order, (list, tuple)) or (isinstance(order, np.ndarray) and order.ndim == 1)
            whole = flat and all(isinstance(i, (int, np.integer)) and not isinstance(i, bool) for i in order)
            if not whole or sorted(order) != list(range(self.n)):
                raise ParameterError(
                    f"priorities[{j}] is {brief(order)}, allowed: each of 0 to {self.n - 1} once, in an order"
                )
        return tuple(tuple(int(i) for i in order) for order in given)

    @property
    def two_sided(self) -> bool:
        """Whether columns are participants."""
        return self.market is None if self.sides is None else self.sides == "two"

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.n // 2 if self.two_sided else self.n

    @property
    def columns(self) -> int:
        """Number of columns."""
        if self.files is not None:
            return len(self.files.names)
        return self.rows if self.two_sided or self.m is None else self.m

    @cached_property
    def seats(self) -> np.ndarray:
        """Rows that each column takes, (c,)."""
        return seats_of(self.capacities, self.columns)

    # -- types --------------------------------------------------------------------------------------------------

    def type_layout(self) -> Layout:
        """Return a value for each partner."""
        return (Field("value", self.columns, -1.0, 1.0, "utility", "of each partner; 0 is that of being alone"),)

    @property
    def _public(self) -> int:
        """Numbers that are public: of priorities."""
        return 0 if self.two_sided else self.n * self.columns

    def public_layout(self) -> Layout:
        """Return the priorities, with one side."""
        if self.two_sided:
            return ()
        meaning = "of each row at each column, row by row: who has more comes first"
        return (Field("priority", self._public, 0.0, 1.0, "share", meaning),)

    @property
    def draw_size(self) -> int:
        """Number of uniform numbers that make a list, and with one side those of the priorities."""
        given = self.two_sided or self.priorities is not None or self._ranked is not None
        return self._own_draws + (0 if given else self.columns * types.numbers(self.n))

    @property
    def _own_draws(self) -> int:
        """Number of uniform numbers that make a participant's own list."""
        return (types.numbers if self.files is None else numbers_of)(self.columns)

    @property
    def _ranked(self) -> Market | None:
        """The market, where it has the lists of columns."""
        return self.files if self.files is not None and self.files.columns is not None else None

    def types_of(self, draws: Array) -> Array:
        """Return values, and priorities behind, (B, n, c + p), for uniform numbers (B, n, d)."""
        xp, size = namespace(draws), self._own_draws
        rows, columns = draws[:, : self.rows, :size], draws[:, self.rows :, :size]
        side = partial(types.lists, m=self.columns, truncation=self.truncation, correlation=self.correlation)
        values, which = (side(rows), None) if self.files is None else rows_of(rows, self.files)
        if self.two_sided:
            theirs = side(columns) if self.files is None else columns_of(columns, self.files)
            return xp.concat([values, theirs], axis=1)
        if self.priorities is not None:
            ranked = constant(values_of_lists(self.priorities, self.n).T, draws)[None]
        elif self._ranked is not None:
            ranked = priorities_of(rows, self._ranked, which)
        else:
            drawn = xp.reshape(draws[:, 0, size:], (draws.shape[0], self.columns, -1))
            ranked = xp.matrix_transpose(types.lists(drawn, self.n, 0.0, self.correlation))
        return xp.concat([values, xp.reshape(ranked, (-1, 1, self._public)) + 0 * values[..., :1]], axis=-1)

    def both_sides(self, types: Array) -> tuple[Array, Array]:
        """Return values of rows, and of columns or priorities, (B, r, c) each, of types or reports (B, n, c + p)."""
        xp, told = namespace(types), self.private(types)
        if self.two_sided:
            return told[:, : self.rows], xp.matrix_transpose(told[:, self.rows :])
        return told, xp.reshape(types[:, 0, self.columns :], (types.shape[0], self.n, self.columns))

    # -- reports ------------------------------------------------------------------------------------------------

    def read(self, reports: Array) -> Array:
        """Reduce reports (..., c) to lists: a / c, ..., 1 / c for the first to the a-th, 0 for others."""
        return listed(reports)

    def menu(self) -> np.ndarray | None:
        """List all lists, short ones too, (A, c), where there are few."""
        return self._menu

    @cached_property
    def _menu(self) -> np.ndarray | None:
        return all_reports(self.columns) if self.columns <= LARGEST_LIST else None

    @property
    def menu_absence(self) -> str:
        """Why not all lists are tried."""
        if self.columns <= LARGEST_LIST:
            return ""
        few = self.columns <= LARGEST_COUNTED
        count = f"{number_of_reports(self.columns):,}" if few else f"more than {self.columns}!"
        return f"there are {count} lists of {self.columns} partners, all of which are tried for up to {LARGEST_LIST}"

    @property
    def ordinal_menu(self) -> bool:
        """Whether reports are lists: they are."""
        return True

    def prospects(self, state: ReportingState) -> tuple[Array, Array]:
        """Return the chances of each partner and of being alone, and what these are worth, (B, n, c + 1) each."""
        xp, chances, own = namespace(state.types), shares_of(state), self.private(state.types)
        if self.two_sided:
            chances = xp.concat([chances, xp.matrix_transpose(chances)], axis=1)
        alone = 1 - xp.sum(chances, axis=-1, keepdims=True)
        return xp.concat([chances, alone], axis=-1), xp.concat([own, xp.zeros_like(own[..., :1])], axis=-1)

    # -- rules --------------------------------------------------------------------------------------------------

    @property
    def family(self) -> tuple[str, ...]:
        """Rules that can be mixed."""
        return FAMILY if self.rows <= LARGEST_ORDERED else FAMILY[:-1]

    def rule_layout(self) -> Layout:
        """Return the weight of each rule of the family."""
        return tuple(
            Field(name, 1, 0.0, 1.0, "weight", f"of {name.replace('_', ' ')} among the rules that decide")
            for name in self.family
        )

    @property
    def rule_formula(self) -> str | None:
        """Formula of the announced numbers."""
        return "each rule decides with a probability of its weight / the sum of weights" if self.announces else None

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The rules of the family."""
        if not self.announces:
            return {}
        return {name: tuple(float(name == other) for other in self.family) for name in self.family}

    def decided_by(self, reports: Array, types: Array) -> Array:
        """Return reports with the priorities behind, (B, n, c + p)."""
        return reports if self.two_sided else namespace(types).concat([reports, types[..., self.columns :]], axis=-1)

    def seen_reports(self, obs: Array) -> Array:
        """Return the reports that an observation (B, 1, d) shows, with the priorities behind, (B, n, c + p)."""
        told = super().seen_reports(obs)
        if self.two_sided:
            return told
        xp, public = namespace(obs), obs[..., self.n * self.columns :]
        return xp.concat([told, xp.broadcast_to(public, (obs.shape[0], self.n, self._public))], axis=-1)

    def decide(self, parameters: Array, reports: Array) -> Array:
        """Return the mean decision (B, r c) of the family's rules by weights (B, D), alike where all of them are 0."""
        xp = namespace(parameters)
        sums = total(parameters)[:, None]
        some = sums > 0
        alike = xp.ones_like(parameters) / parameters.shape[1]
        weights = xp.where(some, parameters / xp.where(some, sums, xp.ones_like(sums)), alike)
        decided = 0 * weights[:, :1]
        for k, name in enumerate(self.family):
            if bool(xp.any(weights[:, k] != 0)):
                decided = decided + weights[:, k : k + 1] * floats(self.ruled(name, reports), parameters)
        return decided

    def ruled(self, name: str, reports: Array) -> Array:
        """Compute the decision (B, r c) of a rule by name, for reports (B, n, c + p)."""
        return self.joined(RULES[name](*self.both_sides(reports), self.seats.tolist()))

    @cached_property
    def direct_rules(self) -> Mapping[str, Callable[[Array], Array]]:
        """Rules that decide by the lists."""
        return {name: partial(self.ruled, name) for name in RULES if name not in self.inapplicable_rules}

    @cached_property
    def inapplicable_rules(self) -> Mapping[str, str]:
        """Rules that cannot be announced, or would have to try too many orders."""
        found = {}
        for name in RULES:
            if name == "random_priority" and self.rows > LARGEST_ORDERED:
                found[name] = f"with {self.rows} rows, whose orders are more than those of {LARGEST_ORDERED}"
            elif self.announces and name not in self.family:
                found[name] = "with mechanism_mode='announce', which mixes others"
        return found

    # -- decisions ----------------------------------------------------------------------------------------------

    def decision_layout(self) -> Layout:
        """Return the shares of the pairs."""
        meaning = "of each pair, row by row, reduced where they come to more than 1 in a row, or than a column's seats"
        return (Field("share", self.rows * self.columns, 0.0, 1.0, "probability", meaning),)

    def joined(self, chances: Array) -> Array:
        """Return shares (B, r, c) as a decision (B, r c)."""
        return namespace(chances).reshape(chances, (chances.shape[0], -1))

    def chances_of(self, decision: Array) -> Array:
        """Return the shares (B, r, c) of a decision (B, r c)."""
        return namespace(decision).reshape(decision, (decision.shape[0], self.rows, self.columns))

    def decision(self, actions: Array) -> Array:
        """Divide the numbers of an action (B, r c) by the largest excess of its row and its column, if there is any."""
        xp, sent = namespace(actions), self.chances_of(actions)
        row = xp.sum(sent, axis=2, keepdims=True)
        column = xp.sum(sent, axis=1, keepdims=True) / constant(self.seats, actions)
        return self.joined(sent / xp.maximum(xp.maximum(row, column), xp.ones_like(sent)))

    def action_of(self, decision: Array) -> Array:
        """Return the decision (B, r c), in [0, 1]: shares that can be had stay as they are."""
        return namespace(decision).clip(decision, 0.0, 1.0)

    def outcome_error(self, state: ReportingState, outcome: np.ndarray) -> str | None:
        """Describe the fault of a supplied mechanism's weights or shares; None if they are valid."""
        if self.announces:
            wrong = np.argwhere(~((outcome >= 0) & (outcome <= 1)))
            if not len(wrong):
                return None
            game, at = wrong[0].tolist()
            return f"has {outcome[game, at]:g} as weight of {self.family[at]}, allowed: a number in [0, 1]"
        chances = self.chances_of(outcome)
        if not (chances >= -EXCESS).all():
            return f"has a share of {chances.min():g}, allowed: at least 0"
        for axis, what, most in ((2, "row", np.ones(self.rows)), (1, "column", self.seats)):
            sums = chances.sum(axis)
            over = np.argwhere(sums > most + EXCESS)
            if len(over):
                game, at = over[0].tolist()
                return f"has shares that sum to {sums[game, at]:g} in {what} {at}, allowed: at most {most[at]:g}"
        return None

    # -- how it is played ---------------------------------------------------------------------------------------

    def initial_state_from(self, types: Array) -> MatchingState:
        """Return games with given types (B, n, c + p) before the first step."""
        rows = types[:, : self.rows, : self.columns]
        return MatchingState(**vars(super().initial_state_from(types)), shares=namespace(types).zeros_like(rows))

    def settle(self, state: ReportingState, decision: Array) -> ReportingState:
        """Return the state with the shares and what they are worth to each participant."""
        chances, (values, priorities) = self.chances_of(decision), self.both_sides(state.types)
        worth = total(chances * values)
        if self.two_sided:
            xp = namespace(chances)
            worth = xp.concat([worth, xp.sum(chances * priorities, axis=1)], axis=-1)
        return evolve(state, shares=chances, utilities=worth)

    def own_measure(self, state: ReportingState) -> Array:
        """Compute the objective, (B,)."""
        return self.measures()[self.objective](state)

    def measures(self) -> dict[str, Callable[[ReportingState], Array]]:
        """Return all measures of a matching, and the objective where it is another."""
        own: dict[str, Callable[[ReportingState], Array]] = {
            "stability": self._stability,
            "blocking": self._blocking,
            "rank": self._rank,
            "welfare": _welfare,
            "envy": self._envy,
        }
        return own if self.objective in own else {self.objective: self.measure, **own}

    def _stability(self, state: ReportingState) -> Array:
        chances, sides = shares_of(state), self.both_sides(state.types)
        return stability_violation(chances, *sides, self.seats.tolist()) + participation_violation(chances, *sides)

    def _blocking(self, state: ReportingState) -> Array:
        return expected_blocking(shares_of(state), *self.both_sides(state.types), self.seats.tolist())

    def _rank(self, state: ReportingState) -> Array:
        xp, chances, (values, priorities) = namespace(state.types), shares_of(state), self.both_sides(state.types)
        ranks = expected_rank(chances, values)
        if self.two_sided:
            theirs = expected_rank(xp.matrix_transpose(chances), xp.matrix_transpose(priorities))
            ranks = xp.concat([ranks, theirs], axis=-1)
        return total(ranks) / self.n

    def _envy(self, state: ReportingState) -> Array:
        return expected_envy(shares_of(state), *self.both_sides(state.types))

    # -- for people ---------------------------------------------------------------------------------------------

    def infos(self, state: ReportingState) -> Mapping[str, Array]:
        """Return utilities (B, n) and shares (B, r, c) of the outcome; zeros before there is one."""
        return {"utilities": state.utilities, "shares": shares_of(state)}

    def picture(self, state: ReportingState, index: int) -> dict[str, np.ndarray]:
        """Return values, lists, utilities and the probability of each partner of one game."""
        shown = super().picture(state, index)
        for nothing in ("payments", "revenue"):
            del shown[nothing]
        chances = np.asarray(self.prospects(state)[0][index])
        return shown | {f"partner {j + 1}": chances[:, j] for j in range(self.columns)}

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """Measures of rules over all profiles of three on each side with uncut lists; else nothing."""
        uncut = self.truncation == 0 and self.correlation == 0 and (self.seats == 1).all() and self.files is None
        return known() if uncut and self.rows == self.columns == 3 and self.priorities is None else ()


def shares_of(state: ReportingState) -> Array:
    """Return the shares (B, r, c) of a state of this game."""
    return cast(MatchingState, state).shares


def _welfare(state: ReportingState) -> Array:
    return total(state.utilities) / state.utilities.shape[-1]


def _chosen(rule: Callable[..., Array], **options: Any) -> Callable[[Array, Array, list[int]], Array]:
    """Make shares of a rule that chooses a matching by both sides."""

    def decide(values: Array, priorities: Array, seats: list[int]) -> Array:
        return shares(rule(values, priorities, seats, **options), values.shape[-1], values)

    return decide


def _in_order(values: Array, priorities: Array, seats: list[int]) -> Array:
    order = namespace(values).arange(values.shape[1], device=values.device)
    return shares(serial_dictatorship(values, order, seats), values.shape[-1], values)


def _weighed(values: Array, priorities: Array, seats: list[int]) -> Array:
    both = greatest_weight(values + priorities, seats, allowed=(values > 0) & (priorities > 0))
    return shares(both, values.shape[-1], values)


RULES: Mapping[str, Callable[[Array, Array, list[int]], Array]] = {
    "deferred_acceptance": _chosen(deferred_acceptance),
    "columns_propose": _chosen(deferred_acceptance, proposing="columns"),
    "top_trading_cycles": _chosen(top_trading_cycles),
    "immediate_acceptance": _chosen(immediate_acceptance),
    "serial_dictatorship": _in_order,
    "random_priority": lambda values, priorities, seats: random_priority(values, seats),
    "probabilistic_serial": lambda values, priorities, seats: probabilistic_serial(values, seats),
    "max_weight": _weighed,
    "least_rank": _chosen(least_rank),
}
"""Shares (B, r, c) by values and priorities (B, r, c) and seats (c,)."""
