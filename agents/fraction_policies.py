"""The base of participants who are given by the fraction that they give of an amount, in fractions or whole points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from lawgiver.agents.returned_fractions import ReturnedFraction
from lawgiver.envs.core.arrays import Array, Rng, floats, namespace, uniform

MemoryT = TypeVar("MemoryT")


class FractionPolicy(ABC, Generic[MemoryT]):
    """Participants who have an amount each round, and give a fraction of it, or whole points of it."""

    whole: bool
    """Whether they give whole points."""
    n_actions: int
    """Whole points that anybody could give, 0 to ``n_actions`` - 1."""
    amounts: slice
    """Columns of the observation with what each has to give from, own first."""

    @abstractmethod
    def fractions(self, obs: Array, state: MemoryT) -> tuple[ReturnedFraction, MemoryT]:
        """Compute the distributions (B, n) of the fractions that are given, and the new memory."""

    def distribution(self, obs: Array, mask: Array | None, state: MemoryT) -> tuple[Array, MemoryT]:
        """Return log-probabilities (B, n, A) of whole points, or moments (B, n, 2, 1) of fractions; the new memory."""
        found, memory = self.fractions(obs, state)
        if not self.whole:
            return namespace(obs).stack(found.moments(), axis=-1)[..., None], memory
        return found.log_probabilities(self._whole_amounts(obs, mask), self.n_actions), memory

    def act(self, obs: Array, mask: Array | None, state: MemoryT, rng: Rng) -> tuple[Array, MemoryT]:
        """Return whole points (B, n), or fractions (B, n, 1), drawn from the distribution, and the new memory."""
        found, memory = self.fractions(obs, state)
        xp, levels = namespace(obs), floats(uniform(rng, obs.shape[:2]), obs)
        if not self.whole:
            return found.draw(levels)[..., None], memory
        return xp.astype(found.draw_points(levels, self._whole_amounts(obs, mask)), xp.int64), memory

    def _whole_amounts(self, obs: Array, mask: Array | None) -> Array:
        """Compute the most that each may give, (B, n): by the mask where there is one, which no rounding moves."""
        xp = namespace(obs)
        if mask is None:
            return xp.floor(obs[..., self.amounts][..., 0])
        return floats(xp.sum(xp.astype(mask, xp.int64), axis=-1) - 1, obs)
