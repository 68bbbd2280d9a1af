"""Gains of deviations from given play, in any auction: by shifts of bids within bins of like types.

A bidder that sees x may bid anything. Here it may bid beta(x) + d, with a d of its own for every bin of like x, where
beta is the line through the bids that are played in the bin, or, of Discrete bids, any one of them in the bin. All
profiles of a bin are draws of the others' types and bids given (about) this x: signals may be correlated, worths
common, the format any. Everything goes through the game's own rule, on the same draws for all deviations.

The largest of several noisy means is too large on average. The best deviation by one half of the profiles, judged on
the other half, has a mean that is too small. Both are returned: between them lies the gain of the best of these
deviations, up to the error of sampling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.fields import width
from lawgiver.envs.families.mechanism_game import MechanismGame, MechanismState
from lawgiver.trainers.bidding.seats import payoffs

SHIFTS = 2.0 ** -np.arange(11)
"""Sizes of shifts of either sign, as shares of the Box."""
FINER = np.linspace(-1, 1, 10)[1:-1]
"""Steps from the best of them towards its neighbours, in powers of 2; from none, in the smallest size."""


@dataclass(frozen=True)
class Gains:
    """Gains of the best deviations, averaged over types.

    Attributes:
        low: chosen on one half of the draws and judged on the other; too small on average.
        high: chosen and judged on all of them; too large on average.
        payoff: without a deviation.
    """

    low: float
    high: float
    payoff: float


def gains(game: MechanismGame, state: MechanismState, actions: np.ndarray, seat: int, bins: int) -> Gains:
    """Estimate the gains of a seat's best deviations from what is played.

    Args:
        game: any mechanism game of one round.
        state: N games that wait for bids.
        actions: everybody's bids, (N, n, k) or (N, n) of choices.
        seat: who deviates.
        bins: number of bins of types, about.
    """
    seen = game.observe(state, "participant")[:, seat, : width(game.type_layout())]
    order = binned(seen, bins)
    played = payoffs(game, state, actions)[:, seat]

    def gained(own: np.ndarray) -> np.ndarray:
        """Compute the mean gain of own bids (bins, size[, k]) by bin and half of the draws, (bins, 2)."""
        sent = actions.copy()
        sent[order, seat] = own
        difference = (payoffs(game, state, sent)[:, seat] - played)[order]
        return np.stack([difference[:, half::2].mean(-1) for half in range(2)], axis=-1)

    choices = game.action_layout("participant")
    if isinstance(choices, int):
        found = [gained(np.full(order.shape, choice)) for choice in range(choices)]
        return _summary(np.stack(found), played.mean())
    return _summary(_shifted(gained, lines(seen[order], actions[order, seat]), game), played.mean())


def _shifted(gained: Callable[[np.ndarray], np.ndarray], base: np.ndarray, game: MechanismGame) -> np.ndarray:
    """Try shifts of base bids (bins, size, k), of all numbers and one by one, and finer ones around the best.

    Returns:
        Gains by shift, bin and half, (S, bins, 2).
    """
    low, high = game.action_bounds("participant")
    span, k = high - low, len(low)
    parts = [np.ones(k), *(np.eye(k) if k > 1 else ())]
    sizes = np.concatenate([-SHIFTS, [0.0], SHIFTS[::-1]])

    def tried(shifts: np.ndarray) -> np.ndarray:
        """Try a shift of each bin (bins, k), in shares of the Box."""
        return gained(np.clip(base + (shifts * span)[:, None], low, high))

    first = [(size, part) for part in parts for size in sizes]
    found = [tried(np.broadcast_to(size * part, (len(base), k))) for size, part in first]
    coarse = np.stack(found)
    for half in range(2):
        best = coarse[..., half].argmax(0)
        direction = np.array([part for _, part in first])[best]
        middle = np.array([size for size, _ in first])[best]
        for step in FINER:
            size = np.where(middle == 0, step * SHIFTS[-1], middle * 2.0**step)
            found.append(tried(direction * size[:, None]))
    return np.stack(found)


def _summary(found: np.ndarray, payoff: float) -> Gains:
    """Choose the best deviations by bin, from gains by deviation, bin and half (S, bins, 2); none gains nothing."""
    every = np.concatenate([np.zeros_like(found[:1]), found])
    crossed = [np.take_along_axis(every[..., 1 - half], every[..., half].argmax(0)[None], 0).mean() for half in (0, 1)]
    return Gains(float(np.mean(crossed)), float(every.mean(-1).max(0).mean()), float(payoff))


def binned(seen: np.ndarray, bins: int) -> np.ndarray:
    """Sort games into bins of like numbers (N, d): their indices (bins, size), ascending in the first number.

    Each number that varies splits every bin into as many of the same size; a remainder of games is left out.
    """
    varying = [column for column in seen.T if np.ptp(column) > 0]
    parts = max(1, round(bins ** (1 / max(1, len(varying)))))
    found = np.arange(len(seen))[None]
    for column in varying:
        size = found.shape[1] // parts
        order = np.take_along_axis(found, column[found].argsort(-1, kind="stable"), -1)
        found = order[:, : parts * size].reshape(-1, size)
    return found


def lines(seen: np.ndarray, bids: np.ndarray) -> np.ndarray:
    """Fit a line to bids (bins, size, k) by what is seen (bins, size, d) in each bin; return its values there."""
    centred = seen - seen.mean(1, keepdims=True)
    middle = bids.mean(1, keepdims=True)
    squares = centred.mT @ centred
    ridge = 1e-9 * np.maximum(np.trace(squares, axis1=1, axis2=2), 1e-30)[:, None, None] * np.eye(seen.shape[-1])
    fitted: np.ndarray = middle + centred @ np.linalg.solve(squares + ridge, centred.mT @ (bids - middle))
    return fitted
