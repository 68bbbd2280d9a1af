r"""Closed forms of measured effort: the best weights, and what they leave of the first best.

With V what a unit of effort in each of k tasks is worth, M (J, k) what J tests see of it, and w the weights, somebody
who is paid w . M e and bears |e|^2 / 2 puts in e = M' w. That is worth, less the cost,

    W(w) = V . M' w - |M' w|^2 / 2,

which is greatest where M M' w = M V, so that M' w is the projection of V on the rows of M: tests can be weighed, but
effort that they do not tell apart from other effort is not to be had alone. The share of the first best, |V|^2 / 2,
that is left is |M' w|^2 / |V|^2, for a single test the squared cosine of its angle to V. W is a parabola along w, so
that at twice the best weights nothing is left at all, and beyond they do harm.

    >>> import numpy as np
    >>> worth, tests = np.array([1.0, 1.0]), np.array([[1.0, 0.5]])
    >>> weights = best_weights(worth, tests)
    >>> weights.round(9), round(share_of_first_best(worth, tests), 9), round(net_worth(worth, tests, 2 * weights), 9)
    (array([1.2]), 0.9, 0.0)

Sources: Holmstrom and Milgrom 1991, Multitask Principal-Agent Analyses; Baker 1992, Incentive Contracts and Performance
Measurement. The closed forms are derived here.
"""

from __future__ import annotations

import numpy as np


def best_weights(worth: np.ndarray, tests: np.ndarray) -> np.ndarray:
    """Compute the weights w* = (M M')^+ M V, (J,), the smallest of all that are best.

    Args:
        worth: V, (k,).
        tests: M, (J, k).
    """
    return np.asarray(np.linalg.pinv(tests @ tests.T, hermitian=True) @ tests @ worth)


def net_worth(worth: np.ndarray, tests: np.ndarray, weights: np.ndarray) -> float:
    """Compute W(w), what the effort of somebody who maximises its own payoff is worth, less its cost."""
    effort = tests.T @ weights
    return float(worth @ effort - effort @ effort / 2)


def share_of_first_best(worth: np.ndarray, tests: np.ndarray) -> float:
    """Compute the greatest net worth as a share of |V|^2 / 2, in [0, 1]."""
    effort = tests.T @ best_weights(worth, tests)
    return float(effort @ effort / (worth @ worth))


def slope(worth: np.ndarray, tests: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the gradient of W in w, (J,): zeros at the best weights."""
    return np.asarray(tests @ (worth - tests.T @ weights))
