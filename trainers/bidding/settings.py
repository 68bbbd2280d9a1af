"""Settings of the trainer ``bidding``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lawgiver.trainers.settings.annealing import AnnealOver
from lawgiver.trainers.settings.base import Config, Natural, Settings, TrainerSettings
from lawgiver.trainers.settings.given import Given

Share = Annotated[float, Field(gt=0, le=1)]
Method = Literal["smoothed", "sorted", "evolution"]
"""How payoffs are climbed, see :mod:`lawgiver.trainers.bidding.methods`."""


class Bidders(Settings):
    """The networks of the bidders; see :class:`lawgiver.agents.bidders.LearnedBidders`."""

    hidden: tuple[Natural, ...] = (16, 16)


class Announcing(Settings):
    """The mechanism, which announces the same rules to all games."""

    given: Given


class BiddingAgents(Settings):
    """The given mechanism and the bidders who learn."""

    mechanism: Announcing
    participants: Bidders = Bidders()


class Window(Settings):
    """Half the width of the window of own bids over which payoffs are smoothed, as a share of the range of bids.

    It falls geometrically from ``start`` to ``end``.
    """

    start: Share = 0.1
    end: Share = 0.015


class Population(Settings):
    """Perturbed copies of the weights."""

    pairs: Natural = 16
    """Pairs of copies, of opposite perturbations."""
    noise: Share = 0.02
    """Standard deviation of a weight's perturbation."""


class Evaluation(Settings):
    """The judgement at the end; see :func:`lawgiver.trainers.bidding.judge.judge`."""

    draws: Annotated[int, Field(ge=64)] = 2**20
    """Draws of the others' bids."""
    probe: Annotated[int, Field(ge=64)] = 2**14
    """The same for each line of metrics."""


class BiddingTrainer(TrainerSettings):
    """Ascent of each group's payoff against the bids of the others as they are."""

    name: Literal["bidding"]
    method: Method = "smoothed"
    updates: Natural = 2_000
    anneal_over: AnnealOver = None
    """Updates over which the learning rate falls; None for ``updates``. A run that is prolonged stays at its end."""
    batch: Natural = 4_096
    """Profiles an update."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-2
    """Of Adam; it falls to nothing along a cosine."""
    window: Window = Window()
    """Of the methods ``smoothed`` and ``sorted``."""
    population: Population = Population()
    """Of the method ``evolution``."""
    log_every: Natural = 100
    checkpoint_every: Natural = 500
    evaluation: Evaluation = Evaluation()


BiddingConfig = Config[BiddingAgents, BiddingTrainer]
