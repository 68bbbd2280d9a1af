"""Subjects of the trainer: the choice of an alternative by votes, and matchings of two sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from lawgiver.agents.matching_net import LearnedMatching
from lawgiver.agents.ordinal_net import LearnedOrdinal
from lawgiver.envs.core.game import Game
from lawgiver.envs.matching import Matching
from lawgiver.trainers.ordinal import matching, voting
from lawgiver.trainers.ordinal.optimisers import Muon, adam


class Terms(Protocol):
    """Both sides of the objective, beside what it is made of."""

    @property
    def regret(self) -> torch.Tensor:
        """Gain by the best other report, mean over participants."""

    @property
    def loss(self) -> torch.Tensor:
        """The other side, which is to be small."""


class Profiles(Protocol):
    """Where the profiles of an update come from."""

    def terms(self, rule: Callable[..., torch.Tensor], number: int) -> Terms:
        """Compute both sides on the profiles of an update, differentiable in the rule; updates count from 1."""


@dataclass(frozen=True)
class Subject:
    """A kind of rule that is learned.

    Attributes:
        measure: what it is to be good at beside truthfulness: an attribute of its terms.
        mechanism: class of the learned rule.
        checked: returns the game as one that is trained for, or raises.
        profiles: makes what a rule is trained on, of game, settings, seed and device.
        optimiser: makes that of a training, of network and learning rate.
        judge: measures a learned rule, of game, rule, settings and seed.
    """

    measure: str
    mechanism: Callable[..., Any]
    checked: Callable[..., Any]
    profiles: Callable[..., Profiles]
    optimiser: Callable[..., Any]
    judge: Callable[..., Mapping[str, Any]]


VOTING = Subject("welfare", LearnedOrdinal, voting.checked, voting.profiles, adam, voting.judge)
MATCHING = Subject("stability", LearnedMatching, matching.checked, matching.profiles, Muon, matching.judge)


def subject_of(game: Game[Any]) -> Subject:
    """Return the kind of rule that is learned in a game."""
    return MATCHING if isinstance(game, Matching) else VOTING
