"""A held-out population of the public investment game of a different kind; nothing is fitted to it.

Every person is an automaton over five fractions of the endowment, which learns from its own payoff alone and infers
nothing about the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lawgiver.agents.learning_automata.bush_mosteller import (
    Automata,
    AutomataMemory,
    learned,
    near_levels,
)
from lawgiver.agents.population import Population
from lawgiver.envs.core.arrays import Array, constant, evolve, namespace
from lawgiver.envs.core.game import Game


@dataclass(frozen=True)
class Traits:
    """Parameters of a population.

    Attributes:
        rate: mean speed of learning; a person's is drawn uniformly from 0 to twice as much (0.5 on average in Macy and
            Flache 2002).
        habituation: how fast the aspiration follows what is had (0.2 there).
        carry: part of what was learned that is left when another game begins.
    """

    rate: float = 0.5
    habituation: float = 0.2
    carry: float = 0.5


class LearningAutomata(Automata, Population[AutomataMemory]):
    """Automata that repeat satisfying actions."""

    kind: ClassVar[str] = "learning_automata"
    traits_type: ClassVar[type[Traits]] = Traits
    intervals: ClassVar[Mapping[str, str]] = {"rate": "[0, 0.5]", "habituation": "[0, 1]", "carry": "[0, 1]"}

    def __init__(self, game: Game[Any], traits: Traits) -> None:
        """Read the last round's columns of the observation."""
        super().__init__(game)
        self.traits = traits

    def distribution(self, obs: Array, mask: Array | None, state: AutomataMemory) -> tuple[Array, AutomataMemory]:
        """Return log-probabilities (B, n, A) of contributions, minus infinity where illegal, and the new memory."""
        xp = namespace(obs)
        own = obs[..., self._columns["own_endowment"]]
        fractions = constant(np.arange(self._n_actions), obs) / own
        legal = fractions <= 1 if mask is None else mask
        near = near_levels(fractions) * legal[..., None, :]
        near = near / xp.sum(near, axis=-1, keepdims=True)  # (B, n, L, A): contributions by level
        begun = obs[..., self._columns["round"]] > 0
        after = self._learned(obs, state)
        memory = evolve(
            state,
            levels=xp.where(begun, after.levels, state.levels),
            aspiration=xp.where(begun[..., 0], after.aspiration, state.aspiration),
        )
        probabilities = xp.sum(memory.levels[..., None] * near, axis=-2)
        safe = xp.where(legal, probabilities, xp.ones_like(probabilities))
        return xp.where(legal, xp.log(safe), constant(-np.inf, obs)), memory

    def _learned(self, obs: Array, state: AutomataMemory) -> AutomataMemory:
        """Return the memory after the round that ``obs`` shows."""
        at = self._columns
        own = obs[..., at["own_endowment"]]
        contributions = obs[..., at["contributions"]]
        payoffs = (obs[..., at["endowments"]] - contributions + obs[..., at["payouts"]]) / own
        return learned(state, payoffs, contributions[..., :1] / own, self.traits.habituation)
