"""Parameters of firms that set prices: their checks, and the fields of what is announced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.errors import ParameterError, brief, distinct_choices, integer, number, one_or_each
from lawgiver.envs.core.fields import Field, Layout

if TYPE_CHECKING:
    from lawgiver.envs.price_competition.game import PriceCompetition

ANNOUNCED = ("price_cap", "unit_tax", "steering")
"""Names of the numbers that a mechanism may announce, in the order of w."""
FORMULAS = {
    "price_cap": "price charged = min(price, cost + price_cap)",
    "unit_tax": "consumers pay unit_tax a unit on top, and get it back in equal parts",
    "steering": "with probability steering the cheapest is shown alone",
}
"""The formula of each, in the parameter that is announced."""
LARGEST_N = 4
"""Firms: the last prices of all are a learner's state, and their number grows as the power of n."""
LARGEST_GRID = 1_000
"""Prices of a firm."""
SIZE = "[-1e6, 1e6]"
LEAST_GAP = 1e-9
"""Between the prices of the Nash equilibrium and of monopoly, by their size: below it a grid has no steps."""


def check(game: PriceCompetition) -> None:
    """Check every parameter of a game, and store each in one form.

    Raises:
        ParameterError: naming the parameter, its value and what is allowed.
    """
    n = integer("n", game.n, 2, LARGEST_N)
    settings = {
        "n": n,
        "quality": one_or_each("quality", game.quality, n, SIZE, "a firm"),
        "cost": one_or_each("cost", game.cost, n, "[0, 1e6]", "a firm"),
        "outside": number("outside", game.outside, SIZE),
        "differentiation": number("differentiation", game.differentiation, "(0, 1e6]"),
        "discount": number("discount", game.discount, "[0, 1)"),
        "n_prices": integer("n_prices", game.n_prices, 2, LARGEST_GRID),
        "extension": number("extension", game.extension, "[0, 100]"),
        "announced": distinct_choices("announced", game.announced, ANNOUNCED),
        "rounds": integer("rounds", game.rounds, 1),
    }
    for name, value in settings.items():
        object.__setattr__(game, name, value)
    game.check_objective()
    nash, monopoly = game.nash, game.monopoly
    if (monopoly - nash).min() <= LEAST_GAP * np.abs(monopoly).max():
        raise ParameterError(
            f"quality is {brief(game.quality)} with cost={brief(game.cost)}, outside={game.outside:g} and"
            f" differentiation={game.differentiation:g}: allowed: firms that lose customers to each other, here the"
            " prices of the Nash equilibrium and of monopoly are the same"
        )


def layout(game: PriceCompetition) -> Layout:
    """Return the fields of what a game announces."""
    most = game.largest_margin
    fields = {
        "price_cap": Field("price_cap", 1, 0, most, "money", "greatest price that is charged, above the cost"),
        "unit_tax": Field("unit_tax", 1, -most, most, "money", "on each unit; below 0 a subsidy"),
        "steering": Field("steering", 1, 0, 1, "probability", "that the cheapest product is shown alone"),
    }
    return tuple(fields[name] for name in game.announced)
