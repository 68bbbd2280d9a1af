"""Participants fitted to records of contributions: Adam, and as many epochs as do best on the groups held out.

The loss is the cross-entropy of a group, summed over what its participants decided and averaged over groups, plus l2
times the sum of squared weights. Which of several candidates is best, and after how many epochs, is found on
:data:`~lawgiver.trainers.elections.virtual_people.losses.HELD_OUT` of the groups, held out at random, where training
stops once they get no better; a new network is then fitted to all groups for as many epochs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from lawgiver.agents.recurrent_participants import RecurrentParticipants
from lawgiver.trainers.elections.records.records import Records
from lawgiver.trainers.elections.virtual_people.decisions import ContributionData, Data
from lawgiver.trainers.elections.virtual_people.losses import DivergedError, mean_loss, split
from lawgiver.trainers.statistics.streams import torch_seeded

P = TypeVar("P", bound=RecurrentParticipants)
SNAPSHOTS = 8
"""Epochs of the last fit after which an error beyond likelihood is looked at."""


@dataclass(frozen=True)
class Schedule:
    """Settings of Adam and of early stopping, for all candidates.

    Attributes:
        learning_rate: of Adam, above 0.
        batch_groups: groups a step.
        epochs: at most.
        patience: epochs without improvement on the groups held out after which training stops.
    """

    learning_rate: float
    batch_groups: int
    epochs: int
    patience: int


@dataclass(frozen=True)
class Candidate(Generic[P]):
    """A network that may be the best.

    Attributes:
        make: makes participants whose weights are drawn from torch's global generator.
        size: what the report calls it by.
        l2: weight of the sum of squared weights in the loss, >= 0.
    """

    make: Callable[[], P]
    size: Mapping[str, int]
    l2: float


def fit_contributions(
    records: Records | Sequence[Records],
    candidates: Sequence[Candidate[P]],
    schedule: Schedule,
    seed: int,
    error: Callable[[P], float] | None = None,
) -> tuple[P, dict[str, Any]]:
    """Fit participants of the best candidate; the same seed gives the same ones.

    Args:
        records: what was done; several where groups played different numbers of rounds.
        candidates: to choose from.
        schedule: of their training.
        seed: of the first weights, of the groups held out and of the order of groups.
        error: of participants in what likelihood does not see, such as games of their own. Of :data:`SNAPSHOTS` of the
            second half of the last fit those with the least error are kept; None for those of its end.

    Returns:
        The participants, and the report: the candidate's ``size``, ``l2`` and ``epochs``, its cross-entropy on the
        held-out groups (``held_out``) and, refitted, on all of them (``fitted``), in nats per decision, and ``grid``,
        every candidate with its ``held_out``. With ``error`` also the epoch that was ``kept``, and its ``error``.

    Raises:
        RecordsError: if the records are not of the participants' game, or hold a single group.
        DivergedError: if a loss is no longer finite.
    """
    trainings = [_Training(candidate, schedule, seed) for candidate in candidates]
    data = ContributionData.of(records, trainings[0].fresh())
    training, held_out = split(data, torch.Generator().manual_seed(seed))
    grid: list[dict[str, Any]] = []
    for each in trainings:
        loss, epochs = each.stopped_early(data, training, held_out)
        grid.append({**each.candidate.size, "l2": each.candidate.l2, "epochs": epochs, "held_out": loss})
    best = min(range(len(grid)), key=lambda i: grid[i]["held_out"])
    participants, everything = trainings[best].fresh(), torch.arange(len(data))
    epochs, found = grid[best]["epochs"], _Least(participants, error)
    taken = {epochs - (epochs // 2) * k // SNAPSHOTS for k in range(SNAPSHOTS)} if error else {epochs}
    for epoch in itertools.islice(trainings[best].train(participants.network, data, everything), epochs):
        if epoch in taken:
            found.look(epoch)
    participants.network.load_state_dict(found.weights)
    participants.network.requires_grad_(False)
    fitted = mean_loss(data, participants.network, everything)
    chosen = {"kept": found.epoch, "error": found.least} if error else {}
    return participants, {**grid[best], **chosen, "fitted": fitted, "grid": grid}


class _Least(Generic[P]):
    """The weights of participants when their error was least."""

    def __init__(self, participants: P, error: Callable[[P], float] | None) -> None:
        self.participants, self.error = participants, error
        self.least, self.epoch, self.weights = math.inf, 0, dict[str, torch.Tensor]()

    def look(self, epoch: int) -> None:
        """Keep the weights if there are none yet, or their error is smaller than before."""
        found = 0.0 if self.error is None else self.error(self.participants)
        if not self.weights or found < self.least:
            self.least, self.epoch = found, epoch
            self.weights = {name: value.clone() for name, value in self.participants.network.state_dict().items()}


@dataclass(frozen=True)
class _Training(Generic[P]):
    """The training of a candidate."""

    candidate: Candidate[P]
    schedule: Schedule
    seed: int

    def fresh(self) -> P:
        """Make participants with the random initial weights, the same each time."""
        with torch_seeded(self.seed):
            return self.candidate.make()

    def train(self, network: nn.Module, data: Data, groups: torch.Tensor) -> Iterator[int]:
        """Train ``network`` on ``groups``, yielding the number of each epoch, from 1, when it is over."""
        network.requires_grad_(True)
        weights, l2 = list(network.parameters()), self.candidate.l2
        optimiser = torch.optim.Adam(weights, lr=self.schedule.learning_rate, fused=True)
        generator = torch.Generator().manual_seed(self.seed)
        for epoch in itertools.count(1):
            shuffled = groups[torch.randperm(len(groups), generator=generator)]
            for batch in torch.split(shuffled, self.schedule.batch_groups):
                loss = data.losses(network, batch).mean()
                if l2:
                    loss = loss + l2 * torch.stack([weight.square().sum() for weight in weights]).sum()
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
                f" {self.schedule.learning_rate} and l2 {self.candidate.l2}; a lower learning_rate may help"
            )

    def stopped_early(self, data: Data, training: torch.Tensor, held_out: torch.Tensor) -> tuple[float, int]:
        """Train with early stopping; return the least loss on the groups held out, and its epoch."""
        network, best, found = self.fresh().network, math.inf, 0
        for epoch in itertools.islice(self.train(network, data, training), self.schedule.epochs):
            loss = mean_loss(data, network, held_out)
            self.require_finite(loss, epoch)
            if loss < best:
                best, found = loss, epoch
            elif epoch - found >= self.schedule.patience:
                break
        return best, found
