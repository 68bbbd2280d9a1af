"""Auctions of several items that decide by reported values: the base of learned ones, and learned menus.

A learned auction is a class with ``kind``, ``role`` and ``settings`` that derives from :class:`AuctionRule` and returns
shares and payments for reported values, on NumPy and on torch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from lawgiver.agents.learned import fill
from lawgiver.agents.reporting import DirectMechanism
from lawgiver.envs.core.arrays import Array, Rng, constant, namespace
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError, integer
from lawgiver.envs.core.fields import LOGIT_BOUND
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory
from lawgiver.envs.multi_item_auction import menus, rules
from lawgiver.envs.multi_item_auction.game import MultiItemAuction
from lawgiver.envs.solvers.mdp.model import in_slices

SLICE = 128.0
"""Memory that menus take at once, MiB."""


class AuctionRule(DirectMechanism):
    """A mechanism that sells several items by reported values (``allocate`` mode).

    Args:
        game: the game.
        name: of the mechanism, for error messages.

    Raises:
        UnsupportedGameError: if the game sells no items.
    """

    def __init__(self, game: Game[Any], name: str) -> None:
        """See the class."""
        self.auction = auction_of(game, name)
        super().__init__(self.auction)

    @abstractmethod
    def sell(self, values: Array) -> tuple[Array, Array]:
        """Return shares (B, n, m) and payments (B, n), in money, for reported values (B, n, m), on their backend.

        Payments lie between 0 and the reported worth of the shares; shares of an item add up to 1 at most, of unit
        demand those of a bidder as well.
        """

    def decision(self, reports: Array) -> Array:
        """Return the decision (B, d)."""
        return self.auction.joined(*self.sell(reports), reports)


class LearnedMenu(AuctionRule):
    """A menu with given entries, which can be kept in a folder once they are learned; see :mod:`~.menus` of the game.

    In ``announce`` mode the game's ``entries`` have to be as many at least; the rest give nothing. Boosts and weights
    have to lie within the bounds of what is announced: cut off they would be another menu.

    Args:
        game: the game.
        entries: number of entries, >= 1, where no numbers are given: they give nothing then.
        shares: a, feasible, (J, n, m).
        boosts: b, (J,); of one bidder, minus the prices.
        log_weights: log w, (n,); None for zeros, weights of 1.

    Attributes:
        shares: float64, like ``boosts`` and ``log_weights``.

    Raises:
        UnsupportedGameError: if the game sells no items, or announces menus with fewer entries or narrower bounds.
        ParameterError: if there is no entry, or one that hands out more than there is.
    """

    kind: ClassVar[str] = "menu"
    role: ClassVar[str] = "mechanism"
    either_mode: ClassVar[bool] = True

    def __init__(
        self,
        game: Game[Any],
        *,
        entries: int = 1,
        shares: np.ndarray | None = None,
        boosts: np.ndarray | None = None,
        log_weights: np.ndarray | None = None,
    ) -> None:
        """See the class."""
        super().__init__(game, self.kind)
        n, m = self.auction.n, self.auction.m
        count = integer("entries", entries if shares is None else len(shares), 1)
        if self.auction.announces and count > self.auction.entries:
            raise UnsupportedGameError(
                f"a menu of {count} entries cannot be announced in a game with entries={self.auction.entries}, allowed:"
                f" entries={count} or more, or mechanism_mode='allocate'"
            )
        self.settings: dict[str, Any] = {"entries": count}
        self.shares = _filled("shares", shares, (count, n, m))
        self.boosts = _filled("boosts", boosts, (count,))
        self.log_weights = _filled("log_weights", log_weights, (n,))
        self._check()

    def _check(self) -> None:
        wrong = rules.shares_error(self.shares, self.auction.demand == "unit")
        if wrong is not None:
            raise ParameterError(f"an entry of the menu {wrong}")
        if not self.auction.announces:
            return
        fault = self.auction.menu_error(self.announced[None])
        if fault is not None:
            raise UnsupportedGameError(
                f"a menu cannot be announced that {fault}; play it with mechanism_mode='allocate'"
            )

    def __repr__(self) -> str:
        """Give the number of entries and the weights."""
        weights = ", ".join(f"{weight:.3g}" for weight in np.exp(self.log_weights))
        return f"LearnedMenu({self.auction.name}: {len(self.boosts)} entries, weights {weights})"

    def state(self) -> dict[str, np.ndarray]:
        """Return shares, boosts and logarithms of the weights."""
        return {"shares": self.shares, "boosts": self.boosts, "log_weights": self.log_weights}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take the numbers of a saved menu."""
        fill(self.state(), arrays)
        self._check()

    def rule_parameters(self) -> dict[str, float | int]:
        """Give the weight of each bidder, and the number, the least and the greatest of the boosts."""
        weights = {f"weight_{i}": float(w) for i, w in enumerate(np.exp(self.log_weights))}
        ends = {"least boost": float(self.boosts.min()), "greatest boost": float(self.boosts.max())}
        return {**weights, **ends, "entries": len(self.boosts)}

    def choose(self, values: Array) -> menus.Sold:
        """Return the chosen entries (B,) and the payments (B, n) for reported values (B, n, m)."""
        shares, boosts, log_weights = (constant(each, values) for each in self.state().values())
        weights = namespace(values).exp(log_weights)
        return menus.choose(menus.worths(values, shares, weights), boosts, weights)

    def sell(self, values: Array) -> tuple[Array, Array]:
        """Return the shares (B, n, m) of the chosen entries, and the payments (B, n)."""
        sold = self.choose(values)
        return menus.given(constant(self.shares, values), sold.entry), sold.payments

    def decision(self, reports: Array) -> Array:
        """Return the decision (B, d), computed in slices of bounded memory."""
        size = 4 * self.auction.n * len(self.boosts)
        return in_slices(lambda some: super(LearnedMenu, self).decision(reports[some]), len(reports), size, SLICE)

    def outcome(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the parameters (B, D) where they are announced, else the decision (B, d); and the memory."""
        if not self.auction.announces:
            return super().outcome(obs, mask, state, rng)
        parameters = constant(self.announced, obs)
        return namespace(obs).broadcast_to(parameters, (obs.shape[0], *parameters.shape)), state

    @property
    def announced(self) -> np.ndarray:
        """The parameters that are announced: logits of shares, boosts, log w, (D,); entries that give nothing last."""
        spare = self.auction.entries - len(self.boosts)
        shares = np.concatenate([self.shares, np.zeros((spare, *self.shares.shape[1:]))])
        logits = menus.logits_of(shares, LOGIT_BOUND)
        return np.concatenate([logits.ravel(), self.boosts, np.zeros(spare), self.log_weights])


def auction_of(game: Game[Any], mechanism: str) -> MultiItemAuction:
    """Return the game as one that sells several items; raises UnsupportedGameError if it is none."""
    if not isinstance(game, MultiItemAuction):
        raise UnsupportedGameError(
            f"mechanism {mechanism!r} sells several items by reported values; {game.name} has none"
        )
    return game


def _filled(name: str, given: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    numbers = np.zeros(shape) if given is None else np.array(given, float)
    if numbers.shape != shape or not np.isfinite(numbers).all():
        told = f"has shape {numbers.shape}" if numbers.shape != shape else "holds numbers that are not finite"
        raise ParameterError(f"{name} {told}, allowed: finite numbers of shape {shape}")
    return numbers
