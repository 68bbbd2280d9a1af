"""The frontier of an objective against manipulability: the best of all rules at any regret, by linear programming.

Over the probability x[o, a] of each outcome a at each representative o, equal for outcomes that are alike there, and
the regret s of each case, somebody who tries all reports (:class:`~.regret.Deviations`):

    max  objective(x)    subject to    sum_a x[o, a] = 1,  x >= 0,  s >= 0,
                                       P'(the best k) - P(the best k) <= s    for every report and k,
                                       sum weight * s <= regret

with P' the probabilities after that report. An objective that is a loss is minimised. Mechanisms as linear programs:
Conitzer and Sandholm (2002).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.envs.core.errors import ConvergenceError, number
from lawgiver.envs.core.registry import extras
from lawgiver.envs.solvers.social_choice.regret import Deviations, mean_objective, mean_regret

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ROUNDING = 1e-10
"""By how much the objective of a rule may be worse than what is asked for."""


@dataclass(frozen=True)
class Optimum:
    """A rule on the frontier.

    Attributes:
        objective: of the rule; see :func:`~.regret.mean_objective`.
        regret: mean over cases; see :func:`~.regret.mean_regret`.
        lotteries: one for each representative, (O, L).
    """

    objective: float
    regret: float
    lotteries: np.ndarray


def gain_matrix(deviations: Deviations) -> csr_array[Any, tuple[int, int]]:
    """Make the linear map from lotteries to gains, for T reports of each of S cases and k < K.

    Returns:
        (S (T - 1) (K - 1), O L), by how much the probability of the best k rises by each report but the true one.
    """
    with extras("gains of reports as a linear map", "solve"):
        from scipy.sparse import csr_array
    truth, other = deviations.cells
    reports, places = other.shape[1:3]
    case, report = np.nonzero(np.arange(reports) != deviations.held[:, None])
    # One row for k = 1, ..., K - 1 of every other report, with entries for the best k after either report.
    k, j = np.tril_indices(places - 1)
    gained, lost = other[case, report][:, j], truth[case][:, j]
    rows = np.arange(len(case))[:, None, None] * (places - 1) + k[:, None]
    row = np.broadcast_to(rows, gained.shape).ravel()
    values = np.concatenate([np.ones(len(row)), -np.ones(len(row))])
    at = np.concatenate([row, row]), np.concatenate([gained.ravel(), lost.ravel()])
    return csr_array((values, at), (len(case) * (places - 1), deviations.alike.size))


class RegretFrontier:
    """The linear program of the rules that are given by lotteries at representatives, for any bound.

    Args:
        deviations: what rules decide on, and who tries what there.
        noun: name of the rules, for messages.
        loss: whether the objective is minimised.
        method: of HiGHS: ``highs-ds``, the dual simplex, or ``highs-ipm``, an interior point method, for large ones.

    Raises:
        MissingExtraError: without scipy, by either method.
    """

    def __init__(self, deviations: Deviations, noun: str, *, loss: bool, method: str) -> None:
        self.deviations, self.noun, self.method = deviations, noun, method
        self._sign = 1.0 if loss else -1.0

    def best(self, regret: float | None = None) -> Optimum:
        """Find a rule with the best objective among those whose regret is at most ``regret``, None for any.

        Raises:
            ParameterError: if the bound is negative.
            ConvergenceError: if HiGHS does not find the optimum.
        """
        if regret is None:
            return self._solve(self._cost, None, 0.0)
        return self._solve(self._cost, self._regret, number("regret", regret, "[0, inf)"))

    def least_regret(self, objective: float) -> Optimum:
        """Find a rule of least regret among those whose objective is at least as good as ``objective``.

        Raises:
            ParameterError: if the objective is no finite number.
            ConvergenceError: if HiGHS finds none, as where no rule has that objective.
        """
        worst = number("objective", objective, "(-inf, inf)")
        return self._solve(self._regret, self._cost, self._sign * worst + ROUNDING)

    def corners(self, tolerance: float = 1e-6) -> list[Optimum]:
        """Find the corners of the frontier, from the best objective without regret to that of any rule.

        Between two corners the frontier is the straight line that joins them, up to a tolerance in the objective.
        """
        first, last = self.best(0.0), self.least_regret(self.best().objective)
        found, open_ = [first], [last]
        while open_:
            left, right = found[-1], open_[-1]
            run = right.regret - left.regret
            price = self._sign * (left.objective - right.objective) / run if run > tolerance else 0.0
            between = self._solve(price * self._regret + self._cost, None, 0.0)
            above = self._sign * (left.objective - between.objective) - price * (between.regret - left.regret)
            if price > 0 and above > tolerance:
                open_.append(between)
            else:
                found.append(open_.pop())
        return found

    def _solve(self, cost: np.ndarray, bounded: np.ndarray | None, bound: float) -> Optimum:
        """Minimise a cost of the variables, given the upper bound of another."""
        with extras(f"the frontier of {self.noun}", "solve"):
            from scipy.optimize import linprog
            from scipy.sparse import csr_array, vstack
        rows, limits = self._dominance, np.zeros(self._dominance.shape[0])
        if bounded is not None:
            rows, limits = vstack([rows, csr_array(bounded[None])]).tocsr(), np.append(limits, bound)
        found = linprog(cost, rows, limits, self._sums, np.ones(self._sums.shape[0]), method=self.method)
        if found.status != 0:
            raise ConvergenceError(f"HiGHS has not found the frontier of {self.noun}: {found.message}")
        lotteries = np.maximum(found.x[self._variables], 0.0)
        lotteries = lotteries / lotteries.sum(axis=-1, keepdims=True)
        objective, regret = (float(measure(self.deviations, lotteries)) for measure in (mean_objective, mean_regret))
        return Optimum(objective, regret, lotteries)

    # -- the program: probabilities come first among the variables, then the regret of each case ----------------

    @cached_property
    def _variables(self) -> np.ndarray:
        """Variable that each probability is, (O, L)."""
        size, many = self.deviations.alike.shape
        own = self.deviations.alike + np.arange(size)[:, None] * many
        return np.unique(own, return_inverse=True)[1].reshape(own.shape)

    @cached_property
    def _probabilities(self) -> int:
        """Number of variables that are probabilities."""
        return int(self._variables.max()) + 1

    @cached_property
    def _cost(self) -> np.ndarray:
        """The objective as a function of the variables, its negative unless it is a loss, (V + S,)."""
        worth = np.bincount(self._variables.ravel(), self.deviations.objective.ravel())
        return self._sign * np.append(worth, np.zeros(len(self.deviations.held)))

    @cached_property
    def _regret(self) -> np.ndarray:
        """Regret as a function of the variables, (V + S,)."""
        return np.append(np.zeros(self._probabilities), self.deviations.case_weights)

    @cached_property
    def _sums(self) -> csr_array[Any, tuple[int, int]]:
        """Sum of the probabilities of each representative, (O, V + S)."""
        from scipy.sparse import csr_array

        size, many = self._variables.shape
        at = np.repeat(np.arange(size), many), self._variables.ravel()
        return csr_array((np.ones(size * many), at), (size, len(self._cost)))

    @cached_property
    def _dominance(self) -> csr_array[Any, tuple[int, int]]:
        """Gain of each case by each other report and k, less the case's regret, of the variables: at most 0."""
        from scipy.sparse import csr_array, hstack

        gains, size = gain_matrix(self.deviations), self._variables.size
        merged = csr_array((np.ones(size), (np.arange(size), self._variables.ravel())), (size, self._probabilities))
        cases = len(self.deviations.held)
        own = np.repeat(np.arange(cases), gains.shape[0] // cases)
        slack = csr_array((-np.ones(len(own)), (np.arange(len(own)), own)), (len(own), cases))
        return hstack([gains @ merged, slack]).tocsr()
