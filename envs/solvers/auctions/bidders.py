"""Bidders on grids: types of finitely many levels, bids of finitely many levels.

A latent state nu of the world, of N, is drawn first; given nu, types are independent. One latent state makes types
independent, a common value is a latent state itself, and types that may coincide have one latent state for each of
them and one more in which they do not. By Bayes' rule a bidder who sees level s holds P(nu | s).

A level of bids stands for the cell around it: under a reserve r the bids of a cell [b - h/2, b + h/2] that take part
are those above r, a share clip((b + h/2 - r) / h, 0, 1) of them. The others stay out. The cell of the largest bid ends
there. So revenue is smooth in r, and it is not that of a game with these levels where r lies inside a cell: there a
level takes part as a whole, or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace, total
from lawgiver.envs.core.errors import ParameterError


@dataclass(frozen=True, eq=False)
class Bidders:
    """A group of bidders who are alike: one distribution of types, one grid of bids, and seats that may be exchanged.

    Attributes:
        seats: their indices, ascending.
        types: level s of what a bidder sees, ascending, (S,).
        chances: P(s | nu), (N, S).
        bids: evenly spaced, ascending, (A,); the first stands for staying out, whatever the number.
        worth: what the thing is worth to a bidder of level s in latent state nu, (S, N); where the types of others
            count as well, but for those.

    Raises:
        ParameterError: if bids are fewer than two or not evenly spaced.
    """

    seats: tuple[int, ...]
    types: np.ndarray
    chances: np.ndarray
    bids: np.ndarray
    worth: np.ndarray

    def __post_init__(self) -> None:
        """Check the grid of bids."""
        steps = np.diff(self.bids)
        if not len(steps) or steps.min() <= 0 or np.ptp(steps) > 1e-9 * steps.mean():
            raise ParameterError(f"bids is {self.bids.tolist()}, allowed: two levels or more, ascending in even steps")

    @cached_property
    def step(self) -> float:
        """The distance h between levels of bids."""
        return float(self.bids[1] - self.bids[0])


def private_bidders(seats: tuple[int, ...], types: np.ndarray, chances: np.ndarray, bids: np.ndarray) -> Bidders:
    """Build bidders who know what the thing is worth to them, and know nothing else of the others.

    Args:
        seats: their indices, ascending.
        types: what it is worth at each level, ascending, (S,).
        chances: probability of each level, (S,).
        bids: evenly spaced, ascending, (A,).
    """
    return Bidders(seats, types, np.asarray(chances, float)[None], bids, np.asarray(types, float)[:, None])


def eligibility(groups: tuple[Bidders, ...], least: Array) -> Array:
    """Compute the share of each level's cell that takes part, (..., G, A), for least bids of the seats, (..., n)."""
    xp = namespace(least)
    shares = []
    for group in groups:
        ends = np.minimum(group.bids + group.step / 2, group.bids[-1])
        sizes = constant(ends - group.bids + group.step / 2, least)
        inside = xp.clip((constant(ends, least) - least[..., group.seats[0], None]) / sizes, 0.0, 1.0)
        shares.append(xp.concat([xp.ones_like(inside[..., :1]), inside[..., 1:]], axis=-1))
    return xp.stack(shares, axis=-2)


def thinned(play: Array, eligible: Array) -> Array:
    """Move what does not take part to staying out: distributions of bids (..., G, N, A), shares (..., G, A)."""
    share = eligible[..., None, :]
    kept = play * share
    out = total(play * (1 - share))[..., None]
    return namespace(kept).concat([kept[..., :1] + out, kept[..., 1:]], axis=-1)


def partly(table: Array, eligible: Array) -> Array:
    """Average what a level of own bids leads to, (..., G, N, A), over its cell, of which a share (..., G, A) bids."""
    share = eligible[..., None, :]
    return share * table + (1 - share) * table[..., :1]
