"""Infinite-horizon processes with discounted rewards.

The best policy is found by policy iteration: evaluate a policy exactly, choose what is best given these values, until
nothing is better by more than rounding. What it earns is then exact, not the limit of a contraction. With the policy's
entropy as regulariser the same iteration is Newton's method on V = temperature log sum exp((r + discount P V) /
temperature); for the occupancy's see :mod:`lawgiver.envs.solvers.mdp.entropic_occupancy`.

The iterations carry no gradient; one step of Newton's method from where they end does, which by the implicit function
theorem is the exact one.

Two states: to go from the first to the second costs 1, and to stay there pays 1 a step.

    >>> rewards = np.array([[0.0, -1.0], [0.0, 1.0]])
    >>> value, policy = Discounted([[0, 1], [0, 1]], discount=0.9).optimal(rewards)
    >>> round(float(value), 9), policy.tolist()  # -1 + 0.9 / (1 - 0.9)
    (8.0, [[0.0, 1.0], [0.0, 1.0]])
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, detached, floats, namespace
from lawgiver.envs.core.errors import ConvergenceError, ParameterError, brief, number
from lawgiver.envs.solvers.mdp.entropic_occupancy import in_float64, occupancy_entropy
from lawgiver.envs.solvers.mdp.model import (
    MEMORY,
    Regulariser,
    check_memory,
    check_soft,
    finite_rewards,
    memory_budget,
    one_hot,
    probabilities,
    smooth,
)
from lawgiver.envs.solvers.mdp.process import TabularProcess
from lawgiver.envs.solvers.mdp.transitions import Successors, index

LIMIT = 1000
"""Largest number of steps of policy iteration."""


class Discounted(TabularProcess):
    """A process without end with discounted rewards.

    Args:
        transitions: probabilities (S, A, S), integer successors (S, A), nested lists of either, or a scipy sparse
            matrix (S * A, S) whose row s * A + a is about action a in state s (NumPy only).
        discount: what a reward is worth one step later, in [0, 1).
        start: the first state's number, or probabilities (S,).
        memory: budget in MiB, for the process and for the equations that are solved at a time.

    Raises:
        ParameterError: naming what is wrong, where, and what is allowed.
    """

    def __init__(self, transitions: object, discount: float, start: object = 0, memory: float = MEMORY) -> None:
        """Check everything."""
        self.memory = memory_budget(memory)
        if isinstance(discount, (int, float)) and discount >= 1:
            raise ParameterError(
                f"discount is {brief(discount)}, allowed: a number in [0, 1), or a horizon without discount"
            )
        self.discount = number("discount", discount, "[0, 1)")
        super().__init__(transitions, start, self.memory)

    @property
    def policy_shape(self) -> tuple[int, int]:
        """(S, A)."""
        return self.n_states, self.n_actions

    # -- the interface of MDP -----------------------------------------------------------------------------------

    def value(self, rewards: Array) -> Array:
        """Return the greatest discounted return (...)."""
        return self.optimal(rewards)[0]

    def optimal(self, rewards: Array) -> tuple[Array, Array]:
        """Return the greatest discounted return (...) and a policy (..., S, A); as :meth:`MDP.optimal`.

        In float64 whatever the rewards are: in less, rounding summed over 1 / (1 - discount) steps picks the policy.
        """
        return in_float64(finite_rewards(self, rewards), self._optimal)

    def _optimal(self, rewards: Array) -> tuple[Array, Array]:
        fixed = detached(rewards)
        xp = namespace(rewards)
        rounding = 8 * float(xp.finfo(rewards.dtype).eps)
        action = xp.argmax(fixed, axis=-1)
        before = constant(-np.inf, rewards)
        for _ in range(LIMIT):
            values = self._evaluate(action, fixed)
            q = self._ahead(fixed, values)
            gain = xp.max(q, axis=-1) - _taken(q, action)
            # The error of values is 1 / (1 - discount) times as large, but nearly the same in all states: it shifts
            # all that is compared here alike. Should it mislead all the same, values do not rise, and it is the end.
            worth = xp.sum(values, axis=-1)
            better = (gain > rounding * (1 + xp.abs(values))) & (worth > before)[..., None]
            before = worth
            if not bool(xp.any(better)):
                return self._from_start(self._evaluate(action, rewards)), one_hot(action, fixed)
            action = xp.where(better, xp.argmax(q, axis=-1), action)
        raise ConvergenceError(
            f"policy iteration has not ended after {LIMIT} steps: some action is better by {float(xp.max(gain)):.3g}"
        )

    def soft(self, rewards: Array, temperature: float, regulariser: Regulariser = "policy") -> tuple[Array, Array]:
        """Return the greatest regularised return (...) and its policy (..., S, A); as :meth:`MDP.soft`."""
        temperature = check_soft(temperature, regulariser)
        rewards = finite_rewards(self, rewards)
        if regulariser == "occupancy":
            return in_float64(rewards, lambda exact: self._occupancy_soft(exact, temperature))
        values = self._soft_values(detached(rewards), temperature)
        backed, policy = smooth(self._ahead(rewards, values), temperature)
        values = values + self._solve(detached(policy), backed - values)
        return self._from_start(values), smooth(self._ahead(rewards, values), temperature)[1]

    def occupancy(self, policy: Array) -> Array:
        """Return the expected discounted number of times each action is taken in each state, (..., S, A)."""
        given = probabilities(self, policy)
        policy = namespace(given).astype(given, namespace(given).float64, copy=False)
        return floats(self._solve(policy, constant(self.start, policy), back=True)[..., None] * policy, given)

    # -- evaluation ---------------------------------------------------------------------------------------------

    def _ahead(self, rewards: Array, values: Array) -> Array:
        return rewards + self.discount * self.transitions.expect(values)

    def _solve(self, policy: Array, right: Array, *, back: bool = False) -> Array:
        return self.transitions.solve(policy, self.discount, right, self.memory, back=back)

    def _evaluate(self, action: Array, rewards: Array) -> Array:
        """Compute the state values (..., S) of a deterministic policy (..., S)."""
        taken = _taken(rewards, action)
        if not isinstance(self.transitions, Successors):
            return self._solve(one_hot(action, rewards), taken)
        xp = namespace(rewards)
        table = index(self.transitions.table, rewards)
        states = index(np.arange(self.n_states), rewards)
        after = table[states, action]  # the state after 1, 2, 4, ... steps: the sum over twice as many each time
        values, factor = taken, self.discount
        while factor > 1e-18:
            values = values + factor * xp.take_along_axis(values, after, axis=-1)
            after = xp.take_along_axis(after, after, axis=-1)
            factor *= factor
        return values

    # -- entropy ------------------------------------------------------------------------------------------------

    def _soft_values(self, rewards: Array, temperature: float) -> Array:
        """Return the fixed point (..., S) of the soft Bellman equation, to rounding."""
        xp = namespace(rewards)
        eps = float(xp.finfo(rewards.dtype).eps)
        values = xp.zeros_like(rewards[..., 0])
        last = np.inf
        for _ in range(LIMIT):
            backed, policy = smooth(self._ahead(rewards, values), temperature)
            step = self._solve(policy, backed - values)
            values = values + step
            change = float(xp.max(xp.abs(step) / (1 + xp.abs(values))))
            if change <= 64 * eps or (last < 1e5 * eps and change >= last / 2):  # it is rounding that remains
                return values
            last = change
        raise ConvergenceError(f"soft policy iteration has not ended after {LIMIT} steps: values move by {change:.3g}")

    def _occupancy_soft(self, rewards: Array, temperature: float) -> tuple[Array, Array]:
        """Return the value and policy of the program that is regularised by the entropy of the occupancy."""
        size = self.n_states * self.n_states * self.n_actions
        check_memory(
            f"regularising {self.n_states:,} states by their occupancy",
            3 * size,
            self.memory,
            "use the regulariser 'policy', merge states, or raise memory",
        )
        eye = constant(np.eye(self.n_states), rewards)
        flow = eye[:, :, None] - self.discount * self.transitions.expect(eye)  # (S', S, A)
        fixed = detached(rewards)
        values = self._soft_values(fixed, temperature)
        guess = self.occupancy(smooth(self._ahead(fixed, values), temperature)[1])
        return occupancy_entropy(flow, constant(self.start, rewards), rewards, guess, temperature)


def _taken(x: Array, action: Array) -> Array:
    """Return the entries of (..., S, A) at each state's action (..., S)."""
    return namespace(x).take_along_axis(x, action[..., None], axis=-1)[..., 0]
