"""Parameters of a game with payments between learning agents: their checks, and the fields of what is announced."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.errors import ParameterError, brief, choice, distinct_choices, integer, number
from lawgiver.envs.core.fields import Field, Layout
from lawgiver.envs.payment_policies.dynamics import LEARNERS
from lawgiver.envs.payment_policies.stages import checked_stage

if TYPE_CHECKING:
    from lawgiver.envs.payment_policies.game import PaymentPolicies

MENU = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Amounts by default, for an item worth up to 1."""
VALUES, N_BIDS = (1.0, 0.5), 21
"""Parameters of auctions, by default."""
LARGEST_BIDS = 1_001
"""Tables of joint bids are that wide."""
LARGEST_MENU = 64
"""Agents learn once for every pair of amounts."""


def check(game: PaymentPolicies) -> None:
    """Check every parameter of a game, and store each in one form.

    Raises:
        ParameterError: naming the parameter, its value and what is allowed.
    """
    settings = {
        "stage": checked_stage(game.stage),
        "values": _values(game.values),
        "n_bids": integer("n_bids", game.n_bids, 2, LARGEST_BIDS),
        "menu": _menu(game.menu),
        "learning_rate": number("learning_rate", game.learning_rate, "(0, 1e6]"),
        "rounds": integer("rounds", game.rounds, 4, 1_000_000),
    }
    for name, value in settings.items():
        object.__setattr__(game, name, value)
    choice("learner", game.learner, LEARNERS)
    object.__setattr__(game, "announced", _announced(game))
    game.check_objective()
    if not game.is_auction:
        for name, default in (("values", VALUES), ("n_bids", N_BIDS)):
            if getattr(game, name) != default:
                told = f"{name} is {brief(getattr(game, name))} with stage={brief(game.stage)}"
                raise ParameterError(f"{told}: give it with 'second_price' or 'first_price' alone")
    if game.learner == "multiplicative_weights":
        _check_weights(game)


def layout(game: PaymentPolicies) -> Layout:
    """Return the fields of what a game announces."""
    fields = {
        "reserve": Field("reserve", 1, 0, max(game.values), "money", "least bid that takes part, and least price"),
        "mix": Field("mix", 1, 0, 1, "share", "of the own bid in the price; the rest is the other's bid"),
        "tax": Field("tax", 1, 0, 1, "share", "of payments between principals that the mechanism keeps"),
    }
    return tuple(fields[name] for name in game.announced_names)


def _announced(game: PaymentPolicies) -> tuple[str, ...]:
    given: Any = game.announced
    options = ("reserve", "mix", "tax") if game.is_auction else ("tax",)
    of_auctions = [each for each in ("reserve", "mix") if isinstance(given, (list, tuple)) and each in given]
    if of_auctions and not game.is_auction:
        raise ParameterError(
            f"announced is {brief(given)} with stage={brief(game.stage)}, which has no {of_auctions[0]}, allowed:"
            " ['tax'], or None; or a stage that is an auction, 'second_price' or 'first_price'"
        )
    if given is None:
        return options[:1]
    told = f"a list of different names out of {', '.join(options)}, or None"
    return distinct_choices("announced", given, options, told)


def _numbers(name: str, given: Any, told: str) -> list[Any]:
    flat = isinstance(given, (list, tuple)) or (isinstance(given, np.ndarray) and given.ndim == 1)
    if not flat or not len(given):
        raise ParameterError(f"{name} is {brief(given)}, allowed: {told}")
    return list(given)


def _values(given: Any) -> tuple[float, float]:
    told = "two numbers, what the item is worth to each bidder"
    numbers = _numbers("values", given, told)
    if len(numbers) != 2:
        raise ParameterError(f"values is {brief(given)}, allowed: {told}")
    first, second = (number(f"values[{i}]", value, "[1e-6, 1e12]") for i, value in enumerate(numbers))
    return first, second


def _menu(given: Any) -> tuple[float, ...]:
    told = f"1 to {LARGEST_MENU} amounts, ascending"
    amounts = [number(f"menu[{k}]", each, "[0, 1e12]") for k, each in enumerate(_numbers("menu", given, told))]
    if len(amounts) > LARGEST_MENU:
        raise ParameterError(f"menu has {len(amounts)} amounts, allowed: {told}")
    for k, (below, above) in enumerate(pairwise(amounts)):
        if above <= below:
            raise ParameterError(f"menu[{k + 1}] is {above:g} after {below:g}, allowed: {told}")
    return tuple(amounts)


def _check_weights(game: PaymentPolicies) -> None:
    """Refuse rates at which a weight could fall to 0 or below, whatever is played and paid."""
    most = max(game.values) if game.is_auction else float(np.abs(game.payoffs).max())
    largest = 1 / (most + game.menu[-1]) if most + game.menu[-1] else np.inf
    if game.learning_rate >= largest:
        raise ParameterError(
            f"learning_rate is {game.learning_rate:g} with learner='multiplicative_weights', allowed: below"
            f" {largest:g}, one over the largest payoff with payments"
        )
