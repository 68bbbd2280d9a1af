"""The stopping rule of HCMD-zero, which distinguishes convergence from a lack of games.

The newest mechanism is compared with the previous one. The loop has converged once the confidence interval of its edge,
its share of the votes less one half, lies below the smallest worthwhile gain. If the interval is too wide to decide,
games are added, up to a bound, that narrow it to half that gain on either side. Their number depends on the variance of
votes and not on the winner (Stein 1945), so that two looks are valid if each has half of the error. Balaguer et al.
2022, section 3.4, stop once the newest is not dominant any more or its advantage negligible.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lawgiver.trainers.elections.meta_game import binomial_errors
from lawgiver.trainers.statistics.estimate import LEVEL, Estimate

LOOKS = 2
"""At the first games, and with those that were added: each with 1 / LOOKS of the error."""

Verdict = Literal["converged", "improves", "fell behind", "not told apart"]


def edge_of(shares: np.ndarray, comparisons: int) -> Estimate:
    """Estimate a mechanism's edge over another, its share of the votes less one half, with Student's interval.

    Args:
        shares: its share of the votes in each of E >= 2 elections of each of C conditions, (C, E).
        comparisons: number of intervals that share the error 1 - LEVEL (Bonferroni).
    """
    conditions, each = shares.shape
    error, edge = math.sqrt(shares.var(axis=1, ddof=1).mean() / shares.size), float(shares.mean() - 0.5)
    if not error:  # all voted the same: that is not certainty
        pair = np.array([[0.5, 0.5 + edge], [0.5 - edge, 0.5]])
        error = float(binomial_errors(pair, shares.size)[0, 1])
    return Estimate.student(edge, error, shares.size, conditions * (each - 1), 1 - (1 - LEVEL) / comparisons)


@dataclass(frozen=True)
class Convergence:
    """The verdict on whether the newest mechanism improves on the earlier ones.

    Attributes:
        verdict: ``converged``: it gains less on the one before than is worth having. ``improves``: it beats it, and may
            gain as much. ``fell behind``: an earlier mechanism beats it, which is no convergence, since the next data
            may put it right. ``not told apart``: the games do not tell.
        rival: the earlier mechanism that this rests on.
        edge: of the newest against it, in shares of the votes; ``edge.n`` games.
        gain: that is worth having, in shares of the votes.
    """

    verdict: Verdict
    rival: str
    edge: Estimate
    gain: float

    def data(self) -> dict[str, Any]:
        """Convert to plain data, with ``converged`` and the ``reason`` in words."""
        edge = self.edge
        words = {
            "converged": f"less than {100 * self.gain:.3g} points are to be gained",
            "improves": "it improves",
            "fell behind": "it is beaten",
            "not told apart": f"too few games to tell whether {100 * self.gain:.3g} points are gained",
        }
        mean, low, high = (50 + 100 * each for each in (edge.mean, *edge.ends))
        won = f"{mean:.1f} % [{low:.1f}, {high:.1f}] of the votes"
        data = {"converged": self.verdict == "converged", "verdict": self.verdict, "rival": self.rival, "edge": edge}
        return data | {"reason": f"{won} against {self.rival} in {edge.n:,} games: {words[self.verdict]}"}


def convergence(
    earlier: Mapping[str, np.ndarray], gain: float, most: int, play: Callable[[int], np.ndarray]
) -> Convergence:
    """Test whether the newest mechanism has ceased to improve on the earlier ones.

    Args:
        earlier: the newest one's shares of the votes (C, E) against each of the earlier mechanisms by name, in the
            order in which these were made.
        gain: smallest edge over the one before that is worth having, in shares of the votes, above 0.
        most: games against the one before that are played at most.
        play: plays at least that many more games against the one before, (C, E').
    """
    *_, (previous, shares) = earlier.items()
    edge = edge_of(shares, LOOKS)
    verdict = _verdict(edge, gain)
    if verdict == "not told apart":
        wanted = min(most, math.ceil(edge.n * (edge.half / (gain / 2)) ** 2))
        if wanted > edge.n:
            edge = edge_of(np.concatenate([shares, play(wanted - edge.n)], axis=1), LOOKS)
            verdict = _verdict(edge, gain)
    others = {name: edge_of(found, len(earlier) - 1) for name, found in earlier.items() if name != previous}
    beating = {name: other for name, other in others.items() if other.ends[1] < 0}
    if beating and verdict != "fell behind":
        rival = min(beating, key=lambda name: beating[name].mean)
        return Convergence("fell behind", rival, beating[rival], gain)
    return Convergence(verdict, previous, edge, gain)


def _verdict(edge: Estimate, gain: float) -> Verdict:
    """Classify an edge over the previous mechanism."""
    low, high = edge.ends
    if high < 0 and low < -gain:
        return "fell behind"
    if high < gain:
        return "converged"
    return "improves" if low > 0 else "not told apart"
