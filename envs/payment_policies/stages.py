"""Stage games: what joint actions of two agents are worth to each, and what each pays to the mechanism for them.

Of a two-by-two game the payoffs are the worth, and nothing is paid. In an auction of one item, bidder i with value v_i
has bids b_0 = 0 < b_1 < ... on an even grid, of which none above v_i is legal; the higher bid wins, equal ones share.
With bids raised to the reserve r, a' = max(a, r), the winner pays

    m a' + (1 - m) c',    c' the other's bid, or r where it takes no part,

m = 0 in a second-price auction and 1 in a first-price one. A bid stands for all that are nearest to it, from a - h/2 to
min(a + h/2, v_i), but none below 0: of these the share above r takes part, and the rest does not. Without a reserve all
do. So what the seller gets is continuous in r; were bids to be shut out one by one, it would fall at each of them.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, floats, namespace
from lawgiver.envs.core.errors import ParameterError, allowed, brief, number

Payoffs: TypeAlias = tuple[tuple[tuple[float, float], ...], ...]
"""Of both participants, by the action of the first and of the second, (2, 2, 2)."""

FORMATS = {"second_price": 0.0, "first_price": 1.0}
"""Auctions by name, with the weight m of the own bid in the price."""
TWO_BY_TWO: dict[str, Payoffs] = {
    "prisoners_dilemma": (((3.0, 3.0), (0.0, 5.0)), ((5.0, 0.0), (1.0, 1.0))),
    "stag_hunt": (((4.0, 4.0), (0.0, 3.0)), ((3.0, 0.0), (2.0, 2.0))),
    "chicken": (((3.0, 3.0), (1.0, 4.0)), ((4.0, 1.0), (0.0, 0.0))),
    "battle_of_the_sexes": (((2.0, 1.0), (0.0, 0.0)), ((0.0, 0.0), (1.0, 2.0))),
    "matching_pennies": (((1.0, -1.0), (-1.0, 1.0)), ((-1.0, 1.0), (1.0, -1.0))),
}
"""Games of two participants and two actions by name; where there is one, the first action is to cooperate."""


def checked_stage(given: Any) -> str | Payoffs:
    """Return the name of a stage game, or its payoffs as nested tuples.

    Raises:
        ParameterError: if it is neither a name nor numbers (2, 2, 2).
    """
    names = (*FORMATS, *TWO_BY_TWO)
    if isinstance(given, str):
        if given in names:
            return given
        raise ParameterError(f"stage is {brief(given)}: {allowed(given, names)}, or payoffs (2, 2, 2)")
    try:
        table = np.asarray(given)
    except ValueError:  # rows of different length
        table = np.zeros(0)
    if table.shape != (2, 2, 2) or table.dtype.kind not in "iuf":
        raise ParameterError(
            f"stage is {brief(given)}, allowed: payoffs of a two-by-two game, numbers (2, 2, 2) by the first's action, "
            f"the second's, and whose they are; or one of {', '.join(names)}"
        )

    def cell(i: int, j: int) -> tuple[float, float]:
        one, other = (number(f"stage[{i}][{j}][{k}]", float(table[i, j, k]), "[-1e12, 1e12]") for k in (0, 1))
        return one, other

    return tuple((cell(i, 0), cell(i, 1)) for i in (0, 1))


def matrix_outcomes(payoffs: Payoffs) -> np.ndarray:
    """Return worth and price of each joint action of a two-by-two game, to each agent, (1, 2, 2, 2, 2).

    The last axes are the agent's own action and the other's.
    """
    table = np.array(payoffs)
    worth = np.stack([table[..., 0], table[..., 1].T])
    return np.stack([worth, np.zeros_like(worth)], axis=1)[None]


def auction_outcomes(values: np.ndarray, bids: np.ndarray, reserve: Array, own_weight: Array) -> Array:
    """Compute worth and price of each joint bid, to each bidder, (W, 2, 2, A, A).

    Args:
        values: of both bidders, (2,), > 0.
        bids: the grid, from 0 up in even steps, (A,).
        reserve: r in each of W auctions, (W,), >= 0.
        own_weight: m, (W,), in [0, 1].
    """
    xp = namespace(reserve)
    half, worth = (bids[1] - bids[0]) / 2, constant(values[:, None, None], reserve)
    lowest = np.maximum(bids - half, 0.0)
    highest = np.maximum(np.minimum(bids + half, values[:, None]), lowest + 1e-9 * half)  # (2, A), whether legal or not
    r, m = reserve[:, None, None, None], own_weight[:, None, None, None]
    sizes = constant(highest - lowest, reserve)
    here = xp.clip((constant(highest, reserve) - reserve[:, None, None]) / sizes, 0.0, 1.0)  # share that takes part
    there = xp.flip(here, axis=1)
    own, other = (constant(each, reserve) for each in (bids[:, None], bids[None, :]))
    wins = floats(own > other, reserve) + floats(own == other, reserve) / 2
    both, alone = here[..., :, None] * there[..., None, :], here[..., :, None] * (1 - there[..., None, :])
    bid, next_bid = xp.maximum(own, r), xp.maximum(xp.minimum(own, other), r)
    shares = both * wins
    price = shares * (m * bid + (1 - m) * next_bid) + alone * (m * bid + (1 - m) * r)
    return xp.stack([(shares + alone) * worth, price], axis=2)
