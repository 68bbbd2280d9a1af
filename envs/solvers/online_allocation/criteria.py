r"""Criteria of an assignment: how good or fair it is by everybody's values, and between which bounds.

Agent i has a value mu_i(k) in [0, 1] of item k, and x_i is its own. Larger is better, so that measures of loss (gaps,
envy, instability) stand with a minus:

    sum              sum_i mu_i(x_i)
    max_min          min_i mu_i(x_i) / e_i, with entitlements e
    nash             sum_i log max(mu_i(x_i), 0.05)
    proportionality  - max_i [ (1/n) sum_k mu_i(k) - mu_i(x_i) ]^+
    envy             - max_{i, j} [ mu_i(x_j) - mu_i(x_i) ]^+
    stability        - max_{i, j} min( mu_i(j) - mu_i(x_i), nu_j(i) - nu_j(x^-1(j)) )^+, items having values nu too

All increase in everybody's value of its own item and decrease in everybody's values of others' items. So one formula
says three things, by which values it is given: the value itself (own = others = mu); the *optimistic* value (upper
bounds of own items, lower ones of others); and the *pessimistic* value (the other way round). The truth lies between
the latter two wherever mu lies within its bounds.

All but stability are a sum or a minimum of one number a pair, since every item is somebody's: agent i envies whoever
has the best of the other items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace
from lawgiver.envs.solvers.online_allocation.assignments import (
    Combination,
    all_assignments,
    best_assignment,
    best_by_subsets,
    combined,
    inverse,
    picked,
)

CRITERIA = ("sum", "max_min", "nash", "proportionality", "envy", "stability")
"""Names of the criteria."""
COMBINED: Mapping[str, Combination] = {
    "sum": "sum",
    "nash": "sum",
    "max_min": "least",
    "proportionality": "least",
    "envy": "least",
}
"""How the numbers of pairs are combined, of all criteria but stability."""
LOSSES = ("proportionality", "envy", "stability")
"""Criteria that are 0 at best."""
TIE = 1e-6
"""Weight of what decides among equals."""
FLOOR = 0.05
"""Value below which Nash welfare does not distinguish."""


@dataclass(frozen=True)
class Criterion:
    """A criterion of assignments of n items to n agents.

    Attributes:
        name: one of ``CRITERIA``.
        n: number of agents.
        entitlements: of ``max_min``, e_i > 0, (n,); 1 each by default.
    """

    name: str
    n: int
    entitlements: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Give equal entitlements where none are given."""
        if not self.entitlements:
            object.__setattr__(self, "entitlements", (1.0,) * self.n)

    @property
    def two_sided(self) -> bool:
        """Whether the items have values too."""
        return self.name == "stability"

    @property
    def participants(self) -> int:
        """Number of those who have values, P: the agents, and after them the items where they have values too."""
        return 2 * self.n if self.two_sided else self.n

    # -- values ---------------------------------------------------------------------------------------------------

    def pair_values(self, own: Array, others: Array) -> Array:
        """Compute what each pair counts for, (B, n, n), of all criteria but stability; of losses it may be above 0.

        Args:
            own: value of each item for each agent as its own, (B, n, n).
            others: value of each item as somebody else's, (B, n, n).
        """
        xp = namespace(own)
        if self.name == "max_min":
            return own / constant(self.entitlements, own)[:, None]
        if self.name == "nash":
            return xp.log(xp.maximum(own, constant(FLOOR, own)))
        if self.name == "proportionality":
            return own * (1 - 1 / self.n) - (xp.sum(others, axis=-1, keepdims=True) - others) / self.n
        if self.name == "envy":
            return own - best_other(others)
        return own

    def slopes(self, lower: Array) -> Array:
        """Compute the steepest slope of what each pair counts for above lower bounds (B, n, n), of sums."""
        xp = namespace(lower)
        return 1 / xp.maximum(lower, constant(FLOOR, lower)) if self.name == "nash" else xp.ones_like(lower)

    def blocking(self, own: Array, others: Array, assignments: np.ndarray) -> Array:
        """Compute what agent i and item j both gain at least by each other, (B, C, n, n); minus infinity if together.

        See :meth:`values` for the arguments.
        """
        xp, n = namespace(own), self.n
        mine = picked(own[:, :n], assignments)[..., :, None]
        its = picked(own[:, n:], np.argsort(assignments, axis=-1))[..., None, :]
        gain = xp.minimum(others[:, None, :n] - mine, xp.matrix_transpose(others[:, n:])[:, None] - its)
        return gain + constant(np.where(assignments[..., None] == np.arange(n), -np.inf, 0.0), own)

    def values(self, own: Array, others: Array, assignments: np.ndarray) -> Array:
        """Compute the value of each of C assignments, (B, C).

        Args:
            own: value of each item for each participant as its own, (B, P, n): lower or upper bounds, or the truth.
            others: value of each item as somebody else's, (B, P, n), likewise.
            assignments: the item of each agent, integers (C, n).
        """
        return self._valuation(own, others)(assignments)

    def _valuation(self, own: Array, others: Array) -> Callable[[np.ndarray], Array]:
        """Make the function from assignments to values; what each pair counts for is computed once."""
        xp = namespace(own)
        pairs = None if self.two_sided else self.pair_values(own, others)

        def valued(assignments: np.ndarray) -> Array:
            if pairs is None:
                worth = -xp.max(self.blocking(own, others, assignments), axis=(-2, -1))
            else:
                worth = combined(picked(pairs, assignments), COMBINED[self.name])
            return xp.minimum(worth, xp.zeros_like(worth)) if self.name in LOSSES else worth

        return valued

    def value(self, own: Array, others: Array, assignment: Array) -> Array:
        """Compute the value of one assignment a game, (B,), given by the item of each agent, integers (B, n)."""
        same = all_assignments(self.n)[:1]
        return self.values(self.relabelled(own, assignment), self.relabelled(others, assignment), same)[:, 0]

    def relabelled(self, table: Array, assignment: Array) -> Array:
        """Rename the items by whose they are, so that agent i has item i: a table (B, P, n) of values to another."""
        xp, n = namespace(table), self.n
        across = xp.broadcast_to(assignment[:, None, :], (assignment.shape[0], n, n))
        agents = xp.take_along_axis(table[:, :n], across, axis=-1)
        if not self.two_sided:
            return agents
        items = xp.take_along_axis(table[:, n:], xp.matrix_transpose(across), axis=-2)
        return xp.concat([agents, items], axis=1)

    def best(self, own: Array, others: Array, among_equals: Array | None = None) -> tuple[Array, Array]:
        """Find the best assignment of each game, the item of each agent (B, n), and its value (B,).

        Of equally good ones it is the first in lexicographic order.

        Args:
            own: value of each item for each participant as its own, (B, P, n).
            others: value of each item as somebody else's, (B, P, n).
            among_equals: values (B, P, n) by which to choose among equally good assignments, with the weight ``TIE``.
        """
        first = self._valuation(own, others)
        size = self.n**2 if self.two_sided else self.n
        if among_equals is None:
            return best_assignment(self.n, own.shape[0], size, first)
        then = self._valuation(among_equals, among_equals)
        return best_assignment(self.n, own.shape[0], size, lambda some: first(some) + TIE * then(some))

    def optimum(self, values: Array) -> tuple[Array, Array]:
        """Find the best assignment (B, n) by the values (B, P, n) and what it is worth (B,)."""
        return self.best(values, values)

    def optimum_by_subsets(self, values: np.ndarray) -> float:
        """Compute the value of the best assignment for values (P, n) without listing assignments.

        Of stability it is 0: stable matchings exist (Gale and Shapley 1962).
        """
        if self.two_sided:
            return 0.0
        found = best_by_subsets(self.pair_values(values[None], values[None])[0], COMBINED[self.name])
        return min(found, 0.0) if self.name in LOSSES else found

    # -- who has whom ---------------------------------------------------------------------------------------------

    def matched(self, assignment: Array) -> Array:
        """Compute whom each participant has, (B, P): agents their items, then items their agents."""
        if not self.two_sided:
            return assignment
        return namespace(assignment).concat([assignment, inverse(assignment)], axis=-1)


def best_other(values: Array) -> Array:
    """Compute the greatest of the other items' values, (B, n, m), for each item of a table (B, n, m)."""
    xp, m = namespace(values), values.shape[-1]
    hidden = constant(np.where(np.eye(m, dtype=bool), -np.inf, 0.0), values)
    return xp.max(values[..., None, :] + hidden, axis=-1)
