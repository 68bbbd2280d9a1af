"""Auctions: participants bid, and the mechanism, which has announced its rules, allocates and charges.

A participant's type is what it knows of its worth; it announces a bid. The allocation rule returns what everybody gets
and pays: the last column of the allocations is the payment, those before it are shares, in [0, 1], of the things that
the game sells. Ties are shared in expectation, so that nothing is drawn at random.

The mechanism is paid revenue, welfare or the bidders' surplus, once a game.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.core.errors import NoSolution, UnsupportedGameError
from lawgiver.envs.core.fields import Layout, width
from lawgiver.envs.families.revenue_game import RevenueGame

BidFunction: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Values or signals to bids, of the same shape."""


@dataclass(frozen=True)
class AuctionGame(RevenueGame):
    """Participants who bid under announced rules.

    Args:
        n: number of bidders.
        objective: the mechanism's reward: ``revenue``, what the bidders pay; ``welfare``, what they get is worth;
            ``surplus``, their payoffs; or an objective of the entry-point group.
    """

    payoff_unit: ClassVar[str] = "money"
    reward_meaning: ClassVar[Mapping[str, str]] = {
        "participant": "the worth of what it gets less what it pays, when the auction is over",
        "mechanism": "the `objective`, when the auction is over; `revenue` is the sum of payments",
    }

    @abstractmethod
    def worth(self, types: Array) -> Array:
        """Compute what a whole share of each thing is worth to each bidder, (B, n, p - 1)."""

    @abstractmethod
    def allocate(self, types: Array, announcements: Array, parameters: Array) -> Array:
        """Compute shares and payment of each bidder, (B, n, p), for bids (B, n[, k]) under w (B, D)."""

    def least_bids(self, parameters: Array) -> Array:
        """Compute the least bid of each bidder that takes part under w (..., D), (..., n); by default any does."""
        return parameters[..., :1] * constant(np.zeros(self.n), parameters)

    def transfer(self, types: Array, allocations: Array, parameters: Array) -> Array:
        """Return minus the payments, (B, n)."""
        return -allocations[..., -1]

    def utility(self, types: Array, allocations: Array) -> Array:
        """Compute the worth of each bidder's shares, (B, n)."""
        return namespace(allocations).sum(self.worth(types) * allocations[..., :-1], axis=-1)

    @property
    def baselines(self) -> tuple[str, ...]:
        """All canonical rules."""
        return tuple(self.members)

    # -- what audits and judges of bids ask ---------------------------------------------------------------------

    def truthful_bids(self, types: Array) -> Array:
        """Return the actions (B, n, k) of bidders who bid their own worth, in auctions whose bids are a Box of size k.

        By default they are the first k numbers of a type: the value, or the signal. A game in which a bid has other
        numbers than a type, or another unit, redefines it.
        """
        return types[..., : width(self.bid_layout())]

    def expected_types(self, types: Array) -> Array:
        """Return types (B, n, q) whose hidden numbers are replaced by what all signals together lead to expect.

        Worth is linear in what is hidden, so that :meth:`worth` of the result is the expected worth given all signals:
        audits measure the rule, not the luck of a draw. By default nothing is hidden.
        """
        return types

    def types_given(self, types: Array, seats: Array, draws: Array) -> Array:
        """Draw the types (B, n, q) of all bidders, given what one bidder of each game sees of its own.

        Args:
            types: (B, n, q), of which only what bidder ``seats[b]`` sees of its own type is used.
            seats: the bidder that knows its type, (B,).
            draws: uniform numbers in [0, 1), as of :meth:`draw_initial`.

        By default types are independent, and the others are drawn anew. A game whose types depend on each other draws
        from their distribution given that bidder's signal.
        """
        xp = namespace(types)
        own = constant(range(types.shape[1]), seats) == seats[:, None]
        return xp.where(own[..., None], types, self.initial_types(draws))

    def equilibrium_bids(self, parameters: Sequence[float] | np.ndarray, seat: int) -> BidFunction | NoSolution:
        """Return the bids of a seat in Bayesian equilibrium, a function of its values or signals (B, k) to bids (B, k).

        Args:
            parameters: the announced w, (D,).
            seat: index of the bidder, 0 to n - 1.
        """
        return NoSolution(f"no equilibrium of {self.name} is known in closed form")

    def equilibrium_outcome(self, parameters: Sequence[float] | np.ndarray) -> Mapping[str, Any] | NoSolution:
        """Compute what the equilibrium of :meth:`equilibrium_bids` is worth in expectation, under w (D,).

        Returns:
            ``revenue``, ``welfare``, ``surplus``, and as ``payoff`` that of each bidder, (n,); :class:`NoSolution`
            where they are not known.
        """
        return NoSolution(f"no equilibrium of {self.name} is known in closed form")

    def unknown_solutions(self) -> Mapping[str, NoSolution]:
        """List the canonical rules whose equilibrium is not known, each with the reason."""
        found = {name: self.equilibrium_outcome(self.members[name]) for name in self.baselines}
        return {f"equilibrium under {k}": each for k, each in found.items() if isinstance(each, NoSolution)}

    def bid_layout(self) -> Layout:
        """Return the fields of a bid.

        Raises:
            UnsupportedGameError: if bids are levels, none of which need be a bidder's worth.
        """
        layout = self.announcement_layout()
        if isinstance(layout, int):
            raise UnsupportedGameError(
                f"bids in this {self.name} are {layout} levels, of which none need be a bidder's worth,"
                " allowed: a game whose bids are a Box"
            )
        return layout


def of_levels(game: AuctionGame) -> NoSolution | None:
    """Refuse closed forms for an auction whose bids are levels: they are of bids of any size; None for other games."""
    levels = game.announcement_layout()
    if not isinstance(levels, int):
        return None
    return NoSolution(
        f"bids in this {game.name} are {levels} levels, and known equilibria are of bids of any size: ask the game with"
        " n_bids=None"
    )
