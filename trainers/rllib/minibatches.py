"""The units of which minibatches are drawn: single decisions, or whole games for modules with a memory."""

from __future__ import annotations

import torch


class Decisions:
    """Rows that are units of their own."""

    def __init__(self, total: int) -> None:
        self._total = total

    def __len__(self) -> int:
        return self._total

    def rows(self, units: torch.Tensor) -> torch.Tensor:
        """Find the rows of some units, by number."""
        return units


class Games(Decisions):
    """Games of an agent, whose rows stand together and in order."""

    def __init__(self, turn: torch.Tensor) -> None:
        """Find where games begin.

        Args:
            turn: number of each row's decision in its game, from 0, (R,).
        """
        self._starts = (turn == 0).nonzero()[:, 0]
        self._lengths = torch.diff(self._starts, append=self._starts.new_tensor([len(turn)]))
        super().__init__(len(self._starts))

    def rows(self, units: torch.Tensor) -> torch.Tensor:
        """Find the rows of some games, one game after the other."""
        lengths = self._lengths[units]
        before = lengths.cumsum(0) - lengths
        places = torch.arange(int(lengths.sum()), device=units.device)
        return places + (self._starts[units] - before).repeat_interleave(lengths)
