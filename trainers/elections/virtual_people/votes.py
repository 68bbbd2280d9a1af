"""Voters fitted to records: the loss is convex, and brought to its minimum (L-BFGS).

So neither learning rate nor stopping matters. l2 is all that keeps 120 weights (of ten rounds) from fitting noise. As a
fit is fast, it is chosen on several random splits. Two games under the same mechanism differ little, so that a few
dozen groups may carry almost no information about votes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from lawgiver.agents.virtual import VirtualVoters
from lawgiver.envs.core.game import Game
from lawgiver.trainers.elections.virtual_people import Unit
from lawgiver.trainers.elections.virtual_people.decisions import Data, VoteData
from lawgiver.trainers.elections.virtual_people.losses import DivergedError, mean_loss, split

VOTE_SPLITS = 5
"""Random splits over which the l2 of votes is chosen."""


def voters_of(game: Game[Any], unit: Unit) -> VirtualVoters:
    """Make voters with zero weights who measure amounts in a unit."""
    return VirtualVoters(game, relative=unit == "own_endowment")


def fit_votes(
    votes: Mapping[Unit, VoteData], game: Game[Any], l2s: Sequence[float], seed: int
) -> tuple[VirtualVoters, dict[str, Any]]:
    """Fit voters of the best unit and l2; the same seed gives the same ones.

    Args:
        votes: the votes as voters of each unit take them, see :func:`voters_of`.
        game: the game.
        l2s: weights of the sum of squared weights in the loss, above 0, to choose from.
        seed: of the groups held out.

    Returns:
        The voters, and the report: ``unit``, ``l2``, ``held_out`` (mean over the splits), ``fitted`` and ``grid``.

    Raises:
        RecordsError: if a single group has voted.
        DivergedError: if a loss is no longer finite.
    """
    generator, everybody = torch.Generator().manual_seed(seed), next(iter(votes.values()))
    splits = [split(everybody, generator) for _ in range(VOTE_SPLITS)]

    def minimal(unit: Unit, groups: torch.Tensor, l2: float) -> VirtualVoters:
        voters = voters_of(game, unit)
        _minimise(voters.network, votes[unit], groups, l2)
        return voters

    grid: list[dict[str, Any]] = []
    for (unit, data), l2 in itertools.product(votes.items(), l2s):
        losses = [mean_loss(data, minimal(unit, training, l2).network, held_out) for training, held_out in splits]
        grid.append({"unit": unit, "l2": l2, "held_out": sum(losses) / len(losses)})
    best, everything = min(grid, key=lambda one: one["held_out"]), torch.arange(len(everybody))
    voters = minimal(best["unit"], everything, best["l2"])
    return voters, {**best, "fitted": mean_loss(votes[best["unit"]], voters.network, everything), "grid": grid}


def _minimise(network: nn.Module, data: Data, groups: torch.Tensor, l2: float) -> None:
    """Bring the vote network's loss on ``groups`` to its minimum."""
    network.requires_grad_(True)
    weights = list(network.parameters())
    optimiser = torch.optim.LBFGS(weights, max_iter=300, tolerance_change=1e-9, line_search_fn="strong_wolfe")
    evaluations = 0

    def loss() -> torch.Tensor:
        nonlocal evaluations
        evaluations += 1
        optimiser.zero_grad()
        value = data.losses(network, groups).mean() + l2 * torch.stack([w.square().sum() for w in weights]).sum()
        if not math.isfinite(value.item()):
            raise DivergedError(
                f"the model of votes diverged: its loss is {value.item()} in evaluation {evaluations}, with l2 {l2};"
                " payouts of an absurd size may be the cause"
            )
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    network.requires_grad_(False)
