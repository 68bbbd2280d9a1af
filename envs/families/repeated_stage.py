"""Repeated games with finitely many actions, in which everybody sees what all did last.

What players remember of the past is then one of finitely many states, the last joint action, and strategies of that
memory are tables. Whatever learns such tables asks a game for no more than this protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from lawgiver.envs.core.arrays import Array


@runtime_checkable
class RepeatedStage(Protocol):
    """A game whose participants choose among Discrete actions in every round, and see the last round's.

    Attributes:
        discount: weight of the next round's payoff in this one's, in [0, 1).
    """

    @property
    def discount(self) -> float:
        """Weight of the next round's payoff in this one's, in [0, 1)."""

    def last_actions(self, obs: Array) -> Array:
        """Read the last action of each participant, integers (B, n) by seat, from participants' observations."""

    def action_values(self) -> np.ndarray:
        """Return the number that each action of each seat stands for, (n, A), such as a price."""

    def references(self) -> Mapping[str, Mapping[str, float | None]]:
        """List reference values of a stage without a mechanism: by measure, ``nash`` and ``monopoly``.

        ``nash`` is the value in the Nash equilibrium of a single round, ``monopoly`` the one at the largest joint
        payoff.
        """
