"""Settings of the trainer ``two_timescale``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lawgiver.trainers.mechanism_design.optimisers import OptimiserName, Schedule, Timescale
from lawgiver.trainers.settings.base import Config, Natural, Settings, TrainerSettings
from lawgiver.trainers.settings.bounded_rationality import BoundedRationality, Start

LearningName = Literal["relaxed_logits", "fictitious_play", "dual_averaging", "equilibrium"]
"""Rules by which participants learn."""


class Participants(BoundedRationality):
    """Participants of bounded rationality, who learn their best response.

    A ``kl_budget`` fixes the inverse temperature under the mechanism's start; it stays the same when the mechanism
    moves.
    """

    learning: LearningName = "relaxed_logits"
    """``relaxed_logits``: steps towards the exact reply to current play; ``fictitious_play``: replies to what all have
    done so far; ``dual_averaging``: payoffs added up in ever smaller steps; ``equilibrium``: no learning, but the exact
    equilibrium in every evaluation (nested)."""
    updates_per_evaluation: Natural = 50
    """Steps under each mechanism that is tried, before its objective is measured."""
    first_step: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    """Of ``dual_averaging``, in nats a unit of payoff; the t-th after an announcement is t^-1/2 times as large."""


class Mechanism(Settings):
    """The announced parameters w, found by an optimiser."""

    start: str | Start | None = "no_mechanism"
    """Where w begins: the name of a canonical mechanism of the game, one number a parameter, or None for mid-Box."""
    optimiser: OptimiserName = "two_point"
    draws: Annotated[int, Field(ge=2)] = 8
    """Mechanisms that ``score_function`` tries in an iteration; the others know how many they need."""
    games_per_evaluation: Natural | None = 16
    """Games that are played to measure the objective of a mechanism (``implicit_gradient`` needs none: they are for the
    metrics); null for its expectation."""


class TwoTimescaleAgents(Settings):
    """Participants and mechanism, both of which learn."""

    participants: Participants = Participants()
    mechanism: Mechanism = Mechanism()


class TwoTimescaleTrainer(TrainerSettings):
    """Steps of both; see :mod:`lawgiver.trainers.mechanism_design.optimisers.schedules` for the conditions that they
    are held to."""

    length: ClassVar = "iterations"
    name: Literal["two_timescale"]
    timescale: Timescale = "two_timescale"
    """Who moves more slowly in the long run."""
    agents_step: Schedule = Schedule(initial=0.8, exponent=0.51)
    """eta_n, share of the way to the exact reply that participants go in a step of iteration n; at most 1; used by
    ``relaxed_logits``."""
    mechanism_step: Schedule = Schedule(initial=8.0, exponent=0.6)
    """xi_n, in coefficients for a gradient of the objective / game.welfare_scale; ``implicit_gradient`` (Adam): in half
    widths of the box; not used by ``bayesian`` and ``fixed``."""
    radius: Schedule = Schedule(initial=0.5, exponent=0.0)
    """rho_n of the perturbations, in coefficients; used by ``one_point``, ``two_point``, ``score_function``."""
    iterations: Natural = 1500
    log_every: Natural = 50
    """Iterations between two lines of metrics, which hold exact scores."""
    checkpoint_every: Natural = 500
    """Iterations."""


TwoTimescaleConfig = Config[TwoTimescaleAgents, TwoTimescaleTrainer]
