"""Bush-Mosteller automata over five fractions (Bush and Mosteller 1955): memory, utility and learning.

A fraction that brought more than one aspired to is chosen more often, one that brought less is chosen less often; the
aspiration follows what one has had (Macy and Flache 2002, PNAS 99:7229). What one has had is a payoff with the inequity
aversion of Fehr and Schmidt (1999, QJE 114:817).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from lawgiver.envs.core.arrays import Array, Rng, constant, evolve, namespace, softmax, uniform

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Fractions of what one may give among which an automaton chooses."""
WIDTH = 0.1
"""Standard deviation of what is given around its level, as such a fraction."""
TYPES = ((0.3, 0.0, 0.0), (0.3, 0.5, 0.25), (0.3, 1.0, 0.6), (0.1, 4.0, 0.6))
"""Frequency of each type, its envy (alpha) and its guilt (beta): Fehr and Schmidt 1999, table III."""


@dataclass(frozen=True)
class AutomataMemory:
    """The automata's types and learned propensities.

    Attributes:
        envy: dislike of having less than others, (B, n).
        guilt: dislike of having more, (B, n).
        rate: speed of learning, (B, n).
        initial: probabilities of the levels before anything was learned, (B, n, L).
        levels: their probabilities now, (B, n, L).
        aspiration: what a round is expected to bring, in the unit of the payoffs, (B, n).
    """

    envy: Array
    guilt: Array
    rate: Array
    initial: Array
    levels: Array
    aspiration: Array


class Automata:
    """Who a population's automata are, whatever the game, and what they carry from one game to the next.

    ``traits`` has the mean speed of learning, ``rate``, and the part of what was learned that is left when another game
    begins, ``carry``.
    """

    kind: ClassVar[str]
    traits: Any
    _n: int

    @property
    def settings(self) -> dict[str, Any]:
        """Parameters of the population."""
        fixed = {"levels": list(LEVELS), "width": WIDTH, "types": [list(kind) for kind in TYPES]}
        return {"policy": self.kind, **asdict(self.traits), **fixed}

    def initial_state(self, batch: int, rng: Rng) -> AutomataMemory:
        """Draw ``batch`` groups from the population: types, speeds and propensities."""
        shape = (batch, self._n)
        kind, speed = uniform(rng, shape), uniform(rng, shape)
        levels = softmax(4 * uniform(rng, (*shape, len(LEVELS))))
        frequency, envy, guilt = zip(*TYPES, strict=True)
        return AutomataMemory(
            envy=_by_type(kind, frequency, envy),
            guilt=_by_type(kind, frequency, guilt),
            rate=2 * self.traits.rate * speed,
            initial=levels,
            levels=levels,
            aspiration=namespace(kind).ones_like(kind),
        )

    def next_game(self, memory: AutomataMemory) -> AutomataMemory:
        """Return the memory that the same people carry to another game: types, aspiration, part of the learned."""
        carry = self.traits.carry
        return evolve(memory, levels=carry * memory.levels + (1 - carry) * memory.initial)


def learned(state: AutomataMemory, payoffs: Array, given: Array, habituation: float) -> AutomataMemory:
    """Compute the memory after a round.

    Args:
        state: the memory before it.
        payoffs: of all, own first, (B, n, n).
        given: the fraction that oneself gave, (B, n, 1).
        habituation: how fast the aspiration follows what is had, in [0, 1].
    """
    xp = namespace(payoffs)
    ahead = payoffs[..., :1] - payoffs[..., 1:]
    nothing = xp.zeros_like(ahead)
    envied = xp.mean(xp.maximum(-ahead, nothing), axis=-1)
    pitied = xp.mean(xp.maximum(ahead, nothing), axis=-1)
    utility = payoffs[..., 0] - state.envy * envied - state.guilt * pitied
    stimulus = xp.tanh(utility - state.aspiration)
    step = (state.rate * stimulus)[..., None]
    chosen = state.levels * near_levels(given)[..., 0]  # which level it came from
    chosen = chosen / xp.sum(chosen, axis=-1, keepdims=True)
    others = state.levels * (1 - chosen) + 1e-6  # never nobody, however sure somebody has become
    spread = others / xp.sum(others, axis=-1, keepdims=True)  # to whom goes what a level loses
    lost = xp.sum(chosen * state.levels, axis=-1, keepdims=True)
    attracted = state.levels + step * (chosen - state.levels)
    repelled = state.levels + step * (chosen * state.levels - lost * spread)
    aspiration = state.aspiration + habituation * (utility - state.aspiration)
    return evolve(state, levels=xp.where(step >= 0, attracted, repelled), aspiration=aspiration)


def near_levels(fractions: Array) -> Array:
    """Compute the unnormalised probability of each fraction (..., A) at each level, (..., L, A)."""
    distance = fractions[..., None, :] - constant(LEVELS, fractions)[:, None]
    return namespace(fractions).exp(-0.5 * (distance / WIDTH) ** 2)


def _by_type(kind: Array, frequency: Sequence[float], values: Sequence[float]) -> Array:
    """Return the value of each person's type for numbers ``kind`` drawn uniformly from [0, 1)."""
    xp = namespace(kind)
    found = constant(values[-1], kind) + xp.zeros_like(kind)
    for end, value in list(zip(np.cumsum(frequency), values, strict=True))[-2::-1]:
        found = xp.where(kind < float(end), constant(value, kind), found)
    return found
