"""Records as training data of the virtual participants' networks: decisions, and the features known before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lawgiver.agents.recurrent_participants import RecurrentParticipants
from lawgiver.agents.virtual import VirtualVoters
from lawgiver.envs.core.recorded import RecordedColumns
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
        most: whole points of the endowment, (G, S, T), or (G, S, 1) if the same in all rounds.
        counted: choices among several, bool (G, S, T): a contribution that was forced says nothing.
        decisions: (G,), how many those are.
    """

    what: ClassVar[str] = "contributions"
    features: torch.Tensor
    chosen: torch.Tensor
    most: torch.Tensor
    counted: torch.Tensor
    decisions: torch.Tensor

    @classmethod
    def of(cls, records: Records | Sequence[Records], participants: RecurrentParticipants) -> ContributionData:
        """Convert the contributions in ``records`` to inputs of the network of ``participants``.

        Several records may have different numbers of episodes and rounds; what is missing to the most is not counted.
        """
        parts = [cls._of(one, participants) for one in ([records] if isinstance(records, Records) else records)]
        if len(parts) == 1:
            return parts[0]
        sizes = [part.chosen.shape[1:] for part in parts]
        sequences, rounds = (max(size[axis] for size in sizes) for axis in range(2))
        padded = [part._padded(sequences, rounds) for part in parts]
        return cls(*(torch.cat(arrays) for arrays in zip(*padded, strict=True)))

    @classmethod
    def _of(cls, records: Records, participants: RecurrentParticipants) -> ContributionData:
        at = participants.at
        check_records(records, at)
        endowments, contributions, payouts = _tensors(records)
        groups, episodes, rounds, n = contributions.shape
        shared = {name: _float(records.shared[name]) for name in at.shared}
        features = participants.features(endowments, _last(contributions), _last(payouts), shared)
        exact = torch.from_numpy(records.endowments).reshape(endowments.shape)  # float32 may round an offer up
        most = exact.floor().long().transpose(2, 3).expand(-1, episodes, -1, -1)  # (G, E, n, T or 1)
        counted = (most >= 1).expand(-1, -1, -1, rounds).reshape(groups, episodes * n, rounds)
        return cls(
            features=features.transpose(2, 3).reshape(groups, episodes * n, rounds, -1).contiguous(),
            chosen=contributions.long().transpose(2, 3).reshape(groups, episodes * n, rounds),
            most=most.reshape(groups, episodes * n, -1),
            counted=counted,
            decisions=counted.sum((1, 2)),
        )

    def _padded(self, sequences: int, rounds: int) -> tuple[torch.Tensor, ...]:
        """Fill up to numbers of sequences and rounds, with decisions that do not count: 0 of 0."""
        more = (0, rounds - self.chosen.shape[2], 0, sequences - self.chosen.shape[1])
        return (
            functional.pad(self.features, (0, 0, *more)),
            functional.pad(self.chosen, more),
            functional.pad(self.most.expand_as(self.chosen), more),
            functional.pad(self.counted, more),
            self.decisions,
        )

    def __len__(self) -> int:
        return len(self.features)

    def losses(self, network: nn.Module, groups: torch.Tensor) -> torch.Tensor:
        """See :class:`Data`."""
        taken = (array[groups].flatten(0, 1) for array in (self.features, self.most, self.chosen))
        found: torch.Tensor = network.log_likelihood(*taken)  # type: ignore[operator]
        counted = self.counted[groups].reshape(len(groups), -1)
        return -found.reshape(len(groups), -1).where(counted, 0.0).sum(-1)


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
        check_records(records, voters.at, voters.n_rounds)
        asked = (records.votes >= 0).any(axis=1)
        if not asked.any():
            raise RecordsError("votes", (), "nobody was asked, allowed: at least one vote to learn from")
        endowments, contributions, payouts = (x[torch.from_numpy(asked)] for x in _tensors(records))
        votes = torch.from_numpy(records.votes[asked])
        features = voters.features(endowments, contributions, payouts)
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
    """Return endowments (G, E, T, n) or (G, 1, 1, n), contributions and payouts in the dtype of the networks."""
    endowments = records.endowments if records.by_round else records.endowments[:, None, None, :]
    return _float(endowments), _float(records.contributions), _float(records.payouts)


def _float(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _last(values: torch.Tensor) -> torch.Tensor:
    """Shift values (G, E, T, n) by one round, with 0 in the first."""
    return torch.cat([torch.zeros_like(values[:, :, :1]), values[:, :, :-1]], dim=2)


def check_records(records: Records, game: RecordedColumns, n_rounds: int | None = None) -> None:
    """Check that records come from a game of as many participants, its kind of endowments, and n_rounds rounds."""
    rounds, participants = records.contributions.shape[2:]
    if participants != game.n or rounds != (n_rounds or rounds):
        wanted = f"{game.n} participants" if n_rounds is None else f"{n_rounds} rounds of {game.n} participants"
        raise RecordsError("contributions", (), f"of {rounds} rounds of {participants} participants, allowed: {wanted}")
    if records.by_round != game.by_round:
        kinds = {False: "of the whole game", True: "of each round"}
        raise RecordsError("endowments", (), f"are {kinds[records.by_round]}, allowed: {kinds[game.by_round]}")
    for name in game.shared:
        if name not in records.shared:
            raise RecordsError(name, (), f"is missing, allowed: records with {', '.join(game.shared)}")
    endowments, contributions = records.endowments, records.contributions
    least = 0 if game.by_round else 1
    whole_or_fault = (
        ("endowments", endowments, (endowments < least) | (endowments > game.top), f"{least}..{game.top:.6g}"),
        ("contributions", contributions, contributions % 1 != 0, "a whole number of coins"),
    )
    for name, values, wrong, allowed in whole_or_fault:
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise RecordsError(name, index, f"is {values[index]:.6g}, allowed: {allowed}")
