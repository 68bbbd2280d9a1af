"""Slopes of payoffs that are averaged over a window of own bids.

The average of u over bids in [b - h, b + h] has the slope (u(b + h) - u(b - h)) / 2h in b, exactly: two auctions by
the game's own rule, whatever its format, on the same draws. Rivals' bids are not smoothed. Kohring et al. (2023,
Enabling First-Order Gradient-Based Learning for Equilibrium Computation in Markets) smooth the allocation in place of
the bid, which takes prices of its own by format.
"""

from __future__ import annotations

import torch

from lawgiver.envs.core.arrays import constant
from lawgiver.envs.families.mechanism_game import MechanismGame, MechanismState
from lawgiver.trainers.bidding.seats import payoffs


def window(game: MechanismGame, bids: torch.Tensor, half: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the ends of the windows around bids (..., k), ``half`` of the Box on either side, inside the Box."""
    low, high = (constant(end, bids) for end in game.action_bounds("participant"))
    reach = half * (high - low)
    return torch.maximum(bids - reach, low), torch.minimum(bids + reach, high)


def slopes(game: MechanismGame, state: MechanismState, bids: torch.Tensor, seat: int, half: float) -> torch.Tensor:
    """Compute the slope of a seat's smoothed payoff in each number of its bid, (B, k).

    Args:
        game: any mechanism game of one round with bids in a Box.
        state: B games that wait for bids.
        bids: everybody's bids, (B, n, k).
        seat: whose slopes they are.
        half: half the width of the window, as a share of the Box.
    """
    ends = window(game, bids[:, seat], half)
    found = []
    for number in range(bids.shape[-1]):
        values = []
        for end in ends:
            sent = bids.clone()
            sent[:, seat, number] = end[:, number]
            values.append(payoffs(game, state, sent)[:, seat])
        found.append((values[1] - values[0]) / (ends[1] - ends[0])[:, number])
    return torch.stack(found, -1)
