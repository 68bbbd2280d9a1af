"""The optimal occupancy of a process by linear programming, a check independent of the solvers.

    max_nu  sum r nu    subject to    sum_a nu(s, a) - discount * sum P(s | s', a') nu(s', a') = mu(s),  nu >= 0

over the occupancies of states and actions (Curry, Thoma et al. 2024, equation 2; Puterman 1994, section 6.9), of
histories and actions on a tree, of times, states and actions where the horizon is finite.

    >>> rewards = np.array([[0.0, -1.0], [0.0, 1.0]])  # to go to the second state costs 1, to stay there pays 1 a step
    >>> round(linear_program(Discounted([[0, 1], [0, 1]], discount=0.9), rewards)[0], 6)
    8.0
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from lawgiver.envs.core.errors import ConvergenceError, ParameterError
from lawgiver.envs.core.registry import extras
from lawgiver.envs.solvers.mdp.discounted import Discounted
from lawgiver.envs.solvers.mdp.finite_horizon import FiniteHorizon
from lawgiver.envs.solvers.mdp.model import MDP, finite_rewards
from lawgiver.envs.solvers.mdp.process import start_probabilities
from lawgiver.envs.solvers.mdp.tree import Tree


def linear_program(mdp: MDP, rewards: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the greatest expected return of rewards (S, A) and an occupancy (S, A) that attains it, by HiGHS.

    Raises:
        MissingExtraError: without scipy.
        ParameterError: if rewards are not finite or have another shape.
        ConvergenceError: if HiGHS does not find the optimum.
    """
    with extras("linear_program"):
        from scipy.optimize import linprog
    flow, start = flow_constraints(mdp)
    rewards = finite_rewards(mdp, np.asarray(rewards, float))
    if rewards.ndim != 2:
        raise ParameterError(f"rewards have the shape {rewards.shape}, allowed: a single problem's (S, A)")
    times = flow.shape[1] // rewards.size
    found = linprog(-np.tile(rewards.ravel(), times), A_eq=flow, b_eq=start, method="highs")
    if found.status != 0:
        raise ConvergenceError(f"HiGHS has not solved the linear program: {found.message}")
    return -float(found.fun), found.x.reshape(times, *rewards.shape).sum(axis=0)


@singledispatch
def flow_constraints(mdp: MDP) -> tuple[Any, np.ndarray]:
    """Return the flow constraints of a process: a scipy sparse matrix (M, M * A), and the initial distribution (M,).

    M is S, or T * S where the horizon is finite.
    """
    raise ParameterError(f"linear_program does not know {type(mdp).__name__}, allowed: Tree, Discounted, FiniteHorizon")


@flow_constraints.register
def _(mdp: Discounted) -> tuple[Any, np.ndarray]:
    return _leaves(mdp) - mdp.discount * mdp.transitions.sparse().T, mdp.start


@flow_constraints.register
def _(mdp: FiniteHorizon) -> tuple[Any, np.ndarray]:
    from scipy.sparse import eye_array, kron

    steps = mdp.horizon
    flow = kron(eye_array(steps), _leaves(mdp)) - mdp.discount * kron(
        eye_array(steps, k=-1), mdp.transitions.sparse().T
    )
    return flow.tocsr(), np.concatenate([mdp.start, np.zeros((steps - 1) * mdp.n_states)])


@flow_constraints.register
def _(mdp: Tree) -> tuple[Any, np.ndarray]:
    from scipy.sparse import csr_array

    inner = np.arange(1, mdp.n_states)  # histories that an action leads to, in the order of what leads to them
    arrives = csr_array((np.ones(inner.size), (inner, inner - 1)), shape=(mdp.n_states, mdp.n_states * mdp.n_actions))
    return _leaves(mdp) - arrives, start_probabilities(0, mdp.n_states)


def _leaves(mdp: MDP) -> Any:
    """Return 1 where an action leaves a state, (S, S * A)."""
    from scipy.sparse import eye_array, kron

    return kron(eye_array(mdp.n_states), np.ones((1, mdp.n_actions)), format="csr")
