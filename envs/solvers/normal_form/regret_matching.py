"""Regret matching: players switch to strategies with probability proportional to what they regret not having played.

*External* (Hart and Mas-Colell 2000, section 4.1): the next strategy is drawn with probability proportional to the
positive part of R(b) = sum over rounds of u(b, others) - u(played); joint play tends to the coarse correlated
equilibria. *Internal* (their main procedure): after playing a, each b is drawn with probability R(a, b)+ / (mu t), else
a again, where R(a, b) sums over the rounds in which a was played; joint play tends to the correlated equilibria. mu is
2 (A - 1) range here, so that the probabilities of switching add up to at most 1/2.

    >>> from lawgiver.envs.solvers.normal_form.forms import NormalForm
    >>> chicken = NormalForm([[[6, 2], [7, 0]], [[6, 7], [2, 0]]])
    >>> joint = internal_regret_matching(chicken, 2_000)
    >>> bool(chicken.correlated_regrets(joint).max() < 0.05)
    True
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lawgiver.envs.core.errors import integer, seed_number
from lawgiver.envs.solvers.normal_form.forms import NormalForm


def regret_matching(form: NormalForm, rounds: int = 20_000, seed: int = 0) -> np.ndarray:
    """Play external regret matching against each other, with strategies drawn at random.

    Args:
        form: the game.
        rounds: T, >= 1.
        seed: of the draws, the first strategies among them.

    Returns:
        the frequency of each joint choice, (A_0, ..., A_{n-1}).

    Raises:
        ParameterError: if an argument is outside its range.
    """

    def matched(i: int, regret: np.ndarray, now: int, step: int) -> np.ndarray:
        wanted = np.maximum(regret.sum(axis=0), 0.0)
        total = wanted.sum()
        return np.asarray(wanted / total) if total > 0 else np.full(len(wanted), 1 / len(wanted))

    return _played(form, rounds, seed, matched)


def internal_regret_matching(form: NormalForm, rounds: int = 20_000, seed: int = 0) -> np.ndarray:
    """Play internal regret matching against each other; arguments and result are those of :func:`regret_matching`."""
    caution = [2 * max(size - 1, 1) * (scale or 1.0) for size, scale in zip(form.sizes, form.ranges, strict=True)]

    def matched(i: int, regret: np.ndarray, now: int, step: int) -> np.ndarray:
        chances: np.ndarray = np.maximum(regret[now], 0.0) / (caution[i] * step)
        chances[now] = 1 - chances.sum()  # of what was played there is no regret
        return chances

    return _played(form, rounds, seed, matched)


def _played(
    form: NormalForm, rounds: int, seed: int, matched: Callable[[int, np.ndarray, int, int], np.ndarray]
) -> np.ndarray:
    """Play rounds in which each player's next strategy is drawn with chances made of its regrets, (A_i, A_i)."""
    rounds, rng = integer("rounds", rounds, 1), np.random.default_rng(seed_number("seed", seed))
    regrets = [np.zeros((size, size)) for size in form.sizes]
    played = rng.integers(form.sizes).tolist()
    counts = np.zeros(form.sizes)
    for step, luck in enumerate(rng.random((rounds, form.n)).tolist(), 1):
        counts[tuple(played)] += 1
        after = list(played)
        for i, worth in enumerate(form.replies(played)):
            now = played[i]
            regrets[i][now] += worth - worth[now]
            below = np.cumsum(matched(i, regrets[i], now, step))
            after[i] = min(int(np.searchsorted(below, luck[i], side="right")), len(below) - 1)
        played = after
    return counts / rounds
