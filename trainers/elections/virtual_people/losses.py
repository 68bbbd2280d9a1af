"""The common part of every fit to records: groups held out, and cross-entropy per decision."""

from __future__ import annotations

import torch
from torch import nn

from lawgiver.agents.recurrent_participants import RecurrentParticipants
from lawgiver.agents.virtual import VirtualVoters
from lawgiver.envs.core.errors import LawgiverError
from lawgiver.trainers.elections.records.records import Records, RecordsError
from lawgiver.trainers.elections.virtual_people.decisions import ContributionData, Data, VoteData

HELD_OUT = 0.3
"""Fraction of the groups on which sizes, l2 and epochs are chosen."""


class DivergedError(LawgiverError):
    """A loss is no longer finite."""


def cross_entropy(model: RecurrentParticipants | VirtualVoters, records: Records) -> float:
    """Compute the cross-entropy of a model on records, in nats per contribution or per vote.

    Contributions that were forced, because nothing could be given, do not count.

    Raises:
        RecordsError: if the records are not of the game that the model plays, or hold no votes where it votes.
    """
    data: Data = (
        VoteData.of(records, model) if isinstance(model, VirtualVoters) else ContributionData.of(records, model)
    )
    return mean_loss(data, model.network, torch.arange(len(data)))


def split(data: Data, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Split groups at random into those to train on and those to hold out."""
    if len(data) < 2:
        raise RecordsError(data.what, (), "of 1 group, allowed: 2 groups or more, of which one is held out")
    shuffled = torch.randperm(len(data), generator=generator)
    count = max(1, round(HELD_OUT * len(data)))
    return shuffled[count:], shuffled[:count]


def mean_loss(data: Data, network: nn.Module, groups: torch.Tensor) -> float:
    """Compute the cross-entropy of some groups in nats per decision."""
    with torch.no_grad():
        return float(data.losses(network, groups).sum() / data.decisions[groups].sum())
