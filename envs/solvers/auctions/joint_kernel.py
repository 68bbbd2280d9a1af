"""Expected shares and payments from an auction's own rule, played once on all joint bids.

For few bidders nothing has to be known of the rule: whatever the format, the ties, the favours, it is asked for the
outcome of each of the A^n joint bids, and averaged over what the rivals bid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.arrays import Array, as_numpy, constant, namespace
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.solvers.auctions.bidders import Bidders

if TYPE_CHECKING:
    from lawgiver.envs.families.auction_game import AuctionGame

LARGEST = 280_000
"""Most joint bids: three bidders with 65 levels."""
LARGEST_PAYOFFS = 2**23
"""Most payoffs by type level and joint bid, of bidders who are not risk neutral."""
KEPT = 2**24
"""Numbers in the tables of mechanisms that are kept, about."""


class JointKernel:
    """Tables of an auction of a single thing, whose rule does not read types.

    Args:
        game: whose ``allocate`` is played, whatever the cells of bids that straddle ``least_bids``.
        groups: all bidders, with one number of bids.
        risk_neutral: whether ``payoffs`` are not needed.

    Raises:
        UnsupportedGameError: if there are too many joint bids; of those who are not risk neutral, by type.
    """

    def __init__(self, game: AuctionGame, groups: tuple[Bidders, ...], *, risk_neutral: bool = True) -> None:
        """Seat the groups."""
        self.game, self.groups, self.levels = game, groups, len(groups[0].bids)
        if self.levels**game.n > LARGEST:
            raise UnsupportedGameError(
                f"{game.name} with {game.n} bidders and {self.levels} levels of bids has {self.levels**game.n:,} joint "
                f"bids, allowed: up to {LARGEST:,} ({int(LARGEST ** (1 / game.n) + 1e-9)} levels)"
            )
        size = groups[0].worth.size * self.levels**game.n
        if not risk_neutral and size > LARGEST_PAYOFFS:
            raise UnsupportedGameError(
                f"{game.name} with {game.n} bidders, not risk neutral, has {size:,} payoffs by type and joint bid, "
                f"allowed: up to {LARGEST_PAYOFFS:,}, with fewer levels of bids"
            )
        self.group_of = np.empty(game.n, int)
        for g, group in enumerate(groups):
            self.group_of[list(group.seats)] = g
        self._kept: dict[tuple[str, bytes], np.ndarray] = {}

    def __getstate__(self) -> dict[str, object]:
        """Leave out the tables: they can be played again."""
        return {**self.__dict__, "_kept": {}}

    def expected(self, parameters: Array, play: Array) -> Array:
        """Compute the share and the payment of each own bid, (..., G, 2, N, A).

        Args:
            parameters: w, (..., D).
            play: distribution of each group's bids in each latent state, (..., G, N, A).
        """
        tables = self.tables(parameters, play)
        each = []
        for g, group in enumerate(self.groups):
            rivals = [play[..., h, :, :] for h in self._rivals(group)]
            each.append(_over(tables[..., g, :, :, :], _jointly(rivals, play[..., 0, :, :])))
        return namespace(play).stack(each, axis=-4)

    def signalled(self, parameters: Array, play: Array, signals: Array) -> Array:
        """Compute the expected share times the sum of rivals' types, for each own bid, (..., G, N, A).

        Args:
            parameters: w, (..., D).
            play: distribution of each group's bids in each latent state, (..., G, N, A).
            signals: mean type of those who bid a level, times its probability, (..., G, N, A).
        """
        tables = self.tables(parameters, play)
        each = []
        for g, group in enumerate(self.groups):
            rivals = self._rivals(group)
            sums = play[..., 0, :, :] * 0
            for j in range(len(rivals)):
                told = [(signals if i == j else play)[..., h, :, :] for i, h in enumerate(rivals)]
                sums = sums + _over(tables[..., g, :1, :, :], _jointly(told, sums))[..., 0, :, :]
            each.append(sums)
        return namespace(play).stack(each, axis=-3)

    def _rivals(self, group: Bidders) -> list[int]:
        """Return the group of every other seat than the first of a group, in order."""
        return [int(h) for i, h in enumerate(self.group_of) if i != group.seats[0]]

    def payoffs(self, parameters: Array, play: Array) -> Array:
        """Compute the expected payoff of each own bid at each type level, as it is attributed, (..., G, S, A).

        Args:
            parameters: w, (..., D).
            play: distribution of each group's bids, of one latent state, (..., G, 1, A).
        """
        tables = self._for(parameters, play, self._payoffs)  # (..., G, S, A, M)
        each = []
        for g, group in enumerate(self.groups):
            rivals = [play[..., h, :, :] for h in self._rivals(group)]
            each.append(_over(tables[..., g, :, :, :], _jointly(rivals, play[..., 0, :, :]))[..., 0, :])
        return namespace(play).stack(each, axis=-3)

    def tables(self, parameters: Array, like: Array) -> Array:
        """Compute shares and payments by own bid and by all rivals' bids, (..., G, 2, A, A^(n-1)).

        Those of one and the same mechanism in all rows have no leading axes. They are kept, unless w has a gradient.
        """
        return self._for(parameters, like, self._outcomes)

    def _for(self, parameters: Array, like: Array, table: Callable[[Array], Array]) -> Array:
        """Compute a table of w (B, D), (B, ...), for parameters (..., D): once for each mechanism."""
        flat = namespace(parameters).reshape(parameters, (-1, parameters.shape[-1]))
        if getattr(parameters, "requires_grad", False):
            made = table(flat)
            return namespace(made).reshape(made, (*parameters.shape[:-1], *made.shape[1:]))
        distinct, which = np.unique(np.asarray(as_numpy(flat), float), axis=0, return_inverse=True)
        known = [self._known(row, table) for row in distinct]
        if len(known) == 1:
            return constant(known[0], like)
        chosen = np.stack(known)[which.ravel()]
        return constant(chosen.reshape(*parameters.shape[:-1], *chosen.shape[1:]), like)

    def _known(self, row: np.ndarray, table: Callable[[Array], Array]) -> np.ndarray:
        """Compute a table of w (D,), or find it again."""
        key = (table.__name__, row.tobytes())
        if key not in self._kept:
            made = np.asarray(table(row[None])[0])
            while self._kept and sum(one.size for one in self._kept.values()) + made.size > KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = made
        return self._kept[key]

    def _outcomes(self, parameters: Array) -> Array:
        """Play the rule under w (B, D) on all joint bids, (B, G, 2, A, M)."""
        xp = namespace(parameters)
        allocations = self._allocated(parameters)
        return xp.moveaxis(self._by_own_bid(xp.moveaxis(allocations, -1, 0)), 0, 2)

    def _payoffs(self, parameters: Array) -> Array:
        """Compute the attributed payoffs at each type level under w (B, D) on all joint bids, (B, G, S, A, M)."""
        xp, game = namespace(parameters), self.game
        allocations = self._allocated(parameters)
        flat = xp.reshape(allocations, (-1, *allocations.shape[2:]))
        announced = _repeated(parameters, allocations.shape[1])
        types = xp.zeros_like(flat[..., :1]) + constant(np.zeros(game.type_size), flat)
        levels = []
        for s in range(len(self.groups[0].types)):
            worth = np.array([self.groups[g].worth[s, 0] for g in self.group_of])
            told = xp.concat([types[..., :1] + constant(worth[:, None], flat), types[..., 1:]], axis=-1)
            utilities = game.utility(told, flat)
            paid = game.attributed(told, flat, utilities) + game.transfer(told, flat, announced)
            levels.append(xp.reshape(paid, allocations.shape[:-1]))
        return xp.moveaxis(self._by_own_bid(xp.stack(levels)), 0, 2)

    def _allocated(self, parameters: Array) -> Array:
        """Return the allocations (B, A^n, n, 2) of all joint bids under w (B, D)."""
        xp, n, levels = namespace(parameters), self.game.n, self.levels
        index = np.indices((levels,) * n).reshape(n, -1)
        joint = np.stack([self.groups[g].bids[index[i]] for i, g in enumerate(self.group_of)], axis=-1)
        bids = constant(joint, parameters)
        least = self.game.least_bids(parameters)[:, None, :]
        # What takes part of a cell that straddles the least bid is at or above it; cells below it are never played.
        raised = xp.where(constant(index.T, bids) > 0, xp.maximum(bids, least), bids)
        everyone = xp.reshape(raised, (-1, n))
        types = xp.zeros_like(everyone)[..., None] + constant(np.zeros(self.game.type_size), bids)
        allocations = self.game.allocate(types, everyone, _repeated(parameters, len(joint)))
        return xp.reshape(allocations, (-1, len(joint), n, 2))

    def _by_own_bid(self, outcomes: Array) -> Array:
        """Sort outcomes (C, B, A^n, n) by groups and by the bids of their first seats, (C, B, G, A, M)."""
        xp, n, levels = namespace(outcomes), self.game.n, self.levels
        grid = xp.reshape(outcomes, (*outcomes.shape[:2], *(levels,) * n, n))
        seats = [group.seats[0] for group in self.groups]
        own_first = [xp.moveaxis(grid[..., i], 2 + i, 2) for i in seats]
        return xp.stack([xp.reshape(one, (*one.shape[:2], levels, -1)) for one in own_first], axis=2)


def _repeated(parameters: Array, times: int) -> Array:
    """Return w (B, D) so many times each, (B times, D)."""
    xp, (rows, size) = namespace(parameters), parameters.shape
    return xp.reshape(xp.broadcast_to(parameters[:, None, :], (rows, times, size)), (-1, size))


def _jointly(rivals: list[Array], like: Array) -> Array:
    """Compute the distribution of all rivals' bids from each one's, (..., N, A) each, (..., N, A^(n-1))."""
    xp = namespace(like)
    joint = xp.ones_like(like[..., :1])
    for one in rivals:
        both = joint[..., :, None] * one[..., None, :]
        joint = xp.reshape(both, (*both.shape[:-2], -1))
    return joint


def _over(tables: Array, joint: Array) -> Array:
    """Average tables (..., C, A, M) over a distribution (..., N, M) to (..., C, N, A)."""
    xp = namespace(joint)
    if tables.ndim > 3:
        return joint[..., None, :, :] @ xp.matrix_transpose(tables)
    c, a, m = tables.shape  # one multiplication, whatever the number of rows
    flat = xp.reshape(joint, (-1, m)) @ xp.reshape(tables, (c * a, m)).T
    return xp.moveaxis(xp.reshape(flat, (*joint.shape[:-1], c, a)), -2, -3)
