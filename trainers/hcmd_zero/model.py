"""The Model step: virtual participants fitted to records of behaviour (Balaguer et al. 2022, section 3.4).

Contributions and votes are two models, fitted independently of each other. The loss of either is the cross-entropy of
a group, summed over what its participants decided and averaged over groups, plus l2 times the sum of squared weights.

Contributions: Adam. Sizes and l2 are those that do best on 30 % of the groups, held out at random, where training
stops once they get no better; a new network is then fitted to all groups for as many epochs.

Votes: the loss is convex and l2 is all that keeps 120 weights from fitting noise, so it is brought to its minimum
(L-BFGS), so that neither learning rate nor stopping matters. As that is fast, l2 is chosen on several random splits.
Two games under the same mechanism differ little, so that a few dozen groups may carry almost no information about
votes.

The source names neither the l2 that it tried nor its learning rates.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lawgiver.agents.virtual import VirtualParticipants, VirtualVoters, allocating
from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.game import Game
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.elections.records.records import Records, RecordsError
from lawgiver.trainers.hcmd_zero.decisions import ContributionData, Data, VoteData
from lawgiver.trainers.hcmd_zero.settings import ModelSettings, Unit
from lawgiver.trainers.statistics.streams import torch_seeded

HELD_OUT = 0.3
"""Fraction of the groups on which sizes, l2 and epochs are chosen."""
VOTE_SPLITS = 5
"""Random splits over which the l2 of votes is chosen."""


class DivergedError(LawgiverError):
    """A loss is no longer finite."""


@dataclass(frozen=True)
class FittedParticipants:
    """Virtual participants.

    Attributes:
        participants: who contribute.
        voters: who vote.
        report: for ``contributions`` and ``votes``: what was chosen (for contributions ``n_linear``, ``n_hidden`` and
            ``epochs``, for votes the ``unit``; ``l2``), its cross-entropy on the held-out groups (``held_out``) and,
            refitted, on all of them (``fitted``), in nats per decision, and ``grid``, every candidate with its
            ``held_out``.
    """

    participants: VirtualParticipants
    voters: VirtualVoters
    report: dict[str, Any]


def fit(records: Records, game: Game[Any], *, settings: ModelSettings, seed: int) -> FittedParticipants:
    """Fit virtual participants to ``records`` of ``game``; the same seed gives the same ones.

    Raises:
        UnsupportedGameError: unless the game is public investment in allocate mode.
        RecordsError: if the records are not of this game, hold no votes, or hold them of a single group.
        DivergedError: if a loss is no longer finite.
    """
    game = allocating(game, "virtual participants")
    votes = {unit: VoteData.of(records, _voters(game, unit)) for unit in settings.vote_units}  # may be missing
    participants, of_contributions = _fit_contributions(records, game, settings, seed)
    voters, of_votes = _fit_votes(votes, game, settings, seed)
    return FittedParticipants(participants, voters, {"contributions": of_contributions, "votes": of_votes})


def cross_entropy(model: VirtualParticipants | VirtualVoters, records: Records) -> float:
    """Compute the cross-entropy of a model on records, in nats per contribution or per vote.

    Raises:
        RecordsError: if the records are not of the game that the model plays, or hold no votes where it votes.
    """
    data: Data = (
        VoteData.of(records, model) if isinstance(model, VirtualVoters) else ContributionData.of(records, model)
    )
    return _mean_loss(data, model.network, torch.arange(len(data)))


@dataclass(frozen=True)
class _Candidate:
    """A contribution network to be trained."""

    game: PublicInvestment
    n_linear: int
    n_hidden: int
    l2: float
    settings: ModelSettings
    seed: int

    def fresh(self) -> VirtualParticipants:
        """Make participants with the random initial weights, the same each time."""
        with torch_seeded(self.seed):
            return VirtualParticipants(
                self.game, n_linear=self.n_linear, n_hidden=self.n_hidden, sees_payouts=self.settings.sees_payouts
            )

    def train(self, network: nn.Module, data: Data, groups: torch.Tensor) -> Iterator[int]:
        """Train ``network`` on ``groups``, yielding the number of each epoch, from 1, when it is over."""
        network.requires_grad_(True)
        weights = list(network.parameters())
        optimiser = torch.optim.Adam(weights, lr=self.settings.learning_rate, fused=True)
        generator = torch.Generator().manual_seed(self.seed)
        for epoch in itertools.count(1):
            shuffled = groups[torch.randperm(len(groups), generator=generator)]
            for batch in torch.split(shuffled, self.settings.batch_groups):
                loss = data.losses(network, batch).mean()
                if self.l2:
                    loss = loss + self.l2 * torch.stack([weight.square().sum() for weight in weights]).sum()
                self.require_finite(loss.item(), epoch)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
            yield epoch

    def require_finite(self, loss: float, epoch: int) -> None:
        """Raise DivergedError unless the loss is a number."""
        if not math.isfinite(loss):
            raise DivergedError(
                f"the model of contributions diverged: its loss is {loss} in epoch {epoch}, with learning_rate"
                f" {self.settings.learning_rate} and l2 {self.l2}; a lower learning_rate may help"
            )

    def stopped_early(self, data: Data, training: torch.Tensor, held_out: torch.Tensor) -> tuple[float, int]:
        """Train with early stopping; return the least loss on the groups held out, and its epoch."""
        network, best, found = self.fresh().network, math.inf, 0
        for epoch in itertools.islice(self.train(network, data, training), self.settings.epochs):
            loss = _mean_loss(data, network, held_out)
            self.require_finite(loss, epoch)
            if loss < best:
                best, found = loss, epoch
            elif epoch - found >= self.settings.patience:
                break
        return best, found


def _fit_contributions(
    records: Records, game: PublicInvestment, settings: ModelSettings, seed: int
) -> tuple[VirtualParticipants, dict[str, Any]]:
    """Fit participants of the best size and l2; return them and the report."""
    candidates = [
        _Candidate(game, n_linear, n_hidden, l2, settings, seed)
        for n_linear, n_hidden in settings.sizes
        for l2 in settings.contribution_l2
    ]
    data = ContributionData.of(records, candidates[0].fresh())
    training, held_out = _split(data, torch.Generator().manual_seed(seed))
    grid: list[dict[str, Any]] = []
    for candidate in candidates:
        loss, epochs = candidate.stopped_early(data, training, held_out)
        size = {"n_linear": candidate.n_linear, "n_hidden": candidate.n_hidden}
        grid.append({**size, "l2": candidate.l2, "epochs": epochs, "held_out": loss})
    best = min(range(len(grid)), key=lambda i: grid[i]["held_out"])
    participants, everything = candidates[best].fresh(), torch.arange(len(data))
    for _ in itertools.islice(candidates[best].train(participants.network, data, everything), grid[best]["epochs"]):
        pass
    participants.network.requires_grad_(False)
    fitted = _mean_loss(data, participants.network, everything)
    return participants, {**grid[best], "fitted": fitted, "grid": grid}


def _voters(game: PublicInvestment, unit: Unit) -> VirtualVoters:
    return VirtualVoters(game, relative=unit == "own_endowment")


def _fit_votes(
    votes: Mapping[Unit, VoteData], game: PublicInvestment, settings: ModelSettings, seed: int
) -> tuple[VirtualVoters, dict[str, Any]]:
    """Fit voters of the best unit and l2; return them and the report."""
    generator, everybody = torch.Generator().manual_seed(seed), next(iter(votes.values()))
    splits = [_split(everybody, generator) for _ in range(VOTE_SPLITS)]

    def minimal(unit: Unit, groups: torch.Tensor, l2: float) -> VirtualVoters:
        voters = _voters(game, unit)
        _minimise(voters.network, votes[unit], groups, l2)
        return voters

    grid: list[dict[str, Any]] = []
    for (unit, data), l2 in itertools.product(votes.items(), settings.vote_l2):
        losses = [_mean_loss(data, minimal(unit, training, l2).network, held_out) for training, held_out in splits]
        grid.append({"unit": unit, "l2": l2, "held_out": sum(losses) / len(losses)})
    best, everything = min(grid, key=lambda one: one["held_out"]), torch.arange(len(everybody))
    voters = minimal(best["unit"], everything, best["l2"])
    return voters, {**best, "fitted": _mean_loss(votes[best["unit"]], voters.network, everything), "grid": grid}


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


def _split(data: Data, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Split groups at random into those to train on and those to hold out."""
    if len(data) < 2:
        raise RecordsError(data.what, (), "of 1 group, allowed: 2 groups or more, of which one is held out")
    shuffled = torch.randperm(len(data), generator=generator)
    count = max(1, round(HELD_OUT * len(data)))
    return shuffled[count:], shuffled[:count]


def _mean_loss(data: Data, network: nn.Module, groups: torch.Tensor) -> float:
    """Compute the cross-entropy of some groups in nats per decision."""
    with torch.no_grad():
        return float(data.losses(network, groups).sum() / data.decisions[groups].sum())
