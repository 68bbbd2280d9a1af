"""Rules that are a lottery at each of a few representatives: an objective, linear, and the mean regret, convex.

What :class:`Deviations` declares is all that both need, and all that the linear program of their frontier does
(:mod:`~.regret_frontier`): :class:`~.orbits.Orbits` for voting, and those of markets
(:mod:`lawgiver.envs.solvers.matching.orbits`).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace


class Deviations(Protocol):
    """Lotteries over L outcomes at O representatives, and S cases of somebody who tries T reports there."""

    @property
    def objective(self) -> np.ndarray:
        """Part of each probability in the objective, (O, L)."""

    @property
    def alike(self) -> np.ndarray:
        """The first outcome that has to have the same probability as each, (O, L)."""

    @property
    def held(self) -> np.ndarray:
        """True report of each case, (S,)."""

    @property
    def case_weights(self) -> np.ndarray:
        """Weights of the mean over cases, (S,); they sum to 1."""

    @property
    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Cells of lotteries (O, L), row by row, whose sums are the chances of what a case likes best, second best ...

        After the truth (S, K, E), and after each report (S, T, K, E).
        """


def mean_objective(deviations: Deviations, lotteries: Array) -> Array:
    """Compute the objective of a rule, given its lotteries (O, L)."""
    return namespace(lotteries).sum(lotteries * constant(deviations.objective, lotteries))


def mean_regret(deviations: Deviations, lotteries: Array) -> Array:
    """Compute the mean FOSD regret of a rule over cases, given its lotteries (O, L); see :mod:`~.dominance`."""
    xp = namespace(lotteries)
    worst = xp.max(gains(deviations, lotteries), axis=-1)
    # The true report is among them, so that no maximum is below 0.
    return xp.sum(worst * constant(deviations.case_weights, lotteries))


def gains(deviations: Deviations, lotteries: Array) -> Array:
    """Compute by how much the probability of the best k < K rises by each report, (S, T (K - 1))."""
    xp = namespace(lotteries)
    flat = xp.reshape(lotteries, (-1,))
    truth, other = (xp.asarray(cells, device=lotteries.device) for cells in deviations.cells)
    gained = xp.sum(flat[other], axis=-1) - xp.sum(flat[truth], axis=-1)[:, None]
    return xp.reshape(xp.cumulative_sum(gained, axis=-1)[..., :-1], (len(deviations.held), -1))
