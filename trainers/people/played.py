"""Rounds that a group has played, and the part that each person takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Person:
    """The part that somebody takes.

    Attributes:
        missed: deadlines of decisions that have passed without one.
        replaced: decisions that a program has made for them, because they missed a deadline or were gone.
        in_a_row: those since the last decision or vote of their own.
        gone: whether a program decides for them.
        gone_rounds: rounds in a row that they have been gone.
        left: whether they cannot come back.
        withdrew: whether that is because they left themselves.
        points: rewards of the rounds in which no program decided for them.
    """

    missed: int = 0
    replaced: int = 0
    in_a_row: int = 0
    gone: bool = False
    gone_rounds: int = 0
    left: bool = False
    withdrew: bool = False
    points: float = 0.0


@dataclass(frozen=True)
class Round:
    """One round: everything between two turns of the participants.

    Attributes:
        step: number of the participants' phase in the game, from 0.
        seen: what each participant saw before it, (n, d).
        actions: of all, (n[, k]).
        sources: who made each of them; ``waited`` where it was not the participant's turn, and the action is ignored.
        rewards: what each earned until the next turn, (n,).
        after: what each saw then, (n, d).
    """

    step: int
    seen: np.ndarray
    actions: np.ndarray
    sources: tuple[str, ...]
    rewards: np.ndarray
    after: np.ndarray
