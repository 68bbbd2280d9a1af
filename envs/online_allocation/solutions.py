"""Optimal assignments by true values, and bounds on the regret of learning them.

The optimum is found among all n! assignments, which are compared at once. It is checked by another algorithm, over
sets of items (Held and Karp 1962); that of stability is 0, because stable matchings exist (Gale and Shapley 1962).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawgiver.envs.core.game import KnownSolution

if TYPE_CHECKING:
    from lawgiver.envs.online_allocation.game import OnlineAllocation

SAMPLED = 64
"""Draws of values by which the mean optimum of drawn values is checked."""


def known_solutions(game: OnlineAllocation) -> tuple[KnownSolution, ...]:
    """List the value of the best assignment by the values that are given; by drawn ones, for a sample of them."""
    state = game.initial_state(1 if game.means is not None else SAMPLED, np.random.default_rng(0))
    drawn = "the given values" if game.means is not None else f"{SAMPLED} draws of values, on average"

    def residual() -> float:
        other = [game.fairness.optimum_by_subsets(np.asarray(values)) for values in state.values]
        return float(np.abs(np.asarray(state.optimum) - other).max())

    return (
        KnownSolution(
            name=f"value of the best assignment by {drawn}",
            source="all n! assignments; checked over sets of items (Held and Karp 1962), or by Gale and Shapley 1962",
            value=lambda: float(np.asarray(state.optimum).mean()),
            residual=residual,
            exact=1e-12,
        ),
    )
