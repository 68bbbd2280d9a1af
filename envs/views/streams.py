"""Random numbers for games that are seeded one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lawgiver.envs.core.arrays import Rng
from lawgiver.envs.core.errors import UnsupportedGameError


class Streams:
    """Generators of B games, one each, that draw together like one.

    What is drawn for a game depends on its own seed alone, so that it is the game that a single env with that seed
    plays. A Python loop over the games draws, which is slower than one generator for all of them.
    """

    def __init__(self, generators: Sequence[np.random.Generator], alive: np.ndarray | None = None) -> None:
        """Draw from ``generators``; those of games that are not ``alive`` (B,) rest, and their rows are zeros."""
        self.generators = list(generators)
        self._alive = alive

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draw numbers (B, ...) uniformly from [0, 1)."""
        if not isinstance(shape, tuple) or not shape or shape[0] != len(self.generators):
            raise UnsupportedGameError(
                f"random numbers of shape {shape} for {len(self.generators)} games that are seeded one by one, allowed:"
                " one row a game; seed the batch with one number"
            )
        drawn = np.zeros(shape)
        for index in range(shape[0]) if self._alive is None else np.flatnonzero(self._alive).tolist():
            drawn[index] = self.generators[index].random(shape[1:])
        return drawn

    def __getattr__(self, name: str) -> None:
        """Refuse other ways of drawing."""
        if name.startswith("__"):
            raise AttributeError(name)
        raise UnsupportedGameError(
            f"rng.{name} of games that are seeded one by one, allowed: rng.random; seed the batch with one number"
        )

    def take(self, index: np.ndarray) -> Streams:
        """Return the streams of some games (k,); they are shared, not copied."""
        return Streams([self.generators[i] for i in index.tolist()])


def of_games(rng: Rng, index: np.ndarray) -> Rng:
    """Return the generator from which the games ``index`` (k,) of a batch draw."""
    return rng.take(index) if isinstance(rng, Streams) else rng


def among(rng: Rng, alive: np.ndarray | None) -> Rng:
    """Return the generator for a batch of which only the games ``alive`` (B,) go on; None for all."""
    return Streams(rng.generators, alive) if alive is not None and isinstance(rng, Streams) else rng
