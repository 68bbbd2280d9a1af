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
from lawgiver.trainers.audit.proposals import coordinate, heuristic, uniform
from lawgiver.trainers.audit.result import Regret
from lawgiver.trainers.audit.trials import Own, Trials, bounds
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
        played: what everybody reports, the truth in most audits, (P, n, k).
        gradient: whether gradients of the rule are used.
        seed: seed of random draws.

    Attributes:
        differentiable: whether the rule had a nonzero gradient anywhere.
    """

    def __init__(self, layout: Layout, played: np.ndarray, gradient: bool, seed: int) -> None:
        """See the class."""
        self.layout, self.played, self.seed = layout, played, seed
        self.low, self.high = bounds(layout)
        self.fields = columns(layout)
        self.gradient = gradient and find_spec("torch") is not None
        self.differentiable = False

    def run(
        self, own: Own, types: np.ndarray, payoffs: np.ndarray, scale: float, effort: int, chunk: int
    ) -> dict[str, Regret]:
        """Search all groups of fields, the group of all last.

        Args:
            own: the rule that is audited.
            types: (P, n, q).
            payoffs: of what is played, (P, n).
            scale: what payoffs are of the order of, > 0.
            effort: length of the search, in pairs of rounds.
            chunk: maximum number of cases tried in parallel.
        """
        searched = {
            name: Trials(own, types, payoffs, scale, varied, chunk, self.low, self.high, self.played)
            for name, varied in groups(self.layout).items()
        }
        half: dict[str, np.ndarray] = {}
        for round_ in range(ROUNDS * effort):
            if 2 * round_ == ROUNDS * effort:
                half = {name: trials.gains for name, trials in searched.items()}
            for name in searched:
                self.run_round(name, searched, round_)
        return {
            name: Regret(trials.gains, trials.reports, trials.tried, trials.gains - half[name])
            for name, trials in searched.items()
        }

    def run_round(self, name: str, searched: Mapping[str, Trials], round_: int) -> None:
        """Search one group for one round.

        Args:
            name: name of the group. The group of all fields is searched last: it also tries the results of single
                fields, alone, combined, and with one field at bounds and multiples of the truth.
            searched: trials of every group.
            round_: number of the round, from 0; group and round determine the random numbers.
        """
        trials, low, high, shape = searched[name], self.low, self.high, self.played.shape
        group = list(searched).index(name)
        rng = np.random.default_rng([AUDIT, self.seed, 1 + group, 1 + round_])  # zeros at the end would not count
        if round_ == 0:
            trials.offer_all(heuristic(self.played, low, high, self.fields.get(name)))
        if name not in self.fields:
            together = np.concatenate([searched[field].reports[..., at] for field, at in self.fields.items()], axis=-1)
            trials.offer_all([*(searched[field].reports for field in self.fields), together])
            trials.offer_all(chain(*(coordinate(together, self.played, low, high, at) for at in self.fields.values())))
        trials.offer_all([trials.reports, *(uniform(shape, low, high, rng) for _ in range(RANDOM))])
        if self.gradient:
            nearby = np.clip(self.played + START * (high - low) * rng.standard_normal(shape), low, high)
            start = nearby if round_ % 2 == 0 else uniform(shape, low, high, rng)
            self._ascend(trials, np.stack([start, trials.reports]))
        for _ in range(GENERATIONS):
            trials.breed(rng)
        self._around(trials, rng)

    def _ascend(self, trials: Trials, starts: np.ndarray) -> None:
        from lawgiver.trainers.audit.misreport_ascent import ascend

        found = ascend(trials, starts, self.low, self.high)
        if found is not None:
            self.differentiable = True
            trials.offer_all(found)

    def _around(self, trials: Trials, rng: np.random.Generator) -> None:
        """Take steps around the best, all numbers or one at a time, wider after success and narrower after failure."""
        span = self.high - self.low
        shape, places = self.played.shape, np.flatnonzero(trials.varied)
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
