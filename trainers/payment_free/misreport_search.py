"""Search for profitable misreports at every update, by gradient ascent from the best of the previous search.

A *case* is one participant of one profile who alone may misreport, so that B profiles of n participants are B n cases.
The gains found are loose lower bounds: results are judged by :mod:`lawgiver.trainers.audit`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch

from lawgiver.envs.payment_free_allocation.game import PaymentFreeAllocation
from lawgiver.envs.payment_free_allocation.measures import utilities
from lawgiver.trainers.audit.trials import bounds

Rule: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""An allocation rule: reported values and demands, (B, n, m) each, to amounts (B, n, m)."""
LAST = 0.1
"""Length of an ascent's last step as a share of its first."""
SHORTEST = 0.03
"""Least factor by which a case shortens its steps, drawn log-uniformly: cases near their optimum need short ones."""
NEAR = 0.02
"""Distance of a proposal from the truth, where a rule may have a kink, as a share of each range."""


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
        types: true types of all participants in the profile of each case, (C, n, 2m): values, then demands.
        seats: index of the participant who may misreport, (C,).
        low: least report, (2m,).
        high: greatest report, (2m,).
    """

    types: torch.Tensor
    seats: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    @classmethod
    def of(cls, game: PaymentFreeAllocation, types: torch.Tensor) -> Cases:
        """Make the cases of all participants of profiles (B, n, 2m), profile by profile."""
        batch, n, _ = types.shape
        seats = torch.arange(n, device=types.device).repeat(batch)
        low, high = (torch.as_tensor(x, dtype=types.dtype, device=types.device) for x in bounds(game.type_layout()))
        return cls(types.repeat_interleave(n, 0), seats, low, high)

    def __len__(self) -> int:
        return len(self.seats)

    @property
    def own(self) -> torch.Tensor:
        """The true types of those who may misreport, (C, 2m)."""
        return self.mine(self.types)

    def reported(self, own: torch.Tensor) -> torch.Tensor:
        """Combine reports of all, (C, n, 2m), with ``own`` (C, 2m) of those who may misreport."""
        mine = torch.nn.functional.one_hot(self.seats, self.types.shape[1]).to(torch.bool)
        return torch.where(mine[..., None], own[:, None], self.types)

    def utilities(self, rule: Rule, own: torch.Tensor) -> torch.Tensor:
        """Compute the true utilities (C,) of those who report ``own`` (C, 2m)."""
        return worth(self.mine(rule(*self.reported(own).chunk(2, -1))), self.own)

    def mine(self, x: torch.Tensor) -> torch.Tensor:
        """Select the rows (C, d) of those who may misreport, of rows (C, n, d) of all."""
        return x[torch.arange(len(self), device=x.device), self.seats]


def worth(amounts: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
    """Compute the utilities (...) of amounts (..., m) to types (..., 2m), who need no more than they demand."""
    found: torch.Tensor = utilities(amounts, *types.chunk(2, -1))
    return found


def search(rule: Rule, cases: Cases, start: torch.Tensor, ascent: Ascent, rng: torch.Generator) -> torch.Tensor:
    """Search the best misreports, (C, 2m): of ``start``, a proposal, and an ascent from the better of both.

    Args:
        rule: allocation rule, differentiable in the reports.
        cases: participants who may misreport.
        start: results of the previous search, (C, 2m).
        ascent: step sizes.
        rng: generator of proposals and step lengths.
    """
    proposal = proposed(cases, rng)
    with torch.no_grad():
        best, record = start, cases.utilities(rule, start)
        best, record = _better(best, record, proposal, cases.utilities(rule, proposal))
    here, draw = best, torch.rand(len(cases), 1, generator=rng, device=rng.device)
    reach = SHORTEST**draw * (cases.high - cases.low)
    for length in ascent.lengths():
        own = here.detach().requires_grad_()
        value = cases.utilities(rule, own)
        best, record = _better(best, record, here, value.detach())
        (slope,) = torch.autograd.grad(value.sum(), own)
        here = (here + length * reach * slope.sign()).clamp(cases.low, cases.high)
    with torch.no_grad():
        best, _ = _better(best, record, here, cases.utilities(rule, here))
    return best


def _better(
    best: torch.Tensor, record: torch.Tensor, proposal: torch.Tensor, value: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Select the better of two reports (C, 2m) of each case, and its value (C,); the first where they are equal."""
    better = value > record
    return torch.where(better[:, None], proposal, best), torch.where(better, value, record)


def proposed(cases: Cases, rng: torch.Generator) -> torch.Tensor:
    """Draw reports (C, 2m) of four kinds: near the truth, maximal demands, a single valued resource, uniform."""
    low, high, m, device = cases.low, cases.high, len(cases.low) // 2, rng.device
    own = cases.own
    values, demands = own.chunk(2, -1)
    noise = torch.rand(own.shape, generator=rng, device=device)
    chosen = torch.randint(m, (len(cases), 1), generator=rng, device=device) == torch.arange(m, device=device)
    kinds = torch.stack(
        [
            own + NEAR * (high - low) * (2 * noise - 1),
            torch.cat([values, high[m:].expand_as(demands)], -1),
            torch.cat([torch.where(chosen, high[:m], low[:m]), demands], -1),
            low + (high - low) * noise,
        ]
    )
    kind = torch.randint(len(kinds), (len(cases),), generator=rng, device=device)
    return kinds[kind, torch.arange(len(cases), device=device)].clamp(low, high)
