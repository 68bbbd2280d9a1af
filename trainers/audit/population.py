"""Differential evolution of misreports: a population of the best reports of each case that lie apart.

Payoffs under networks and exact solvers have kinks and many local maxima. The population of a case holds several of
them; differences between its members set the size of steps for each number, so that the search narrows once all members
are near the same maximum.

Source: Storn and Price 1997, differential evolution; Zhang and Sanderson 2009 for steps towards one of the best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EACH, FEWEST, MOST = 4, 12, 32
"""Members for each number that may vary, and how many there are at least and at most."""
APART = 0.1
"""Members lie at least this far from each other in one of their numbers, as a share of its range, at first."""
STRIDE = 0.4, 0.9
"""Bounds of how far a step goes, as a share of what it is made of."""
CROSSING = 0.7
"""Probability that a number of a member takes the step."""
ELITE = 0.25
"""Share of the members that others step towards."""


@dataclass(frozen=True)
class Population:
    """Population of reports of every case, the best first after a selection.

    Attributes:
        reports: N of each case, (N, P, n, k).
        gains: what they bring beyond the truth, below 0 where that is less, (N, P, n).
    """

    reports: np.ndarray
    gains: np.ndarray

    @classmethod
    def of_truth(cls, types: np.ndarray, free: int) -> Population:
        """Start from the truth of all cases, (P, n, k), with a size that depends on the number of ``free`` numbers."""
        size = min(max(EACH * free, FEWEST), MOST)
        return cls(np.repeat(types[None], size, axis=0), np.zeros((size, *types.shape[:2])))

    def joined(self, reports: np.ndarray, gains: np.ndarray, span: np.ndarray) -> Population:
        """Select the same number of members from these and more reports (c, P, n, k) with their gains (c, P, n).

        The best comes first, then always the best of those that lie apart from all chosen before; where there are too
        few of them, the best of the rest. ``span`` are the ranges of the numbers, (k,).
        """
        size = len(self.gains)
        every = np.concatenate([self.reports, reports])
        worth = np.concatenate([self.gains, gains])
        scaled = every / span
        near = np.zeros(worth.shape, bool)
        places = []
        for _ in range(size):
            free = np.where(near, -np.inf, worth)
            free = np.where(np.isneginf(free).all(0), worth, free)
            place = free.argmax(0)[None]
            places.append(place)
            distance = np.abs(scaled - np.take_along_axis(scaled, place[..., None], 0)).max(-1)
            near |= distance < APART
            np.put_along_axis(worth, place, -np.inf, 0)
        chosen = np.concatenate(places)
        known = np.concatenate([self.gains, gains])
        return Population(np.take_along_axis(every, chosen[..., None], 0), np.take_along_axis(known, chosen, 0))

    def bred(self, low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Breed one new report for each member, (N, P, n, k), between the bounds (k,).

        Some of its numbers go towards one of the best members, and by the difference of two others.
        """
        shape = self.gains.shape
        order = np.argsort(-self.gains, axis=0)
        elite = np.take_along_axis(order, rng.integers(max(2, round(ELITE * shape[0])), size=shape), 0)
        towards, one, other = (
            np.take_along_axis(self.reports, at[..., None], 0)
            for at in (elite, rng.integers(shape[0], size=shape), rng.integers(shape[0], size=shape))
        )
        stride = rng.uniform(*STRIDE, size=(*shape, 1))
        steps = stride * (towards - self.reports + one - other)
        steps = np.where(rng.random(self.reports.shape) < CROSSING, steps, 0.0)
        found: np.ndarray = np.clip(self.reports + steps, low, high)
        return found

    def selected(self, bred: np.ndarray, gains: np.ndarray) -> Population:
        """Keep the better of each member and its offspring (N, P, n, k) with gains (N, P, n)."""
        better = gains > self.gains
        reports = np.where(better[..., None], bred, self.reports)
        return Population(reports, np.where(better, gains, self.gains))
