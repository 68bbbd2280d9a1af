"""Misreports of values and demands, and the utilities of those who make them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch

from lawgiver.envs.payment_free_allocation.measures import utilities
from lawgiver.trainers.misreports.search import Ascent, Cases
from lawgiver.trainers.misreports.search import search as search_from

Rule: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""An allocation rule: reported values and demands, (B, n, m) each, to amounts (B, n, m)."""
NEAR = 0.02
"""Distance of a proposal from the truth, where a rule may have a kink, as a share of each range."""


def worth(amounts: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
    """Compute the utilities (...) of amounts (..., m) to types (..., 2m), who need no more than they demand."""
    found: torch.Tensor = utilities(amounts, *types.chunk(2, -1))
    return found


def misreported(rule: Rule, cases: Cases, own: torch.Tensor) -> torch.Tensor:
    """Compute the true utilities (C,) of those who report ``own`` (C, 2m)."""
    return worth(cases.mine(rule(*cases.reported(own).chunk(2, -1))), cases.own)


def search(rule: Rule, cases: Cases, start: torch.Tensor, ascent: Ascent, rng: torch.Generator) -> torch.Tensor:
    """Search the best misreports (C, 2m) from the results ``start`` (C, 2m) of the previous search and a proposal.

    Args:
        rule: allocation rule, differentiable in the reports.
        cases: participants who may misreport.
        start: results of the previous search.
        ascent: step sizes.
        rng: generator of proposals and step lengths.
    """
    return search_from(partial(misreported, rule, cases), cases, [start, proposed(cases, rng)], ascent, rng)


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
