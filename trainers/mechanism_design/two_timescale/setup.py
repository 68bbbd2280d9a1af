"""Setup of a training on two timescales, checked against the game."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lawgiver.agents.anchor import make_anchor
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.envs.solvers.equilibrium.subgame import Subgame
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import Best, best_in_box, equilibrium_objective, prior_table
from lawgiver.trainers.evaluation.mechanism_summary import gap_closed
from lawgiver.trainers.mechanism_design.optimisers import check_timescales
from lawgiver.trainers.mechanism_design.two_timescale.learning import (
    DualAveraging,
    FictitiousPlay,
    InEquilibrium,
    Learners,
    RelaxedLogits,
)
from lawgiver.trainers.mechanism_design.two_timescale.settings import Participants, TwoTimescaleConfig
from lawgiver.trainers.runs.compatibility import require_own_objective
from lawgiver.trainers.settings.base import anchor_of
from lawgiver.trainers.settings.bounded_rationality import start_of

PERTURBED = ("one_point", "two_point", "score_function")
"""Optimisers that use ``trainer.radius``."""
UNSTEPPED = ("bayesian", "fixed")
"""Optimisers that take no steps."""


@dataclass(frozen=True)
class Setup:
    """Everything that stays the same in a training.

    Attributes:
        config: of the experiment.
        game: whose mechanism is learned.
        anchor: the participants' prior policy, None for uniform.
        learners: the participants' learning rule.
        start: w (D,) where the mechanism begins.
        best: the best mechanism of the box.
    """

    config: TwoTimescaleConfig
    game: MechanismGame
    anchor: Policy | None
    learners: Learners
    start: np.ndarray
    best: Best

    @property
    def inverse_temperature(self) -> float:
        """Of the participants, in [0, inf]."""
        return self.learners.inverse_temperature

    def exact(self, parameters: np.ndarray) -> float:
        """Compute the objective a round in equilibrium under w (D,)."""
        whole = equilibrium_objective(self.game, parameters, self.inverse_temperature, self.anchor)
        return whole / self.game.horizon

    def gap_closed(self, value: float) -> float | None:
        """Compute the share of the gap between the start and the best in the box that a value a round closes."""
        best = self.best.value / self.game.horizon
        return gap_closed({"start": self._at_start, "learned": value, "best_in_box": best})

    @cached_property
    def _at_start(self) -> float:
        return self.exact(self.start)


def prepare(config: TwoTimescaleConfig) -> Setup:
    """Make the setup of a training.

    Raises:
        UnsupportedGameError: if the game has no mechanism that announces its parameters once, or its participants
            choose among infinitely many actions.
        ParameterError: naming the key that does not fit the game or the conditions of the timescale.
    """
    settings, mechanism = config.trainer, config.agents.mechanism
    game = config.game.make()
    if not isinstance(game, MechanismGame):
        raise UnsupportedGameError(
            f"trainer 'two_timescale' needs a mechanism that announces its parameters once, not {game.name}"
        )
    if not isinstance(game.announcement_layout(), int):
        raise UnsupportedGameError(
            f"trainer 'two_timescale' learns tables of finitely many actions, those of {game.name} are a Box here (of "
            "lanes: set game.n_moves; of sealed_bid: set game.n_bids)"
        )
    require_own_objective(game, "two_timescale")
    radius = settings.radius if mechanism.optimiser in PERTURBED else None
    if mechanism.optimiser not in UNSTEPPED:
        check_timescales(settings.timescale, settings.agents_step, settings.mechanism_step, radius)
    if settings.agents_step.initial > 1:
        raise ParameterError(
            f"trainer.agents_step.initial is {settings.agents_step.initial:g}, a share of the way to the exact reply: "
            "allowed: a number in (0, 1]"
        )
    start = np.array(start_of(game.action_layout("mechanism"), game.members, mechanism.start))
    participants = config.agents.participants
    anchor = make_anchor(game, anchor_of(participants))
    inverse_temperature = participants.inverse_temperature_in(game, anchor, mechanism.start)
    learners = make_learners(participants, game.subgame, prior_table(game, anchor, start), inverse_temperature)
    return Setup(config, game, anchor, learners, start, best_in_box(game, inverse_temperature, anchor))


def make_learners(settings: Participants, subgame: Subgame, prior: np.ndarray, inverse_temperature: float) -> Learners:
    """Make the learning rule that a config names.

    Args:
        settings: of the participants.
        subgame: game of the participants under a mechanism.
        prior: log pi_0, (T, S, A).
        inverse_temperature: lambda, in [0, inf].
    """
    shared: dict[str, Any] = {
        "subgame": subgame,
        "prior": prior,
        "inverse_temperature": inverse_temperature,
        "updates": settings.updates_per_evaluation,
    }
    if settings.learning == "dual_averaging":
        return DualAveraging(first_step=settings.first_step, **shared)
    rules: dict[str, type[Learners]] = {
        "relaxed_logits": RelaxedLogits,
        "fictitious_play": FictitiousPlay,
        "equilibrium": InEquilibrium,
    }
    return rules[settings.learning](**shared)
