"""Canonical rules that a mechanism can announce, by name."""

from __future__ import annotations

from collections.abc import Mapping
from math import comb
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lawgiver.envs.sealed_bid.game import SealedBid


def members(game: SealedBid) -> dict[str, tuple[float, ...]]:
    """Return the canonical rules that lie in what the game announces, each with its w.

    ``no_reserve`` takes part of everything as ``pricing`` says; ``first_price`` and ``second_price`` are the ends of
    ``mix``; ``myerson_reserve`` is the auction of the largest revenue, where the reserve or handicaps make it one.
    """
    plain = _plain(game)
    found = {"no_reserve": _action(game, plain)}
    if "mix" in game.announced:
        found |= {
            "first_price": _action(game, plain | {"mix": 1.0}),
            "second_price": _action(game, plain | {"mix": 0.0}),
        }
    optimal = _optimal(game)
    return found if optimal is None else found | {"myerson_reserve": _action(game, plain | optimal)}


def optimal_reserve(game: SealedBid) -> float | None:
    """Return the value from which virtual values are above 0, of bidders who are alike; None if they are not.

    None too where virtual values have to be ironed above it: then no reserve makes ranking by value optimal.
    """
    if len(set(game.clicks)) > 1:
        return None
    segments = game.distributions[0].segments
    sold = segments.last > 0
    if not (segments.slopes[sold] > 0).all():
        return None
    start, first, slope = (float(each[sold][0]) for each in (segments.starts, segments.first, segments.slopes))
    return start if first >= 0 else start - first / slope


def _plain(game: SealedBid) -> dict[str, float | tuple[float, ...]]:
    """Return the w that changes nothing: no reserve, no fee, no handicaps, the price and scores of the game."""
    return {
        "reserve": 0.0,
        "entry_fee": 0.0,
        "mix": _own(game),
        "squash": 1.0,
        "handicaps": (0.0,) * game.n,
    }


def _own(game: SealedBid) -> float:
    """Return the share of the own bid in the price, of ``first`` and ``next``."""
    if game.mix is not None:
        return game.mix
    return 1.0 if game.pricing == "first" else 0.0


def _action(game: SealedBid, w: Mapping[str, float | tuple[float, ...]]) -> tuple[float, ...]:
    """Return numbers by name as an action of the mechanism."""
    parts = (w[name] for name in game.announced)
    return tuple(number for part in parts for number in (part if isinstance(part, tuple) else (part,)))


def _optimal(game: SealedBid) -> dict[str, float | tuple[float, ...]] | None:
    """Find the w of an optimal auction (Myerson 1981), by name; None where nothing that is announced makes it one.

    Bidders who are alike need a reserve, the value r whose virtual value is 0; where all pay, the bid that this type is
    ready to make, r times its expected share. Truthful bidders with different uniform distributions need handicaps:
    half of their greatest values, which ranks them by virtual value.
    """
    if game.entry_fee or (game.handicaps is not None and any(game.handicaps)) or game.risk_aversion:
        return None
    if game.information != "private" or game.profiles is not None:
        return None
    differ = len(set(game.qualities)) > 1
    if differ and game.squash != 1:
        return None  # ranks by less than what a slot is worth
    reserve, several, own = optimal_reserve(game), len(game.sizes) > 1, _own(game)
    if reserve is not None and "reserve" in game.announced:
        nexts = game.pricing in ("first", "next") and own != 1
        if (several and (nexts or game.pricing == "skip")) or (game.pricing == "skip" and game.n < 3):
            return None  # not revenue equivalent: no equilibrium ranks bidders by value, or none is known
        if differ and game.pricing == "all_pay":
            return None  # bids are paid whole, and not by quality: who bids the same score does not pay the same
        weight = game.qualities[0] ** game.squash
        return {"reserve": weight * reserve * (_share(game, reserve) if game.pricing == "all_pay" else 1.0)}
    truthful = game.pricing == "vcg" or (game.pricing in ("first", "next") and not several and own == 0)
    if truthful and game.masses is None and "handicaps" in game.announced and not game.reserve:
        return {"handicaps": tuple(each.high / 2 for each in game.distributions)}
    return None


def _share(game: SealedBid, value: float) -> float:
    """Return the expected share, with quality, of a type whose slot goes by rank, of bidders who are alike."""
    below = float(game.distributions[0].cdf(np.array(value)))
    chances = [comb(game.n - 1, k) * (1 - below) ** k * below ** (game.n - 1 - k) for k in range(len(game.sizes))]
    return game.qualities[0] * float(game.sizes @ chances)
