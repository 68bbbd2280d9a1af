"""A population of the common-pool trust game that is built otherwise than the simulated people.

Every person is an automaton over five fractions of its offer. A fraction is judged by what followed: what was kept, and
what was offered next, as far as one looks ahead; both in units of an equal share of the last round's offers. Who
returned little, and is then left out, learns to return more. Nothing is inferred about the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from lawgiver.agents.learning_automata.bush_mosteller import (
    LEVELS,
    WIDTH,
    Automata,
    AutomataMemory,
    learned,
)
from lawgiver.agents.population import Trustees
from lawgiver.agents.returned_fractions import ReturnedFraction
from lawgiver.envs.commons_trust.game import SMALLEST_OFFER, CommonsTrust
from lawgiver.envs.core.arrays import Array, constant, evolve, namespace, total


@dataclass(frozen=True)
class Traits:
    """Parameters of a population; ``foresight`` alone was chosen by the humans' figures.

    Attributes:
        rate: mean speed of learning; a person's is drawn uniformly from 0 to twice as much (0.5 on average in Macy and
            Flache 2002).
        habituation: how fast the aspiration follows what is had (0.2 there).
        foresight: weight of the next offer beside what was kept (best of 1.5, 1.75, 2, 2.25 and 2.5).
        carry: part of what was learned that is left when another game begins.
    """

    rate: float = 0.5
    habituation: float = 0.2
    foresight: float = 2.0
    carry: float = 0.5


class CommonsAutomata(Automata, Trustees[AutomataMemory]):
    """Automata that repeat returns after which they did well."""

    kind: ClassVar[str] = "learning_automata"
    traits_type: ClassVar[type[Traits]] = Traits
    intervals: ClassVar[Mapping[str, str]] = {
        "rate": "[0, 0.5]",
        "habituation": "[0, 1]",
        "foresight": "[0, 10]",
        "carry": "[0, 1]",
    }

    def __init__(self, game: CommonsTrust, traits: Traits) -> None:
        """Keep the game's columns and the traits."""
        super().__init__(game)
        self.traits = traits

    def fractions(self, obs: Array, state: AutomataMemory) -> tuple[ReturnedFraction, AutomataMemory]:
        """Compute the distributions (B, n) of the fractions that are returned, and the new memory."""
        xp, at = namespace(obs), self._columns
        offers, past, returns = (obs[..., at[name]] for name in ("offers", "last_offers", "returns"))
        could = past[..., :1] >= SMALLEST_OFFER  # (B, n, 1): there is something to learn from
        given = returns[..., :1] / xp.where(could, past[..., :1], 1.0)
        equal = xp.where(could, total(past)[..., None] / self._n, 1.0)
        followed = (past - returns + self.traits.foresight * offers) / equal
        after = learned(state, followed, given, self.traits.habituation)
        memory = evolve(
            state,
            levels=xp.where(could, after.levels, state.levels),
            aspiration=xp.where(could[..., 0], after.aspiration, state.aspiration),
        )
        nothing = xp.zeros_like(memory.levels)
        weights = xp.concat([nothing[..., :3], memory.levels], axis=-1)
        return ReturnedFraction(weights, nothing + constant(LEVELS, obs), nothing + WIDTH), memory
