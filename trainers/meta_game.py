"""The meta-game of mechanisms that compete for votes: who beats whom, when to stop, and what to play if none is best.

A meta-game is a symmetric constant-sum game of two players, given by the matrix of vote shares (s, s): ``shares[i, j]``
is the share of votes that mechanism i wins against mechanism j, so that ``shares + shares.T == 1``. Mechanisms stand in
the order in which they were made, the newest last. Shares are estimated from elections: ``errors`` (s, s) are their
standard errors, zeros where they are known exactly. A win or a loss counts if it is more than ``Z`` errors from a tie.
Balaguer et al. 2022, sections 3.4 and 4.3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.registry import extras

Z = 1.96
"""Standard errors from a tie at which a win counts: 5 % of ties are mistaken for a win or a loss."""

SYMMETRY = 1e-9
"""How far two shares of the same election may be from adding up to 1."""


@dataclass(frozen=True)
class Convergence:
    """Whether making still newer mechanisms has ceased to pay, and why.

    Attributes:
        converged: whether to stop.
        cause: ``beaten`` by an earlier mechanism; a ``negligible`` edge over the previous one, or one that is
            ``indistinguishable`` from none with that many elections; otherwise ``ahead``, or ``alone``.
        rival: the earlier mechanism that the decision rests on; None where there is none.
        edge: the newest one's vote share against the rival less one half.
        error: standard error of the edge.
        reason: in words.
    """

    converged: bool
    cause: Literal["alone", "beaten", "negligible", "indistinguishable", "ahead"]
    rival: int | None
    edge: float
    error: float
    reason: str


def checked_shares(shares: np.ndarray) -> np.ndarray:
    """Return a matrix of vote shares (s, s) as floats.

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
    """Return standard errors (s, s) of vote shares that were each counted in a number of elections.

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
    """Return who beats whom by more than chance, bool (s, s)."""
    shares = checked_shares(shares)
    return np.asarray(shares - 0.5 > np.maximum(Z * np.asarray(errors, float), SYMMETRY))


def dominant(shares: np.ndarray, errors: np.ndarray) -> bool:
    """Return whether the newest mechanism is a (weakly) dominant strategy, as far as the errors can tell.

    That is, whether against any mechanism none of the others wins more votes than it does, by more than chance.
    """
    shares, errors = checked_shares(shares), np.broadcast_to(np.asarray(errors, float), np.shape(shares))
    short = shares - shares[-1]
    noise = np.hypot(errors, errors[-1])
    return not (short > np.maximum(Z * noise, SYMMETRY)).any()


def converged(shares: np.ndarray, errors: np.ndarray, margin: float = 0.01) -> Convergence:
    """Return whether the newest mechanism no longer improves on the earlier ones.

    That is so once it is beaten by an earlier one, or its edge over the previous one is negligible: at most
    ``margin``, or too small to be told from none.

    Args:
        shares: vote shares (s, s).
        errors: their standard errors (s, s).
        margin: edge up to which an improvement is negligible, in shares of the votes, >= 0.
    """
    shares, errors = checked_shares(shares), np.broadcast_to(np.asarray(errors, float), np.shape(shares))
    newest = len(shares) - 1
    if not newest:
        return Convergence(False, "alone", None, 0.0, 0.0, "there is no earlier mechanism to compare with")
    beating = wins(shares, errors)[:, newest]
    rival = int(np.argmax(np.where(beating, shares[:, newest], -1))) if beating.any() else newest - 1
    edge, error = float(shares[newest, rival] - 0.5), float(errors[newest, rival])
    won = f"mechanism {newest} wins {0.5 + edge:.1%} of the votes against {rival} (standard error {error:.1%})"
    if beating.any():
        return Convergence(True, "beaten", rival, edge, error, f"{won}, which beats it")
    if edge <= margin:
        return Convergence(True, "negligible", rival, edge, error, f"{won}: an edge of no more than {margin:.1%}")
    if edge <= Z * error:
        reason = f"{won}: an edge within {Z} standard errors of none; more elections may tell"
        return Convergence(True, "indistinguishable", rival, edge, error, reason)
    return Convergence(False, "ahead", rival, edge, error, f"{won}, and no earlier one beats it")


def condorcet_winner(shares: np.ndarray, errors: np.ndarray) -> int | None:
    """Return the mechanism that beats every other one by more than chance, None if none does."""
    beaten = wins(shares, errors).sum(axis=1)
    return int(beaten.argmax()) if beaten.max() == len(beaten) - 1 else None


def condorcet_cycle(shares: np.ndarray, errors: np.ndarray) -> tuple[int, ...] | None:
    """Return a shortest cycle of wins, each mechanism beating the next and the last the first; None if there is none.

    Among the shortest the one that starts with the earliest mechanism, which is its own earliest.
    """
    beats = wins(shares, errors)
    cycles = [cycle for start in range(len(beats)) if (cycle := _cycle_through(beats, start)) is not None]
    return min(cycles, key=len, default=None)


def _cycle_through(beats: np.ndarray, start: int) -> tuple[int, ...] | None:
    """Return a shortest cycle through ``start`` by breadth-first search."""
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
    """Return an equilibrium of the meta-game: a mixture (s,) that no mechanism beats; one of them if there are several.

    Raises:
        MissingExtraError: without nashpy.
    """
    row, _ = _game(shares).linear_program()
    mixture = np.maximum(np.asarray(row, float), 0.0)
    return np.asarray(mixture / mixture.sum())


def fictitious_play(shares: np.ndarray, iterations: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each mechanism was played in so many rounds of fictitious play, (s,), summing to one.

    Both players reply to what the other has played so far (Brown 1951); which of equally good replies is chosen, the
    first included, is drawn. The frequencies of such play tend to an equilibrium (Robinson 1951), slowly.

    Raises:
        MissingExtraError: without nashpy.
    """
    if iterations < 1:
        raise ParameterError(f"iterations is {iterations!r}, allowed: an integer of at least 1")
    game = _game(shares)
    # nashpy draws from NumPy's global generator: it is lent our seed, and left as it was.
    before = np.random.get_state()
    np.random.seed(rng.integers(2**32, dtype=np.uint32))
    try:
        counts = deque(game.fictitious_play(iterations=iterations), maxlen=1).pop()
    finally:
        np.random.set_state(before)
    return np.asarray(counts[0] / iterations)


def _game(shares: np.ndarray) -> Any:
    with extras("the solution of a meta-game"):
        from nashpy import Game
    return Game(checked_shares(shares) - 0.5)


def exploitability(shares: np.ndarray, mixture: np.ndarray) -> float:
    """Return what the best reply to a mixture (s,) wins of the votes beyond one half, >= 0; 0 at an equilibrium."""
    return float((checked_shares(shares) @ np.asarray(mixture, float)).max() - 0.5)


@dataclass(frozen=True)
class DoubleOracle:
    """What a double oracle has found.

    Attributes:
        opened: the strategies that were looked at, in the order in which they were opened, (k,).
        shares: vote shares among these, (k, k).
        mixture: weight of each strategy in the equilibrium, by strategy, zeros included.
    """

    opened: tuple[int, ...]
    shares: np.ndarray
    mixture: Mapping[int, float]


def double_oracle(
    payoff: Callable[[int, int], float], best_response: Callable[[Mapping[int, float]], int | None], start: int
) -> DoubleOracle:
    """Return an equilibrium of a symmetric constant-sum game of which not all strategies need to be looked at.

    The game among the strategies opened so far is solved; a best response to its equilibrium in the whole game is
    opened next, until it is among them or there is none better (McMahan, Gordon and Blum 2003).

    Args:
        payoff: the share of votes of strategy i against j; asked once for each pair of opened strategies.
        best_response: to a mixture, given as weights by strategy: a strategy, or None if none does better than a tie.
        start: the strategy opened first.

    Raises:
        MissingExtraError: without nashpy.
    """
    opened, shares = [start], np.full((1, 1), 0.5)
    while True:
        mixture = dict(zip(opened, nash(shares).tolist(), strict=True))
        response = best_response(mixture)
        if response is None or response in opened:
            return DoubleOracle(tuple(opened), shares, mixture)
        row = np.array([payoff(response, other) for other in opened])
        shares = np.block([[shares, 1 - row[:, None]], [row[None, :], np.full((1, 1), 0.5)]])
        opened.append(response)
