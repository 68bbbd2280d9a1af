"""Random generators of runners, derived from the seed, the runner's index and the iteration rather than stored."""

from __future__ import annotations

from typing import Any

import numpy as np


class DrawsByIteration:
    """Gives an RLlib EnvRunner a generator for each call of ``sample``.

    So a runner that is replaced, or belongs to a resumed training, draws the numbers of an uninterrupted one. The
    number of the weights that it samples with stands for the iteration.
    """

    config: Any
    worker_index: int | None
    _weights_seq_no: int
    _drawn = (-1, 0)
    """The number of the weights that were sampled with last, and how often before that."""

    def next_generator(self) -> np.random.Generator:
        """Make the generator of the current call of ``sample``."""
        number, calls = self._drawn
        self._drawn = (self._weights_seq_no, calls + 1 if number == self._weights_seq_no else 0)
        who = int(self.config.in_evaluation), self.worker_index or 0  # None outside an Algorithm
        return np.random.default_rng([int(self.config.seed or 0), *who, *self._drawn])
