"""Mechanisms of online allocation by name, and its truthful participants.

All but one assign optimistically, as if every value were the most favourable that the answers so far allow, and differ
in whom they ask. See :mod:`lawgiver.envs.solvers.online_allocation.bounds` for the bounds.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from lawgiver.agents.policies import Memoryless, RulePolicy
from lawgiver.envs.core.arrays import Array, Rng, constant, floats, namespace, uniform, zeros
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory, Policy
from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.envs.solvers.online_allocation.assignments import at_items
from lawgiver.envs.solvers.online_allocation.bounds import dueling_questions, half_widths, interval

Questions = tuple[Array, Array]
"""How urgent a question to each participant is, (B, P), and the item that it would be about, integers (B, P)."""


class Allocator(Memoryless, ABC):
    """A mechanism that assigns and asks by what it has been answered. As an outcome and as an action it is exact."""

    def __init__(self, game: OnlineAllocation) -> None:
        """Keep the game and the columns of the mechanism's observation."""
        self.game = game
        self._columns = columns(game.observation_layout("mechanism"))

    @abstractmethod
    def decide(
        self, estimates: Array, counts: Array, now: Array, state: Memory, rng: Rng
    ) -> tuple[Array, Questions, Memory]:
        """Return the item of each agent, integers (B, n), the questions, and the memory.

        Args:
            estimates: mean answers, (B, P, n).
            counts: numbers of answers, (B, P, n).
            now: completed rounds, (B,).
            state: the memory.
            rng: generator of what is drawn at random; None for what does not depend on it.
        """

    def seen(self, obs: Array) -> tuple[Array, Array, Array]:
        """Read mean answers and numbers of answers, (B, P, n) each, and the completed rounds (B,)."""
        xp, size = namespace(obs), (obs.shape[0], self.game.participants, self.game.n)
        estimates, counts, now = (obs[:, 0, self._columns[name]] for name in ("estimates", "counts", "round"))
        return xp.reshape(estimates, size), xp.reshape(counts, size), now[:, 0]

    def outcome(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the outcome (B, n + P) and the memory."""
        assignment, (urgency, items), state = self.decide(*self.seen(obs), state, rng)
        if self.game.query == "own":
            items = self.game.fairness.matched(assignment)
        return self.game.decision(assignment, urgency, items, self.burnt(state)), state

    def burnt(self, state: Memory) -> Array | None:
        """Read amounts that are burnt of agents' values, (B, n), off the memory after a round; None for nothing."""
        return None

    def act(self, obs: Array, mask: Array | None, state: Memory, rng: Rng) -> tuple[Array, Memory]:
        """Return the action (B, 1, k) and the memory."""
        outcome, state = self.outcome(obs, mask, state, rng)
        return self.game.action_of(outcome), state

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return the action as mean, with standard deviation 0, (B, 1, 2, k), and the memory."""
        action, state = self.act(obs, mask, state, None)
        xp = namespace(action)
        return xp.stack([action, xp.zeros_like(action)], axis=-2), state


class Optimistic(Allocator):
    """Takes the assignment that is best by its most favourable values; questions differ."""

    def decide(
        self, estimates: Array, counts: Array, now: Array, state: Memory, rng: Rng
    ) -> tuple[Array, Questions, Memory]:
        """Return the item of each agent, integers (B, n), the questions, and the memory."""
        game, criterion = self.game, self.game.fairness
        lower, upper = interval(criterion, estimates, counts, game.rounds)
        assignment, _ = criterion.best(upper, lower, estimates)
        widths = half_widths(criterion, counts, game.rounds)
        return assignment, self.questions(lower, upper, widths, assignment, now, rng), state

    @abstractmethod
    def questions(
        self, lower: Array, upper: Array, widths: Array, assignment: Array, now: Array, rng: Rng
    ) -> Questions:
        """Compute the urgency of a question to each participant, and the item that it is best about.

        Args:
            lower: lower bounds of values, (B, P, n).
            upper: upper bounds, (B, P, n).
            widths: half-widths of their intervals, (B, P, n).
            assignment: the item of each agent, integers (B, n).
            now: completed rounds, (B,).
            rng: generator of what is drawn at random.
        """


class Dueling(Optimistic):
    """Asks about what the pessimistic value of the assignment hangs on."""

    def questions(
        self, lower: Array, upper: Array, widths: Array, assignment: Array, now: Array, rng: Rng
    ) -> Questions:
        """See :func:`~lawgiver.envs.solvers.online_allocation.bounds.dueling_questions`."""
        return dueling_questions(self.game.fairness, lower, upper, widths, assignment)


class Widest(Optimistic):
    """Asks about what is known least: of what participants have, or of all pairs where any may be asked about."""

    def questions(
        self, lower: Array, upper: Array, widths: Array, assignment: Array, now: Array, rng: Rng
    ) -> Questions:
        """Return the half-widths."""
        return highest(self.game, widths, assignment)


class RandomQuestions(Optimistic):
    """Asks participants at random, about an item at random where any may be asked about."""

    def questions(
        self, lower: Array, upper: Array, widths: Array, assignment: Array, now: Array, rng: Rng
    ) -> Questions:
        """Return uniform numbers."""
        drawn = 0 * widths if rng is None else floats(uniform(rng, widths.shape), widths)
        return highest(self.game, drawn, assignment)

    def distribution(self, obs: Array, mask: Array | None, state: Memory) -> tuple[Array, Memory]:
        """Return mean and standard deviation of the action, (B, 1, 2, k), and the memory."""
        moments, state = super().distribution(obs, mask, state)
        xp, game = namespace(moments), self.game
        start, size = game.n**2, game.participants * (game.n if game.query == "any_pair" else 1)
        chance = game.questions / size
        spread = constant(np.array([[chance] * size, [math.sqrt(chance * (1 - chance))] * size]), moments)
        spread = xp.broadcast_to(spread, (*moments.shape[:3], size))
        return xp.concat([moments[..., :start], spread, moments[..., start + size :]], axis=-1), state


class RoundRobin(Optimistic):
    """Asks one participant after the other, about one item after the other where any may be asked about."""

    def questions(
        self, lower: Array, upper: Array, widths: Array, assignment: Array, now: Array, rng: Rng
    ) -> Questions:
        """Return minus the number of those who come before, and the item that each has come to."""
        xp, game = namespace(widths), self.game
        asked = now[:, None] * game.questions
        before = (constant(np.arange(game.participants), widths) - asked) % game.participants
        return -before, xp.astype((asked + before) // game.participants % game.n, xp.int64)


class ExploreThenCommit(Allocator):
    """Assigns and asks in turn for about T^(2/3) rounds, then keeps the assignment that looks best.

    In round r agent i has item i + r modulo n, and every n rounds the next participants are asked about what they have.
    After ceil((P n / q)^(1/3) T^(2/3)) of T rounds, with q questions in each, the assignment is kept that is best by
    the mean answers until then; answers from then on change nothing.
    """

    def __init__(self, game: OnlineAllocation) -> None:
        """Fix the number of rounds."""
        super().__init__(game)
        pairs = game.participants * game.n
        self.explored = min(game.rounds, math.ceil((pairs / game.questions) ** (1 / 3) * game.rounds ** (2 / 3)))

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return the assignment to commit to, (B, n): that of the first round, until there is another."""
        nothing = zeros(rng, (batch, self.game.n))
        return namespace(nothing).astype(nothing + constant(np.arange(self.game.n), nothing), namespace(nothing).int64)

    def settle(self, estimates: Array) -> Array:
        """Choose the assignment to commit to, integers (B, n), by mean answers (B, P, n)."""
        return self.game.fairness.optimum(estimates)[0]

    def decide(
        self, estimates: Array, counts: Array, now: Array, state: Memory, rng: Rng
    ) -> tuple[Array, Questions, Memory]:
        """Return the item of each agent, integers (B, n), the questions, and the assignment to commit to."""
        game, xp = self.game, namespace(now)
        turn = now[:, None]
        tried = xp.astype((constant(np.arange(game.n), now) + turn) % game.n, xp.int64)
        if bool(xp.any(now == self.explored)):
            state = xp.where(turn == self.explored, self.settle(estimates), state)
        assignment = xp.where(turn < self.explored, tried, state)
        first = turn // game.n * game.questions
        before = (constant(np.arange(game.participants), now) - first) % game.participants
        return assignment, (-before, game.fairness.matched(assignment)), state


class Experienced(RulePolicy):
    """Participants who answer what they have experienced."""

    def __init__(self, game: OnlineAllocation) -> None:
        """Read the column of the experience."""
        self._experience = columns(game.observation_layout("participant"))["experience"]

    def action(self, obs: Array) -> Array:
        """Return the experience, (B, P, 1)."""
        return obs[..., self._experience]


def highest(game: OnlineAllocation, scores: Array, assignment: Array) -> Questions:
    """Return scores (B, P, n) of what participants have, or the highest of each where any item may be asked about."""
    xp = namespace(scores)
    if game.query == "own":
        own = game.fairness.matched(assignment)
        return at_items(scores, own), own
    return xp.max(scores, axis=-1), xp.argmax(scores, axis=-1)


def _named(name: str, kind: Callable[[OnlineAllocation], Policy], told: str) -> Callable[[Game[Any]], Policy]:
    """Make the factory of a mechanism by name; see :func:`~lawgiver.agents.reporting.rule_by_name`."""

    def make(game: Game[Any]) -> Policy:
        if not isinstance(game, OnlineAllocation):
            raise UnsupportedGameError(f"mechanism {name!r} plays online_allocation, not {game.name}")
        return kind(game)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Return {told}."
    return make


def _asking_all(game: OnlineAllocation) -> Policy:
    if game.questions < game.participants:
        raise UnsupportedGameError(
            f"mechanism 'full_feedback' asks everybody, {game.name} has questions={game.questions}: take"
            f" questions={game.participants}"
        )
    return Dueling(game)


dueling = _named(
    "dueling", Dueling, "the mechanism that assigns by upper bounds and asks about what lower bounds hang on"
)
widest = _named("widest", Widest, "the mechanism that assigns by upper bounds and asks about what is known least")
random_questions = _named(
    "random_questions", RandomQuestions, "the mechanism that assigns by upper bounds and asks at random"
)
round_robin = _named("round_robin", RoundRobin, "the mechanism that assigns by upper bounds and asks in turn")
explore_then_commit = _named(
    "explore_then_commit", ExploreThenCommit, "the mechanism that asks in turn, and then keeps what looks best"
)
full_feedback = _named("full_feedback", _asking_all, "the mechanism that assigns by upper bounds and asks everybody")
