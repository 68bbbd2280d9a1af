"""Auctions by name: rules that can be announced, and bidders who are in equilibrium."""

from __future__ import annotations

from typing import Any

import numpy as np

from lawgiver.agents.mechanisms import canonical
from lawgiver.agents.policies import RulePolicy
from lawgiver.envs.core.arrays import Array, constant, detached
from lawgiver.envs.core.errors import NoSolution, UnsupportedGameError
from lawgiver.envs.core.fields import Layout, width
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.auction_game import AuctionGame

GROUP = "group"
"""Field of a type that tells groups of seats apart, and is no value."""


def truth_columns(seen: Layout) -> np.ndarray:
    """Return the columns of an observed type that do not tell groups of seats apart: values or signals."""
    flags = np.concatenate([np.full(field.size, field.name == GROUP) for field in seen])
    return np.flatnonzero(~flags)


def no_reserve(game: Game[Any]) -> Policy:
    """Return the mechanism that sells at any price, by the game's own rule."""
    return canonical(game, "no_reserve")


def myerson_reserve(game: Game[Any]) -> Policy:
    """Return the mechanism whose reserve (or handicaps) earns most from rational bidders (Myerson 1981)."""
    return canonical(game, "myerson_reserve")


def first_price(game: Game[Any]) -> Policy:
    """Return the mechanism that announces the own bid as the price, where the price is announced."""
    return canonical(game, "first_price")


def second_price(game: Game[Any]) -> Policy:
    """Return the mechanism that announces the next bid as the price, where the price is announced."""
    return canonical(game, "second_price")


def split_the_difference(game: Game[Any]) -> Policy:
    """Return the mechanism that sets the price halfway between bid and ask, without a spread."""
    return canonical(game, "split_the_difference")


class EquilibriumBidders(RulePolicy):
    """Bidders in the Bayesian equilibrium of the rule that they see, where it is known in closed form.

    Args:
        game: an auction whose bids are a Box.
    """

    def __init__(self, game: AuctionGame) -> None:
        """Keep the game; raises UnsupportedGameError where its bids are levels."""
        game.bid_layout()
        self.game = game
        self.seen = width(game.type_layout())
        self.values = truth_columns(game.type_layout())

    def action(self, obs: Array) -> Array:
        """Return the bids (B, n, k); raises UnsupportedGameError where the equilibrium is not known."""
        shown = np.asarray(detached(obs))
        values = shown[..., self.values]
        rules, which = np.unique(shown[:, 0, self.seen :], axis=0, return_inverse=True)
        bids = np.empty_like(values)
        for number, rule in enumerate(rules):
            games = which.reshape(-1) == number
            for seat in range(self.game.n):
                bid = self.game.equilibrium_bids(rule, seat)
                if isinstance(bid, NoSolution):
                    raise UnsupportedGameError(f"participant 'equilibrium' cannot play {self.game.name}: {bid}")
                bids[games, seat] = bid(values[games, seat])
        return constant(bids, obs)


def equilibrium(game: Game[Any]) -> Policy:
    """Return bidders who are in the Bayesian equilibrium of the rule announced, where it is known in closed form."""
    if not isinstance(game, AuctionGame):
        raise UnsupportedGameError(f"participant 'equilibrium' bids in auctions, not in {game.name}")
    return EquilibriumBidders(game)
