"""Records as training data of the virtual participants' networks: decisions, and the features known before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import nn

from lawgiver.agents.virtual import VirtualParticipants, VirtualVoters
from lawgiver.agents.virtual_networks import (
    arrangement,
    contribution_features,
    legal_log_softmax,
    vote_features,
)
from lawgiver.trainers.elections.records.records import Records, RecordsError


class Data(Protocol):
    """Training data of a network: the decisions of G groups."""

    what: ClassVar[str]
    """``contributions`` or ``votes``."""

    @property
    def decisions(self) -> torch.Tensor:
        """Number of decisions of each group, (G,)."""

    def __len__(self) -> int:
        """Return G."""

    def losses(self, network: nn.Module, groups: torch.Tensor) -> torch.Tensor:
        """Compute the cross-entropy of each of ``groups`` (g,), summed over its decisions, (g,)."""


@dataclass(frozen=True)
class ContributionData:
    """Contributions of G groups, S = episodes times participants sequences each, as the network takes them.

    Attributes:
        features: (G, S, T, d).
        chosen: (G, S, T), whole.
        legal: (G, S, 1, n_actions).
        decisions: (G,).
    """

    what: ClassVar[str] = "contributions"
    features: torch.Tensor
    chosen: torch.Tensor
    legal: torch.Tensor
    decisions: torch.Tensor

    @classmethod
    def of(cls, records: Records, participants: VirtualParticipants) -> ContributionData:
        """Convert the contributions in ``records`` to inputs of the network of ``participants``."""
        check_records(records, participants.n, participants.top)
        endowments, contributions, payouts = _tensors(records)
        groups, episodes, rounds, n = contributions.shape
        features = contribution_features(
            endowments[:, None, None, :],
            _last(contributions),
            _last(payouts),
            arrangement(endowments)[:, None, None],
            sees_payouts=participants.network.sees_payouts,
            top=participants.top,
        )
        legal = torch.arange(participants.top + 1) <= endowments[:, None, :, None, None]
        return cls(
            features=features.transpose(2, 3).reshape(groups, episodes * n, rounds, -1).contiguous(),
            chosen=contributions.long().transpose(2, 3).reshape(groups, episodes * n, rounds),
            legal=legal.expand(groups, episodes, n, 1, -1).reshape(groups, episodes * n, 1, -1),
            decisions=torch.full((groups,), episodes * n * rounds),
        )

    def __len__(self) -> int:
        return len(self.features)

    def losses(self, network: nn.Module, groups: torch.Tensor) -> torch.Tensor:
        """See :class:`Data`."""
        logits: torch.Tensor = network(self.features[groups].flatten(0, 1))
        log_probabilities = legal_log_softmax(logits, self.legal[groups].flatten(0, 1))
        chosen = log_probabilities.gather(-1, self.chosen[groups].flatten(0, 1)[..., None])
        return -chosen.reshape(len(groups), -1).sum(-1)


@dataclass(frozen=True)
class VoteData:
    """Votes of the G groups in which somebody voted, between E episodes, as the network takes them.

    Attributes:
        features: (G, n, E, d).
        votes: (G, n), -1 where a participant was not asked.
        decisions: (G,).
    """

    what: ClassVar[str] = "votes"
    features: torch.Tensor
    votes: torch.Tensor
    decisions: torch.Tensor

    @classmethod
    def of(cls, records: Records, voters: VirtualVoters) -> VoteData:
        """Convert the votes in ``records`` to inputs of the network of ``voters``."""
        check_records(records, voters.n, voters.top, voters.n_rounds)
        asked = (records.votes >= 0).any(axis=1)
        if not asked.any():
            raise RecordsError("votes", (), "nobody was asked, allowed: at least one vote to learn from")
        endowments, contributions, payouts = (x[torch.from_numpy(asked)] for x in _tensors(records))
        votes = torch.from_numpy(records.votes[asked])
        features = vote_features(
            endowments[:, None],
            contributions,
            payouts,
            arrangement(endowments)[:, None],
            top=voters.top,
            relative=voters.network.relative,
        )
        return cls(features.transpose(1, 2).contiguous(), votes, (votes >= 0).sum(-1))

    def __len__(self) -> int:
        return len(self.features)

    def losses(self, network: nn.Module, groups: torch.Tensor) -> torch.Tensor:
        """See :class:`Data`."""
        votes = self.votes[groups]
        logits: torch.Tensor = network(self.features[groups])
        log_probabilities = logits.log_softmax(-1)
        chosen = log_probabilities.gather(-1, votes.clamp(min=0)[..., None]).squeeze(-1)
        return -(chosen * (votes >= 0)).sum(-1)


def _tensors(records: Records) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return endowments, contributions and payouts in the dtype of the networks."""
    arrays = (records.endowments, records.contributions, records.payouts)
    endowments, contributions, payouts = (torch.from_numpy(x.astype(np.float32)) for x in arrays)
    return endowments, contributions, payouts


def _last(values: torch.Tensor) -> torch.Tensor:
    """Shift values (G, E, T, n) by one round, with 0 in the first."""
    return torch.cat([torch.zeros_like(values[:, :, :1]), values[:, :, :-1]], dim=2)


def check_records(records: Records, n: int, top: int, n_rounds: int | None = None) -> None:
    """Check that records come from a game of n participants, endowments 1..top and n_rounds rounds."""
    rounds, participants = records.contributions.shape[2:]
    if participants != n or rounds != (n_rounds or rounds):
        wanted = f"{n} participants" if n_rounds is None else f"{n_rounds} rounds of {n} participants"
        raise RecordsError("contributions", (), f"of {rounds} rounds of {participants} participants, allowed: {wanted}")
    endowments, contributions = records.endowments, records.contributions
    whole_or_fault = (
        ("endowments", endowments, (endowments < 1) | (endowments > top), f"1..{top}"),
        ("contributions", contributions, contributions % 1 != 0, "a whole number of coins"),
    )
    for name, values, wrong, allowed in whole_or_fault:
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise RecordsError(name, index, f"is {values[index]:.6g}, allowed: {allowed}")
