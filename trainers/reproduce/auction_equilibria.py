"""Known equilibria of auctions, played by the games' own rules beside what they are worth in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import NoSolution, UnsupportedGameError
from lawgiver.envs.core.fields import width
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.objectives import welfare
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.trainers.bidding.seats import announced
from lawgiver.trainers.reproduce.table import Cell
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import BIDDING

GAMES = 2**18
"""Auctions that are played of each setting."""


@dataclass(frozen=True)
class Setting:
    """An auction whose equilibrium is known.

    Attributes:
        name: what the table calls it.
        game: its name.
        params: parameters of the game.
        announced: w, as a canonical rule of the game or as numbers.
    """

    name: str
    game: str
    params: Mapping[str, Any] = field(default_factory=dict)
    announced: str | tuple[float, ...] = "no_reserve"

    def make(self) -> AuctionGame:
        """Make the game."""
        game = make_game(self.game, **self.params)
        assert isinstance(game, AuctionGame)
        return game

    def parameters(self, game: AuctionGame) -> np.ndarray:
        """Return w (D,)."""
        given = self.announced
        return np.array(game.members[given] if isinstance(given, str) else given, float)


def _sealed(name: str, announced: str | tuple[float, ...] = "no_reserve", **params: Any) -> Setting:
    return Setting(name, "sealed_bid", params, announced)


ONE_ITEM = {"first price": "first", "second price": "next", "all-pay": "all_pay"}
SETTINGS = (
    *(_sealed(f"{name}, n = {n}", n=n, pricing=pricing) for name, pricing in ONE_ITEM.items() for n in (2, 3, 5)),
    _sealed("third price, n = 3", n=3, pricing="skip"),
    *(
        _sealed(f"{name}, n = {n}, reserve 1/2", "myerson_reserve", n=n, pricing=pricing)
        for name, pricing in ONE_ITEM.items()
        for n in ((2, 3, 5) if pricing == "first" else (2,))
    ),
    _sealed("second price, n = 2, entry fee 1/4", pricing="next", entry_fee=0.25),
    _sealed("first price, n = 2, risk aversion 1/2", risk_aversion=0.5),
    _sealed("first price, n = 2, risk aversion 1/2, reserve 1/e", (math.exp(-1),), risk_aversion=0.5),
    _sealed("generalised second price, n = 3, slots 1, 1/2", preset="gsp"),
    _sealed("VCG, n = 3, slots 1, 1/2", n=3, pricing="vcg", slots=(1.0, 0.5)),
    _sealed("pay as bid, n = 3, slots 1, 1/2", n=3, slots=(1.0, 0.5)),
    _sealed("VCG, n = 3, slots 1, 1/2, reserve 1/2", "myerson_reserve", n=3, pricing="vcg", slots=(1.0, 0.5)),
    _sealed("two units, pay as bid, n = 3", preset="two_units"),
    _sealed("two units, uniform price, n = 3", preset="two_units", pricing="vcg"),
    _sealed("first price, U[0, 1] against U[0, 2]", preset="asymmetric"),
    _sealed("second price, U[0, 1] against U[0, 2]", preset="asymmetric", pricing="next"),
    _sealed("first price, U[0, 5] against U[6, 7] (Kaplan and Zamir)", preset="kaplan_zamir"),
    _sealed("second price, mineral rights, n = 3", preset="mineral_rights"),
    _sealed("first price, affiliated signals", preset="affiliated"),
    _sealed("second price, affiliated signals", preset="affiliated", pricing="next"),
    *(
        Setting(f"LLG, {rule.replace('_', ' ')}, correlation {gamma:g}", "combinatorial_auction", params)
        for rule in ("vcg", "nearest_zero", "nearest_vcg", "nearest_bid")
        for gamma in (0.0, 0.5, 1.0)
        for params in [{"preset": "llg", "pricing": rule, "correlation": gamma}]
    ),
    *(Setting(f"k-double auction, k = {k:g}", "double_auction", {}, (k, 0.0)) for k in (0.0, 0.25, 0.5, 1.0)),
)
"""Values are uniform on [0, 1] where nothing else is said."""


@dataclass(frozen=True)
class Played:
    """Means over games in which everybody bids as in equilibrium, each with its standard error.

    Attributes:
        revenue: of the seller.
        welfare: worth of what was sold.
        payoffs: of each bidder.
    """

    revenue: Estimate
    welfare: Estimate
    payoffs: tuple[Estimate, ...]


def played(game: AuctionGame, parameters: np.ndarray, seed: int = 0) -> Played:
    """Play ``GAMES`` auctions under w (D,) with the bids of the known equilibrium.

    Raises:
        UnsupportedGameError: if no equilibrium is known.
    """
    functions = []
    for seat in range(game.n):
        bids = game.equilibrium_bids(parameters, seat)
        if isinstance(bids, NoSolution):
            raise UnsupportedGameError(f"{game.name}: {bids}")
        functions.append(bids)
    rng = np.random.default_rng([BIDDING, seed])
    state = announced(game, parameters, GAMES, rng)
    seen = game.see_types(state)[..., : width(game.bid_layout())]
    actions = np.stack([bids(seen[:, seat]) for seat, bids in enumerate(functions)], axis=1)
    state, *_ = game.step(state, actions, {})
    found = np.column_stack([game.revenue(state), welfare(state), state.payoffs])
    revenue, worth, *payoffs = (Estimate.of_samples(column) for column in found.T)
    return Played(revenue, worth, tuple(payoffs))


def rows(settings: tuple[Setting, ...] = SETTINGS) -> Iterator[dict[str, Cell]]:
    """Tabulate settings: revenue, welfare and the first bidder's payoff, played and in closed form.

    Yields:
        A row for each, with ``apart``, the largest distance of what was played from the closed form in standard errors,
        over revenue, welfare and all bidders' payoffs.
    """
    for number, setting in enumerate(settings):
        game = setting.make()
        w = setting.parameters(game)
        known = game.equilibrium_outcome(w)
        if isinstance(known, NoSolution):
            raise UnsupportedGameError(f"{setting.name}: {known}")
        found = played(game, w, number)
        pairs = [(found.revenue, known["revenue"]), (found.welfare, known["welfare"])]
        pairs += zip(found.payoffs, np.asarray(known["payoff"]).tolist(), strict=True)
        yield {
            "auction": setting.name,
            "revenue, played": found.revenue,
            "closed form": known["revenue"],
            "welfare, played": found.welfare,
            "welfare, closed form": known["welfare"],
            "first bidder's payoff, played": found.payoffs[0],
            "payoff, closed form": float(np.asarray(known["payoff"])[0]),
            "furthest apart, standard errors": max(apart(*pair) for pair in pairs),
        }


def apart(estimate: Estimate, exact: float) -> float:
    """Compute how many standard errors an estimate is from what it should be; 0 where both are the same number."""
    distance = abs(estimate.mean - exact)
    if distance <= 1e-12 or estimate.standard_error is None:
        return 0.0
    return distance / estimate.standard_error
