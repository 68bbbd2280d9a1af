"""Search for profitable misreports: heuristics, random draws, gradients, differential evolution, and local steps.

The search runs in rounds, each with random numbers of its own, from the results of the round before. A search of less
effort is therefore the beginning of one of more effort, which never finds less.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from itertools import chain

import numpy as np

from lawgiver.envs.core.fields import Layout, columns
from lawgiver.trainers.audit.proposals import anywhere, beside, structured
from lawgiver.trainers.audit.trials import Trials, bounds
from lawgiver.trainers.statistics.streams import AUDIT

JOINT = "joint"
"""The group of all fields at once."""
ROUNDS = 2
"""For each unit of effort: what the second half of them adds is what doubling the effort adds."""
RANDOM = 12
"""Reports that are drawn anywhere, a round and case."""
GENERATIONS = 12
"""Of a population, a round."""
LOCAL = 20
"""Steps around the best report, a round and case."""
WIDE, WIDER, NARROWER = 0.03, 1.6, 0.85
"""Spread of the first local step as a share of each range; what it is multiplied by after success and failure."""
START = 0.02
"""Distance from the truth at which the first ascent starts, as a share of each range: the truth may be a kink."""


class Search:
    """The search of all groups of fields.

    Args:
        layout: of a report.
        types: (P, n, k).
        gradient: whether the rule may be asked for its slope.
        seed: of what is drawn.

    Attributes:
        sloped: whether the rule had a slope anywhere.
    """

    def __init__(self, layout: Layout, types: np.ndarray, gradient: bool, seed: int) -> None:
        """See the class."""
        self.types, self.seed = types, seed
        self.low, self.high = bounds(layout)
        self.fields = columns(layout)
        self.gradient = gradient and find_spec("torch") is not None
        self.sloped = False

    def go_on(self, name: str, searched: Mapping[str, Trials], round_: int) -> None:
        """Search one group for one round.

        Args:
            name: of the group. All fields at once are searched last: they also try what single fields have found, as
                it is, together, and beside bounds and multiples of the truth.
            searched: what was found before, by group.
            round_: from 0; with the group it sets its random numbers apart.
        """
        trials, low, high, shape = searched[name], self.low, self.high, self.types.shape
        group = list(searched).index(name)
        rng = np.random.default_rng([AUDIT, self.seed, 1 + group, 1 + round_])  # zeros at the end would not count
        if round_ == 0:
            trials.offer_all(structured(self.types, low, high, self.fields.get(name)))
        if name not in self.fields:
            together = self._together(searched)
            trials.offer_all([*(searched[field].reports for field in self.fields), together])
            trials.offer_all(chain(*(beside(together, self.types, low, high, at) for at in self.fields.values())))
        trials.offer_all([trials.reports, *(anywhere(shape, low, high, rng) for _ in range(RANDOM))])
        if self.gradient:
            nearby = np.clip(self.types + START * (high - low) * rng.standard_normal(shape), low, high)
            start = nearby if round_ % 2 == 0 else anywhere(shape, low, high, rng)
            self._ascend(trials, np.stack([start, trials.reports]))
        for _ in range(GENERATIONS):
            trials.breed(rng)
        self._around(trials, rng)

    def _together(self, searched: Mapping[str, Trials]) -> np.ndarray:
        """Combine the best numbers of every field in one report."""
        return np.concatenate([searched[name].reports[..., at] for name, at in self.fields.items()], axis=-1)

    def _ascend(self, trials: Trials, starts: np.ndarray) -> None:
        from lawgiver.trainers.audit.ascent import ascend

        found = ascend(trials, starts, self.low, self.high)
        if found is not None:
            self.sloped = True
            trials.offer_all(found)

    def _around(self, trials: Trials, rng: np.random.Generator) -> None:
        """Take steps around the best, all numbers or one at a time, wider after success and narrower after failure."""
        span = self.high - self.low
        shape, places = self.types.shape, np.flatnonzero(trials.varied)
        width = np.full((*shape[:2], 1), WIDE)
        for _ in range(LOCAL):
            step = rng.standard_normal(shape)
            single = rng.choice(places, size=(*shape[:2], 1)) == np.arange(shape[2])
            step = np.where(single | (rng.random((*shape[:2], 1)) < 0.5), step, 0.0)
            better = trials.offer(np.clip(trials.reports + width * span * step, self.low, self.high))
            width = width * np.where(better, WIDER, NARROWER)[..., None]


def groups(layout: Layout) -> dict[str, np.ndarray]:
    """Mark the numbers of a report that each group may vary, bool (k,): every field alone, and all of several."""
    size = sum(field.size for field in layout)
    alone = {name: np.isin(np.arange(size), np.arange(size)[at]) for name, at in columns(layout).items()}
    return alone if len(layout) == 1 else {**alone, JOINT: np.ones(size, bool)}
