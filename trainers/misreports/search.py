"""Search for profitable misreports at every update, by gradient ascent from the best of the previous search.

A *case* is one participant of one profile who alone may misreport, so that B profiles of n participants are B n cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch

from lawgiver.envs.families.reporting_game import ReportingGame
from lawgiver.trainers.audit.trials import bounds

Payoffs: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""Payoffs (C,) of those who may misreport, by their reports (C, k); differentiable."""
LAST = 0.1
"""Length of an ascent's last step as a share of its first."""
SHORTEST = 0.03
"""Least factor by which a case shortens its steps, drawn log-uniformly: cases near their optimum need short ones."""


@dataclass(frozen=True)
class Ascent:
    """Step sizes of an ascent.

    Attributes:
        steps: number of steps.
        step: length of the first one, as a share of the range of each number, in (0, 1]; lengths fall geometrically.
    """

    steps: int
    step: float

    def lengths(self) -> list[float]:
        """List the lengths of the steps as shares of the ranges."""
        falls: list[float] = (self.step * np.geomspace(1.0, LAST, self.steps)).tolist()
        return falls


@dataclass(frozen=True)
class Cases:
    """Cases: in each, one participant of a profile may misreport.

    Attributes:
        types: true types of all participants in the profile of each case, (C, n, k).
        seats: index of the participant who may misreport, (C,).
        low: least report, (k,).
        high: greatest report, (k,).
    """

    types: torch.Tensor
    seats: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    @classmethod
    def of(cls, game: ReportingGame, types: torch.Tensor) -> Cases:
        """Make the cases of all participants of profiles (B, n, k), profile by profile."""
        batch, n, _ = types.shape
        seats = torch.arange(n, device=types.device).repeat(batch)
        low, high = (torch.as_tensor(x, dtype=types.dtype, device=types.device) for x in bounds(game.type_layout()))
        return cls(types.repeat_interleave(n, 0), seats, low, high)

    def __len__(self) -> int:
        return len(self.seats)

    @property
    def own(self) -> torch.Tensor:
        """The true types of those who may misreport, (C, k)."""
        return self.mine(self.types)

    def reported(self, own: torch.Tensor) -> torch.Tensor:
        """Combine reports of all, (C, n, k), with ``own`` (C, k) of those who may misreport."""
        return torch.where(self._misreported, own[:, None], self.types)

    @cached_property
    def _misreported(self) -> torch.Tensor:
        """Mark those who may misreport, bool (C, n, 1)."""
        return torch.nn.functional.one_hot(self.seats, self.types.shape[1])[..., None].to(torch.bool)

    def mine(self, x: torch.Tensor) -> torch.Tensor:
        """Select what belongs to those who may misreport, (C, ...), out of what belongs to all, (C, n, ...)."""
        return x[torch.arange(len(self), device=x.device), self.seats]


def search(
    payoffs: Payoffs, cases: Cases, starts: Sequence[torch.Tensor], ascent: Ascent, rng: torch.Generator
) -> torch.Tensor:
    """Search the best misreports, (C, k): of several to start from, and an ascent from the best of them.

    A step goes along the sign of the gradient, number by number.

    Args:
        payoffs: of those who may misreport.
        cases: participants who may misreport.
        starts: reports (C, k) each, such as the results of the previous search; the first is kept where none is better.
        ascent: step sizes.
        rng: generator of step lengths.
    """
    best = starts[0]
    if len(starts) > 1:
        with torch.no_grad():
            record = payoffs(best)
            for start in starts[1:]:
                best, record = _better(best, record, start, payoffs(start))
    here, record = best, torch.full_like(best[:, 0], -torch.inf)
    draw = torch.rand(len(cases), 1, generator=rng, device=rng.device)
    reach = SHORTEST**draw * (cases.high - cases.low)
    for length in ascent.lengths():
        own = here.detach().requires_grad_()
        value = payoffs(own)
        best, record = _better(best, record, here, value.detach())
        (slope,) = torch.autograd.grad(value.sum(), own)
        here = (here + length * reach * slope.sign()).clamp(cases.low, cases.high)
    with torch.no_grad():
        best, _ = _better(best, record, here, payoffs(here))
    return best


def _better(
    best: torch.Tensor, record: torch.Tensor, proposal: torch.Tensor, value: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Select the better of two reports (C, k) of each case, and its value (C,); the first where they are equal."""
    better = value > record
    return torch.where(better[:, None], proposal, best), torch.where(better, value, record)
