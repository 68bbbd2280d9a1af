"""Distortion: how much welfare a rule may lose that sees who prefers what, and not how much.

Annotators compare two replies as Bradley-Terry models of sharpness beta do. A share p gains 1 by the first, the others
delta by the second. Where p sigma(beta) + (1 - p) sigma(-beta delta) = 1/2 the comparisons do not tell the replies
apart, but the first is better by the factor p / ((1 - p) delta), which approaches

    (beta / 2) coth(beta / 2)   as delta -> 0.

It is linear in beta: (1/2 + o(1)) beta, the least distortion that is possible (Goelz, Haghtalab and Yang 2025).

    >>> [round(float(limit(beta)), 3) for beta in (1, 2, 4, 8)]
    [1.082, 1.313, 2.075, 4.003]
    >>> round(float(ratio(1, 0.01)), 3)
    1.082
"""

from __future__ import annotations

import numpy as np


def share_of_first(sharpness: float, weak: float) -> float:
    """Compute the share p of annotators who gain 1 by the first reply, at which comparisons are even.

    Args:
        sharpness: beta > 0.
        weak: delta > 0, the gain of the others by the second reply.
    """
    first, second = (1 / (1 + np.exp(-sharpness * gain)) for gain in (1.0, -weak))
    return float((0.5 - second) / (first - second))


def ratio(sharpness: float, weak: float) -> float:
    """Compute the welfare of the first reply by that of the second, where comparisons are even; see above."""
    share = share_of_first(sharpness, weak)
    return share / ((1 - share) * weak)


def limit(sharpness: float) -> float:
    """Compute (beta / 2) coth(beta / 2), which the ratio approaches as delta falls to 0."""
    return float(sharpness / 2 / np.tanh(sharpness / 2))
