"""Tree processes: the state is the history of all actions.

The histories of a tree of depth T with A actions are numbered layer by layer. (a_0, ..., a_{t-1}) has the number
(A^t - 1) / (A - 1) plus what its actions are as digits in base A, so that the children of a layer are the next layer in
order. A layer of values (..., A^{t+1}) is then, reshaped to (..., A^t, A), what each action leads to: backward
induction needs no table of transitions.

Entropies telescope on a tree. Regularised by the policy's entropy, the best policy draws a whole path from one softmax
over the returns of all paths. Regularised by the occupancy's, layer t of T has (T - t) times the temperature of the
last: the entropy of what happens in a layer is counted again in each that follows.

    >>> rewards = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 3.0]])  # of both actions after (), (0,) and (1,)
    >>> float(Tree(depth=2, n_actions=2).value(rewards))
    3.0
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log10

import numpy as np

from lawgiver.envs.core.arrays import Array, floats, namespace
from lawgiver.envs.core.errors import ParameterError, integer
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


@dataclass(frozen=True)
class Tree:
    """All histories of ``depth`` actions, from the empty one; each action leads where its name says.

    Args:
        depth: number of actions until the end, T >= 1.
        n_actions: number of actions after each history, A >= 2.
        memory: budget in MiB for a single problem.

    Raises:
        ParameterError: if an argument is outside its range, or the tree is too large.
    """

    depth: int
    n_actions: int
    memory: float = MEMORY

    def __post_init__(self) -> None:
        """Check the arguments and the size."""
        object.__setattr__(self, "depth", integer("depth", self.depth, 1))
        object.__setattr__(self, "n_actions", integer("n_actions", self.n_actions, 2))
        object.__setattr__(self, "memory", memory_budget(self.memory))
        cure = (
            "take fewer rounds or actions, a process whose state forgets the order of what happened (Discounted or "
            "FiniteHorizon with successors), or raise memory"
        )
        told = f"a tree of depth {self.depth:,} with {self.n_actions:,} actions"
        magnitude = self.depth * log10(self.n_actions)
        if magnitude > 15:  # before it becomes a number with as many digits
            raise ParameterError(f"{told} has more than 1e{magnitude:.0f} paths, no memory holds them: {cure}")
        size = self.n_states * self.n_actions
        # rewards, policy and what is added up on the way
        check_memory(f"one problem on {told} ({self.n_states:,} histories)", 3 * size, self.memory, cure)

    @property
    def n_states(self) -> int:
        """Number of histories, S = (A^T - 1) / (A - 1)."""
        return self.first(self.depth)

    @property
    def policy_shape(self) -> tuple[int, int]:
        """(S, A)."""
        return self.n_states, self.n_actions

    def first(self, t: int) -> int:
        """Return the number of the first history of t actions."""
        return int((self.n_actions**t - 1) // (self.n_actions - 1))

    def layer(self, x: Array, t: int) -> Array:
        """Return the part of ``x`` (..., S, A) that is about histories of t actions, (..., A^t, A)."""
        return x[..., self.first(t) : self.first(t + 1), :]

    @cached_property
    def paths(self) -> np.ndarray:
        """The flat indices s * A + a along each complete path, int (A^T, T)."""
        path = np.arange(self.n_actions**self.depth)
        columns = []
        for t in range(self.depth):
            taken = path // self.n_actions ** (self.depth - t - 1)  # the digits of the first t + 1 actions
            columns.append(self.first(t) * self.n_actions + taken)
        return np.stack(columns, axis=-1)

    # -- the interface of MDP -----------------------------------------------------------------------------------

    def value(self, rewards: Array) -> Array:
        """Return the largest sum of rewards along a path, (...)."""
        rewards = finite_rewards(self, rewards)
        ahead = best(self.layer(rewards, self.depth - 1))
        for t in reversed(range(self.depth - 1)):
            ahead = best(self._choices(rewards, ahead, t))
        return ahead[..., 0]

    def optimal(self, rewards: Array) -> tuple[Array, Array]:
        """Return the largest sum of rewards along a path, (...), and the policy that takes it, (..., S, A)."""
        rewards = finite_rewards(self, rewards)
        ahead, policies = None, []
        for t in reversed(range(self.depth)):
            ahead, policy = best_and_greedy(self._choices(rewards, ahead, t))
            policies.append(policy)
        assert ahead is not None
        return ahead[..., 0], namespace(rewards).concat(policies[::-1], axis=-2)

    def soft(self, rewards: Array, temperature: float, regulariser: Regulariser = "policy") -> tuple[Array, Array]:
        """Return the greatest regularised return (...) and its policy (..., S, A); as :meth:`MDP.soft`."""
        temperature = check_soft(temperature, regulariser)
        rewards = finite_rewards(self, rewards)
        ahead, policies = None, []
        for t in reversed(range(self.depth)):
            times = self.depth - t if regulariser == "occupancy" else 1
            ahead, policy = smooth(self._choices(rewards, ahead, t), temperature * times)
            policies.append(policy)
        assert ahead is not None
        return ahead[..., 0], namespace(rewards).concat(policies[::-1], axis=-2)

    def occupancy(self, policy: Array) -> Array:
        """Return the probability that each history is reached and each action taken then, (..., S, A)."""
        return namespace(policy).concat(self._reached(policy), axis=-2)

    def path_probabilities(self, policy: Array) -> Array:
        """Return the probability of each complete path, (..., A^T), in the order of :attr:`paths`."""
        last = self._reached(policy)[-1]
        return namespace(policy).reshape(last, (*last.shape[:-2], -1))

    # -- layers -------------------------------------------------------------------------------------------------

    def _choices(self, rewards: Array, ahead: Array | None, t: int) -> Array:
        """Compute action values after each history of t actions, (..., A^t, A); ``ahead`` (..., A^{t+1})."""
        now = self.layer(rewards, t)
        return now if ahead is None else now + namespace(now).reshape(ahead, now.shape)

    def _reached(self, policy: Array) -> list[Array]:
        """Return the probability of each history and action, one array (..., A^t, A) for each t."""
        policy = probabilities(self, policy)
        xp = namespace(policy)
        reached = [floats(self.layer(policy, 0), policy)]
        for t in range(1, self.depth):
            layer = self.layer(policy, t)
            reached.append(xp.reshape(reached[-1], layer.shape[:-1])[..., None] * layer)
        return reached
