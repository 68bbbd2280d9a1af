"""The interface of a Markov decision process with known transitions, and helpers of its solvers.

A process has S states and A actions, the same in every state. Rewards are arrays (..., S, A) with any leading axes: a
batch of problems that differ in nothing else. An action that a state does not offer has the reward -1e9
(:data:`~lawgiver.envs.solvers.equilibrium.prior.ILLEGAL`). Everything runs on NumPy and on torch, whichever made the
rewards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np

from lawgiver.envs.core.arrays import Array, as_numpy, detached, floats, largest, namespace, total
from lawgiver.envs.core.errors import ParameterError, choice, number

Regulariser = Literal["policy", "occupancy"]
"""Whose entropy rewards a spread-out choice: the policy's in each state, or that of all (state, action) frequencies."""
REGULARISERS = ("policy", "occupancy")
MEMORY = 1024.0
"""Default memory budget of a solver in MiB."""
MOST_MEMORY = 2.0**30
"""Largest budget in MiB, more than any machine has."""


class MDP(Protocol):
    """A Markov decision process of known transitions, from a known start."""

    @property
    def n_states(self) -> int:
        """Number of states, S."""

    @property
    def n_actions(self) -> int:
        """Number of actions in each state, A."""

    @property
    def policy_shape(self) -> tuple[int, ...]:
        """Shape of a policy: (S, A), or (T, S, A) where it depends on time."""

    def value(self, rewards: Array) -> Array:
        """Return the greatest expected return (...) of rewards (..., S, A); the first result of :meth:`optimal`."""

    def optimal(self, rewards: Array) -> tuple[Array, Array]:
        """Return the greatest expected return and a deterministic policy that earns it.

        Args:
            rewards: (..., S, A), finite; -1e9 where an action is not available.

        Returns:
            The value (...), whose gradient on torch is the policy's occupancy; and the policy (..., *policy_shape) of
            zeros and ones, without gradient: where several actions are best, one of them.

        Raises:
            ParameterError: if rewards are not finite or have another shape.
            ConvergenceError: if the iteration does not end within its limit.
        """

    def soft(self, rewards: Array, temperature: float, regulariser: Regulariser = "policy") -> tuple[Array, Array]:
        """Return the greatest entropy-regularised return and the policy that attains it.

        Args:
            rewards: (..., S, A), finite; -1e9 where an action is not available.
            temperature: weight of the entropy, > 0, in units of reward.
            regulariser: ``policy``, the (discounted) sum of the entropies of the choices on the way; or ``occupancy``,
                minus the sum of nu log nu over the occupancy nu of states and actions (Curry, Thoma et al. 2024,
                equation 13).

        Returns:
            The value (...), entropy included, and the policy's probabilities (..., *policy_shape). On torch both can
            be differentiated by the rewards.

        Raises:
            ParameterError: if an argument is outside its range.
            ConvergenceError: if the iteration does not end within its limit.
        """

    def occupancy(self, policy: Array) -> Array:
        """Return the expected (discounted) number of times that each action is taken in each state, (..., S, A).

        Args:
            policy: probabilities (..., *policy_shape).
        """


def finite_rewards(mdp: MDP, rewards: Array) -> Array:
    """Return rewards (..., S, A), an array or nested lists, as floating numbers that can be reckoned with.

    Raises:
        ParameterError: if they are no numbers or have another shape; or naming the state and action where one is not
            finite.
    """
    if isinstance(rewards, (list, tuple)):
        try:
            rewards = np.asarray(rewards, float)
        except (TypeError, ValueError):
            raise ParameterError("rewards are no table of numbers, allowed: an array or nested lists") from None
    xp = namespace(rewards)
    if not xp.isdtype(rewards.dtype, "real floating"):
        rewards = xp.astype(rewards, xp.float64)
    shape = (mdp.n_states, mdp.n_actions)
    if tuple(rewards.shape[-2:]) != shape:
        raise ParameterError(f"rewards have the shape {tuple(rewards.shape)}, allowed: (..., {shape[0]}, {shape[1]})")
    if not bool(xp.isfinite(xp.sum(rewards))):  # one number to look at instead of all of them
        wrong = np.argwhere(~np.isfinite(as_numpy(rewards)))
        if wrong.size:
            *_, state, action = (int(i) for i in wrong[0])
            found = float(as_numpy(rewards)[tuple(wrong[0])])
            raise ParameterError(
                f"the reward of action {action} in state {state} is {found}, allowed: a finite number (-1e9 for an "
                "action that is not available)"
            )
    return rewards


def probabilities(mdp: MDP, policy: Array) -> Array:
    """Return a policy of the right shape.

    Raises:
        ParameterError: if it has another.
    """
    shape = mdp.policy_shape
    if tuple(policy.shape[-len(shape) :]) != shape:
        ends = ", ".join(map(str, shape))
        raise ParameterError(f"the policy has the shape {tuple(policy.shape)}, allowed: (..., {ends})")
    return policy


def check_soft(temperature: float, regulariser: str) -> float:
    """Return the temperature of a soft problem.

    Raises:
        ParameterError: if it is not above 0, or there is no such regulariser.
    """
    choice("regulariser", regulariser, REGULARISERS)
    return number("temperature", temperature, "(0, inf)")


def memory_budget(memory: float) -> float:
    """Return a budget of memory in MiB; raises ParameterError if it is none."""
    return number("memory", memory, f"(0, {MOST_MEMORY:.0f}]")


def check_memory(what: str, numbers: int, memory: float, cure: str) -> None:
    """Raise ParameterError if ``numbers`` float64 take more than ``memory`` MiB; ``cure`` is the advice."""
    if numbers > memory * 2**17:  # Python compares integers of any size with floats exactly
        needed = numbers / 2**17 if numbers < 10**15 else numbers // 2**17
        size = f"{needed:,.0f}" if needed >= 10 else f"{needed:.2g}"
        raise ParameterError(f"{what} needs {size} MiB, memory allows {memory:g}: {cure}")


def in_slices(function: Callable[[slice], Array], count: int, numbers: int, memory: float) -> Array:
    """Return ``function`` of all ``count`` rows, of as many at a time as fit into ``memory`` MiB, but at least one.

    Args:
        function: gives an array (N, ...) for a slice of N rows.
        count: count of rows.
        numbers: float64 numbers that each takes.
        memory: budget in MiB.
    """
    step = max(1, int(memory * 2**20 / 8 / numbers))
    if count <= step:
        return function(slice(None))
    parts = [function(slice(at, at + step)) for at in range(0, count, step)]
    return namespace(parts[0]).concat(parts, axis=0)


def best(q: Array) -> Array:
    """Return the largest of the last axis, (..., A) to (...), with the whole gradient on the first that is largest."""
    if type(q) is not np.ndarray and q.requires_grad:
        return best_and_greedy(q)[0]
    xp = namespace(q)
    return xp.reshape(largest(xp.reshape(q, (-1, q.shape[-1]))), q.shape[:-1])


def best_and_greedy(q: Array) -> tuple[Array, Array]:
    """Return :func:`best` of the last axis, (...), and 1 at the first that is largest and 0 elsewhere, (..., A)."""
    xp = namespace(q)
    tall = xp.reshape(detached(q), (-1, q.shape[-1]))
    top = largest(tall)
    hits = tall == top[:, None]
    if int(xp.count_nonzero(hits)) > top.shape[0]:  # ties; argmax alone, without this detour, takes twice as long
        taken = [hits[:, 0]]
        free = ~taken[0]
        for a in range(1, q.shape[-1]):
            taken.append(hits[:, a] & free)
            free = free & ~hits[:, a]
        hits = xp.stack(taken, axis=-1)
    policy = floats(xp.reshape(hits, q.shape), q)
    return (total(q * policy) if xp is not np and q.requires_grad else xp.reshape(top, q.shape[:-1])), policy


def one_hot(action: Array, like: Array) -> Array:
    """Return 1 at each action (...) and 0 elsewhere, (..., A), in the dtype of ``like`` (..., A)."""
    xp = namespace(like)
    choices = np.arange(like.shape[-1]) if xp is np else xp.arange(like.shape[-1], device=like.device)
    return floats(action[..., None] == choices, like)


def smooth(q: Array, temperature: float) -> tuple[Array, Array]:
    """Return temperature * log sum exp(q / temperature) over the last axis, (...), and the softmax, (..., A)."""
    xp = namespace(q)
    top = detached(xp.reshape(largest(xp.reshape(q, (-1, q.shape[-1]))), (*q.shape[:-1], 1)))
    weights = xp.exp((q - top) / temperature)
    mass = total(weights)
    return top[..., 0] + temperature * xp.log(mass), weights / mass[..., None]
