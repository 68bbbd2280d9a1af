"""Ballots: how much of reported utilities a rule may read, and all ballots that there are.

A report is read as the simplest utilities that say the same: of a ranking they are equally spaced, and otherwise 1 for
what is approved, or for the favourite, and 0 for the rest.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, floats, namespace
from lawgiver.envs.solvers.social_choice.profiles import orders, positions

BALLOTS = ("ranking", "approval", "score", "plurality")
LARGEST_MENU = {"ranking": 5, "approval": 10, "plurality": 100}
"""Alternatives up to which all ballots of a kind are listed."""


def read_as(ballot: str, reports: Array) -> Array:
    """Reduce reports (..., m) in [0, 1] to the part that a ballot tells, in their shape.

    Of equal numbers the first alternative is ranked higher; approved is what has more than a half; the favourite is the
    first of the largest. A score ballot tells all.
    """
    xp, m = namespace(reports), reports.shape[-1]
    if ballot == "score":
        return reports
    if ballot == "approval":
        return floats(reports > 0.5, reports)
    if ballot == "plurality":
        favourite = xp.argmax(reports, axis=-1)[..., None]
        return floats(xp.arange(m, device=reports.device) == favourite, reports)
    return constant(np.arange(m - 1, -1, -1) / (m - 1), reports)[positions(reports)]


def all_ballots(ballot: str, m: int) -> np.ndarray | None:
    """List the ballots of a kind on m alternatives as they are read, (A, m); None for scores, or if they are many."""
    if m > LARGEST_MENU.get(ballot, 0):
        return None
    if ballot == "ranking":
        ranked: np.ndarray = read_as(ballot, 1 - orders(m) / m)
        return ranked
    if ballot == "approval":
        return np.array(list(product((0.0, 1.0), repeat=m)))
    return np.eye(m)
