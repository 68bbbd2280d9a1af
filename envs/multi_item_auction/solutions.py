r"""Exact solutions: the best menus for one bidder and two items, Myerson's revenue of one item, the first best.

With one bidder a truthful auction is a menu of lotteries with prices. Which one earns most is known in few cases:

- additive, v_j uniform on [0, b_j], neither b more than twice the other: each item at 2 b_j / 3, both at
  (2 b_1 + 2 b_2 - sqrt(2 b_1 b_2)) / 3 (Manelli and Vincent 2006, for equal b); of b = 1 it earns
  (12 + 2 sqrt 2) / 27.
- additive, uniform on [4, 16] x [4, 7]: half of the first item and the second at 8, both at 12 (Daskalakis, Deckelbaum
  and Tzamos 2017): 88 / 9.
- additive, uniform on the triangle: both at b / sqrt 3. Unit demand, uniform on [0, b]^2: either at b / sqrt 3.
- unit demand, uniform on [2, 3]^2 or a multiple: either at 2 + e + 1/6, and the lottery of one half each at 2 + e, with
  e = (sqrt 22 - 4) / 6 (Pavlov 2011). It earns (2 + e) (1 - 2 e^2) + 2 / 27.

All of these are polygons of types with one price each, so that the revenue of any menu of this kind can be computed
exactly, up to rounding: see :func:`revenue_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose, sqrt
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.multi_item_auction.rules import most_matched
from lawgiver.envs.solvers.auctions.distributions import Distribution
from lawgiver.envs.solvers.auctions.exponential import Exponential, exponential_revenue
from lawgiver.envs.solvers.auctions.myerson import Marginal, highest_values, myerson_revenue

if TYPE_CHECKING:
    from lawgiver.envs.multi_item_auction.game import MultiItemAuction

LEVELS = 100_000
"""Virtual values at which Myerson's revenue is added up."""


@dataclass(frozen=True)
class KnownMenu:
    """The best menu for one bidder.

    Attributes:
        shares: of the items in each entry, (J, m).
        prices: (J,).
        revenue: what it earns in expectation.
        source: where it is proven.
    """

    shares: np.ndarray
    prices: np.ndarray
    revenue: float
    source: str


def known_menu(game: MultiItemAuction) -> KnownMenu | None:
    """Return the best menu for one bidder and two items where it is known in closed form, else None."""
    if (game.n, game.m) != (1, 2) or game.profiles is not None:
        return None
    lows, highs = ([getattr(each, end) for each in game.distributions[0]] for end in ("low", "high"))
    (low_1, low_2), (b_1, b_2) = lows, highs
    unit = game.demand == "unit"
    both, singles = [[1.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]
    if game.distribution == "triangle" and not unit:
        return _menu(both, [b_1 / sqrt(3)], 2 * b_1 / sqrt(27), "price of the sum, whose distribution function is s^2")
    if game.distribution != "uniform":
        return None
    from_nothing, square = low_1 == low_2 == 0, low_1 == low_2 and b_1 == b_2
    if not unit and from_nothing and max(b_1, b_2) <= 2 * min(b_1, b_2):
        bundle = (2 * b_1 + 2 * b_2 - sqrt(2 * b_1 * b_2)) / 3
        menu = np.array([*singles, *both]), np.array([2 * b_1 / 3, 2 * b_2 / 3, bundle])
        return KnownMenu(*menu, _two_uniform(b_1, b_2), "Manelli and Vincent 2006; Thirumulanathan et al. 2019")
    if not unit and (low_1, low_2, b_1, b_2) == (4, 4, 16, 7):
        return _menu([[0.5, 1.0], *both], [8.0, 12.0], 88 / 9, "Daskalakis, Deckelbaum and Tzamos 2017")
    if unit and from_nothing and square:
        return _menu(singles, [b_1 / sqrt(3)] * 2, 2 * b_1 / sqrt(27), "price of the larger value")
    if unit and square and isclose(low_1, 2 * (b_1 - low_1)):
        size, e = b_1 - low_1, (sqrt(22) - 4) / 6
        prices = [2 + e + 1 / 6, 2 + e + 1 / 6, 2 + e]
        revenue = size * ((2 + e) * (1 - 2 * e**2) + 2 / 27)
        return _menu([*singles, [0.5, 0.5]], [size * p for p in prices], revenue, "Pavlov 2011")
    return None


def _menu(shares: list[list[float]], prices: list[float], revenue: float, source: str) -> KnownMenu:
    return KnownMenu(np.array(shares), np.array(prices), revenue, source)


def _two_uniform(b_1: float, b_2: float) -> float:
    """Compute what the best menu earns where values are uniform on [0, b_1] x [0, b_2].

    Item j alone is sold to values of it above 2 b_j / 3 and of the other item below (2 b_k - r) / 3, where r is
    sqrt(2 b_1 b_2); nothing to those below both, less a triangle with legs r / 3.
    """
    r = sqrt(2 * b_1 * b_2)
    alone = [(b_1 / 3) * (2 * b_2 - r) / 3, (b_2 / 3) * (2 * b_1 - r) / 3]
    nothing = (2 * b_1 / 3) * (2 * b_2 / 3) - (r / 3) ** 2 / 2
    sold_together = b_1 * b_2 - sum(alone) - nothing
    bundle = (2 * b_1 + 2 * b_2 - r) / 3
    return (2 * b_1 / 3 * alone[0] + 2 * b_2 / 3 * alone[1] + bundle * sold_together) / (b_1 * b_2)


def revenue_of(corners: np.ndarray, shares: np.ndarray, prices: np.ndarray) -> float:
    """Compute what a menu earns from a bidder whose two values are uniform in a convex polygon.

    Args:
        corners: of the polygon, in order, (C, 2).
        shares: of the entries, (J, 2).
        prices: (J,).
    """
    entries, costs = np.vstack([shares, np.zeros(2)]), np.append(prices, 0.0)
    earned = 0.0
    for j, price in enumerate(costs):
        region = corners
        for k in range(len(costs)):
            if k != j and len(region):
                region = _clipped(region, entries[j] - entries[k], price - costs[k])
        earned += price * _area(region)
    return earned / _area(corners)


def _clipped(corners: np.ndarray, normal: np.ndarray, least: float) -> np.ndarray:
    """Cut a convex polygon down to where ``normal . v >= least``."""
    height = corners @ normal - least
    kept = []
    for a, b, at, beyond in zip(corners, np.roll(corners, -1, 0), height, np.roll(height, -1), strict=True):
        if at >= 0:
            kept.append(a)
        if (at > 0 > beyond) or (at < 0 < beyond):
            kept.append(a + (b - a) * at / (at - beyond))
    return np.array(kept).reshape(-1, 2)


def _area(corners: np.ndarray) -> float:
    x, y = corners.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def corners_of(game: MultiItemAuction) -> np.ndarray:
    """Return the polygon of types of a game with one bidder, two items, and uniform values."""
    (a, c), (b, d) = ([getattr(each, end) for each in game.distributions[0]] for end in ("low", "high"))
    if game.distribution == "triangle":
        return np.array([[0.0, 0.0], [b, 0.0], [0.0, b]])
    return np.array([[a, c], [b, c], [b, d], [a, d]])


def myerson(distributions: list[Marginal]) -> float:
    """Return Myerson's revenue of one item; exponential values have one mean."""
    first = distributions[0]
    if isinstance(first, Exponential):
        return exponential_revenue(len(distributions), first.mean)
    return myerson_revenue([each for each in distributions if isinstance(each, Distribution)], 1)


def best_revenue(game: MultiItemAuction) -> float | None:
    """Return the greatest revenue of any truthful auction that bidders may stay away from, where it is known."""
    if game.profiles is not None:
        return None
    if game.m == 1:
        return myerson([row[0] for row in game.distributions])
    known = known_menu(game)
    return None if known is None else known.revenue


def unknown_revenue(game: MultiItemAuction) -> NoSolution | None:
    """Give the reason why the greatest revenue is not known; None where it is."""
    if best_revenue(game) is not None:
        return None
    if game.profiles is not None:
        return NoSolution("types_file has profiles, and known auctions are of distributions of values")
    if game.n > 1:
        return NoSolution(f"of {game.n} bidders it is known for one item, not for {game.m}")
    if game.m > 2:
        return NoSolution(f"of one bidder it is known for up to two items, not for {game.m}")
    return NoSolution("of one bidder and two items it is known for some distributions, not for this one")


def best_welfare(game: MultiItemAuction) -> float | None:
    """Return the expected welfare of the best allocation; None for matchings of random values, not in closed form."""
    unit = game.demand == "unit"
    if game.profiles is not None:
        if not unit:
            return float(game.profiles.max(1).sum(-1).mean())
        return float(most_matched(game.profiles).mean()) if game.matchable else None
    if not unit or game.m == 1:
        return sum(_expected_highest([row[j] for row in game.distributions]) for j in range(game.m))
    if game.n > 1:
        return None
    return _expected_highest([game.bundles[0]])


def _expected_highest(distributions: list[Marginal]) -> float:
    first = distributions[0]
    if isinstance(first, Exponential):
        return first.mean * sum(1 / k for k in range(1, len(distributions) + 1))
    return highest_values([each for each in distributions if isinstance(each, Distribution)], 1)


def revenue_by_quadrature(distributions: list[Marginal]) -> float:
    """Compute the expected highest virtual value, where above 0, by the midpoint rule.

    It is the integral over t of the probability that a bidder's value is above the least one whose virtual value is
    beyond t. That falls from 1 at most to 0, so that the error is half a step at most.
    """
    step = max(each.high for each in distributions) / LEVELS
    t = step * (np.arange(LEVELS) + 0.5)
    below = [np.clip(each.cdf(each.critical(t, above=True)), 0, 1) for each in distributions]
    return step * float(np.sum(1 - np.prod(below, axis=0)))


def known_solutions(game: MultiItemAuction) -> tuple[KnownSolution, ...]:
    """Myerson's revenue of one item; the best menu for one bidder and two, whose residual is by areas of polygons."""
    if game.m == 1 and game.profiles is None:
        sold = [row[0] for row in game.distributions]
        return (
            KnownSolution(
                name="Myerson's revenue: to the highest virtual value above 0, at the least value that wins",
                source="Myerson 1981; residual is how far it is from the integral over virtual values by midpoints",
                value=lambda: myerson(sold),
                residual=lambda: abs(myerson(sold) - revenue_by_quadrature(sold)),
                tolerance=max(each.high for each in sold) / LEVELS,
            ),
        )
    known = known_menu(game)
    if known is None:
        return ()
    return (
        KnownSolution(
            name=f"greatest revenue, of a menu with {len(known.prices)} entries",
            source=known.source,
            value=lambda: known.revenue,
            residual=lambda: abs(known.revenue - revenue_of(corners_of(game), known.shares, known.prices)),
            tolerance=1e-9 * known.revenue,
        ),
    )
