"""Cultures: where voters' utilities come from, as functions of uniform numbers.

Each makes utilities (B, n, m) in [0, 1], on the backend of the numbers that it is given, (B, n, d) from [0, 1).
Rankings become utilities by laying sorted uniform numbers on them, so that a ranking says no more about utilities under
one culture than under another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.files.votes import Votes
from lawgiver.envs.solvers.social_choice.profiles import positions

APART = 1e-6
"""How far utilities of tied alternatives of a file lie apart at most: a ballot breaks the tie as the draw does.

Neighbours lie ``APART`` / m apart. Single precision resolves that next to 0 always, and next to 1, where its numbers
are 6e-8 apart, for up to 16 alternatives; of more, those that become equal there are ranked by number.
"""
TINY = 1e-30
"""What is drawn less often than once in 1e30 is drawn as this, whose logarithm is finite."""


def laid(places: Array, draws: Array) -> Array:
    """Return the draws (B, n, m), sorted, as utilities of alternatives at places (B, n, m), place 0 the best."""
    xp = namespace(draws)
    ascending = xp.sort(draws, axis=-1)
    return xp.take_along_axis(ascending, draws.shape[-1] - 1 - places, axis=-1)


def mallows(draws: Array, phi: float) -> Array:
    """Return utilities of rankings near 0, 1, ..., m - 1: the probability of one at Kendall distance d is as phi^d.

    By repeated insertion: the i-th alternative goes to place j <= i with probability as phi^(i - j).

    Args:
        draws: (B, n, 2m): of the insertions, and of the utilities.
        phi: in [0, 1]; 1 is the impartial culture, 0 leaves the one ranking.
    """
    xp, m = namespace(draws), draws.shape[-1] // 2
    places = xp.astype(0 * draws[..., :0], xp.int64)
    for i in range(m):
        chances = np.cumsum(float(phi) ** np.arange(i, -1, -1))
        level = draws[..., i, None] * float(chances[-1])
        place = xp.sum(xp.astype(level >= constant(chances[:-1], draws), xp.int64), axis=-1)[..., None]
        below = xp.astype(places >= place, xp.int64)
        places = xp.concat([places + below, place], axis=-1)
    return laid(places, draws[..., m:])


def plackett_luce(draws: Array, log_weights: Sequence[float]) -> Array:
    """Return utilities of which each is the largest with probability as exp(log weight), and so on among the rest.

    They are log weights with Gumbel noise, by the logistic function in [0, 1].

    Args:
        draws: (B, n, m).
        log_weights: m numbers.
    """
    xp = namespace(draws)
    noise = -xp.log(-xp.log(xp.maximum(draws, constant(TINY, draws))))
    return 1 / (1 + xp.exp(-noise - constant(log_weights, draws)))


def candidates(draws: Array, m: int, dimensions: int, *, ordered: bool = False) -> Array:
    """Return the candidates' places in the unit cube, (B, m, d).

    Args:
        draws: (B, n, d + m d): a voter's place, and the candidates', for which the first voter's numbers are taken.
        m: candidates.
        dimensions: d.
        ordered: whether candidates are numbered from left to right; for one dimension.
    """
    xp = namespace(draws)
    places = xp.reshape(draws[:, 0, dimensions:], (draws.shape[0], m, dimensions))
    return xp.sort(places, axis=1) if ordered else places


def nearness(voters: Array, candidates: Array) -> Array:
    """Return utilities 1 - |x - c| / sqrt(d), (B, n, m), for places of voters (B, n, d) and candidates (B, m, d)."""
    xp = namespace(voters)
    away = voters[:, :, None] - candidates[:, None]
    return 1 - xp.sqrt(xp.sum(away**2, axis=-1) / voters.shape[-1])


def urn(draws: Array, alpha: float) -> Array:
    """Return utilities of rankings out of Polya's urn.

    The urn holds each ranking once. Each that is drawn goes back with alpha m! more of its kind: the i-th voter takes
    the ranking of one of the i before with probability i alpha / (1 + i alpha), and else any.

    Args:
        draws: (B, n, 2m + 1): of an own ranking, of whether and whom to follow, and of the utilities.
        alpha: at least 0; 0 is the impartial culture.
    """
    xp, n, m = namespace(draws), draws.shape[1], draws.shape[-1] // 2
    places = positions(draws[..., :m])
    before = constant(np.arange(n), draws)
    level = draws[..., m] * (1 + alpha * before)
    follows = level < alpha * before
    nobody = xp.zeros_like(level)
    chosen = xp.where(follows, level, nobody) / xp.where(follows, alpha * before, nobody + 1) * before
    chosen = xp.where(follows, xp.minimum(chosen, before - 1), before + nobody)  # rounding may lead to oneself
    index = xp.astype(chosen, xp.int64)
    for _ in range((n - 1).bit_length()):  # whom the followed follow
        index = xp.take_along_axis(index, index, axis=1)
    return laid(xp.take_along_axis(places, index[..., None] + 0 * places, axis=1), draws[..., m + 1 :])


def dichotomous(draws: Array, approving: float) -> Array:
    """Return utilities of 1 with a probability, else of 0, for draws (B, n, m)."""
    xp = namespace(draws)
    return xp.where(draws < approving, xp.ones_like(draws), xp.zeros_like(draws))


def table(draws: Array, votes: Votes, *, apart: bool = True) -> Array:
    """Return utilities of votes out of a file, each as often as it was cast.

    Where votes are approvals, what is approved is worth 1, all else 0. Where they are orders, sorted uniform numbers
    are laid on them, and tied alternatives share their mean.

    Args:
        draws: (B, n, 2m + 1): which vote, the order of what is tied, and utilities.
        votes: of the file.
        apart: whether tied alternatives lie apart by up to ``APART``, in an order that is drawn: a ballot that allows
            no ties then breaks them at random, not by the number of the alternative.
    """
    xp, m = namespace(draws), len(votes.alternatives)
    shares = constant(np.cumsum(votes.counts)[:-1] / votes.counts.sum(), draws)
    levels = constant(votes.levels, draws)[xp.searchsorted(shares, draws[..., 0] + 0, side="right")]
    places = positions(-levels - draws[..., 1 : m + 1])
    if votes.approvals:
        worth = xp.where(levels == 0, xp.ones_like(levels), xp.zeros_like(levels))
    else:
        worth = laid(places, draws[..., m + 1 :])
        for level in range(int(votes.levels.max()) + 1 if _tied(votes.levels) else 0):
            same = xp.astype(levels == level, levels.dtype)
            count = xp.maximum(xp.sum(same, axis=-1, keepdims=True), xp.ones_like(levels[..., :1]))
            mean = xp.sum(same * worth, axis=-1, keepdims=True) / count
            worth = worth + same * (mean - worth)
    if not apart:
        return worth
    return (1 - APART) * worth + APART * (m - 1 - xp.astype(places, levels.dtype)) / m


def _tied(levels: np.ndarray) -> bool:
    return bool((np.diff(np.sort(levels, axis=1), axis=1) == 0).any())
