"""A combinatorial auction: bidders want bundles of items, and win one of theirs or nothing.

Each bidder has some bundles, which everybody knows, and a private value for each. It bids for all of its bundles at
once. The seller announces a reserve price r of an item, which is what an item is worth to it: what is bid for a bundle
of m items beyond m r is its *net* bid. The items are sold so that net bids add up to the most, and payments are those
of the pricing rule for net bids, and the reserves on top:

- ``vcg``: what the others' net bids would add up to without the bidder, less what they do with it: truthful.
- ``first``: the own bid.
- ``nearest_vcg``, ``nearest_zero``, ``nearest_bid``: core-selecting payments of two locals and a global bidder
  (:mod:`lawgiver.envs.combinatorial_auction.core_rules`).

A bid below the reserves takes no part. Where several allocations are worth most, each is chosen with the same chance,
and everybody gets and pays its expected share. Who bids just the reserves wins what nobody else bids more for; so does
who bids 0 without a reserve, as locals with low values do in equilibrium.

*Local-local-global* (LLG): each of two locals wants an item of its own, the global bidder wants both. With probability
``correlation`` the locals have one and the same value (Bernoulli weights; Ausubel and Baranov 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.combinatorial_auction import solutions
from lawgiver.envs.combinatorial_auction.bundles import Feasible, alike, feasible
from lawgiver.envs.combinatorial_auction.core_rules import RULES, shared
from lawgiver.envs.combinatorial_auction.parameters import check
from lawgiver.envs.combinatorial_auction.subgame import subgame
from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.auction_game import AuctionGame, BidFunction
from lawgiver.envs.families.mechanism_game import MechanismState
from lawgiver.envs.solvers.auctions.kernel_subgame import KernelSubgame

BundleLists = Sequence[Sequence[Sequence[int]]]
LLG: BundleLists = (((1,),), ((2,),), ((1, 2),))
LLLLGG: BundleLists = (
    ((1, 2), (2, 3)),
    ((3, 4), (4, 5)),
    ((5, 6), (6, 7)),
    ((7, 8), (8, 1)),
    ((1, 2, 3, 4), (5, 6, 7, 8)),
    ((3, 4, 5, 6), (7, 8, 1, 2)),
)


@dataclass(frozen=True)
class CombinatorialAuction(AuctionGame):
    """Bidders for bundles of items, of which each wins one at most.

    The mechanism announces the reserve price of an item. Every bidder then sees who it is among its rivals (its group),
    its values and the reserve, and bids for each of its bundles.

    Args:
        n: number of bidders, >= 2.
        bundles: the bundles of each bidder, lists of items; an item is any integer.
        high: greatest value of a bundle for each bidder, > 0; values are independent and uniform on [0, high].
        pricing: ``vcg``, ``first``; and in the local-local-global setting ``nearest_vcg``, ``nearest_zero``,
            ``nearest_bid``, payments in the core.
        correlation: probability that both locals have the same value, in [0, 1]; in the local-local-global setting.
        n_bids: number of bids, evenly from 0 to ``high``, >= 2, where everybody has one bundle; None for all in
            between, up to the greatest of all values.
        objective: the mechanism's reward: ``revenue``, ``welfare``, ``surplus`` of the bidders, or a registered
            objective.

    Raises:
        ParameterError: if a parameter is outside its range, or does not go with another.
    """

    n: int = 3
    bundles: BundleLists = LLG
    high: Sequence[float] = (1.0, 1.0, 2.0)
    pricing: Literal["vcg", "first", "nearest_vcg", "nearest_zero", "nearest_bid"] = "nearest_vcg"
    correlation: float = 0.0
    n_bids: int | None = None

    name: ClassVar[str] = "combinatorial_auction-v0"
    summary: ClassVar[str] = "sells bundles of items, at a reserve price"
    reference: ClassVar[str] = (
        "Ausubel and Baranov, Core-selecting auctions with incomplete information (International Journal of Game "
        "Theory 2020); Bosshard, Buenz, Lubin and Seuken, Computing Bayes-Nash Equilibria in Combinatorial Auctions "
        "with Verification (JAIR 2020)"
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "llg": {},
        "llllgg": {"n": 6, "bundles": LLLLGG, "high": (1.0, 1.0, 1.0, 1.0, 2.0, 2.0), "pricing": "vcg"},
    }
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "Bids on a grid": {"n_bids": 65},
        "Four locals and two globals": presets["llllgg"],
    }

    def __post_init__(self) -> None:
        """Check every parameter, and list the feasible allocations."""
        check(self)
        self.feasible  # noqa: B018  # there may be too many

    # -- what is sold -------------------------------------------------------------------------------------------

    @cached_property
    def _sets(self) -> tuple[tuple[frozenset[int], ...], ...]:
        return tuple(tuple(frozenset(bundle) for bundle in own) for own in self.bundles)

    @cached_property
    def feasible(self) -> Feasible:
        """The feasible allocations."""
        return feasible(self._sets)

    @cached_property
    def places(self) -> int:
        """Number of bundles K of the bidder that has most."""
        return max(len(own) for own in self.bundles)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Number of items of each bidder's bundles, (n, K); 0 in places that a bidder does not use."""
        return _padded([[len(bundle) for bundle in own] for own in self._sets], self.places)

    @cached_property
    def highs(self) -> np.ndarray:
        """Greatest value of each bidder's bundles, (n, K); 0 in places that a bidder does not use."""
        return np.where(self.sizes > 0, np.array(self.high)[:, None], 0.0)

    @cached_property
    def groups(self) -> np.ndarray:
        """The group of each bidder, (n,): those in one group cannot be told apart."""
        return alike(self._sets, self.high)

    @property
    def is_llg(self) -> bool:
        """Whether the first two bidders are locals and the third is global."""
        return solutions.is_llg(self._sets)

    # -- types, bids, w -----------------------------------------------------------------------------------------

    @property
    def type_size(self) -> int:
        """The values, and the group."""
        return self.places + 1

    def type_layout(self) -> Layout:
        """Return the fields of the values, and where there are several that of the group."""
        count, most = int(self.groups.max()) + 1, float(self.highs.max())
        values = Field("values", self.places, 0, most, "money", "what each of the bidder's bundles is worth to it")
        told = "of the bidders who are like this one but for their items, from 0"
        return (values, Field("group", 1, 0, count - 1, "number", told)) if count > 1 else (values,)

    def initial_types(self, draws: Array) -> Array:
        """Return values, uniform on [0, high], and groups by seat, (B, n, K + 1)."""
        xp = namespace(draws)
        values = draws[..., :-1] * constant(self.highs, draws)
        groups = constant(self.groups, draws) + 0 * draws[..., -1]
        types = xp.concat([values, groups[..., None]], axis=-1)
        return self._with_one_value(types, types[:, :1], 1, draws) if self.correlation else types

    def types_given(self, types: Array, seats: Array, draws: Array) -> Array:
        """Draw the types of all bidders given that of one; see the base class. A local knows of the other."""
        xp = namespace(types)
        fresh = super().types_given(types, seats, draws)
        if not self.correlation:
            return fresh
        own = (constant(range(self.n), types) == seats[:, None])[..., None]
        free = constant(self.highs, draws) * draws[..., :-1]
        apart = xp.where(own, types, xp.concat([free, fresh[..., -1:]], axis=-1))
        told = self._with_one_value(apart, apart[:, :1], 1, draws)
        return xp.where(own[:, 1:2], self._with_one_value(apart, apart[:, 1:2], 0, draws), told)

    def _with_one_value(self, types: Array, known: Array, seat: int, draws: Array) -> Array:
        """Give a local (seat 0 or 1) the value of the other, ``known`` (B, 1, 2), with the chance of ``correlation``.

        As a share of the greatest value, which may not be the same.
        """
        xp = namespace(types)
        same = draws[:, :1, -1:] < self.correlation
        ratio = constant([self.high[seat] / self.high[1 - seat], 1.0], types)
        given = xp.where(same, ratio * known, types[:, seat : seat + 1])
        return xp.concat([types[:, :seat], given, types[:, seat + 1 :]], axis=1)

    def see_types(self, state: MechanismState) -> Array:
        """Return the values, and where there are several the group, (B, n, d)."""
        return state.types if self.groups.any() else state.types[..., :-1]

    def parameter_layout(self) -> Layout:
        """Return the reserve."""
        most = float((self.highs / np.maximum(self.sizes, 1)).max())
        return (Field("reserve", 1, 0, most, "money an item", "least price of every item of a bundle"),)

    @property
    def rule_formula(self) -> str | None:
        """Formula of the payments."""
        price = {"vcg": "what the others lose", "first": "the bid"}.get(self.pricing, f"{self.pricing} in the core")
        return f"price of m items: {price}, at least m reserve; bids below m reserve take no part"

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The mechanism that announces zeros, which is to sell without a reserve."""
        return {**super().members, "no_reserve": (0.0,)}

    @property
    def baselines(self) -> tuple[str, ...]:
        """The auction without a reserve."""
        return ("no_reserve",)

    def announcement_layout(self) -> Layout | int:
        """Participants bid for each of their bundles."""
        if self.n_bids is not None:
            return self.n_bids
        most = float(self.highs.max())
        return (Field("bids", self.places, 0, most, "money", "for each of the bidder's bundles"),)

    def announcements(self, actions: Array) -> Array:
        """Return bids in money, (B, n, K), or (B, n) where everybody has one bundle."""
        if self.n_bids is not None:
            return actions * constant(self.highs[:, 0] / (self.n_bids - 1), actions)
        return actions[..., 0] if self.places == 1 else actions

    # -- rules --------------------------------------------------------------------------------------------------

    def worth(self, types: Array) -> Array:
        """Return the values of each bidder's bundles, (B, n, K)."""
        return types[..., :-1]

    def least_bids(self, parameters: Array) -> Array:
        """Compute the least bid of each bidder that takes part, (..., n), for its smallest bundle, under w (..., 1)."""
        return parameters * constant(np.where(self.sizes > 0, self.sizes, np.inf).min(axis=-1), parameters)

    def allocate(self, types: Array, announcements: Array, parameters: Array) -> Array:
        """Compute chances to win each bundle, and payments, (B, n, K + 1), for bids (B, n[, K]) under w (B, 1)."""
        xp = namespace(announcements)
        count, places = self.n, self.places
        bids = xp.reshape(announcements, (-1, count * places)).T
        reserves = constant(self.sizes.reshape(-1, 1), bids) * parameters.T
        net = bids - reserves
        out = net < 0
        net = xp.where(out, constant(-self.highs.max(), bids), net)  # below 0 by more than rounding
        worth = self.feasible.worth(net)
        shares, best = self.feasible.shares(net, worth)
        apart = (count, places, -1)
        if self.pricing in RULES:
            payments = self._core_payments(xp.where(out, xp.zeros_like(net), net), shares) + reserves * shares
        elif self.pricing == "first":
            payments = xp.sum(xp.reshape(bids * shares, apart), axis=1)
        else:
            own = xp.sum(xp.reshape((net + reserves) * shares, apart), axis=1)
            payments = self.feasible.best_without(worth) - best + own
        both = xp.concat([xp.reshape(shares, apart), payments[:, None]], axis=1)
        return xp.permute_dims(both, (2, 0, 1))

    def _core_payments(self, net: Array, shares: Array) -> Array:
        """Compute the expected payments (3, B) of two locals and a global for net bids, 0 of who takes no part."""
        xp = namespace(net)
        locals_pay = shared(self.pricing, net[:2], net[2])
        return shares * xp.concat([locals_pay, xp.sum(net[:2], axis=0)[None]])

    @property
    def welfare_bounds(self) -> tuple[float, float]:
        """Nothing is sold; the bundles that can be worth most are worth it."""
        return 0.0, float(self.feasible.worth(self.highs.reshape(-1, 1)).max())

    @property
    def welfare_scale(self) -> float:
        """The greatest expected worth of an allocation that does not depend on values."""
        return self.welfare_bounds[1] / 2

    # -- exact solutions --------------------------------------------------------------------------------------

    @cached_property
    def subgame(self) -> KernelSubgame:
        """The bidders' subgame in tables."""
        return subgame(self)

    def first_best(self) -> float | None:
        """Return the expected worth of the best allocations, where it is known in closed form."""
        return solutions.first_best(self)

    def references(self) -> Mapping[str, Mapping[str, float | None]]:
        """List bounds of revenue (Myerson's), and of welfare and surplus (the first best), None where not known."""
        best = self.first_best()
        return {
            "revenue": {"limit": solutions.revenue_limit(self)},
            "welfare": {"first_best": best},
            "surplus": {"limit": best},
        }

    def equilibrium_bids(self, parameters: Sequence[float] | np.ndarray, seat: int) -> BidFunction | NoSolution:
        """See :func:`lawgiver.envs.combinatorial_auction.solutions.equilibrium_bids`."""
        return solutions.equilibrium_bids(self, parameters, seat)

    def equilibrium_outcome(self, parameters: Sequence[float] | np.ndarray) -> Mapping[str, Any] | NoSolution:
        """See :func:`lawgiver.envs.combinatorial_auction.solutions.equilibrium_outcome`."""
        return solutions.equilibrium_outcome(self, parameters)

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The equilibrium of two locals and a global, under vcg and core-selecting payments."""
        return solutions.known_solutions(self)


def _padded(rows: Sequence[Sequence[int]], width: int) -> np.ndarray:
    return np.array([[*row, *[0] * (width - len(row))] for row in rows])
