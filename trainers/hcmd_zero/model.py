"""The Model step: virtual participants fitted to records of behaviour (Balaguer et al. 2022, section 3.4).

Contributions and votes are two models, fitted independently of each other, see
:mod:`lawgiver.trainers.elections.virtual_people`. The source names neither the l2 that it tried nor its learning rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from lawgiver.agents.virtual import VirtualParticipants, VirtualVoters
from lawgiver.envs.core.game import Game
from lawgiver.trainers.elections.records.records import Records
from lawgiver.trainers.elections.virtual_people.contributions import Candidate, Schedule, fit_contributions
from lawgiver.trainers.elections.virtual_people.decisions import VoteData
from lawgiver.trainers.elections.virtual_people.votes import fit_votes, voters_of
from lawgiver.trainers.hcmd_zero.settings import ModelSettings


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
    votes = {unit: VoteData.of(records, voters_of(game, unit)) for unit in settings.vote_units}  # may be missing
    make = partial(VirtualParticipants, game, sees_payouts=settings.sees_payouts)
    candidates = [
        Candidate(partial(make, n_linear=n_linear, n_hidden=n_hidden), {"n_linear": n_linear, "n_hidden": n_hidden}, l2)
        for n_linear, n_hidden in settings.sizes
        for l2 in settings.contribution_l2
    ]
    schedule = Schedule(settings.learning_rate, settings.batch_groups, settings.epochs, settings.patience)
    participants, of_contributions = fit_contributions(records, candidates, schedule, seed)
    voters, of_votes = fit_votes(votes, game, settings.vote_l2, seed)
    return FittedParticipants(participants, voters, {"contributions": of_contributions, "votes": of_votes})
