"""Fictitious play: every player replies to what the others have played so far (Brown 1951).

Frequencies tend to an equilibrium in zero-sum games (Robinson 1951), not in all: in Shapley's game (1964) play goes
round in runs that grow by the root of x^3 = x^2 + 1, 1.46557.

    >>> from lawgiver.envs.solvers.normal_form.forms import NormalForm
    >>> pennies = NormalForm([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
    >>> fictitious_play(pennies, 10_000).frequencies[0].round(2)
    array([0.5, 0.5])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.errors import integer, seed_number
from lawgiver.envs.solvers.normal_form.forms import Form, Mixtures, checked_choices


@dataclass(frozen=True, eq=False)
class FictitiousPlay:
    """A course of fictitious play.

    Attributes:
        frequencies: of the strategies of each population, (A_i,) each.
        choices: what each population played in each round, (T, populations).
    """

    frequencies: Mixtures
    choices: np.ndarray


def fictitious_play(
    form: Form,
    rounds: int = 10_000,
    start: Sequence[int] | None = None,
    seed: int | None = None,
) -> FictitiousPlay:
    """Run fictitious play, of more than two players against joint frequencies.

    Args:
        form: the game.
        rounds: T, >= 1.
        start: what each population plays in the first round; by default all strategies are equally good then.
        seed: of draws among equally good replies; None for the first of them.

    Raises:
        ParameterError: if an argument is outside its range.
    """
    rounds = integer("rounds", rounds, 1)
    first = checked_choices(form, start)
    rng = None if seed is None else np.random.default_rng(seed_number("seed", seed))
    earned = [np.zeros(size) for size in form.sizes]
    choices = np.empty((rounds, len(form.sizes)), int)
    for step in range(rounds):
        if step == 0 and first is not None:
            played = first
        else:
            played = [int(worth.argmax()) if rng is None else _drawn(worth, rng) for worth in earned]
        choices[step] = played
        for sums, worth in zip(earned, form.replies(played), strict=True):
            sums += worth
    counts = (np.bincount(of_one, minlength=size) for of_one, size in zip(choices.T, form.sizes, strict=True))
    return FictitiousPlay(tuple(each / rounds for each in counts), choices)


def _drawn(worth: np.ndarray, rng: np.random.Generator) -> int:
    best = np.flatnonzero(worth == worth.max())
    return int(best[0] if len(best) == 1 else rng.choice(best))


def runs(choices: np.ndarray) -> np.ndarray:
    """Measure the lengths of runs of the same joint choice, of choices (T, populations), the unfinished last left out.

    >>> runs(np.array([[0, 0], [0, 0], [0, 1], [1, 1], [1, 1]]))
    array([2, 1])
    """
    changes = np.flatnonzero((choices[1:] != choices[:-1]).any(axis=1)) + 1
    return np.diff(changes, prepend=0)
