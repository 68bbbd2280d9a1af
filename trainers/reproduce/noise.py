"""Standard deviation of welfare between games in which all participants play one policy: exact and measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.lanes.game import Lanes

if TYPE_CHECKING:
    from lawgiver.trainers.mechanism_design.figures import Band


def welfare_sd(game: Lanes, policy: np.ndarray) -> float:
    """Compute the standard deviation of a game's welfare when all participants follow one policy table.

    Welfare is -2 n A s^2 - d sum u, with s^2 the sample variance of the n terminal positions y and

        Var s^2 = (mu_4 - sigma^4 (n - 3) / (n - 1)) / n,          Cov(s^2, sum u) = Cov((y - E y)^2, u).

    Args:
        game: the game.
        policy: probabilities of the moves in each state, (1, S, A).
    """
    at = game.subgame
    joint = at.weights[:, None] * policy[0]
    ends, moves = at.ends, np.broadcast_to(at.moves, at.ends.shape)
    apart = (ends - (joint * ends).sum()) ** 2
    moved = moves - (joint * moves).sum()
    variance, fourth = (joint * apart).sum(), (joint * apart**2).sum()
    of_spread = (fourth - variance**2 * (game.n - 3) / (game.n - 1)) / game.n
    of_moves = game.n * (joint * moved**2).sum()
    spread, cost = 2 * game.n * game.setting.strength, game.movement_cost
    both = spread**2 * of_spread + cost**2 * of_moves + 2 * spread * cost * (joint * apart * moved).sum()
    return math.sqrt(max(float(both), 0.0))


def pooled(means: np.ndarray, sds: np.ndarray) -> tuple[float, float]:
    """Pool the means and standard deviations (T,) of batches of the same size into those of all games."""
    return float(means.mean()), float(np.sqrt((sds**2).mean() + means.var()))


def band(histories: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], n_bins: int = 60) -> Band:
    """Bin the games of several seeds over time, evenly on a logarithmic axis.

    Args:
        histories: of each seed: games played up to each iteration, mean and standard deviation of welfare over the
            games of that iteration, (T,) each.
        n_bins: at most; bins that no iteration falls into are left out.

    Returns:
        for each bin, the mean over seeds of the means and of the variances of welfare.
    """
    from lawgiver.trainers.mechanism_design.figures import Band

    played = histories[0][0]
    edges = np.geomspace(played[0], played[-1], n_bins + 1)
    place = np.clip(np.searchsorted(edges, played, side="right") - 1, 0, n_bins - 1)
    kept = np.unique(place)
    by_bin = np.array([[pooled(mean[place == k], sd[place == k]) for k in kept] for _, mean, sd in histories])
    time = np.array([np.exp(np.log(played[place == k]).mean()) for k in kept])
    return Band(time, by_bin[..., 0].mean(axis=0), np.sqrt((by_bin[..., 1] ** 2).mean(axis=0)))
