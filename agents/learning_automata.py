"""A held-out population of a different kind, for evaluation only; nothing is fitted to it.

Every person is a Bush-Mosteller automaton (Bush and Mosteller 1955; with a moving aspiration as in Macy and Flache
2002, PNAS 99:7229) over five fractions of the endowment. What it gets out of a round is the payoff with the inequity
aversion of Fehr and Schmidt (1999, QJE 114:817); a fraction that did better than one aspired to is chosen more often,
one that did worse less often. It learns from its own payoff alone and infers nothing about the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lawgiver.agents.population import Population
from lawgiver.envs.core.arrays import Array, Rng, constant, evolve, namespace, softmax, uniform
from lawgiver.envs.core.errors import number
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Policy

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Fractions of the endowment among which an automaton chooses."""
WIDTH = 0.1
"""Standard deviation of a contribution around its level, as a fraction of the endowment."""
TYPES = ((0.3, 0.0, 0.0), (0.3, 0.5, 0.25), (0.3, 1.0, 0.6), (0.1, 4.0, 0.6))
"""How frequent a type is, its envy (alpha) and its guilt (beta): Fehr and Schmidt 1999, table III."""


@dataclass(frozen=True)
class AutomataMemory:
    """The automata's types and learned propensities.

    Attributes:
        envy: dislike of having less than others, (B, n).
        guilt: dislike of having more, (B, n).
        rate: speed of learning, (B, n).
        initial: probabilities of the levels before anything was learned, (B, n, L).
        levels: their probabilities now, (B, n, L).
        aspiration: what a round is expected to bring, in multiples of the own endowment, (B, n).
    """

    envy: Array
    guilt: Array
    rate: Array
    initial: Array
    levels: Array
    aspiration: Array


class LearningAutomata(Population[AutomataMemory]):
    """Automata that repeat satisfying actions."""

    kind: ClassVar[str] = "learning_automata"

    def __init__(self, game: Game[Any], rate: float, habituation: float, carry: float) -> None:
        """Read the last round's columns of the observation."""
        super().__init__(game)
        self.rate, self.habituation, self.carry = rate, habituation, carry

    @property
    def settings(self) -> dict[str, Any]:
        """Parameters of the population."""
        chosen = {"rate": self.rate, "habituation": self.habituation, "carry": self.carry}
        fixed = {"levels": list(LEVELS), "width": WIDTH, "types": [list(kind) for kind in TYPES]}
        return {"policy": self.kind, **chosen, **fixed}

    def initial_state(self, batch: int, rng: Rng) -> AutomataMemory:
        """Draw ``batch`` groups from the population: types, speeds and propensities."""
        kind, speed = uniform(rng, (batch, self._n)), uniform(rng, (batch, self._n))
        levels = softmax(4 * uniform(rng, (batch, self._n, len(LEVELS))))
        frequency, envy, guilt = zip(*TYPES, strict=True)
        return AutomataMemory(
            envy=_by_type(kind, frequency, envy),
            guilt=_by_type(kind, frequency, guilt),
            rate=2 * self.rate * speed,
            initial=levels,
            levels=levels,
            aspiration=namespace(kind).ones_like(kind),
        )

    def next_game(self, memory: AutomataMemory) -> AutomataMemory:
        """Return the memory that the same people carry to another game: types, aspiration, part of the learned."""
        levels = self.carry * memory.levels + (1 - self.carry) * memory.initial
        return evolve(memory, levels=levels)

    def distribution(self, obs: Array, mask: Array | None, state: AutomataMemory) -> tuple[Array, AutomataMemory]:
        """Return log-probabilities (B, n, A) of contributions, minus infinity where illegal, and the new memory."""
        xp = namespace(obs)
        own = obs[..., self._columns["own_endowment"]]
        fractions = constant(np.arange(self._n_actions), obs) / own
        legal = fractions <= 1 if mask is None else mask
        near = _kernel(fractions) * legal[..., None, :]
        near = near / xp.sum(near, axis=-1, keepdims=True)  # (B, n, L, A): contributions by level
        begun = obs[..., self._columns["round"]] > 0
        learned = self._learned(obs, state)
        memory = evolve(
            state,
            levels=xp.where(begun, learned.levels, state.levels),
            aspiration=xp.where(begun[..., 0], learned.aspiration, state.aspiration),
        )
        probabilities = xp.sum(memory.levels[..., None] * near, axis=-2)
        safe = xp.where(legal, probabilities, xp.ones_like(probabilities))
        return xp.where(legal, xp.log(safe), constant(-np.inf, obs)), memory

    def _learned(self, obs: Array, state: AutomataMemory) -> AutomataMemory:
        """Return the memory after the round that ``obs`` shows."""
        xp, at = namespace(obs), self._columns
        own = obs[..., at["own_endowment"]]
        contributions = obs[..., at["contributions"]]
        payoffs = (obs[..., at["endowments"]] - contributions + obs[..., at["payouts"]]) / own
        ahead = payoffs[..., :1] - payoffs[..., 1:]
        nothing = xp.zeros_like(ahead)
        envied = xp.mean(xp.maximum(-ahead, nothing), axis=-1)
        pitied = xp.mean(xp.maximum(ahead, nothing), axis=-1)
        utility = payoffs[..., 0] - state.envy * envied - state.guilt * pitied
        stimulus = xp.tanh(utility - state.aspiration)
        step = (state.rate * stimulus)[..., None]
        chosen = state.levels * _kernel(contributions[..., :1] / own)[..., 0]  # which level the contribution came from
        chosen = chosen / xp.sum(chosen, axis=-1, keepdims=True)
        others = state.levels * (1 - chosen) + 1e-6  # never nobody, however sure somebody has become
        spread = others / xp.sum(others, axis=-1, keepdims=True)  # to whom goes what a level loses
        lost = xp.sum(chosen * state.levels, axis=-1, keepdims=True)
        drawn = state.levels + step * (chosen - state.levels)
        repelled = state.levels + step * (chosen * state.levels - lost * spread)
        aspiration = state.aspiration + self.habituation * (utility - state.aspiration)
        return evolve(state, levels=xp.where(step >= 0, drawn, repelled), aspiration=aspiration)


def _kernel(fractions: Array) -> Array:
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


def learning_automata(game: Game[Any], *, rate: float = 0.5, habituation: float = 0.2, carry: float = 0.5) -> Policy:
    """Return the held-out population of learning automata.

    They need public_investment with ``participant_observation="paper"``.

    Args:
        game: the game.
        rate: mean speed of learning, in [0, 0.5]; a person's is drawn uniformly from 0 to twice as much (0.5 on
            average in Macy and Flache 2002).
        habituation: how fast the aspiration follows what is had, in [0, 1] (0.2 there).
        carry: part of what was learned that is left when another game begins, in [0, 1].

    Raises:
        ParameterError: if one of them is outside its range.
        UnsupportedGameError: if participants do not see payouts.
    """
    return LearningAutomata(
        game,
        number("rate", rate, "[0, 0.5]"),
        number("habituation", habituation, "[0, 1]"),
        number("carry", carry, "[0, 1]"),
    )
