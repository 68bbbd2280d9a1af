"""Shared parts of learned allocations: features of reports, and networks that score participants and resources.

Everything is read from reports alone, and values only relative to each other: whoever multiplies all its values by a
number is seen as the same participant. A value that is reported for a resource without a demand is not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import torch
from torch import nn

from lawgiver.agents.allocation import AllocationRule
from lawgiver.agents.networks import Networked, evaluated
from lawgiver.envs.core.arrays import Array, namespace
from lawgiver.envs.core.errors import ParameterError, choice, integer

ARCHITECTURES = ("equivariant", "plain")
FEATURES = 5
"""Numbers that each cell, a participant and a resource, is described by."""
TINY = 1e-12


def relative_values(values: torch.Tensor, demands: torch.Tensor) -> torch.Tensor:
    """Return values (B, n, m) as shares of each participant's sum, 0 where nothing is demanded."""
    asked = values * (demands > 0)
    total = asked.sum(-1, keepdim=True)
    return asked / torch.where(total > 0, total, 1)


def features(
    relative: torch.Tensor, demands: torch.Tensor, supply: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Compute the features of each participant and resource, (B, n, m, 5), all of order 1 for any n and m.

    The relative value; the demand in equal shares q = n d / b, as q / (1 + q); which share of all that the participant
    would like to have lies in this resource; the logarithms of how often the resource is asked for and of the weight.
    """
    n, m = demands.shape[1:]
    equal_shares = demands * (n / supply)
    worth = relative * demands
    congestion = (demands.sum(1, keepdim=True) / supply).clamp_min(0.01).log()
    weight = (weights / weights.mean()).log()[:, None]
    return torch.stack(
        [
            m * relative - 1,
            2 * equal_shares / (1 + equal_shares) - 1,
            m * worth / worth.sum(-1, keepdim=True).clamp_min(TINY) - 1,
            congestion.expand_as(demands),
            weight.expand_as(demands),
        ],
        -1,
    )


class ExchangeableLayer(nn.Module):
    """A linear layer on cells (B, n, m, f) that sees each cell, the mean of its participant and that of its resource.

    Permuting participants or resources permutes what comes out. Source: Hartford et al. (2018).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        """Draw the weights from torch's global generator."""
        super().__init__()
        self.cell = nn.Linear(inputs, outputs)
        self.participant = nn.Linear(inputs, outputs, bias=False)
        self.resource = nn.Linear(inputs, outputs, bias=False)

    def forward(self, cells: torch.Tensor) -> torch.Tensor:
        """Return the cells (B, n, m, g)."""
        by_participant = self.participant(cells.mean(2, keepdim=True))
        by_resource = self.resource(cells.mean(1, keepdim=True))
        return cast(torch.Tensor, self.cell(cells) + by_participant + by_resource)


class EquivariantScorer(nn.Module):
    """Scores of cells, and some numbers for each resource; for any number of participants and of resources."""

    def __init__(self, hidden: Sequence[int], pooled: int) -> None:
        """Build layers of these widths; the output starts at zero."""
        super().__init__()
        widths = [FEATURES, *hidden]
        self.layers = nn.ModuleList(ExchangeableLayer(*pair) for pair in pairwise(widths))
        self.score = nn.Linear(widths[-1], 1)
        self.pooled = nn.Linear(2 * widths[-1], pooled)
        start_at_zero(self.score, self.pooled)

    def forward(self, cells: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scores (B, n, m) and numbers for each resource (B, m, pooled), for features (B, n, m, f)."""
        for layer in self.layers:
            cells = torch.relu(layer(cells))
        pool = torch.cat([cells.mean(1), cells.amax(1)], -1)
        return self.score(cells)[..., 0], self.pooled(pool)


class PlainScorer(nn.Module):
    """The same from everything side by side: for one number of participants and of resources, in their order."""

    def __init__(self, n: int, m: int, hidden: Sequence[int], pooled: int) -> None:
        """Build layers of these widths; the output starts at zero."""
        super().__init__()
        self.shape = (n, m)
        self.sizes = [n * m, m * pooled]
        widths = [n * m * FEATURES, *hidden]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.last = nn.Linear(widths[-1], sum(self.sizes))
        start_at_zero(self.last)

    def forward(self, cells: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scores (B, n, m) and numbers for each resource (B, m, pooled), for features (B, n, m, f)."""
        seen = cells.flatten(1)
        for layer in self.layers:
            seen = torch.relu(layer(seen))
        scores, pooled = self.last(seen).split(self.sizes, -1)
        return scores.unflatten(-1, self.shape), pooled.unflatten(-1, (self.shape[1], -1))


Scorer = EquivariantScorer | PlainScorer


def make_scorer(n: int, m: int, architecture: str, hidden: Sequence[int], pooled: int) -> Scorer:
    """Return the scorer of an architecture, with random weights from torch's global generator.

    Args:
        n: number of participants.
        m: number of resources.
        architecture: one of ``ARCHITECTURES``.
        hidden: widths of the layers.
        pooled: how many numbers are returned for each resource.
    """
    return EquivariantScorer(hidden, pooled) if architecture == "equivariant" else PlainScorer(n, m, hidden, pooled)


def shares_of(scores: torch.Tensor, synthetic: torch.Tensor, demands: torch.Tensor) -> torch.Tensor:
    """Return shares (B, n + 1, m) of each resource, the synthetic participant's first: softmax of the scores.

    Args:
        scores: scores of the participants, (B, n, m).
        synthetic: score of the synthetic participant, (B, m, 1).
        demands: (B, n, m); the share is 0 where it is.
    """
    wanted = scores.masked_fill(demands <= 0, -torch.inf)
    return torch.cat([synthetic.mT, wanted], 1).softmax(1)


def checked(architecture: Any, hidden: Any) -> tuple[str, list[int]]:
    """Return an architecture and the widths of its layers.

    Raises:
        ParameterError: naming the setting and what is allowed.
    """
    choice("architecture", architecture, ARCHITECTURES)
    return architecture, widths_of(hidden)


def widths_of(hidden: Any) -> list[int]:
    """Return the widths of layers, at least one; raises ParameterError where they are none."""
    if not isinstance(hidden, Sequence) or isinstance(hidden, str) or not hidden:
        raise ParameterError(f"hidden is {hidden!r}, allowed: a list of widths, one for each layer, at least one")
    return [integer(f"hidden[{k}]", width, 1) for k, width in enumerate(hidden)]


class NetworkRule(Networked, AllocationRule):
    """A mechanism whose network computes amounts from reported values and demands.

    Attributes:
        network: values and demands (B, n, m) each, to amounts (B, n, m).
    """

    def allocate(self, values: Array, demands: Array) -> Array:
        """Return amounts (B, n, m), on the backend of the reports; never above a demand, not by rounding either."""
        amounts = evaluated(self.network, self.network, values, demands)
        return namespace(demands).minimum(amounts, demands)


def start_at_zero(*layers: nn.Linear) -> None:
    """Set weights and biases to zero, so that what is built on them begins as it is without the network."""
    for layer in layers:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
