"""Settings of the trainer ``learned_follower``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lawgiver.trainers.settings.annealing import AnnealOver
from lawgiver.trainers.settings.base import Config, Count, Natural, Settings, TrainerSettings


class Network(Settings):
    """The network of the follower; see :class:`lawgiver.agents.follower.WorthNetwork`."""

    width: Natural = 32
    layers: Natural = 3
    heads: Natural = 4
    """The width is a multiple of them."""


class FollowerAgents(Settings):
    """The follower; the types of participants are drawn by the game."""

    mechanism: Network = Network()


class Evaluation(Settings):
    """The final evaluation, on fresh profiles."""

    profiles: Annotated[int, Field(ge=2)] = 1_000
    """Profiles that are walked, by the follower and by heuristics."""
    exact: Count = 1_000
    """How many of them are solved exactly too: a few seconds each for 20 participants, for more than 22 impossible."""
    audited: Count = 50
    """How many of them are searched for misreports that pay: 0 or at least 2."""
    effort: Natural = 1
    """Rounds of search."""


class FollowerTrainer(TrainerSettings):
    """Value learning in batches of walks."""

    name: Literal["learned_follower"]
    updates: Natural = 4_000
    anneal_over: AnnealOver = None
    """Updates over which the learning rate falls; None for ``updates``. A run that is prolonged stays at its end."""
    groups: Natural = 4
    """Groups of walks under way, each of profiles with a number of goals of its own."""
    batch: Natural = 8
    """Walks a group."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3
    """Of Adam; it falls to nothing in a straight line."""
    exploration: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Probability of an open goal at random."""
    target_rate: Annotated[float, Field(gt=0, le=1)] = 0.02
    """How far the target network moves to the learner's at each update."""
    log_every: Natural = 20
    checkpoint_every: Natural = 100
    evaluation: Evaluation = Evaluation()


FollowerConfig = Config[FollowerAgents, FollowerTrainer]
