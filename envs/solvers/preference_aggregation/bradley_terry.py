"""The Bradley-Terry model: a reward of each reply, fitted to comparisons of pairs, as reward models of RLHF are.

An annotator with rewards r prefers a to b with probability sigma(beta (r_a - r_b)). Of pooled comparisons the
likelihood is greatest where every reply is expected to win as often as it has,

    sum_b n_ab sigma(r_a - r_b) = W_a ,

which the minorisation-maximisation w_a <- W_a / sum_{b != a} n_ab / (w_a + w_b), r = log w, approaches from everywhere
(Hunter 2004). With all pairs compared equally often, replies are ordered by W, as Borda orders them (Siththaranjan,
Laidlaw and Hadfield-Menell 2024), and not by majorities: of five annotators three prefer A to B to C, two B to C to A.

    >>> wins = np.array([[0, 3, 3], [2, 0, 5], [2, 0, 0]]) / 5
    >>> fitted(wins).round(3)
    array([ 0.312,  0.617, -0.929])
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.arrays import Array, as_numpy, constant, namespace
from lawgiver.envs.core.errors import ConvergenceError

STEPS = 20_000
TOLERANCE = 1e-12
"""Largest difference between expected and observed wins, as a share of the comparisons of a reply."""


def preferences(rewards: Array, sharpness: float = 1.0) -> Array:
    """Compute the probability sigma(beta (r_a - r_b)) that each reply is preferred to each other, (..., K, K).

    Args:
        rewards: r, (..., K).
        sharpness: beta > 0: the higher, the less annotators err.
    """
    apart = sharpness * (rewards[..., :, None] - rewards[..., None, :])
    return 0.5 + 0.5 * namespace(rewards).tanh(apart / 2)


def fitted(wins: Array) -> Array:
    """Fit rewards (..., K), whose mean is 0, to how often each reply has won against each other.

    Args:
        wins: (..., K, K), at least 0: how often the reply of the row has won against that of the column; shares will
            do. The diagonal is not read.

    Raises:
        ConvergenceError: if no fit is finite, since some replies never lose to the others; or if it is not found.
    """
    xp = namespace(wins)
    apart = 1 - constant(np.eye(wins.shape[-1]), wins)
    wins = wins * apart
    compared = wins + xp.matrix_transpose(wins)
    _check_connected(as_numpy(wins) > 0)
    won, games = xp.sum(wins, axis=-1), xp.sum(compared, axis=-1)
    strengths = xp.ones_like(won)
    for step in range(STEPS):
        expected = xp.sum(compared / (strengths[..., :, None] + strengths[..., None, :]), axis=-1)
        if step % 8 == 0 and _settled(strengths * expected - won, games, strengths):
            logs = xp.log(strengths)
            return logs - xp.mean(logs, axis=-1, keepdims=True)
        strengths = won / expected
        strengths = strengths / xp.mean(strengths, axis=-1, keepdims=True)
    raise ConvergenceError(f"no Bradley-Terry fit after {STEPS:,} steps, allowed: comparisons that are less one-sided")


def _check_connected(beats: np.ndarray) -> None:
    """Raise ConvergenceError unless chains of wins (..., K, K) lead from every reply to every other."""
    size = beats.shape[-1]
    reached = beats | np.eye(size, dtype=bool)
    if reached.all():
        return
    for _ in range(size.bit_length()):
        reached = np.matmul(reached, reached)
    if not reached.all():
        raise ConvergenceError(
            "no Bradley-Terry fit of the comparisons is finite, allowed: comparisons in which no group of replies wins"
            " against all others every time"
        )


def _settled(missing: Array, games: Array, strengths: Array) -> bool:
    """Test whether expected wins are those observed, at finite rewards."""
    off, least = as_numpy(missing / games), float(as_numpy(strengths).min())
    return least > 0 and float(np.abs(off).max()) <= (TOLERANCE if off.dtype == np.float64 else 1e-6)
