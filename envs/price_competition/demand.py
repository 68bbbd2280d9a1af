"""Logit demand for differentiated products, and what a regulation makes of it.

A consumer gets a_i - p_i from product i, a_0 from none of them, and a taste for each that is Gumbel distributed with
scale mu. So product i is bought with probability

    q_i = exp((a_i - p_i) / mu) / (sum_j exp((a_j - p_j) / mu) + exp(a_0 / mu)),

and the expected surplus of a consumer is mu log(sum_j exp((a_j - p_j) / mu) + exp(a_0 / mu)), up to a constant
(Anderson, de Palma and Thisse 1992, Discrete Choice Theory of Product Differentiation, chapter 2). A small mu makes
products near substitutes.

A platform that *steers* shows the cheapest product alone with some probability, and all of them otherwise (Johnson,
Rhodes and Wildenbeest 2023, Platform Design When Sellers Use Pricing Algorithms, Econometrica 91). Products that are
equally cheap are shown alone in equal parts.
"""

from __future__ import annotations

from typing import NamedTuple

from lawgiver.envs.core.arrays import Array, floats, largest, namespace, total


class Demand(NamedTuple):
    """Demand at some prices.

    Attributes:
        quantities: expected sales of each product to a consumer, (..., n).
        surplus: expected surplus of a consumer, (...).
    """

    quantities: Array
    surplus: Array


def logit_demand(gains: Array, outside: float, scale: float) -> Demand:
    """Compute the demand for products that are all shown.

    Args:
        gains: quality less price of each product, (..., n).
        outside: a_0, what a consumer gets who buys none.
        scale: mu > 0.
    """
    xp = namespace(gains)
    best = largest(gains)
    best = xp.where(best > outside, best, outside + xp.zeros_like(best))
    weights = xp.exp((gains - best[..., None]) / scale)
    everything = total(weights) + xp.exp((outside - best) / scale)
    return Demand(weights / everything[..., None], best + scale * xp.log(everything))


def steered_demand(gains: Array, prices: Array, steering: Array, outside: float, scale: float) -> Demand:
    """Compute the demand where the cheapest product is shown alone with probability ``steering`` (...).

    Args:
        gains: quality less price of each product, (..., n).
        prices: by which the cheapest is found, (..., n).
        steering: probability in [0, 1], (...).
        outside: a_0.
        scale: mu > 0.
    """
    xp = namespace(gains)
    every, alone = logit_demand(gains, outside, scale), logit_demand(gains[..., None], outside, scale)
    cheapest = floats(prices == xp.min(prices, axis=-1, keepdims=True), gains)
    shown = cheapest / total(cheapest)[..., None] * steering[..., None]
    quantities = (1 - steering)[..., None] * every.quantities + shown * alone.quantities[..., 0]
    return Demand(quantities, (1 - steering) * every.surplus + total(shown * alone.surplus))
