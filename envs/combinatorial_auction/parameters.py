"""Checks of the parameters of a combinatorial auction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.combinatorial_auction.core_rules import RULES
from lawgiver.envs.core.errors import ParameterError, brief, choice, integer, number
from lawgiver.envs.core.game import LARGEST_CHOICE

if TYPE_CHECKING:
    from lawgiver.envs.combinatorial_auction.game import CombinatorialAuction

LARGEST_N = 1_000
PRICINGS = ("vcg", "first", *RULES)
SETTING = "two locals with a bundle each that have no item in common, and a global whose bundle meets both"


def check(game: CombinatorialAuction) -> None:
    """Check every parameter, and keep it in its own type.

    Raises:
        ParameterError: if a parameter is outside its range, or does not go with another.
    """
    n = integer("n", game.n, 2, LARGEST_N)
    bundles = _bundles(game.bundles, n)
    settings = {
        "n": n,
        "bundles": bundles,
        "high": tuple(
            number(f"high[{i}]", high, "[1e-12, 1e12]")
            for i, high in enumerate(_list("high", game.high, n, "a bidder"))
        ),
        "correlation": number("correlation", game.correlation, "[0, 1]"),
        "n_bids": None if game.n_bids is None else integer("n_bids", game.n_bids, 2, LARGEST_CHOICE),
    }
    for name, value in settings.items():
        object.__setattr__(game, name, value)
    game.check_objective()
    choice("pricing", game.pricing, PRICINGS)
    if not game.is_llg:
        if game.pricing in RULES:
            raise ParameterError(f"pricing is {game.pricing!r}, allowed: vcg, first; it takes {SETTING}")
        if game.correlation:
            raise ParameterError(f"correlation is {game.correlation:g}, allowed: 0; it takes {SETTING}")
    if game.n_bids is not None and game.places > 1:
        raise ParameterError(
            f"n_bids is {game.n_bids}, allowed: None, where bidders bid for {game.places} bundles each"
        )


def _bundles(given: Any, n: int) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Check the bundles of each bidder."""
    checked = []
    for i, own in enumerate(_list("bundles", given, n, "a bidder")):
        name = f"bundles[{i}]"
        lists = [
            tuple(integer(f"{name}[{k}][{j}]", item, -(10**18)) for j, item in enumerate(_list(f"{name}[{k}]", bundle)))
            for k, bundle in enumerate(_list(name, own))
        ]
        for k, bundle in enumerate(lists):
            if len(set(bundle)) < len(bundle):
                raise ParameterError(f"{name}[{k}] is {brief(bundle)}, allowed: every item once")
            if set(bundle) in map(set, lists[:k]):
                raise ParameterError(f"{name} is {brief(lists)}, allowed: every bundle once")
        checked.append(tuple(lists))
    return tuple(checked)


def _list(name: str, given: Any, size: int | None = None, each: str = "") -> Sequence[Any]:
    """Check that something is a list that is not empty, or has as many entries as there have to be."""
    fits = isinstance(given, (list, tuple)) or (isinstance(given, np.ndarray) and given.ndim > 0)
    if fits and len(given) == (size or len(given)) and len(given):
        return given  # type: ignore[no-any-return]  # a sequence by the test above
    many = "one entry or more" if size is None else f"{size} entries, one {each}"
    raise ParameterError(f"{name} is {brief(given)}, allowed: a list of {many}")
