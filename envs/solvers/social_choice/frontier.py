"""The frontier of welfare against manipulability: the best of all voting rules, by linear programming.

Over the probability x[o, a] of each alternative a in each orbit o of profiles (:mod:`~.orbits`), equal for alternatives
that are exchangeable there, and the regret s of each case, a voter of a representative:

    max  welfare(x)    subject to    sum_a x[o, a] = 1,  x >= 0,  s >= 0,
                                     sum_{j <= k} x'(o_j) - x(o_j) <= s    for every ballot and k < m,
                                     sum weight * s <= regret

with x' the lottery after that ballot and o_j the voter's place j. Restricting rules to those that treat voters alike
and alternatives alike loses nothing: welfare is linear and regret convex, so that the mean of a rule over all names is
as good. At regret 0 these are the rules that are truthful for every utility function, among them random dictatorship
and the majority between a random pair (Gibbard 1977, Econometrica 45). Mechanisms as linear programs: Conitzer and
Sandholm (2002).

    >>> frontier = Frontier(3, 3)
    >>> [round(frontier.best(regret).welfare, 5) for regret in (0.0, 0.01, None)]
    [0.58333, 0.59571, 0.625]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.errors import ConvergenceError, number
from lawgiver.envs.core.registry import extras
from lawgiver.envs.solvers.social_choice.orbits import Orbits, orbits

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ROUNDING = 1e-10
"""By how much the welfare of a rule may be below what is asked for."""


@dataclass(frozen=True)
class Optimum:
    """A rule on the frontier.

    Attributes:
        welfare: expected mean utility; see :meth:`~.orbits.Orbits.welfare`.
        regret: mean over voters and profiles; see :meth:`~.orbits.Orbits.regret`.
        lotteries: one for the representative of each orbit, (O, m).
    """

    welfare: float
    regret: float
    lotteries: np.ndarray


class Frontier:
    """The linear program of n voters and m alternatives, for any bound.

    Args:
        n: number of voters, >= 1.
        m: number of alternatives, >= 2.

    Attributes:
        orbits: the profiles.

    Raises:
        ParameterError: if there are too many profiles.
        MissingExtraError: without scipy, by either method.
    """

    def __init__(self, n: int, m: int) -> None:
        self.orbits: Orbits = orbits(n, m)

    def best(self, regret: float | None = None) -> Optimum:
        """Find a rule of greatest welfare among those whose regret is at most ``regret``, None for any.

        Raises:
            ParameterError: if the bound is negative.
            ConvergenceError: if HiGHS does not find the optimum.
        """
        if regret is None:
            return self._solve(-self._welfare, None, 0.0)
        return self._solve(-self._welfare, self._regret, number("regret", regret, "[0, inf)"))

    def least_regret(self, welfare: float) -> Optimum:
        """Find a rule of least regret among those whose welfare is at least ``welfare``.

        Raises:
            ConvergenceError: if HiGHS finds none, as where no rule has that welfare.
        """
        return self._solve(self._regret, -self._welfare, ROUNDING - welfare)

    def corners(self, tolerance: float = 1e-6) -> list[Optimum]:
        """Find the corners of the frontier, from the greatest welfare without regret to that of any rule.

        Between two corners the frontier is the straight line that joins them, up to a tolerance in welfare.
        """
        first, last = self.best(0.0), self.least_regret(self.best().welfare)
        found, open_ = [first], [last]
        while open_:
            left, right = found[-1], open_[-1]
            run = right.regret - left.regret
            price = (right.welfare - left.welfare) / run if run > tolerance else 0.0
            between = self._solve(price * self._regret - self._welfare, None, 0.0)
            above = between.welfare - price * between.regret - (left.welfare - price * left.regret)
            if price > 0 and above > tolerance:
                open_.append(between)
            else:
                found.append(open_.pop())
        return found

    def _solve(self, cost: np.ndarray, bounded: np.ndarray | None, bound: float) -> Optimum:
        """Minimise a cost of the variables, given the upper bound of another."""
        with extras("the frontier of voting rules", "solve"):
            from scipy.optimize import linprog
            from scipy.sparse import csr_array, vstack
        rows, limits = self._dominance, np.zeros(self._dominance.shape[0])
        if bounded is not None:
            rows, limits = vstack([rows, csr_array(bounded[None])]).tocsr(), np.append(limits, bound)
        found = linprog(cost, rows, limits, self._sums, np.ones(len(self.orbits)), method="highs")
        if found.status != 0:
            raise ConvergenceError(f"HiGHS has not found the frontier of voting rules: {found.message}")
        lotteries = found.x[self._variables]
        lotteries = lotteries / lotteries.sum(axis=-1, keepdims=True)
        return Optimum(float(self.orbits.welfare(lotteries)), float(self.orbits.regret(lotteries)), lotteries)

    # -- the program: probabilities come first among the variables, then the regret of each case ----------------

    @cached_property
    def _variables(self) -> np.ndarray:
        """Variable that each probability is, (O, m)."""
        own = self.orbits.alike + np.arange(len(self.orbits))[:, None] * self.orbits.m
        return np.unique(own, return_inverse=True)[1].reshape(own.shape)

    @cached_property
    def _probabilities(self) -> int:
        """Number of variables that are probabilities."""
        return int(self._variables.max()) + 1

    @cached_property
    def _welfare(self) -> np.ndarray:
        """Welfare as a function of the variables, (V + S,)."""
        each = self.orbits.weights[:, None] * self.orbits.utility
        worth = np.bincount(self._variables.ravel(), each.ravel())
        return np.append(worth, np.zeros(len(self.orbits.held)))

    @cached_property
    def _regret(self) -> np.ndarray:
        """Regret as a function of the variables, (V + S,)."""
        return np.append(np.zeros(self._probabilities), self.orbits.case_weights)

    @cached_property
    def _sums(self) -> csr_array[Any, tuple[int, int]]:
        """Sum of the probabilities of each orbit, (O, V + S)."""
        from scipy.sparse import csr_array

        size, m = len(self.orbits), self.orbits.m
        at = np.repeat(np.arange(size), m), self._variables.ravel()
        return csr_array((np.ones(size * m), at), (size, len(self._welfare)))

    @cached_property
    def _dominance(self) -> csr_array[Any, tuple[int, int]]:
        """Gain of each case by each other ballot and k, less the case's regret, of the variables: at most 0."""
        from scipy.sparse import csr_array

        m, kinds = self.orbits.m, self.orbits.counts.shape[1]
        truth, other = (self._variables.ravel()[cells] for cells in self.orbits.cells)
        case, ballot = np.nonzero(np.arange(kinds) != self.orbits.held[:, None])
        # One row for k = 1, ..., m - 1 of every other ballot, with entries for the best k after either ballot.
        k, j = np.tril_indices(m - 1)
        row = (np.arange(len(case))[:, None] * (m - 1) + k).ravel()
        gained, lost = other[case, ballot][:, j].ravel(), truth[case][:, j].ravel()
        every = np.arange(len(case) * (m - 1))
        own = self._probabilities + np.repeat(case, m - 1)
        values = np.concatenate([np.ones(len(row)), -np.ones(len(row)), -np.ones(len(every))])
        at = np.concatenate([row, row, every]), np.concatenate([gained, lost, own])
        return csr_array((values, at), (len(every), len(self._welfare)))
