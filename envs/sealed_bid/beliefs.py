r"""Beliefs about signals and a common worth: given one bidder's signal, and given all of them.

- ``affiliated``: x_i = S_i + T. Given x_i, T is uniform on [max(0, x_i - 1), min(1, x_i)]. All signals together say
  what a unit is worth.
- ``mineral_rights``: V is uniform on [0, 1] and x_i on [0, 2 V]. Given x_i, V has the density 1 / (V ln(1/a)) on
  [a, 1], a = x_i / 2. Given all n signals it has a density proportional to V^-n on [a, 1], with a half of the greatest
  of them, and the expectation

    E[V | x] = (n - 1) / (n - 2) a (1 - a^(n-2)) / (1 - a^(n-1)),  or  a ln(1/a) / (1 - a)  for n = 2.

>>> float(expected_worth(np.array([[0.5, 1.0, 0.2]]))[0])  # of three: 2 z / (2 + z), z the greatest signal
0.6666666666666666
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, largest, namespace, total
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.families.auction_game import AuctionGame
from lawgiver.envs.sealed_bid.worth import common

if TYPE_CHECKING:
    from lawgiver.envs.sealed_bid.game import SealedBid


def expected_types(game: SealedBid, types: Array) -> Array:
    """Replace a worth that nobody knows, of ``mineral_rights``, by its expectation given all signals, (B, n, q)."""
    return common(types[..., 0], expected_worth(types[..., 0])) if game.information == "mineral_rights" else types


def types_given(game: SealedBid, types: Array, seats: Array, draws: Array) -> Array:
    """Draw types (B, n, q) given what bidders ``seats`` (B,) see of their own in ``types`` (B, n, q).

    Args:
        game: the auction.
        types: of which one value or signal a game is used.
        seats: who sees it.
        draws: uniform numbers in [0, 1), (B, n, q).

    Raises:
        UnsupportedGameError: if whole profiles are drawn from a file, of which no such distribution is known.
    """
    if game.profiles is not None:
        raise UnsupportedGameError(
            "profiles of a types_file do not say how the others' values depend on one's own, allowed: values drawn by"
            " distribution, or an audit of ex post gains alone (rivals=0)"
        )
    if game.information == "private":
        return AuctionGame.types_given(game, types, seats, draws)
    signals = types[namespace(types).arange(types.shape[0]), seats, 0]
    return (affiliated_given if game.information == "affiliated" else mineral_rights_given)(signals, seats, draws)


def affiliated_given(signals: Array, seats: Array, draws: Array) -> Array:
    """Draw signals and the common worth, (B, 2, 2), given the signal (B,) of one of two bidders ``seats`` (B,)."""
    xp, own = namespace(signals), _own(signals, seats, 2)
    low = xp.maximum(signals - 1, xp.zeros_like(signals))
    high = xp.minimum(signals, xp.ones_like(signals))
    shared = low + (high - low) * draws[:, 0, 1]
    found = xp.where(own, signals[:, None], draws[..., 0] + shared[:, None])
    return common(found, total(found) / 2)


def mineral_rights_given(signals: Array, seats: Array, draws: Array) -> Array:
    """Draw signals and the common worth, (B, n, 2), given the signal (B,) of one bidder ``seats`` (B,)."""
    xp, own = namespace(signals), _own(signals, seats, draws.shape[1])
    worth = (signals / 2) ** (1 - draws[:, 0, 1])
    found = xp.where(own, signals[:, None], 2 * worth[:, None] * draws[..., 0])
    return common(found, worth)


def expected_worth(signals: Array) -> Array:
    """Compute E[V | x] of ``mineral_rights``, (B,), for the signals (B, n) of all bidders."""
    return worth_given_largest(largest(signals), signals.shape[-1])


def worth_given_largest(signal: Array, n: int) -> Array:
    """Compute the expected worth (...) of ``mineral_rights`` given the greatest (...) of n >= 2 signals."""
    xp = namespace(signal)
    half = signal / 2
    inner = (half > 0) & (half < 1)  # at the ends of the interval the formula is its limit
    a = xp.where(inner, half, 0.5 * xp.ones_like(half))
    ratio = -xp.log(a) / (1 - a) if n == 2 else (n - 1) / (n - 2) * (1 - a ** (n - 2)) / (1 - a ** (n - 1))
    return xp.where(inner, a * ratio, half)


def _own(signals: Array, seats: Array, n: int) -> Array:
    """Mark the bidders that know their signals, (B, n)."""
    found: Array = constant(np.arange(n), seats) == seats[:, None]
    return found
