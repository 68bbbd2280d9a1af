"""Games whose mechanism is paid: it maximises revenue, welfare or what is left to the participants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.objectives import surplus, welfare
from lawgiver.envs.families.mechanism_game import MechanismGame, MechanismState


@dataclass(frozen=True)
class RevenueGame(MechanismGame):
    """A mechanism game in which participants pay the mechanism.

    Args:
        n: number of participants.
        objective: the mechanism's reward: ``revenue``, what participants pay it on balance; ``welfare``, the sum of
            their utilities without transfers; ``surplus``, their payoffs; or an objective of the entry-point group.
    """

    objective: str = field(default="revenue", kw_only=True)

    objectives: ClassVar[tuple[str, ...]] = ("revenue", "welfare", "surplus")

    def ceiling(self) -> float | None:
        """Return the first of the references of the objective, which no rule surpasses among rational participants."""
        return next(iter(self.references().get(self.objective, {}).values()), None)

    def own_measure(self, state: MechanismState) -> Array:
        """Compute revenue, welfare or surplus, (B,)."""
        return self.measures()[self.objective](state)

    def measures(self) -> dict[str, Callable[[MechanismState], Array]]:
        """Return revenue, welfare and surplus, and the objective where it is another."""
        own: Mapping[str, Callable[[MechanismState], Array]] = {
            "revenue": self.revenue,
            "welfare": welfare,
            "surplus": surplus,
        }
        return dict(own) if self.objective in own else {self.objective: self.measure, **own}

    def revenue(self, state: MechanismState) -> Array:
        """Compute the sum of payments to the mechanism in the last round, (B,)."""
        return -self.deficit(state)
