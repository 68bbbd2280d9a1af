"""Auctions of several items: bidders report what each item is worth to them, and the mechanism sells by the reports.

A bidder's type is its value of each item. Shares x_ij, or probabilities, are worth sum_j v_ij x_ij to it. A bidder of
``unit`` demand has a use for one item alone, so that its shares add up to no more than 1. In ``allocate`` mode the
mechanism sees the reports, shares out the items, and takes from each bidder a fraction of what it says its shares are
worth: nobody who reports the truth loses. In ``announce`` mode it announces a menu before
(:mod:`lawgiver.envs.multi_item_auction.menus`), under which nobody gains by a misreport.

How to earn most from several items is not known but in few cases, see
:mod:`lawgiver.envs.multi_item_auction.solutions`; with one item it is (Myerson 1981).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, cast

import numpy as np

from lawgiver.envs.core.arrays import Array, evolve, namespace, total
from lawgiver.envs.core.errors import NoSolution, ParameterError, brief, choice, integer, number
from lawgiver.envs.core.fields import LOGIT_BOUND, Field, Layout, bounds, within
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.ends import Ends
from lawgiver.envs.families.reporting_game import ReportingGame, ReportingState
from lawgiver.envs.multi_item_auction import members, menus, rules, solutions, values
from lawgiver.envs.multi_item_auction.values import DEMANDS, DISTRIBUTIONS, Rows
from lawgiver.envs.solvers.auctions.distributions import MASSES, Distribution
from lawgiver.envs.solvers.auctions.exponential import Exponential
from lawgiver.envs.solvers.auctions.myerson import Marginal
from lawgiver.envs.solvers.mdp.model import MEMORY, in_slices

LARGEST_N = 1_000
"""Bidders, or items."""
LARGEST_PROBLEM = 1_000
"""Largest number of (bidder, item) pairs."""
LARGEST_MATCHING = 12
"""Items, or bidders if they are fewer, of which the best matching is searched: a table of all sets of them."""
NAMED = ("vcg", "pay_as_bid", "bundle_myerson", "item_myerson")
"""Auctions by name, of which parameters may rule out some."""
LARGEST_VALUE = "[0, 1e12]"
WEIGHT_BOUND = 3.0
"""Largest absolute value of log w in an announcement: weights from 1/20 to 20."""


@dataclass(frozen=True)
class AuctionState(ReportingState):
    """State of B auctions with n bidders and m items, with, besides the fields of every reporting game:

    Attributes:
        shares: of each item, or the probability that it is had, of each bidder, (B, n, m), zeros before.
    """

    shares: Array


@dataclass(frozen=True)
class MultiItemAuction(ReportingGame):
    """A seller of m items, and n bidders who report a value of each of them.

    Args:
        n: number of bidders, >= 1.
        m: number of items, >= 1.
        demand: ``additive``, the worth of items adds up; ``unit``, a bidder has a use for one of them.
        distribution: of values, independent but for the last: ``uniform``; ``piecewise``, the density is constant on
            each of several pieces of equal width; ``exponential`` with mean ``mean``; ``triangle``, a bidder's values
            are uniform where they are at least 0 and add up to ``high`` at most.
        low: least value, >= 0: one for all, one a bidder, a rule by the bidder's number i = 1, ..., n, or n rows of m
            numbers, one an item; not of the last two distributions.
        high: the greatest, likewise, above it; not of ``exponential``.
        masses: relative probabilities of the pieces, where the distribution is ``piecewise``.
        mean: of ``exponential`` values, > 0, which go up to 40 times as much.
        entries: of the menu that is announced, >= 1, in ``announce`` mode.
        objective: the mechanism's reward: ``revenue``, ``welfare`` or a registered objective.
        mechanism_mode: ``allocate`` (logits of shares, and of paid fractions of their reported worth, after the
            reports) or ``announce`` (a menu, before).
        types_file: an .npz file with the array ``values``, (N, n, m), or a CSV table (see
            :mod:`lawgiver.envs.files.profiles`), from which whole profiles are drawn instead, within the bounds of
            reports; None to draw by distribution.

    Raises:
        ParameterError: if a parameter is outside its range, or the file does not hold what it should.
    """

    n: int = 2
    m: int = 2
    demand: Literal["additive", "unit"] = "additive"
    distribution: Literal["uniform", "piecewise", "exponential", "triangle"] = "uniform"
    low: Ends | Rows = 0.0
    high: Ends | Rows = 1.0
    masses: Sequence[float] | None = None
    mean: float = 1.0
    entries: int = 16
    objective: str = "revenue"
    mechanism_mode: Literal["announce", "allocate"] = "allocate"
    types_file: str | None = None

    name: ClassVar[str] = "multi_item_auction-v0"
    payoff_unit: ClassVar[str] = "money"
    summary: ClassVar[str] = "sells several items by reported values"
    reference: ClassVar[str] = (
        "Duetting, Feng, Narasimhan, Parkes and Ravindranath 2019, Optimal Auctions through Deep Learning; Myerson 1981"
    )
    objectives: ClassVar[tuple[str, ...]] = ("revenue", "welfare")
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "two_items": {"n": 1},
        "unit_demand": {"n": 1, "demand": "unit", "low": 2.0, "high": 3.0},
        "unequal_items": {"n": 1, "low": 4.0, "high": ((16.0, 7.0),)},
        "triangle": {"n": 1, "distribution": "triangle"},
        "two_bidders": {},
        "exponential_item": {"n": 3, "m": 1, "distribution": "exponential", "mean": 3.0},
        "irregular_item": {
            "n": 3,
            "m": 1,
            "distribution": "piecewise",
            "high": 8.0,
            "masses": (5.0, 5.0, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0),
        },
        "asymmetric_item": {"n": 5, "m": 1, "high": "i"},
    }
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"announce": {"mechanism_mode": "announce"}}

    def __post_init__(self) -> None:
        """Check the parameters, and read the file."""
        for name in ("n", "m"):
            object.__setattr__(self, name, integer(name, getattr(self, name), 1, LARGEST_N))
        if self.n * self.m > LARGEST_PROBLEM:
            raise ParameterError(
                f"{self.n:,} bidders and {self.m:,} items make {self.n * self.m:,} pairs, allowed:"
                f" {LARGEST_PROBLEM:,}; take m up to {LARGEST_PROBLEM // self.n:,}, or fewer bidders"
            )
        self.check_choices()
        choice("demand", self.demand, DEMANDS)
        choice("distribution", self.distribution, DISTRIBUTIONS)
        object.__setattr__(self, "entries", integer("entries", self.entries, 1))
        object.__setattr__(self, "mean", number("mean", self.mean, "(0, 1e10]"))
        self._check_values()
        self.check_types_file()

    def _check_values(self) -> None:
        if (self.distribution == "piecewise") != (self.masses is not None):
            if self.masses is None:
                raise ParameterError(f"masses is None with distribution='piecewise', allowed: {MASSES}")
            raise ParameterError(
                f"masses is {self.masses!r} with distribution={self.distribution!r}: give it with 'piecewise' alone"
            )
        if self.masses is not None:
            given: Any = self.masses
            object.__setattr__(self, "masses", Distribution(0, 1, given).masses)
        for end in ("low", "high"):
            kept = values.checked_rows(end, getattr(self, end), self.n, self.m)
            object.__setattr__(self, end, kept)
            for row in values.each_item(kept, self.n, self.m):
                for value in row:
                    number(end, value, LARGEST_VALUE)
        unused = {"low": 0.0, "high": 1.0} if self.distribution == "exponential" else {"mean": 1.0}
        for name, default in unused.items():
            if getattr(self, name) != default:
                raise ParameterError(
                    f"{name} is {brief(getattr(self, name))} with distribution={self.distribution!r}, which has no"
                    f" {name}: allowed: {default}, or leave it out"
                )
        if self.distribution == "triangle" and (self.low != 0 or not isinstance(self.high, float)):
            raise ParameterError(
                f"low is {self.low!r} and high {self.high!r} with distribution='triangle', allowed: 0, and one number"
            )
        _ = self.distributions  # their own check

    # -- types --------------------------------------------------------------------------------------------------

    @cached_property
    def distributions(self) -> tuple[tuple[Marginal, ...], ...]:
        """Distribution of each bidder's value of each item, n rows of m."""
        if self.distribution == "exponential":
            return ((Exponential(self.mean),) * self.m,) * self.n
        if self.distribution == "triangle":
            assert isinstance(self.high, float)
            number("high", self.high, "(0, inf)")
            return ((values.side_of_triangle(self.m, self.high),) * self.m,) * self.n
        masses = (1.0,) if self.masses is None else tuple(self.masses)
        lows, highs = (values.each_item(end, self.n, self.m) for end in (self.low, self.high))
        return tuple(
            tuple(Distribution(low, high, masses) for low, high in zip(*row, strict=True))
            for row in zip(lows, highs, strict=True)
        )

    @cached_property
    def bundles(self) -> tuple[Marginal, ...]:
        """Distribution of what all items, of unit demand the favourite one, are worth to each bidder."""
        unit = self.demand == "unit"
        if self.distribution == "triangle" and self.m > 1:
            assert isinstance(self.high, float)
            make = values.largest_in_triangle if unit else values.sum_in_triangle
            return (make(self.m, self.high),) * self.n
        of = values.largest_of if unit else values.sum_of
        made = {row: of(row) for row in set(self.distributions)}
        return tuple(made[row] for row in self.distributions)

    @property
    def greatest(self) -> float:
        """The greatest value of an item to anybody."""
        return max(each.high for row in self.distributions for each in row)

    def type_layout(self) -> Layout:
        """Return the values. Any from 0 to the greatest may be reported, whatever the least that is drawn."""
        return (Field("value", self.m, 0.0, self.greatest, "money", "what each item is worth to the bidder"),)

    def types_of(self, draws: Array) -> Array:
        """Return types (B, n, m) for numbers (B, n, m) drawn uniformly from [0, 1); for (B, 1, 1) of a file."""
        if self.profiles is not None:
            return self.drawn_profiles(draws)
        if self.distribution == "triangle":
            assert isinstance(self.high, float)
            return values.in_triangle(draws, self.high)
        return values.independent(self.distributions, draws)

    # -- rules --------------------------------------------------------------------------------------------------

    def rule_layout(self) -> Layout:
        """Return the fields of a menu: shares entry by entry, boosts, and weights."""
        most = self.m * self.greatest
        return (
            Field("share_logits", self.entries * (self.n + 1) * self.m, -LOGIT_BOUND, LOGIT_BOUND, "log-odds",
                  "of each bidder's share of each item, entry by entry, bidder by bidder, then of what nobody gets"),
            Field("boosts", self.entries, -most, most, "money", "what each entry is worth to the mechanism"),
            Field("log_weights", self.n, -WEIGHT_BOUND, WEIGHT_BOUND, "log", "weights of the bidders' values"),
        )  # fmt: skip

    @property
    def rule_formula(self) -> str | None:
        """Formula of a menu."""
        return (
            "sells the entry with the greatest sum of weight times reported worth, plus boost, or nothing; each pays"
            " what the others lose by it, divided by its weight"
        )

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """Named auctions whose menus have no more than ``entries`` entries."""
        return members.members(self) if self.announces else {}

    @property
    def direct_rules(self) -> Mapping[str, Callable[[Array], Array]]:
        """Decisions (B, d) of named auctions by reports, (B, n, m)."""
        unit = self.demand == "unit"
        sales: dict[str, Callable[[Array], tuple[Array, Array]]] = {
            "vcg": lambda reports: rules.vcg(reports, unit),
            "pay_as_bid": lambda reports: rules.pay_as_bid(reports, unit),
            "bundle_myerson": lambda reports: rules.bundle_myerson(reports, self.bundles, unit),
            "item_myerson": lambda reports: rules.item_myerson(reports, self.distributions),
        }
        absent = self._without_direct
        return {name: self._direct(sale) for name, sale in sales.items() if name not in absent}

    @property
    def _without_direct(self) -> dict[str, str]:
        absent: dict[str, str] = {}
        if self.demand == "unit" and not self.matchable:
            large = f"of unit demand with more than {LARGEST_MATCHING} bidders and items: no best matching is searched"
            absent |= dict.fromkeys(("vcg", "pay_as_bid"), large)
        if self.demand == "unit" and self.m > 1:
            absent["item_myerson"] = "of unit demand: items sold apart compete for a bidder who has a use for one"
        if self.profiles is not None:
            drawn = "with types_file, which has profiles: the rule needs distributions of values"
            absent |= dict.fromkeys(("bundle_myerson", "item_myerson"), drawn)
        return absent

    @property
    def inapplicable_rules(self) -> Mapping[str, str]:
        """Named auctions that there are not, and which parameter rules them out."""
        if not self.announces:
            return self._without_direct
        unknown = f"with mechanism_mode='announce': it is no known menu of up to entries={self.entries}"
        return {name: self._without_direct.get(name, unknown) for name in NAMED if name not in self.members}

    def _direct(self, sale: Callable[[Array], tuple[Array, Array]]) -> Callable[[Array], Array]:
        size = 2 ** min(self.n, self.m) * (self.n + 1) if self.demand == "unit" else self.n * self.m

        def decided(reports: Array) -> Array:
            return in_slices(
                lambda some: self.joined(*sale(reports[some]), reports[some]), reports.shape[0], 8 * size, MEMORY
            )

        return decided

    @property
    def matchable(self) -> bool:
        """Whether there are few enough items or bidders to search the best matching."""
        return min(self.n, self.m) <= LARGEST_MATCHING

    def decide(self, parameters: Array, reports: Array) -> Array:
        """Compute the decision of the menus with parameters (B, D), for reports (B, n, m)."""

        def decided(some: slice) -> Array:
            shares, boosts, weights = self.menu_of(parameters[some])
            return self.sold(shares, boosts, weights, reports[some])

        return in_slices(decided, reports.shape[0], 4 * self.entries * (self.n + 1) * self.m, MEMORY)

    def menu_of(self, parameters: Array) -> tuple[Array, Array, Array]:
        """Return shares (..., J, n, m), boosts (..., J) and weights (..., n) of announced parameters (..., D)."""
        xp, logits = namespace(parameters), self.entries * (self.n + 1) * self.m
        grid = xp.reshape(parameters[..., :logits], (*parameters.shape[:-1], self.entries, self.n + 1, self.m))
        boosts = parameters[..., logits : logits + self.entries]
        return self.of_use(menus.shares_of(grid)), boosts, xp.exp(parameters[..., logits + self.entries :])

    def sold(self, shares: Array, boosts: Array, weights: Array, reports: Array) -> Array:
        """Compute the decision (B, d) of a menu, or of one a game, for reports (B, n, m).

        Args:
            shares: feasible, (J, n, m) or (B, J, n, m).
            boosts: (J,) or (B, J).
            weights: (n,) or (B, n).
            reports: values of the items.
        """
        sold = menus.choose(menus.worths(reports, shares, weights), boosts, weights)
        return self.joined(menus.given(shares, sold.entry), sold.payments, reports)

    def of_use(self, shares: Array) -> Array:
        """Scale shares (..., n, m) down to what bidders have a use for."""
        return menus.of_use(shares, self.demand == "unit")

    def decision_layout(self) -> Layout:
        """Return the logits of each bidder's share of each item, the unsold share last, and of the paid fractions."""
        return (
            Field("share_logits", (self.n + 1) * self.m, -LOGIT_BOUND, LOGIT_BOUND, "log-odds",
                  "of each bidder's share of each item, bidder by bidder, then of what nobody gets"),
            Field("payment_logits", self.n, -LOGIT_BOUND, LOGIT_BOUND, "log-odds",
                  "of the fraction that each bidder pays of the reported worth of its shares"),
        )  # fmt: skip

    def decision(self, actions: Array) -> Array:
        """Convert logits (B, (n + 1) m + n) to shares and paid fractions, (B, n m + n)."""
        xp = namespace(actions)
        logits = xp.reshape(actions[:, : -self.n], (actions.shape[0], self.n + 1, self.m))
        shares = self.of_use(menus.shares_of(logits))
        return self._flat(shares, 1 / (1 + xp.exp(-actions[:, -self.n :])))

    def action_of(self, decision: Array) -> Array:
        """Return the logits (B, (n + 1) m + n) nearest to shares and paid fractions (B, n m + n)."""
        xp, (shares, fractions) = namespace(decision), self.split(decision)
        paid = xp.clip(fractions, 1e-300, None) / xp.clip(1 - fractions, 1e-300, None)
        return self._flat(menus.logits_of(shares, LOGIT_BOUND), xp.clip(xp.log(paid), -LOGIT_BOUND, LOGIT_BOUND))

    def joined(self, shares: Array, payments: Array, reports: Array) -> Array:
        """Return shares (B, n, m) and payments (B, n), in money, as a decision (B, n m + n), given the reports."""
        xp, worth = namespace(shares), total(shares * reports)
        positive = worth > 0
        fractions = xp.where(positive, payments, 0 * payments) / xp.where(positive, worth, xp.ones_like(worth))
        return self._flat(shares, fractions)

    def split(self, decision: Array) -> tuple[Array, Array]:
        """Return shares (B, n, m) and paid fractions (B, n) of a decision (B, n m + n)."""
        shares = namespace(decision).reshape(decision[:, : -self.n], (decision.shape[0], self.n, self.m))
        return shares, decision[:, -self.n :]

    def _flat(self, shares: Array, numbers: Array) -> Array:
        xp = namespace(shares)
        return xp.concat([xp.reshape(shares, (shares.shape[0], -1)), numbers], axis=-1)

    def initial_state_from(self, types: Array) -> AuctionState:
        """Return games with given types (B, n, m) before the first step."""
        return AuctionState(**vars(super().initial_state_from(types)), shares=namespace(types).zeros_like(types))

    def settle(self, state: ReportingState, decision: Array) -> ReportingState:
        """Return the state after the items are shared and paid for."""
        shares, fractions = self.split(decision)
        payments = fractions * total(shares * state.reports)
        return evolve(state, shares=shares, utilities=total(shares * state.types), payments=payments)

    def outcome_error(self, state: ReportingState, outcome: np.ndarray) -> str | None:
        """Describe the fault of a supplied mechanism's menu, shares or paid fractions; None if valid."""
        if self.announces:
            return self.menu_error(outcome)
        shares, fractions = self.split(outcome)
        fault = rules.shares_error(shares, self.demand == "unit")
        if fault is not None:
            return fault
        wrong = fractions[(fractions < -rules.EXCESS) | (fractions > 1 + rules.EXCESS)]
        return f"takes {wrong[0]:g} of what shares are worth, allowed: a fraction in [0, 1]" if wrong.size else None

    def menu_error(self, parameters: np.ndarray) -> str | None:
        """Describe the fault of announced parameters (B, D); None if they lie within their bounds."""
        low, high = bounds(self.rule_layout())
        wrong = np.argwhere(~within(parameters, low, high))
        if not len(wrong):
            return None
        game, k = wrong[0].tolist()
        return f"has {self.rule_names[k]} = {parameters[game, k]:g}, allowed: numbers in [{low[k]:g}, {high[k]:g}]"

    # -- what it is about ---------------------------------------------------------------------------------------

    @cached_property
    def _limit(self) -> float | None:
        if self.objective == "revenue":
            return solutions.best_revenue(self)
        return solutions.best_welfare(self) if self.objective == "welfare" else None

    def limit(self) -> float | None:
        """Return the greatest revenue, for one item or one bidder where it is known; or the first best of welfare."""
        return self._limit

    def envy(self, state: ReportingState) -> Array:
        """Compute each bidder's largest gain from another's shares at the other's payment, (B, n), at least 0."""
        xp = namespace(state.types)
        worth = xp.matmul(state.types, xp.matrix_transpose(sold_shares(state)))  # row i: of everybody's shares to i
        gains = xp.max(worth - state.payments[:, None, :], axis=-1) - state.payoffs
        return xp.maximum(gains, 0 * gains)

    def infos(self, state: ReportingState) -> Mapping[str, Array]:
        """Return utilities and payments (B, n) and shares (B, n, m) of the outcome; zeros before there is one."""
        return {**super().infos(state), "shares": sold_shares(state)}

    def picture(self, state: ReportingState, index: int) -> dict[str, np.ndarray]:
        """Return types, reports, shares, utilities, payments and revenue of one game."""
        shares = np.asarray(sold_shares(state)[index])
        several = self.m > 1
        sold = {f"share{f' {j + 1}' if several else ''}": shares[:, j] for j in range(self.m)}
        return {**super().picture(state, index), **sold}

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """Myerson's revenue of one item; the best menu for one bidder and two, where it is known in closed form."""
        return solutions.known_solutions(self)

    def unknown_solutions(self) -> Mapping[str, NoSolution]:
        """List the greatest revenue of any truthful auction, where it is not known."""
        reason = solutions.unknown_revenue(self)
        return {} if reason is None else {"greatest revenue of a truthful auction": reason}


def sold_shares(state: ReportingState) -> Array:
    """Return the shares (B, n, m) of a state of this game."""
    return cast(AuctionState, state).shares
