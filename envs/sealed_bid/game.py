"""A sealed-bid auction: bidders see the rules that the mechanism has announced, and bid once.

A seller has slots of sizes alpha_1 >= .. >= alpha_K: one item (1,), k units (1, .., 1), or positions on a page, where
the first is seen most. The slots go to the bidders by rank of their scores, s_i = quality_i^squash (b_i - handicap_i);
bidders who are tied each get the average of the slots of the ranks that they have together. A bidder of quality q gets
q alpha_k out of slot k. Formulas of shares and payments are in :mod:`lawgiver.envs.sealed_bid.slots`, those of types in
:mod:`lawgiver.envs.sealed_bid.worth`, and equilibria in closed form in :mod:`lawgiver.envs.sealed_bid.solutions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace, transposed
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.fields import Field, Layout, columns
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.families.auction_game import AuctionGame, BidFunction
from lawgiver.envs.families.mechanism_game import MechanismState
from lawgiver.envs.files.profiles import draw_profiles, read_types
from lawgiver.envs.sealed_bid import beliefs, limits, solutions
from lawgiver.envs.sealed_bid.members import members
from lawgiver.envs.sealed_bid.parameters import PRICES, Values, check, layout
from lawgiver.envs.sealed_bid.slots import Terms, hold, least_bids
from lawgiver.envs.sealed_bid.subgame import SealedBidSubgame
from lawgiver.envs.sealed_bid.worth import affiliated, mineral_rights, private
from lawgiver.envs.solvers.auctions.distributions import Distribution


@dataclass(frozen=True)
class SealedBid(AuctionGame):
    """Bidders who each hand in one bid for a slot, under rules that the mechanism has announced.

    The mechanism announces w, the numbers listed in ``announced``. Every bidder then sees its value (or its signal of
    it) and w, and bids. A bid of 0 stays out, as does one below the reserve: it gets nothing and pays nothing. The
    slots go by rank of the bids; bidders who are tied get the average of the ranks that they have together, so that
    nothing is drawn at random.

    Args:
        n: number of bidders, 2 to 1,000.
        pricing: price of a unit of a slot: ``first``, the own bid; ``next``, the bid in the next rank (second price;
            with several slots, generalised second price); ``skip``, the bid two ranks below (third price); ``vcg``,
            what the others lose (for k equal slots, the highest bid that gets none); ``all_pay``, everybody pays its
            bid, whatever it gets. The reserve is the least price.
        announced: what the mechanism announces, one or more of ``reserve``, ``entry_fee``, ``mix``, ``squash``,
            ``handicaps``.
        slots: sizes of the slots, from the largest down, in (0, 1]; those beyond the number of bidders stay empty.
        information: what bidders know: ``private``, their own value; ``affiliated``, a signal each of what a unit is
            worth to both (n = 2); ``mineral_rights``, a signal each of what it is worth to everybody.
        values: least and greatest value, at least 0, or such a pair for each bidder; of ``private`` values alone.
        masses: relative probabilities of pieces of equal width from the least to the greatest value, on each of which
            the density is constant; None for a uniform one.
        quality: factor of what each bidder gets out of a slot, in (0, 1]: one for all, or one a bidder.
        risk_aversion: the bidders' coefficient of relative risk aversion, in [0, 1): a unit that is worth y more than
            its price counts as y^(1 - risk_aversion), 0 for risk neutral. Above 0 only winners may pay.
        high: largest bid; None for the greatest value or signal (of ``skip``: the largest bid in equilibrium).
        n_bids: number of bids, evenly from 0 to ``high``; None for all in between.
        reserve: least score that takes part, where it is not announced.
        entry_fee: paid by everybody who takes part, where it is not announced.
        mix: m in [0, 1], a price of m times the own bid and 1 - m times the one in the next rank, where it is not
            announced; None for what ``pricing`` says.
        squash: exponent of ``quality`` in scores, in [0, 1], where it is not announced.
        handicaps: subtracted from bids before they are compared, and added to prices, one a bidder, where they are not
            announced; None for none.
        types_file: an .npz file with the array ``values``, (N, n), or a CSV table (see
            :mod:`lawgiver.envs.files.profiles`), from which whole profiles are drawn instead, within the bounds of
            ``values``; None to draw by distribution.
        objective: the mechanism's reward: ``revenue``, ``welfare``, ``surplus`` of the bidders, or a registered
            objective.

    Raises:
        ParameterError: if a parameter is outside its range, or does not go with another.
    """

    n: int = 2
    pricing: Literal["first", "next", "skip", "vcg", "all_pay"] = "first"
    announced: Sequence[str] = ("reserve",)
    slots: Sequence[float] = (1.0,)
    information: Literal["private", "affiliated", "mineral_rights"] = "private"
    values: Values = (0.0, 1.0)
    masses: Sequence[float] | None = None
    quality: float | Sequence[float] = 1.0
    risk_aversion: float = 0.0
    high: float | None = None
    n_bids: int | None = None
    reserve: float = 0.0
    entry_fee: float = 0.0
    mix: float | None = None
    squash: float = 1.0
    handicaps: Sequence[float] | None = None
    types_file: str | None = None

    name: ClassVar[str] = "sealed_bid-v0"
    summary: ClassVar[str] = "sells slots to bidders under announced rules"
    reference: ClassVar[str] = (
        "Krishna 2009, Auction Theory, chapters 2 to 6; Edelman, Ostrovsky and Schwarz 2007, Internet Advertising and "
        "the Generalized Second-Price Auction"
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "first_price": {},
        "second_price": {"pricing": "next"},
        "third_price": {"pricing": "skip", "n": 3},
        "all_pay": {"pricing": "all_pay"},
        "two_units": {"n": 3, "slots": (1.0, 1.0)},
        "gsp": {"n": 3, "pricing": "next", "slots": (1.0, 0.5)},
        "asymmetric": {"values": ((0.0, 1.0), (0.0, 2.0))},
        "kaplan_zamir": {"values": ((0.0, 5.0), (6.0, 7.0))},
        "affiliated": {"information": "affiliated"},
        "mineral_rights": {"n": 3, "pricing": "next", "information": "mineral_rights"},
        "risk_averse": {"risk_aversion": 0.5},
    }
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "Bids on a grid": {"n_bids": 65},
        "Signals of a common worth": {"information": "mineral_rights"},
        "Everything announced": {
            "pricing": "next",
            "announced": ("reserve", "entry_fee", "mix", "squash", "handicaps"),
        },
    }

    def __post_init__(self) -> None:
        """Check every parameter."""
        check(self)

    # -- types, bids, w -----------------------------------------------------------------------------------------

    @cached_property
    def distributions(self) -> tuple[Distribution, ...]:
        """Distribution of each bidder's private value."""
        pairs = self.values if isinstance(self.values[0], tuple) else (self.values,) * self.n
        masses = (1.0,) if self.masses is None else tuple(self.masses)
        return tuple(Distribution(low, high, masses) for low, high in pairs)

    @property
    def qualities(self) -> tuple[float, ...]:
        """Quality of each bidder."""
        return (self.quality,) * self.n if isinstance(self.quality, (int, float)) else tuple(self.quality)

    @cached_property
    def alike(self) -> tuple[tuple[int, ...], ...]:
        """Seats by group: those of one have one distribution, one quality and one handicap, which is not announced."""
        own = range(self.n) if "handicaps" in self.announced else self.handicaps or (0.0,) * self.n
        groups: dict[Any, list[int]] = {}
        for seat, kind in enumerate(zip(self.distributions, self.qualities, own, strict=True)):
            groups.setdefault(kind, []).append(seat)
        return tuple(map(tuple, groups.values()))

    @cached_property
    def _group(self) -> np.ndarray:
        """Group of each seat, from 0, (n, 1)."""
        return np.array([[g] for _, g in sorted((i, g) for g, seats in enumerate(self.alike) for i in seats)])

    @property
    def mixes(self) -> bool:
        """Whether the price is a mix of the own score and the next."""
        return self.mix is not None or "mix" in self.announced

    @property
    def sizes(self) -> np.ndarray:
        """Sizes of the slots that somebody can be in, (K,)."""
        return np.array(self.slots[: self.n])

    @property
    def greatest(self) -> float:
        """Greatest value or signal of any bidder."""
        return max(each.high for each in self.distributions) if self.information == "private" else 2.0

    @property
    def largest_bid(self) -> float:
        """The largest bid."""
        if self.high is not None:
            return self.high
        if self.pricing == "skip" and self.n > 2 and self.information == "private":  # the bid of a third-price auction
            return max(d.high + 1 / ((self.n - 2) * float(d.pieces.densities[-1])) for d in self.distributions)
        return self.greatest

    @property
    def type_size(self) -> int:
        """The value; of a common worth, the signal and the worth."""
        return 1 if self.information == "private" else 2

    def type_layout(self) -> Layout:
        """Return the field of the value, or of the signal, and where bidders are not alike that of their group."""
        least = min(each.low for each in self.distributions)
        own = Field("value", 1, least, self.greatest, "money", "what a unit is worth to the bidder")
        if self.information != "private":
            own = Field("signal", 1, 0, self.greatest, "money", "what the bidder knows of what a unit is worth")
        if len(self.alike) == 1:
            return (own,)
        return own, Field("group", 1, 0, len(self.alike) - 1, "number", "of the bidders who are like this one, from 0")

    def parameter_layout(self) -> Layout:
        """Return the fields of what is announced."""
        return layout(self)

    @property
    def rule_formula(self) -> str | None:
        """Formula of scores and prices."""
        price = "mix own score + (1 - mix) next score" if self.mixes else PRICES[self.pricing]
        return f"score = quality^squash (bid - handicap) >= reserve; price in scores: {price}, at least the reserve"

    def announcement_layout(self) -> Layout | int:
        """Participants bid from 0, which is to stay out, to the largest bid."""
        if self.n_bids is not None:
            return self.n_bids
        return (Field("bid", 1, 0, self.largest_bid, "money", "bid for a unit; 0 stays out"),)

    @cached_property
    def profiles(self) -> np.ndarray | None:
        """Values (N, n, 1) of the game's ``types_file``, from which whole profiles are drawn; None without one."""
        return None if self.types_file is None else read_types(self.types_file, self.n, self.type_layout()[:1])

    def initial_types(self, draws: Array) -> Array:
        """Return values (B, n, 1), or signals and the worth (B, n, 2)."""
        if self.profiles is not None:
            return draw_profiles(self.profiles, draws)
        if self.information == "private":
            return private(self.distributions, draws)
        return (affiliated if self.information == "affiliated" else mineral_rights)(draws)

    def see_types(self, state: MechanismState) -> Array:
        """Return the values, or the signals without the worth, and where there are several the groups, (B, n, d)."""
        seen, xp = state.types[..., :1], namespace(state.types)
        if len(self.alike) == 1:
            return seen
        return xp.concat([seen, xp.zeros_like(seen) + constant(self._group, seen)], axis=-1)

    def announcements(self, actions: Array) -> Array:
        """Return bids (B, n) in money."""
        return actions[..., 0] if self.n_bids is None else actions * (self.largest_bid / (self.n_bids - 1))

    def expected_types(self, types: Array) -> Array:
        """Replace a worth that nobody knows by its expectation given all signals."""
        return beliefs.expected_types(self, types)

    def types_given(self, types: Array, seats: Array, draws: Array) -> Array:
        """Draw all types given one bidder's value or signal; see the base class."""
        return beliefs.types_given(self, types, seats, draws)

    # -- rules --------------------------------------------------------------------------------------------------

    @cached_property
    def _places(self) -> dict[str, slice]:
        return columns(self.parameter_layout())

    def terms(self, parameters: Array) -> Terms:
        """Collect the terms of auctions under w (B, D), with bidders along the first axis."""

        def by_game(name: str) -> Any:
            return parameters[:, self._places[name].start] if name in self._places else getattr(self, name)

        fee, handicaps, weights = by_game("entry_fee"), self.handicaps, None
        if "handicaps" in self._places:
            handicaps = parameters[:, self._places["handicaps"]].T
        elif handicaps is not None:
            handicaps = constant(handicaps, parameters)[:, None]
        qualities = None
        if set(self.qualities) != {1.0}:
            qualities = constant(self.qualities, parameters)[:, None]
            weights = qualities ** by_game("squash")
        return Terms(
            slots=self.sizes,
            pricing=self.pricing,
            reserve=by_game("reserve"),
            entry_fee=None if type(fee) is float and not fee else fee,
            mix=by_game("mix"),
            weights=weights,
            handicaps=handicaps,
            qualities=qualities,
        )

    def allocate(self, types: Array, announcements: Array, parameters: Array) -> Array:
        """Return share and payment of each bidder, (B, n, 2), for bids (B, n) under w (B, D)."""
        xp = namespace(announcements)
        shares, payments = hold(transposed(announcements), self.terms(parameters))
        return xp.permute_dims(xp.stack([shares, payments]), (2, 1, 0))

    def least_bids(self, parameters: Array) -> Array:
        """Compute the bid (..., n) of each bidder whose score is the reserve, under w (..., D)."""
        xp = namespace(parameters)
        flat = xp.reshape(parameters, (-1, parameters.shape[-1]))
        nobody = flat[:, 0] * constant(np.zeros((self.n, 1)), flat)
        return xp.reshape(least_bids(self.terms(flat), nobody).T, (*parameters.shape[:-1], self.n))

    def worth(self, types: Array) -> Array:
        """Return the worth of a unit to each bidder, (B, n, 1)."""
        return types[..., -1:]

    def utility(self, types: Array, allocations: Array) -> Array:
        """Return the worth of each bidder's share, (B, n)."""
        return types[..., -1] * allocations[..., 0]

    def attributed(self, types: Array, allocations: Array, utilities: Array) -> Array:
        """Compute the utility before payments, (B, n).

        After payments that of risk-averse bidders is share sign(y) |y|^(1 - risk_aversion), with y the worth of a unit
        less its price.
        """
        if not self.risk_aversion:
            return utilities
        xp = namespace(utilities)
        share, payment = allocations[..., 0], allocations[..., 1]
        wins = share > 0
        price = payment / xp.where(wins, share, xp.ones_like(share))
        gain = xp.where(wins, types[..., -1] - price, xp.zeros_like(share))
        size = xp.abs(gain)
        some = size > 0  # the power has no slope at 0
        power = xp.where(some, size, xp.ones_like(size)) ** (1 - self.risk_aversion)
        return share * xp.where(some, xp.sign(gain) * power, xp.zeros_like(size)) + payment

    @property
    def welfare_bounds(self) -> tuple[float, float]:
        """Nobody gets anything; every slot is worth the most that it can be."""
        return 0.0, float(self.sizes.sum()) * (1.0 if self.information == "mineral_rights" else self.greatest)

    @property
    def welfare_scale(self) -> float:
        """The greatest expected welfare of types drawn by distribution."""
        return self._best_welfare

    # -- what rational bidders could reach ----------------------------------------------------------------------

    @cached_property
    def clicks(self) -> tuple[Distribution, ...]:
        """Distribution of what a slot of size 1 is worth to each bidder: its value times its quality."""
        return tuple(
            Distribution(quality * each.low, quality * each.high, each.masses)
            for quality, each in zip(self.qualities, self.distributions, strict=True)
        )

    @cached_property
    def _best_welfare(self) -> float:
        return limits.best_welfare(self)

    def first_best(self) -> float | None:
        """Return the expected welfare of giving the slots to those to whom they are worth most."""
        return self._best_welfare if self.profiles is None else limits.best_welfare_of(self, self.profiles)

    @cached_property
    def _revenue_limit(self) -> float | None:
        return limits.revenue_limit(self)

    def limit(self) -> float | None:
        """Return a bound of the expected revenue, Myerson's optimum, if it is known.

        No equilibrium of rational bidders passes it, who are risk neutral and have independent private values.
        """
        return self._revenue_limit

    def references(self) -> Mapping[str, Mapping[str, float | None]]:
        """Myerson's revenue, and the first best, which bounds welfare and what risk-neutral bidders keep of it."""
        best = self.first_best()
        return {
            "revenue": {"limit": self.limit()},
            "welfare": {"first_best": best},
            "surplus": {"limit": None if self.risk_aversion else best},
        }

    @cached_property
    def subgame(self) -> SealedBidSubgame:
        """The bidders' subgame in tables."""
        return SealedBidSubgame(self)

    @property
    def members(self) -> Mapping[str, tuple[float, ...]]:
        """The mechanism that announces zeros, and the rules of :func:`lawgiver.envs.sealed_bid.members.members`."""
        return {**super().members, **members(self)}

    @property
    def baselines(self) -> tuple[str, ...]:
        """All canonical rules but the one that announces zeros, which may be no auction that anybody holds."""
        return tuple(name for name in self.members if name != "no_mechanism")

    def equilibrium_bids(self, parameters: Sequence[float] | np.ndarray, seat: int) -> BidFunction | NoSolution:
        """Find the bids of rational bidders; see :func:`lawgiver.envs.sealed_bid.solutions.equilibrium_bids`."""
        return solutions.equilibrium_bids(self, parameters, seat)

    def equilibrium_outcome(self, parameters: Sequence[float] | np.ndarray) -> dict[str, Any] | NoSolution:
        """Compute what these bids lead to; see :func:`lawgiver.envs.sealed_bid.solutions.equilibrium_outcome`."""
        return solutions.equilibrium_outcome(self, parameters)

    def known_solutions(self) -> tuple[KnownSolution, ...]:
        """Equilibria in closed form, with what a deviation gains."""
        return solutions.known(self)

    def unknown_solutions(self) -> Mapping[str, NoSolution]:
        """List the canonical rules whose equilibrium is not known, or not in closed form, each with the reason."""
        return {**super().unknown_solutions(), **solutions.numerical(self)}
