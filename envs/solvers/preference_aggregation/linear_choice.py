"""Linear social choice: rewards theta . phi(y) of replies with public features, fitted to everybody's comparisons.

The logistic fit of one theta to the comparisons of all annotators may rank a reply above another to which everybody
prefers it (Ge et al. 2024, theorem 3.1), which no loss of that kind avoids. A rule that does: rank first the reply with
the greatest Copeland score (how many others a majority puts it above) that some theta can rank there, of all that agree
with what everybody prefers; then the second, and so on (*leximax Copeland*, subject to Pareto).

    >>> features, shares = counterexample(0.75, 0.1, 0.1)
    >>> fitted_direction(features, shares).round(4), [NAMES[k] for k in leximax_copeland(features, shares)]
    (array([0.7389, 0.029 ]), ['a', "a'", 'b', "b'", "c'", 'c'])
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.core.registry import extras

NAMES = ("a", "b", "c", "a'", "b'", "c'")
"""Replies of :func:`counterexample`."""
NEWTON_STEPS = 100


def counterexample(share: float, apart: float, slope: float) -> tuple[np.ndarray, np.ndarray]:
    """Return features (6, 2) and shares (6, 6) who prefer the reply of the row, of a profile where the fit fails.

    A share ranks a a' b b' c' c, the others c' c b' b a' a: everybody prefers c' to c.

    Args:
        share: of the first ranking, in (1/2, 1).
        apart: distance of a, b and c from their primed copies, > 0.
        slope: second coordinate of the difference between c' and c, by the distance, > 0.
    """
    first = np.array([[2.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    moved = apart * np.array([[-1.0, 0.0], [-1.0, 0.0], [-1.0, slope]])
    places = {"a a' b b' c' c": share, "c' c b' b a' a": 1 - share}
    shares = np.zeros((6, 6))
    for ranking, weight in places.items():
        order = ranking.split()
        place = np.array([order.index(name) for name in NAMES])
        shares += weight * (place[:, None] < place[None, :])
    return np.concatenate([first, first + moved]), shares


def fitted_direction(features: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Fit theta (d,) to comparisons of all pairs by the greatest likelihood, with Newton's steps.

    Args:
        features: phi, (K, d).
        shares: who prefers the reply of the row to that of the column, (K, K).

    Raises:
        ConvergenceError: if there is no finite fit, or several.
    """
    above, below = np.triu_indices(len(features), 1)
    gaps, won = features[above] - features[below], shares[above, below]
    theta = np.zeros(features.shape[1])
    for _ in range(NEWTON_STEPS):
        expected = 1 / (1 + np.exp(-gaps @ theta))
        slope = gaps.T @ (won - expected)
        if np.abs(slope).max() < 1e-12:
            return theta
        curvature = (gaps * (expected * (1 - expected))[:, None]).T @ gaps
        step = np.linalg.lstsq(curvature, slope, rcond=None)[0]
        theta = theta + step / max(1.0, float(np.abs(step).max()))
    raise ConvergenceError("no logistic fit of the comparisons is finite, allowed: comparisons that disagree")


def leximax_copeland(features: np.ndarray, shares: np.ndarray) -> list[int]:
    """Rank replies by Copeland scores as far as one theta can, and agrees with everybody; see the module.

    Args:
        features: phi, (K, d).
        shares: who prefers the reply of the row to that of the column, (K, K).

    Returns:
        the replies' numbers, the best first.

    Raises:
        ConvergenceError: if no theta agrees with what everybody prefers.
        MissingExtraError: without scipy.
    """
    scores = (shares > 0.5).sum(1)
    agreed = [(int(a), int(b)) for a, b in np.argwhere(shares >= 1 - 1e-12)]
    left, ranked = sorted(range(len(features)), key=lambda k: (-scores[k], k)), list[int]()
    while left:
        for best in left:
            first = [(best, other) for other in left if other != best]
            fixed = [(a, b) for i, a in enumerate(ranked) for b in [*ranked[i + 1 :], *left]]
            if _feasible(features, [*agreed, *fixed, *first]):
                ranked.append(best)
                left.remove(best)
                break
        else:
            raise ConvergenceError("no theta agrees with what everybody prefers, allowed: rankings by linear rewards")
    return ranked


def _feasible(features: np.ndarray, pairs: list[tuple[int, int]]) -> bool:
    """Test whether some theta puts the first reply of each pair above the second."""
    with extras("leximax Copeland", "solve"):
        from scipy.optimize import linprog
    if not pairs:
        return True
    gaps = np.array([features[a] - features[b] for a, b in pairs])
    free = [(None, None)] * features.shape[1]
    return bool(linprog(np.zeros(features.shape[1]), -gaps, -np.ones(len(gaps)), bounds=free).status == 0)
