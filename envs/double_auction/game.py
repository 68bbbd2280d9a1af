"""A double auction: a mechanism sets the price between buyers who bid and sellers who ask.

Of n traders, n - m can each buy a unit of a good and m can each sell one. Values and costs are private, independent and
uniform on [0, high]. Everybody names a price at once; the market matches the highest bids with the lowest asks.

Under ``k_double`` the mechanism announces k, which places the price between the offers at the margin, and a spread,
which it keeps of every trade: between one buyer and one seller there is trade if bid - ask >= spread, at

    k bid + (1 - k) (ask + spread)

for the buyer, of which the seller gets all but the spread. A spread that the market did not keep would change nothing:
both sides would shift their offers by it. ``mcafee`` is truthful; there the mechanism announces the spread alone.

The participants' payments add up to what the market keeps: the spread of every trade, and under ``mcafee`` the gap
between the prices of the two sides. It is never negative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import NoSolution, choice, integer, number
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.core.game import LARGEST_CHOICE, LARGEST_SEATS, KnownSolution
from lawgiver.envs.double_auction import solutions
from lawgiver.envs.double_auction.subgame import subgame
from lawgiver.envs.double_auction.trading import k_double, mcafee
from lawgiver.envs.families.auction_game import AuctionGame, BidFunction
from lawgiver.envs.solvers.auctions.kernel_subgame import KernelSubgame

PRICINGS = ("k_double", "mcafee")
BUYER, SELLER = 0, 1


@dataclass(frozen=True)
class DoubleAuction(AuctionGame):
    """Buyers and sellers of a good, each with a private value or cost.

    The mechanism announces k and the spread (the spread alone under ``mcafee``); each participant then sees its side of
    the market, its value or cost and the rule, and names a price. The first seats buy, the last ``sellers`` sell.

    Args:
        n: number of traders, >= 2.
        sellers: m, how many of them sell, 1 to n - 1.
        high: greatest value and cost, > 0; both are uniform on [0, high], and so is what can be bid or asked.
        pricing: ``k_double``, a price between the offers at the margin; ``mcafee``, McAfee's truthful auction.
        n_bids: number of prices that can be named, evenly from 0 to ``high``, >= 2; None for all in between.
        objective: the mechanism's reward: ``welfare``, the gains from trade; ``revenue``, what the market keeps;
            ``surplus``, the traders' payoffs; or an objective of the entry-point group.

    Raises:
        ParameterError: if a parameter is outside its range.
    """

    n: int = 2
    sellers: int = 1
    high: float = 1.0
    pricing: Literal["k_double", "mcafee"] = "k_double"
    n_bids: int | None = None
    objective: str = field(default="welfare", kw_only=True)

    name: ClassVar[str] = "double_auction-v0"
    summary: ClassVar[str] = "sets the price between buyers and sellers"
    reference: ClassVar[str] = (
        "Chatterjee and Samuelson, Bargaining under Incomplete Information (Operations Research 1983); McAfee, "
        "A Dominant Strategy Double Auction (Journal of Economic Theory 1992)"
    )
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "McAfee's truthful auction": {"n": 10, "sellers": 5, "pricing": "mcafee"},
        "Prices on a grid": {"n_bids": 65},
    }
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "a buyer's value less what it pays, or what a seller gets less its cost, if it trades",
        "mechanism": "the `objective`, when the market has closed; `revenue` is what it keeps of all trades",
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        n = integer("n", self.n, 2, LARGEST_SEATS)
        settings = {
            "n": n,
            "sellers": integer("sellers", self.sellers, 1, n - 1),
            "high": number("high", self.high, "[1e-12, 1e12]"),
            "n_bids": None if self.n_bids is None else integer("n_bids", self.n_bids, 2, LARGEST_CHOICE),
        }
        for name, value in settings.items():
            object.__setattr__(self, name, value)
        self.check_objective()
        choice("pricing", self.pricing, PRICINGS)

    @property
    def buyers(self) -> int:
        """Number of buyers, n - m."""
        return self.n - self.sellers

    @cached_property
    def groups(self) -> np.ndarray:
        """The side of each seat, (n,): 0 buys, 1 sells."""
        return np.repeat([BUYER, SELLER], [self.buyers, self.sellers])

    # -- types, announcements, w --------------------------------------------------------------------------------

    @property
    def type_size(self) -> int:
        """The value or cost, and the side."""
        return 2

    def type_layout(self) -> Layout:
        """Return the fields of the value or cost, and of the side."""
        return (
            Field("value", 1, 0, self.high, "money", "what a unit is worth to a buyer; what it costs a seller"),
            Field("group", 1, 0, 1, "number", "side of the market: 0 buys, 1 sells"),
        )

    def initial_types(self, draws: Array) -> Array:
        """Return values or costs, uniform on [0, high], and sides by seat, (B, n, 2)."""
        sides = constant(self.groups, draws) + 0 * draws[..., 1]
        return namespace(draws).stack([self.high * draws[..., 0], sides], axis=-1)

    def parameter_layout(self) -> Layout:
        """Return k, where it has a say, and the spread."""
        spread = Field("spread", 1, 0, self.high, "money", "what the market keeps of every trade")
        if self.pricing == "mcafee":
            return (spread,)
        return (Field("k", 1, 0, 1, "weight", "of the bid in the price, against the ask"), spread)

    @property
    def rule_formula(self) -> str | None:
        """Formula of the trades and prices."""
        if self.pricing == "mcafee":
            return "all efficient trades at the mean of the next bid and ask, or all but the last at its offers"
        return "trade if bid - ask >= spread, at k bid + (1 - k) (ask + spread); the market keeps the spread"

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The canonical rules: who sets the price; for one buyer and one seller also the broker's best rule."""
        if self.pricing == "mcafee":
            return {**super().members, "no_spread": (0.0,)}
        known = {"sellers_offer": (0.0, 0.0), "split_the_difference": (0.5, 0.0), "buyers_bid": (1.0, 0.0)}
        return {**super().members, **known, **({"broker": (0.5, self.high / 3)} if self.n == 2 else {})}

    @property
    def baselines(self) -> tuple[str, ...]:
        """All canonical rules but the one that announces zeros, which is among them by another name."""
        return tuple(name for name in self.members if name != "no_mechanism")

    def announcement_layout(self) -> Layout | int:
        """Participants name a price."""
        if self.n_bids is not None:
            return self.n_bids
        return (Field("bid", 1, 0, self.high, "money", "the most to pay, or the least to sell for"),)

    def announcements(self, actions: Array) -> Array:
        """Return bids and asks (B, n)."""
        return actions[..., 0] if self.n_bids is None else actions * (self.high / (self.n_bids - 1))

    # -- rules --------------------------------------------------------------------------------------------------

    def worth(self, types: Array) -> Array:
        """Return values of buyers and minus the costs of sellers, (B, n, 1)."""
        return (types[..., 0] * (1 - 2 * types[..., 1]))[..., None]

    def allocate(self, types: Array, announcements: Array, parameters: Array) -> Array:
        """Compute the expected trades and payments, (B, n, 2): sellers' payments are negative."""
        xp, spread = namespace(announcements), parameters[:, -1:]
        bids, asks = announcements[:, : self.buyers], announcements[:, self.buyers :] + spread
        if self.pricing == "mcafee":
            trades = mcafee(bids, asks, self.high + spread)
        else:
            trades = k_double(bids, asks, parameters[:, :1], self.high + spread)
        paid = trades.bought * trades.buyers_price
        received = trades.sold * (trades.sellers_price - spread)
        shares = xp.concat([trades.bought, trades.sold], axis=-1)
        return xp.stack([shares, xp.concat([paid, -received], axis=-1)], axis=-1)

    @property
    def welfare_bounds(self) -> tuple[float, float]:
        """Bounds: costs of ``high`` for values of 0 in every possible trade, and the reverse."""
        most = self.high * min(self.buyers, self.sellers)
        return -most, most

    @property
    def welfare_scale(self) -> float:
        """The expected gains from all efficient trades."""
        return self.first_best()

    # -- exact solutions --------------------------------------------------------------------------------------

    @cached_property
    def subgame(self) -> KernelSubgame:
        """The traders' subgame in tables."""
        return subgame(self)

    def first_best(self) -> float:
        """Return the expected gains from all efficient trades."""
        return solutions.first_best(self)

    def optimum(self) -> float | None:
        """Return the largest gains that rational traders can be brought to, with one buyer and one seller."""
        return solutions.largest_welfare(self)

    def references(self) -> Mapping[str, Mapping[str, float | None]]:
        """List what rational traders could reach: of gains from trade, and of what the market keeps."""
        return {**super().references(), "revenue": {"optimum": solutions.largest_revenue(self)}}

    def equilibrium_bids(self, parameters: Sequence[float] | np.ndarray, seat: int) -> BidFunction | NoSolution:
        """See :func:`lawgiver.envs.double_auction.solutions.equilibrium_bids`."""
        return solutions.equilibrium_bids(self, parameters, seat)

    def equilibrium_outcome(self, parameters: Sequence[float] | np.ndarray) -> Mapping[str, Any] | NoSolution:
        """See :func:`lawgiver.envs.double_auction.solutions.equilibrium_outcome`."""
        return solutions.equilibrium_outcome(self, parameters)

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """The first best; with one buyer and one seller the equilibrium under each canonical rule."""
        return solutions.known_solutions(self)
