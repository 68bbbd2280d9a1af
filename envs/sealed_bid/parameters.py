"""Parameters of a sealed-bid auction: their checks, and the fields of those that are announced."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.errors import (
    ParameterError,
    brief,
    choice,
    distinct_choices,
    integer,
    number,
    one_each,
    one_or_each,
)
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.files.profiles import types_path
from lawgiver.envs.sealed_bid.slots import PRICINGS
from lawgiver.envs.sealed_bid.worth import INFORMATION
from lawgiver.envs.solvers.auctions.distributions import Distribution

if TYPE_CHECKING:
    from lawgiver.envs.sealed_bid.game import SealedBid

ANNOUNCED = ("reserve", "entry_fee", "mix", "squash", "handicaps")
"""Names of the numbers that a mechanism may announce, in the order of w."""
UNANNOUNCED = {"reserve": 0.0, "entry_fee": 0.0, "mix": None, "squash": 1.0, "handicaps": None}
"""Values of the parameters of these names, where the mechanism announces them."""
PRICES = {
    "first": "the own score",
    "next": "the score in the next rank",
    "skip": "the score two ranks below",
    "vcg": "what the others lose",
    "all_pay": "the bid, whoever wins",
}
"""Price in scores, by pricing, in words."""
LARGEST_N = 1_000
"""Largest number of bidders."""
MONEY = "[0, 1e12]"

Values = tuple[float, float] | tuple[tuple[float, float], ...]
"""Least and greatest value: of all bidders, or of each."""


def check(game: SealedBid) -> None:
    """Check every parameter of a game, and store each in one form.

    Raises:
        ParameterError: naming the parameter, its value and what is allowed.
    """
    n = integer("n", game.n, 2, LARGEST_N)
    choice("pricing", game.pricing, PRICINGS)
    choice("information", game.information, INFORMATION)
    settings = {
        "n": n,
        "announced": distinct_choices("announced", game.announced, ANNOUNCED),
        "slots": _slots(game.slots),
        "values": _values(game.values, n),
        "masses": None if game.masses is None else _masses(game.masses),
        "quality": one_or_each("quality", game.quality, n, "(0, 1]", "a bidder"),
        "risk_aversion": number("risk_aversion", game.risk_aversion, "[0, 1)"),
        "high": None if game.high is None else number("high", game.high, "(0, 1e12]"),
        "n_bids": None if game.n_bids is None else integer("n_bids", game.n_bids, 2),
        "reserve": number("reserve", game.reserve, MONEY),
        "entry_fee": number("entry_fee", game.entry_fee, MONEY),
        "mix": None if game.mix is None else number("mix", game.mix, "[0, 1]"),
        "squash": number("squash", game.squash, "[0, 1]"),
        "handicaps": None if game.handicaps is None else one_each("handicaps", game.handicaps, n, MONEY, "a bidder"),
        "types_file": types_path(game.types_file),
    }
    for name, value in settings.items():
        object.__setattr__(game, name, value)
    game.check_objective()
    _check_together(game)
    _ = game.profiles  # its own check


def layout(game: SealedBid) -> Layout:
    """Return the fields of what a game announces."""
    most, seats = game.greatest, game.n
    fields = {
        "reserve": Field("reserve", 1, 0, most, "money", "least score that takes part, and least price in scores"),
        "entry_fee": Field("entry_fee", 1, 0, most, "money", "paid by everybody who takes part"),
        "mix": Field("mix", 1, 0, 1, "share", "of the own bid in the price; the rest is the bid in the next rank"),
        "squash": Field("squash", 1, 0, 1, "exponent", "of quality in scores"),
        "handicaps": Field("handicaps", seats, 0, most, "money", "subtracted from each bidder's bid, by seat"),
    }
    return tuple(fields[name] for name in game.announced)


def _check_together(game: SealedBid) -> None:
    """Raise ParameterError if parameters do not go with one another."""
    for name in game.announced:
        if getattr(game, name) != UNANNOUNCED[name]:
            told = f"{name} is {brief(getattr(game, name))}, but is announced"
            raise ParameterError(f"{told}: allowed: {UNANNOUNCED[name]}, or leave it out of announced")
    if game.information == "affiliated" and game.n != 2:
        raise ParameterError(f"n is {game.n} with information='affiliated', allowed: 2")
    if game.information != "private":
        for name, default in (("values", (0.0, 1.0)), ("masses", None), ("types_file", None)):
            if getattr(game, name) != default:
                told = f"{name} is {brief(getattr(game, name))} with information={game.information!r}"
                raise ParameterError(f"{told}: give it with 'private' alone")
    if game.mixes and game.pricing not in ("first", "next"):
        raise ParameterError(f"pricing is {game.pricing!r} with a mix of first and next price, allowed: first, next")
    fee = game.entry_fee > 0 or "entry_fee" in game.announced
    if game.risk_aversion > 0 and (game.pricing == "all_pay" or fee):
        told = "pricing='all_pay'" if game.pricing == "all_pay" else "an entry fee"
        raise ParameterError(
            f"risk_aversion is {game.risk_aversion:g} with {told}, allowed: 0, where bidders pay who win nothing"
        )


def _slots(given: Any) -> tuple[float, ...]:
    sizes = tuple(number(f"slots[{k}]", size, "(0, 1]") for k, size in enumerate(_list("slots", given)))
    for k, (above, below) in enumerate(pairwise(sizes)):
        if below > above:
            raise ParameterError(f"slots[{k + 1}] is {below:g} after {above:g}, allowed: sizes that do not rise")
    return sizes


def _list(name: str, given: Any) -> Sequence[Any]:
    """Return numbers of a list, tuple or array of one axis, one at least."""
    flat = isinstance(given, (list, tuple)) or (isinstance(given, np.ndarray) and given.ndim == 1)
    if not flat or not len(given):
        raise ParameterError(f"{name} is {brief(given)}, allowed: a list of one or more numbers")
    items: Sequence[Any] = given
    return items


def _values(given: Any, n: int) -> Values:
    told = f"values is {brief(given)}, allowed: least and greatest value, or {n} such pairs, one a bidder"
    if not isinstance(given, (list, tuple, np.ndarray)):
        raise ParameterError(told)
    pairs = [isinstance(each, (list, tuple, np.ndarray)) for each in given]
    if any(pairs):
        if not all(pairs) or len(given) != n:
            raise ParameterError(told)
        return tuple(_pair(f"values[{i}]", each, told) for i, each in enumerate(given))
    return _pair("values", given, told)


def _pair(name: str, given: Any, told: str) -> tuple[float, float]:
    if len(given) != 2:
        raise ParameterError(told)
    low = number(f"{name}[0]", given[0], MONEY)
    return low, number(f"{name}[1]", given[1], f"({low}, 1e12]")


def _masses(given: Any) -> tuple[float, ...]:
    Distribution(0.0, 1.0, given)  # its own check
    return tuple(float(mass) for mass in given)
