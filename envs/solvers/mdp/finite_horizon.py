"""Finite-horizon processes with stationary rewards.

Backward induction from the end (Bellman 1957): with V_T = 0,

    Q_t(s, a) = r(s, a) + discount E[V_{t+1}(s') | s, a],    V_t(s) = max_a Q_t(s, a),

or temperature * log sum_a exp(Q_t / temperature) where the policy's entropy counts as well; for the occupancy's see
:mod:`lawgiver.envs.solvers.mdp.entropic_occupancy`.

Two states: to go from the first to the second costs 1, and to stay there pays 1 a step. With three steps it pays.

    >>> rewards = np.array([[0.0, -1.0], [0.0, 1.0]])
    >>> float(FiniteHorizon([[0, 1], [0, 1]], horizon=3).value(rewards))
    1.0
"""

from __future__ import annotations

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, detached, namespace
from lawgiver.envs.core.errors import ParameterError, integer, number
from lawgiver.envs.solvers.mdp.entropic_occupancy import in_float64, occupancy_entropy
from lawgiver.envs.solvers.mdp.model import (
    MEMORY,
    Regulariser,
    best,
    best_and_greedy,
    check_memory,
    check_soft,
    finite_rewards,
    memory_budget,
    probabilities,
    smooth,
)
from lawgiver.envs.solvers.mdp.process import TabularProcess

LONGEST_HORIZON = 10_000
"""Steps of backward induction, one after the other, that a single problem may take."""


class FiniteHorizon(TabularProcess):
    """A process of ``horizon`` steps, discounted or not; its policies depend on time.

    Args:
        transitions: as :class:`~lawgiver.envs.solvers.mdp.discounted.Discounted` takes them.
        horizon: number of actions until the end, T >= 1.
        start: the first state's number, or probabilities (S,).
        discount: what a reward is worth one step later, in [0, 1]; 1 for no discount.
        memory: budget in MiB for the process and a single problem's policy.

    Raises:
        ParameterError: naming what is wrong, where, and what is allowed.
    """

    def __init__(
        self, transitions: object, horizon: int, start: object = 0, memory: float = MEMORY, discount: float = 1.0
    ) -> None:
        """Check everything."""
        self.memory = memory_budget(memory)
        self.horizon = integer("horizon", horizon, 1)
        self.discount = number("discount", discount, "[0, 1]")
        super().__init__(transitions, start, self.memory)
        check_memory(
            f"a policy for {self.horizon:,} steps in {self.n_states:,} states",
            2 * self.horizon * self.n_states * self.n_actions,
            self.memory,
            "take a shorter horizon or a discount, merge states, or raise memory",
        )
        if self.horizon > LONGEST_HORIZON:
            raise ParameterError(
                f"horizon is {self.horizon:,}, allowed: up to {LONGEST_HORIZON:,}; or a discount, without one"
            )

    @property
    def policy_shape(self) -> tuple[int, int, int]:
        """(T, S, A)."""
        return self.horizon, self.n_states, self.n_actions

    # -- the interface of MDP -----------------------------------------------------------------------------------

    def value(self, rewards: Array) -> Array:
        """Return the greatest expected sum of rewards (...)."""
        rewards = finite_rewards(self, rewards)
        values = best(rewards)
        for _ in range(self.horizon - 1):
            values = best(rewards + self.discount * self.transitions.expect(values))
        return self._from_start(values)

    def optimal(self, rewards: Array) -> tuple[Array, Array]:
        """Return the greatest expected sum of rewards (...) and a policy (..., T, S, A); as :meth:`MDP.optimal`."""
        rewards = finite_rewards(self, rewards)
        values, policy = best_and_greedy(rewards)
        policies = [policy]
        for _ in range(self.horizon - 1):
            values, policy = best_and_greedy(rewards + self.discount * self.transitions.expect(values))
            policies.append(policy)
        return self._from_start(values), namespace(rewards).stack(policies[::-1], axis=-3)

    def soft(self, rewards: Array, temperature: float, regulariser: Regulariser = "policy") -> tuple[Array, Array]:
        """Return the greatest regularised return (...) and its policy (..., T, S, A); as :meth:`MDP.soft`.

        The occupancy whose entropy counts is that of time, state and action.
        """
        temperature = check_soft(temperature, regulariser)
        rewards = finite_rewards(self, rewards)
        if regulariser == "occupancy":
            return in_float64(rewards, lambda exact: self._occupancy_soft(exact, temperature))
        values, policy = smooth(rewards, temperature)
        policies = [policy]
        for _ in range(self.horizon - 1):
            values, policy = smooth(rewards + self.discount * self.transitions.expect(values), temperature)
            policies.append(policy)
        return self._from_start(values), namespace(rewards).stack(policies[::-1], axis=-3)

    def occupancy(self, policy: Array) -> Array:
        """Return the expected (discounted) number of times each action is taken in each state, (..., S, A)."""
        policy = probabilities(self, policy)
        return namespace(policy).sum(self._timed(policy), axis=-3)

    # -- steps --------------------------------------------------------------------------------------------------

    def _timed(self, policy: Array) -> Array:
        """Return the discounted probability of each action in each state at each step, (..., T, S, A)."""
        taken = [constant(self.start, policy)[:, None] * policy[..., 0, :, :]]
        for t in range(1, self.horizon):
            taken.append(self.discount * self.transitions.push(taken[-1])[..., None] * policy[..., t, :, :])
        return namespace(policy).stack(taken, axis=-3)

    def _occupancy_soft(self, rewards: Array, temperature: float) -> tuple[Array, Array]:
        """Return the value and policy of the program that is regularised by the entropy of the occupancy."""
        xp = namespace(rewards)
        t, s, a = self.policy_shape
        check_memory(
            f"regularising {t * s:,} states at their times by their occupancy",
            3 * (t * s) ** 2 * a,
            self.memory,
            "use the regulariser 'policy', a shorter horizon, or raise memory",
        )
        guess = self.soft(detached(rewards), temperature)[1]
        eye = np.eye(s)
        leads = (
            self.discount * np.eye(t, k=-1)[:, None, :, None, None] * self.transitions.expect(eye)[:, None]
        )  # (T', S', T, S, A)
        leaves = np.eye(t)[:, None, :, None, None] * eye[:, None, :, None]
        flow = constant((leaves - leads).reshape(t * s, t * s, a), rewards)
        start = constant(np.concatenate([self.start, np.zeros((t - 1) * s)]), rewards)
        flat = (*rewards.shape[:-2], t * s, a)
        timed = xp.reshape(xp.broadcast_to(rewards[..., None, :, :], (*rewards.shape[:-2], t, s, a)), flat)
        value, policy = occupancy_entropy(flow, start, timed, xp.reshape(self._timed(guess), flat), temperature)
        return value, xp.reshape(policy, guess.shape)
