"""Hedge and optimistic hedge: every population weighs its strategies by the exponential of what they would have earned.

p_{t+1}(a) is proportional to exp(eta (s(a) + u_1(a) + ... + u_t(a))), all playing against each other (Freund and
Schapire 1999); s is the head start. With eta = sqrt(8 ln A / T) / range no player's external regret exceeds
range sqrt(ln A / (2 T)) a round, so that time averages of zero-sum games tend to an equilibrium, though the last
iterate does not. Optimistic hedge counts the last payoff once more (Rakhlin and Sridharan 2013; Syrgkanis et al. 2015);
of zero-sum games with one equilibrium its last iterate converges too, at a constant eta.

    >>> from lawgiver.envs.solvers.normal_form.forms import NormalForm
    >>> pennies = NormalForm([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
    >>> start = ([0.9, 0.1], [0.4, 0.6])
    >>> round(float(hedge(pennies, 1_000, start=start).average[0][0]), 2)
    0.5
    >>> optimistic_hedge(pennies, 2_000, start=start).last[0].round(6)
    array([0.5, 0.5])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.arrays import softmax
from lawgiver.envs.core.errors import integer, number
from lawgiver.envs.solvers.normal_form.forms import Form, Mixtures, checked_mixtures


@dataclass(frozen=True)
class Trajectory:
    """A course of play in mixed strategies.

    Attributes:
        average: mean of the mixtures of all rounds, by population.
        last: mixtures of the last round.
    """

    average: Mixtures
    last: Mixtures


def hedge(
    form: Form,
    rounds: int = 10_000,
    learning_rate: float | None = None,
    start: Sequence[Sequence[float]] | None = None,
) -> Trajectory:
    """Play hedge against each other, in expectation.

    Args:
        form: the game.
        rounds: T, >= 1.
        learning_rate: eta per unit of payoff, > 0; sqrt(8 ln A / T) / range of each population by default.
        start: distribution of each population whose logarithm is the head start, in units of payoff; uniform, which is
            none, by default. Where it is 0 a strategy is never played.

    Raises:
        ParameterError: if an argument is outside its range.
    """
    rounds = integer("rounds", rounds, 1)
    if learning_rate is not None:
        rates = np.full(len(form.sizes), number("learning_rate", learning_rate, "(0, inf)"))
    else:
        rates = np.sqrt(8 * np.log(form.sizes) / rounds) / np.where(form.ranges > 0, form.ranges, 1)
    return _weighted(form, rounds, rates, start, last_counts_twice=False)


def optimistic_hedge(
    form: Form,
    rounds: int = 10_000,
    learning_rate: float | None = None,
    start: Sequence[Sequence[float]] | None = None,
) -> Trajectory:
    """Play optimistic hedge against each other, in expectation.

    Args:
        form: the game.
        rounds: T, >= 1.
        learning_rate: eta per unit of payoff, > 0; 1/2 / range of each population by default.
        start: distribution of each population whose logarithm is the head start, in units of payoff; uniform, which is
            none, by default. Where it is 0 a strategy is never played.

    Raises:
        ParameterError: if an argument is outside its range.
    """
    rounds = integer("rounds", rounds, 1)
    if learning_rate is not None:
        rates = np.full(len(form.sizes), number("learning_rate", learning_rate, "(0, inf)"))
    else:
        rates = 0.5 / np.where(form.ranges > 0, form.ranges, 1)
    return _weighted(form, rounds, rates, start, last_counts_twice=True)


def _weighted(
    form: Form, rounds: int, rates: np.ndarray, start: Sequence[Sequence[float]] | None, last_counts_twice: bool
) -> Trajectory:
    with np.errstate(divide="ignore"):
        scores = [np.log(mixture) for mixture in checked_mixtures(form, start)]
    played = _weights(rates, scores)
    total = [np.zeros(size) for size in form.sizes]
    for step in range(rounds):
        for sums, mixture in zip(total, played, strict=True):
            sums += mixture
        if step < rounds - 1:
            earned = form.against(played)
            scores = [score + worth for score, worth in zip(scores, earned, strict=True)]
            ahead = [score + worth for score, worth in zip(scores, earned, strict=True)]
            played = _weights(rates, ahead if last_counts_twice else scores)
    return Trajectory(tuple(sums / rounds for sums in total), played)


def _weights(rates: np.ndarray, scores: list[np.ndarray]) -> Mixtures:
    return tuple(np.asarray(softmax(rate * score)) for rate, score in zip(rates, scores, strict=True))
