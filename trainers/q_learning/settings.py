"""Settings of the trainer ``q_learning``: the keys ``agents`` and ``trainer`` of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lawgiver.trainers.mechanism_design.optimisers import Schedule
from lawgiver.trainers.settings.base import Config, Natural, Settings, TrainerSettings
from lawgiver.trainers.settings.bounded_rationality import Start
from lawgiver.trainers.settings.given import Given

BLOCK = 1_000
"""Periods of an update."""
Initial = Literal["rival_uniform", "optimistic", "zero"]
"""Where tables begin, see :class:`lawgiver.trainers.q_learning.sessions.Rule`."""


class QLearners(Settings):
    """Participants who learn by tables; see :mod:`lawgiver.trainers.q_learning.sessions`."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.15
    """alpha."""
    exploration_decay: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 4e-6
    """beta: period t explores with probability exp(-beta t)."""
    discount: Annotated[float, Field(ge=0, lt=1)] | None = None
    """delta; None for the game's own, where it has one."""
    memory: bool = True
    """Whether the state is the last joint action, which the game has to show; without, there is one state."""
    initial: Initial = "rival_uniform"
    """Q at the beginning: ``rival_uniform``, ``optimistic`` or ``zero``."""


class Announcing(Settings):
    """A mechanism that announces the same to all sessions."""

    given: Given


class Regulator(Settings):
    """A mechanism that learns what to announce, while participants learn under what it tries.

    In each iteration a copy of every session learns on under each mechanism that is tried, and the objective is
    measured in the last thousand periods. In the end participants learn anew, under what is announced then.
    """

    start: str | Start | None = "no_mechanism"
    """Where w begins: the name of a canonical mechanism of the game, one number a parameter, or None for mid-Box."""
    optimiser: Literal["one_point", "two_point", "score_function"] = "two_point"
    step: Schedule = Schedule(initial=1.0, exponent=0.6)
    """In coefficients for a gradient of the objective."""
    radius: Schedule = Schedule(initial=0.1, exponent=0.0)
    """Of the perturbations, in coefficients."""
    iterations: Natural = 100
    updates_per_evaluation: Natural = 5
    """Thousand periods under each mechanism that is tried."""
    exploration: Annotated[float, Field(gt=0, le=1)] | None = 0.1
    """Probability of exploring meanwhile: who no longer explores does not find out that the rules have changed. None:
    participants learn anew under each mechanism that is tried, and explore less and less (nested)."""
    grid: Annotated[int, Field(ge=0, le=101)] = 9
    """Values of each parameter on a grid of the box, under which participants learn as well in the end, to compare."""


class QLearningAgents(Settings):
    """The mechanism, given or learned, and the participants who learn."""

    mechanism: Announcing | Regulator
    participants: QLearners = QLearners()


class QLearningTrainer(TrainerSettings):
    """Many sessions at once, each with tables of its own."""

    name: Literal["q_learning"]
    sessions: Natural = 100
    """Under each mechanism."""
    updates: Natural = 10_000
    """Thousand periods that a session may take to converge."""
    stable_for: Natural = 100_000
    """Periods without a change of any greedy action after which a session has converged."""
    log_every: Natural = 50
    checkpoint_every: Natural = 250


QLearningConfig = Config[QLearningAgents, QLearningTrainer]
"""The trainer ``q_learning``: Q-learners in repeated games, under a given mechanism or one that learns."""
