"""Online allocation among agents who may lie: rules under which lies do not pay, and agents who tell some.

Both rules explore by a plan that no answer changes, and then keep an assignment. *Serial dictatorship* lets agents
choose in the order of their numbers by their own mean answers, so that an answer moves its agent's choice among items
that are left, and nothing else. *Money burning* takes the greatest sum of mean answers and burns of each agent's value
what its presence costs the others (Clarke 1971; Hartline and Roughgarden 2008): what an agent keeps is the sum of all
mean answers less a number that it cannot move.

By an agent's own experience both are strategyproof, in every game and not on average: with the same experiences, no
answers bring it more of the mean of what it has experienced, less what is burnt.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lawgiver.agents.online_allocation import ExploreThenCommit, Questions
from lawgiver.agents.policies import RulePolicy
from lawgiver.envs.core.arrays import Array, Rng, namespace, zeros
from lawgiver.envs.core.errors import UnsupportedGameError, number
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import Memory, Policy
from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.envs.solvers.matching.serial import serial_dictatorship
from lawgiver.envs.solvers.online_allocation.assignments import greatest_sum, one_hot
from lawgiver.envs.solvers.online_allocation.externalities import externalities


class Serial(ExploreThenCommit):
    """Explores, then lets agents choose in the order of their numbers, each by its own mean answers."""

    def settle(self, estimates: Array) -> Array:
        """Choose the assignment to commit to, integers (B, n), by mean answers (B, n, n)."""
        return serial_dictatorship(estimates + 1, np.arange(self.game.n))  # above 0 an item is acceptable


class MoneyBurning(ExploreThenCommit):
    """Explores, then takes the greatest sum of mean answers, and burns what each agent's presence costs the others.

    Its memory is the assignment, and what is burnt of each agent's value.
    """

    def initial_state(self, batch: int, rng: Rng) -> Memory:
        """Return the first assignment, (B, n), and nothing that is burnt, (B, n)."""
        return super().initial_state(batch, rng), zeros(rng, (batch, self.game.n))

    def settle(self, estimates: Array) -> Array:
        """Choose the assignment to commit to, integers (B, n), by mean answers (B, n, n)."""
        return greatest_sum(estimates)

    def decide(
        self, estimates: Array, counts: Array, now: Array, state: Memory, rng: Rng
    ) -> tuple[Array, Questions, Memory]:
        """Return the item of each agent, integers (B, n), the questions, and the memory."""
        kept, burnt = state
        assignment, questions, kept = super().decide(estimates, counts, now, kept, rng)
        settled = now == self.explored
        if bool(namespace(now).any(settled)):
            burnt = namespace(now).where(settled[:, None], externalities(estimates, kept), burnt)
        return assignment, questions, (kept, burnt)

    def burnt(self, state: Memory) -> Array | None:
        """Read amounts that are burnt of agents' values, (B, n), off the memory."""
        return state[1]


class Answers(RulePolicy):
    """Participants who answer one number for a bad experience and another for a good one."""

    def __init__(self, game: OnlineAllocation, bad: float, good: float) -> None:
        """Keep both, and the column of the experience."""
        self.bad, self.good = bad, good
        self._experience = columns(game.observation_layout("participant"))["experience"]

    def action(self, obs: Array) -> Array:
        """Return the answers, (B, P, 1)."""
        return self.bad + (self.good - self.bad) * obs[..., self._experience]


class OwnValues(RulePolicy):
    """Participants who answer by their true values, whatever they experience: the value, or 1 for the best item alone.

    They know more than a mechanism can learn of experiences.
    """

    def __init__(self, game: OnlineAllocation, best_only: bool) -> None:
        """Keep the columns of values and of the item that is asked about."""
        at = columns(game.observation_layout("participant"))
        self.n, self.best_only, self._values, self._asked = game.n, best_only, at["values"], at["asked"]

    def action(self, obs: Array) -> Array:
        """Return the answers, (B, P, 1)."""
        xp, values = namespace(obs), obs[..., self._values]
        told = one_hot(xp.argmax(values, axis=-1), self.n, values) if self.best_only else values
        return xp.sum(told * obs[..., self._asked], axis=-1, keepdims=True)


def serial(game: Game[Any]) -> Policy:
    """Return the mechanism that explores, and then lets agents choose in turn, each by its own answers."""
    return Serial(_one_sided(game, "mechanism 'serial'"))


def money_burning(game: Game[Any]) -> Policy:
    """Return the mechanism that explores, takes the best sum, and burns what each agent costs the others."""
    found = _one_sided(game, "mechanism 'money_burning'")
    if not found.payments:
        raise UnsupportedGameError(
            f"mechanism 'money_burning' burns of what agents have, and {found.name} has payments=False: take"
            " payments=True"
        )
    return MoneyBurning(found)


def answers(game: Game[Any], *, bad: float = 0.0, good: float = 1.0) -> Policy:
    """Return participants who answer ``bad`` for a bad experience and ``good`` for a good one, each in [0, 1].

    0 and 1 are the truth; 1 and 1 always praise, 1 and 0 say the opposite.
    """
    found = _online(game, "participant 'answers'")
    return Answers(found, number("bad", bad, "[0, 1]"), number("good", good, "[0, 1]"))


def own_values(game: Game[Any]) -> Policy:
    """Return participants who answer an item's true value, whatever they experience."""
    return OwnValues(_online(game, "participant 'own_values'"), best_only=False)


def best_only(game: Game[Any]) -> Policy:
    """Return participants who answer 1 for the item of their greatest true value, and 0 for all others."""
    return OwnValues(_online(game, "participant 'best_only'"), best_only=True)


def _online(game: Game[Any], who: str) -> OnlineAllocation:
    if not isinstance(game, OnlineAllocation):
        raise UnsupportedGameError(f"{who} plays online_allocation, not {game.name}")
    return game


def _one_sided(game: Game[Any], who: str) -> OnlineAllocation:
    found = _online(game, who)
    if found.fairness.two_sided:
        raise UnsupportedGameError(f"{who} asks agents alone, allowed: criteria other than {found.criterion!r}")
    return found
