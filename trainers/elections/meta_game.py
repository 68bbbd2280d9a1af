"""The meta-game of mechanisms that compete for votes: who beats whom, and what to play if none is best.

A meta-game is a symmetric constant-sum game of two players, given by the matrix of vote shares (s, s): ``shares[i, j]``
is the share of votes that mechanism i wins against mechanism j, so that ``shares + shares.T == 1``. Everything here
takes the matrix as it is given; the uncertainty of an estimated one is that of ``trainers.elections.standings``.
Balaguer et al. 2022, sections 3.4 and 4.3.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.solvers.normal_form import double_oracle as oracles
from lawgiver.envs.solvers.normal_form import fictitious_play as fictitious
from lawgiver.envs.solvers.normal_form.forms import NormalForm
from lawgiver.envs.solvers.normal_form.nash import secured
from lawgiver.trainers.statistics.estimate import NORMAL

SYMMETRY = 1e-9
"""How far two shares of the same election may be from adding up to 1."""


def checked_shares(shares: np.ndarray) -> np.ndarray:
    """Check a matrix of vote shares (s, s); return it as floats.

    Raises:
        ParameterError: if it is not square, holds anything outside [0, 1], or two shares do not add up to 1.
    """
    shares = np.asarray(shares, float)
    if shares.ndim != 2 or shares.shape[0] != shares.shape[1] or not shares.size:
        raise ParameterError(f"shares have shape {shares.shape}, allowed: (s, s), s >= 1")
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ParameterError(f"shares hold {shares[~((shares >= 0) & (shares <= 1))][0]}, allowed: numbers in [0, 1]")
    surplus = np.abs(shares + shares.T - 1)
    if surplus.max() > SYMMETRY:
        i, j = (int(k) for k in np.unravel_index(surplus.argmax(), surplus.shape))
        raise ParameterError(
            f"shares[{i}, {j}] = {shares[i, j]} and shares[{j}, {i}] = {shares[j, i]}, allowed: two that add up to 1"
        )
    return shares


def binomial_errors(shares: np.ndarray, elections: int | np.ndarray) -> np.ndarray:
    """Compute the standard errors (s, s) of vote shares that were each counted in a number of elections.

    Whatever the number of voters an election counts once, as if all voted alike: the safe side, since those who lived
    through the same games do not vote independently. Two votes are added to either side (Agresti and Coull 1998), so
    that a share of 0 or 1 is not taken for certain. Against itself a mechanism's share is one half, without error.
    """
    shares, counts = checked_shares(shares), np.asarray(elections, float)
    if not (counts > 0).all():
        raise ParameterError(f"elections is {elections!r}, allowed: numbers above 0")
    corrected = (shares * counts + 2) / (counts + 4)
    errors = np.sqrt(corrected * (1 - corrected) / (counts + 4))
    np.fill_diagonal(errors, 0.0)
    return np.asarray(errors)


def wins(shares: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Find the significant wins, bool (s, s): shares more than ``NORMAL`` standard errors above one half."""
    shares = checked_shares(shares)
    return np.asarray(shares - 0.5 > np.maximum(NORMAL * np.asarray(errors, float), SYMMETRY))


def condorcet_winner(beats: np.ndarray) -> int | None:
    """Find the mechanism that beats every other one, None if none does.

    Args:
        beats: who beats whom, bool (s, s), for instance :func:`wins`.
    """
    beaten = np.asarray(beats).sum(axis=1)
    return int(beaten.argmax()) if beaten.max() == len(beaten) - 1 else None


def condorcet_cycle(beats: np.ndarray) -> tuple[int, ...] | None:
    """Find a shortest cycle of wins, each mechanism beating the next and the last the first; None if there is none.

    Among the shortest the one that starts with the earliest mechanism, which is its own earliest. ``beats`` as in
    :func:`condorcet_winner`.
    """
    cycles = [cycle for start in range(len(beats)) if (cycle := _cycle_through(beats, start)) is not None]
    return min(cycles, key=len, default=None)


def _cycle_through(beats: np.ndarray, start: int) -> tuple[int, ...] | None:
    """Find a shortest cycle through ``start`` by breadth-first search."""
    paths: deque[tuple[int, ...]] = deque([(start,)])
    reached = {start}
    while paths:
        path = paths.popleft()
        if beats[path[-1], start]:
            return path
        for loser in (int(j) for j in np.flatnonzero(beats[path[-1]])):
            if loser not in reached:
                reached.add(loser)
                paths.append((*path, loser))
    return None


def nash(shares: np.ndarray) -> np.ndarray:
    """Compute an equilibrium of the meta-game, a mixture (s,) that no mechanism beats; any if there are several.

    Raises:
        MissingExtraError: without scipy.
    """
    return secured(checked_shares(shares) - 0.5)


def nash_of_many(shares: np.ndarray) -> np.ndarray:
    """Compute an equilibrium of each of D meta-games, (D, s), from their vote shares (D, s, s).

    In an equilibrium with support S the mixture x makes everything in S a tie: margins[S, S] x = 0 and sum x = 1.
    Supports are tried from the smallest on, all games at once; without ties between mechanisms the equilibrium is
    unique and its support of odd size (Fisher and Ryan 1992), so that only odd ones are tried. The few games that are
    left are solved by :func:`nash`.
    """
    margins = np.asarray(shares, float) - 0.5
    games, size, _ = margins.shape
    found, left = np.zeros((games, size)), np.arange(games)
    for count in range(1, size + 1, 2):
        for support in itertools.combinations(range(size), count):
            if not left.size:
                return found
            mixtures = _tied(margins[left], np.array(support))
            best = np.einsum("dij,dj->di", margins[left], mixtures).max(axis=1)
            solved = (mixtures >= 0).all(axis=1) & (best <= SYMMETRY)
            found[left[solved]] = mixtures[solved]
            left = left[~solved]
    for game in left:
        found[game] = nash(np.asarray(shares[game], float))
    return found


def _tied(margins: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Solve for the mixtures (D, s) on a support under which all of it ties; -1 where there is none."""
    games, size, _ = margins.shape
    bordered = np.ones((games, len(support) + 1, len(support) + 1))
    bordered[:, :-1, :-1] = margins[:, support[:, None], support]
    bordered[:, -1, -1] = 0.0
    regular = np.abs(np.linalg.det(bordered)) > 1e-12
    mixtures = np.full((games, size), -1.0)
    target = np.zeros((int(regular.sum()), len(support) + 1, 1))
    target[:, -1] = 1.0
    on_support = np.zeros((len(target), size))
    on_support[:, support] = np.linalg.solve(bordered[regular], target)[:, :-1, 0]
    mixtures[regular] = on_support
    return mixtures


def fictitious_play(shares: np.ndarray, iterations: int, rng: np.random.Generator) -> np.ndarray:
    """Compute the frequency of each mechanism in ``iterations`` rounds of fictitious play, (s,), summing to one.

    Both players best-respond to the frequencies of the other so far (Brown 1951); ties, and the first mechanism, are
    drawn at random. The frequencies of such play tend to an equilibrium (Robinson 1951), slowly.
    """
    margins = checked_shares(shares) - 0.5
    form, seed = NormalForm(np.stack([margins, margins.T])), int(rng.integers(2**32))
    return fictitious.fictitious_play(form, iterations, seed=seed).frequencies[0]


def exploitability(shares: np.ndarray, mixture: np.ndarray) -> float:
    """Compute the exploitability of a mixture (s,): its best response's vote share less one half, >= 0."""
    return float((checked_shares(shares) @ np.asarray(mixture, float)).max() - 0.5)


@dataclass(frozen=True)
class DoubleOracle:
    """An equilibrium found by double oracle.

    Attributes:
        opened: the strategies examined, in order, (k,).
        shares: vote shares among these, (k, k).
        mixture: weight of each strategy in the equilibrium, by strategy, zeros included.
    """

    opened: tuple[int, ...]
    shares: np.ndarray
    mixture: Mapping[int, float]


def double_oracle(
    payoff: Callable[[int, int], float], best_response: Callable[[Mapping[int, float]], int | None], start: int
) -> DoubleOracle:
    """Compute an equilibrium of a symmetric constant-sum game by double oracle, from a few of its strategies.

    The restricted game among the opened strategies is solved, and a best response of the whole game to its equilibrium
    is opened, until it is open already or does no better (McMahan, Gordon and Blum 2003).

    Args:
        payoff: the share of votes of strategy i against j; asked once for each pair of opened strategies.
        best_response: to a mixture, given as weights by strategy: a strategy, or None if none does better than a tie.
        start: the strategy opened first.

    Raises:
        MissingExtraError: without scipy.
    """

    def shares_of(cell: tuple[int, ...]) -> dict[int, float]:
        first, second = cell
        if first == second:
            return {first: 0.5}
        won = payoff(second, first)  # of the one that was opened later
        return {first: 1 - won, second: won}

    found = oracles.double_oracle(
        [start],
        oracles.tabulated_symmetric(shares_of, 2),
        lambda form: (nash(form.beside),),
        lambda weights: [best_response(weights[0])],
    )
    return DoubleOracle(found.opened[0], found.form.beside, found.weights[0])
