"""Q-learners who play a stage over and over: many sessions at once, each with tables of its own.

In period t = 1, 2, ... every agent sees the last joint action s, its state (or nothing, if it has no memory). It
explores with probability e_t, an action drawn uniformly, and takes the action of the largest Q(s, a) otherwise. All
agents act at once, and each of them updates one number (Watkins and Dayan 1992, Q-learning, Machine Learning 8),

    Q(s, a) <- (1 - alpha) Q(s, a) + alpha (payoff + delta max_a' Q(s', a')).

A session has converged when no agent's greedy action has changed in any state for a number of periods in a row (Calvano
et al. 2020, section 3), and is left alone from then on.

Tables of all sessions are one array, (sessions, agents, states, actions). A period costs some twenty calls of NumPy
whatever the number of sessions: the greedy action of each state and its value are stored, and the random numbers of
many periods are drawn at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.game import Game
from lawgiver.envs.families.repeated_stage import RepeatedStage
from lawgiver.trainers.q_learning.settings import Initial, QLearners
from lawgiver.trainers.q_learning.stage import Stage

LARGEST_TABLES = 2**28
"""Numbers in the tables of all sessions: 2 GiB."""
EACH = ("mechanisms", "tables", "states", "changed", "active")
"""Names of the arrays of which every session has a part of its own."""


@dataclass(frozen=True)
class Rule:
    """Learning rule of all agents.

    Attributes:
        learning_rate: alpha, in (0, 1].
        discount: delta, in [0, 1).
        memory: whether an agent's state is the last joint action; without, there is one state.
        initial: ``rival_uniform``, Q of a state and action is the mean payoff of the action over the others' actions,
            had for ever; ``optimistic``, the largest payoff of all, had for ever; ``zero``.
    """

    learning_rate: float
    discount: float
    memory: bool
    initial: Initial

    def states(self, stage: Stage) -> int:
        """Count an agent's states."""
        return stage.joint if self.memory else 1

    def beginning(self, stage: Stage) -> np.ndarray:
        """Compute the Q of actions at the beginning, in any state, (M, n, A), under each mechanism."""
        mechanisms, n = len(stage.payoffs), stage.n
        if self.initial == "zero":
            return np.zeros((mechanisms, n, stage.actions))
        by_action = np.stack([stage.by_action(agent) for agent in range(n)], axis=1)
        first = by_action.mean(axis=-1)
        if self.initial == "optimistic":
            first = np.broadcast_to(by_action.max(axis=(-2, -1))[..., None], first.shape)
        return np.asarray(first / (1 - self.discount))


def require_tables(sessions: int, n: int, states: int, actions: int) -> None:
    """Check that the tables of all sessions are small enough.

    Raises:
        ParameterError: if they are not.
    """
    size = sessions * n * states * actions
    if size > LARGEST_TABLES:
        raise ParameterError(
            f"the tables of {sessions:,} sessions would hold {size:,} numbers ({n} agents, {states:,} states,"
            f" {actions} actions), allowed: {LARGEST_TABLES:,}; take fewer sessions, actions or agents"
        )


@dataclass
class Sessions:
    """All sessions of a training.

    Attributes:
        stage: that is played, under M mechanisms.
        rule: by which agents learn.
        mechanisms: index of the mechanism that each session is under, (S,).
        tables: Q, (S, n, X, A), with X states.
        states: last joint action of each session, (S,).
        periods: completed ones.
        changed: period in which a session's greedy actions last changed, (S,), 0 for never.
        active: sessions that still play, (S,).
        greedy: action of the largest Q, (S, n, X).
        values: that Q, (S, n, X).
        played: joint actions of the active sessions in the last block, (T, active).
    """

    stage: Stage
    rule: Rule
    mechanisms: np.ndarray
    tables: np.ndarray
    states: np.ndarray
    periods: int
    changed: np.ndarray
    active: np.ndarray
    greedy: np.ndarray = field(init=False)
    values: np.ndarray = field(init=False)
    played: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Find greedy actions and their values."""
        self.greedy, self.values = self.tables.argmax(axis=-1), self.tables.max(axis=-1)
        self.played = np.zeros((0, 0), np.int64)

    @classmethod
    def begin(cls, stage: Stage, rule: Rule, mechanisms: np.ndarray, rng: np.random.Generator) -> Sessions:
        """Start sessions, each after a joint action that is drawn.

        Args:
            stage: that is played.
            rule: by which agents learn.
            mechanisms: index of each session's mechanism in the stage, (S,).
            rng: draws the first states.

        Raises:
            ParameterError: if the tables would be too large.
        """
        count, states = len(mechanisms), rule.states(stage)
        require_tables(count, stage.n, states, stage.actions)
        first = rule.beginning(stage)[mechanisms]
        tables = np.repeat(first[:, :, None, :], states, axis=2)
        began = rng.integers(stage.joint, size=count)
        return cls(stage, rule, mechanisms, tables, began, 0, np.zeros(count, np.int64), np.ones(count, bool))

    def play(self, exploration: np.ndarray, rng: np.random.Generator) -> None:
        """Play a block of periods in the sessions that are active.

        Every session has random numbers of its own, whichever others are active.

        Args:
            exploration: probability of exploring in each period, (T,).
            rng: draws all numbers of the block.
        """
        on, n, actions = np.flatnonzero(self.active), self.stage.n, self.stage.actions
        drawn = rng.random((len(exploration), n, len(self.active)))[..., on]
        chance = exploration[:, None, None]
        explores = drawn < chance
        tried = np.full(drawn.shape, -1, np.int64)  # below the chance to explore a number is uniform again
        np.copyto(tried, np.minimum(drawn / np.maximum(chance, 1e-300) * actions, actions - 1), "unsafe", explores)
        moved = self._learn(on, tried, np.asarray(explores.any(axis=(1, 2))))
        last = len(moved) - moved[::-1].argmax(axis=0)
        self.changed[on] = np.where(moved.any(axis=0), self.periods + last, self.changed[on])
        self.periods += len(exploration)

    def _learn(self, on: np.ndarray, tried: np.ndarray, some: np.ndarray) -> np.ndarray:
        """Play and update period by period; return where greedy actions changed, (T, active).

        Args:
            on: sessions that are active.
            tried: actions that are explored, (T, n, active), -1 where none is.
            some: periods in which some agent explores, (T,).
        """
        stage, rule, n = self.stage, self.rule, self.stage.n
        states, actions, memory = rule.states(stage), stage.actions, rule.memory
        rows = (on[None, :] * n + np.arange(n)[:, None]) * states  # a table's first state, (n, active)
        tables, greedy, values = self.tables.reshape(-1, actions), self.greedy.reshape(-1), self.values.reshape(-1)
        numbers = tables.reshape(-1)
        payoffs = np.ascontiguousarray(stage.payoffs.reshape(-1, n).T)
        first_joint, places = self.mechanisms[on] * stage.joint, stage.places
        joint = self.states[on]
        cells = rows + joint if memory else rows
        self.played = np.empty((len(tried), len(on)), np.int64)
        moved = np.empty(tried.shape, bool)
        for t in range(len(tried)):
            before = greedy.take(cells)
            acts = np.where(tried[t] < 0, before, tried[t]) if some[t] else before
            joint = places.dot(acts)
            after = rows + joint if memory else rows
            at = cells * actions
            at += acts
            old, target = numbers.take(at), payoffs.take(first_joint + joint, axis=1)
            target += rule.discount * values.take(after)
            target -= old
            target *= rule.learning_rate
            target += old
            numbers[at] = target
            now = tables.take(cells, axis=0).argmax(axis=-1)
            at -= acts
            at += now
            greedy[cells], values[cells] = now, numbers.take(at)
            np.not_equal(now, before, out=moved[t])
            self.played[t], cells = joint, after
        self.states[on] = joint
        return np.asarray(moved.any(axis=1))

    def under(self, stage: Stage, number: int) -> Sessions:
        """Copy all sessions, to go on under one mechanism of another stage."""
        kept = {name: np.copy(getattr(self, name)) for name in ("tables", "states", "changed", "active")}
        mechanisms = np.full(len(self.states), number)
        return Sessions(stage, self.rule, mechanisms, periods=self.periods, **kept)

    def only(self, on: np.ndarray) -> Sessions:
        """Keep some of the sessions, (S,) bool."""
        return Sessions(self.stage, self.rule, periods=self.periods, **{x: getattr(self, x)[on] for x in EACH})

    def joined(self, others: Sessions) -> Sessions:
        """Put sessions of the same stage after these."""
        both = {x: np.concatenate([getattr(self, x), getattr(others, x)]) for x in EACH}
        return Sessions(self.stage, self.rule, periods=max(self.periods, others.periods), **both)

    def retire(self, stable_for: int) -> None:
        """Stop the sessions in which no greedy action has changed for so many periods."""
        self.active &= self.periods - self.changed < stable_for

    def state(self) -> dict[str, Any]:
        """Collect what a checkpoint stores."""
        return {name: getattr(self, name) for name in (*EACH, "periods")}


def one_of(copies: Sequence[Sessions], rng: np.random.Generator) -> Sessions:
    """Choose one of several copies of each session at random."""
    chosen, each = rng.integers(len(copies), size=len(copies[0].states)), np.arange(len(copies[0].states))

    def taken(name: str) -> np.ndarray:
        return np.stack([getattr(copy, name) for copy in copies])[chosen, each]

    return Sessions(copies[0].stage, copies[0].rule, periods=copies[0].periods, **{x: taken(x) for x in EACH})


def rule_of(game: Game[Any], settings: QLearners) -> Rule:
    """Make the rule that a config names, with the game's discount where it says none.

    Raises:
        ParameterError: if neither says one.
    """
    discount = settings.discount
    if discount is None:
        if not isinstance(game, RepeatedStage):
            raise ParameterError(
                f"agents.participants.discount is None, but {game.name} has none of its own: give a number in [0, 1)"
            )
        discount = game.discount
    return Rule(settings.learning_rate, discount, settings.memory, settings.initial)
