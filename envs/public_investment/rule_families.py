"""Families of redistribution rules, whose few parameters are announced before contributions.

A family turns its parameters (B, k), the endowments and the contributions (B, n) into weights (B, n) on the simplex.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lawgiver.envs.core.arrays import Array, floats, namespace, total
from lawgiver.envs.core.fields import Field, Layout


@dataclass(frozen=True)
class RuleFamily:
    """A family of rules: its parameters, its weights in one line, and which canonical rules it contains."""

    formula: str
    layout: Layout
    weights: Callable[[Array, Array, Array], Array]
    members: dict[str, tuple[float, ...]]


def normalised(shares: Array) -> Array:
    """Return ``shares`` >= 0 (B, n) divided by their sum; 1/n each where all are zero."""
    xp = namespace(shares)
    whole = total(shares)[..., None]
    empty = whole <= 0
    return xp.where(empty, 1 / shares.shape[-1], shares / xp.where(empty, 1.0, whole))


def power_weights(parameters: Array, endowments: Array, contributions: Array) -> Array:
    """Return w_i proportional to e_i^q (c_i / e_i)^p with 0^0 = 1, parameters (p, q) (B, 2).

    Strict egalitarian is (0, 0), libertarian (1, 1), liberal egalitarian (1, 0).
    """
    xp = namespace(contributions)
    p, q = parameters[..., 0:1], parameters[..., 1:2]
    ratio = contributions / endowments
    given = ratio > 0
    logs = xp.log(xp.where(given, ratio, 1.0))  # no gradient through log 0
    powers = xp.where(given, xp.exp(p * logs), floats(p <= 0, ratio))
    return normalised(xp.exp(q * xp.log(endowments)) * powers)


def manifold_weights(parameters: Array, endowments: Array, contributions: Array) -> Array:
    """Return the weights of the ideological manifold, parameters (w, v) (B, 2).

    ``w`` weighs one's own contribution against the mean of the others', ``v`` absolute contributions against
    contributions relative to endowments (Koster et al. 2022; notation reconstructed, so that the budget balances for
    every (w, v)). Strict egalitarian is (1/n, 1), libertarian (1, 1), liberal egalitarian (1, 0).
    """
    own, absolute = parameters[..., 0:1], parameters[..., 1:2]

    def mixed(amounts: Array) -> Array:
        shares = normalised(amounts)
        return own * shares + (1 - own) * (1 - shares) / (shares.shape[-1] - 1)

    return absolute * mixed(contributions) + (1 - absolute) * mixed(contributions / endowments)


FAMILIES = {
    "power": RuleFamily(
        formula="participant i gets e_i^q (c_i / e_i)^p / sum_j e_j^q (c_j / e_j)^p of the fund; e endowments,"
        " c contributions",
        layout=(
            Field("p", 1, 0.0, 12.0, "exponent", "how steeply the share rises with the contributed fraction", "log"),
            Field("q", 1, -1.0, 2.0, "exponent", "how the share depends on the endowment"),
        ),
        weights=power_weights,
        members={
            "strict_egalitarian": (0.0, 0.0),
            "libertarian": (1.0, 1.0),
            "liberal_egalitarian": (1.0, 0.0),
        },
    ),
    "manifold": RuleFamily(
        formula="participant i gets v m_i(c) + (1 - v) m_i(c / e) of the fund, m_i(x) = w s_i +"
        " (1 - w) (1 - s_i) / (n - 1) with s_i = x_i / sum_j x_j; e endowments, c contributions",
        layout=(
            Field("w", 1, 0.0, 1.0, "weight", "own contribution against the mean of the others'"),
            Field("v", 1, 0.0, 1.0, "weight", "absolute against relative contributions"),
        ),
        weights=manifold_weights,
        members={"libertarian": (1.0, 1.0), "liberal_egalitarian": (1.0, 0.0)},
    ),
}
"""Rule families by name. Strict egalitarian's place in the manifold, (1/n, 1), depends on n: see the game."""
