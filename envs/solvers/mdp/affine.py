"""Dynamic affine maximisers: the policy of a Markov decision process, and the payments for it.

With weights w_i > 0 and boosts b(s, a), the policy maximises the affine welfare of the reported rewards r_i,

    asw(pi) = E_pi[sum_t sum_i w_i r_i(s_t, a_t) + b(s_t, a_t)],

and participant i pays p_i = (asw_{-i} - (asw - w_i v_i)) / w_i, where v_i is its reported value of the policy and
asw_{-i} the greatest affine welfare without it (Curry, Thoma et al. 2024, definition 3.1). Its payoff is
(asw - asw_{-i}) / w_i when it is truthful. As the first term is maximised by telling the truth and the second does not
depend on what i says, nobody gains by a misreport, whatever w and b are. Nobody loses by taking part where what is
possible without i is possible with it, and worth no less to it than nothing. w = 1, b = 0 is the dynamic VCG mechanism.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, detached, namespace
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL
from lawgiver.envs.solvers.mdp.model import MDP
from lawgiver.envs.solvers.mdp.transitions import index


@dataclass(frozen=True)
class Settlement:
    """The decision of an affine maximiser for B profiles of reports.

    Attributes:
        policy: probabilities (zeros and ones), (B, *mdp.policy_shape).
        occupancy: expected (discounted) number of times each action is taken in each state, (B, S, A).
        affine_welfare: the greatest, of all and then without each participant, (B, n + 1).
        values: what each participant says the policy is worth to it, (B, n).
        payments: what each pays to the mechanism, (B, n).
    """

    policy: Array
    occupancy: Array
    affine_welfare: Array
    values: Array
    payments: Array


def problems(rewards: Array, weights: Array, boosts: Array, excluded: np.ndarray | None = None) -> Array:
    """Return the rewards of the n + 1 problems that a profile poses, (B, n + 1, S, A): of all, then without each.

    Args:
        rewards: reported, (B, n, S, A).
        weights: w, (n,) or (B, n), > 0.
        boosts: b, (S, A) or (B, S, A).
        excluded: which actions cannot be taken without each participant, bool (n, S, A); None for all can. The others
            stay open, with their boosts, and are worth nothing to who is absent.

    Raises:
        ParameterError: naming the argument that has another shape.
    """
    xp = namespace(rewards)
    _check_shape("rewards", rewards, "(B, n, S, A)", *[rewards.shape] * (rewards.ndim == 4))
    batch, n, s, a = rewards.shape
    _check_shape("weights", weights, f"({n},) or ({batch}, {n})", (n,), (batch, n))
    _check_shape("boosts", boosts, f"({s}, {a}) or ({batch}, {s}, {a})", (s, a), (batch, s, a))
    if excluded is not None:
        _check_shape("excluded", excluded, f"({n}, {s}, {a})", (n, s, a))
    present = constant(np.vstack([np.ones(n), 1 - np.eye(n)]), rewards)  # who is there, problem by problem
    summed = (present * weights[..., None, :]) @ xp.reshape(rewards, (batch, n, s * a))
    posed = xp.reshape(summed, (batch, n + 1, s, a))
    posed += boosts[..., None, :, :]  # in place: to fetch fresh memory takes longer than to add
    if excluded is None:
        return posed
    closed = np.concatenate([np.zeros_like(excluded[:1]), excluded])
    return xp.where(index(closed, posed), constant(ILLEGAL, posed), posed)


def settle(mdp: MDP, rewards: Array, weights: Array, boosts: Array, excluded: np.ndarray | None = None) -> Settlement:
    """Compute the policy and payments of an affine maximiser for reported rewards (B, n, S, A).

    The arguments are as :func:`problems` takes them. What cannot be done at all is the process's matter, not that of
    rewards, which an absent participant takes along. On torch, affine welfare and payments can be differentiated.

    Raises:
        ParameterError: if an argument has another shape, a weight is not positive and finite, or a reward is so low
            that it says an action is not available.
    """
    xp = namespace(rewards)
    if not bool(xp.all((weights > 0) & xp.isfinite(weights))):
        ends = float(xp.min(detached(weights))), float(xp.max(detached(weights)))
        raise ParameterError(f"weights go from {ends[0]:g} to {ends[1]:g}, allowed: finite numbers above 0")
    posed = problems(rewards, weights, boosts, excluded)
    least = float(xp.min(detached(rewards))) if posed.shape[0] else 0.0
    if least <= ILLEGAL / 2:
        raise ParameterError(
            f"a participant's reward is {least:g}, allowed: more than {ILLEGAL / 2:g}; repeat another"
            " action in its place where one is not available, or name who makes it possible (excluded)"
        )
    greatest, policy = mdp.optimal(posed[:, 0])
    affine_welfare = xp.concat([greatest[:, None], mdp.value(posed[:, 1:])], axis=-1)
    occupancy = mdp.occupancy(policy)
    values = xp.sum(occupancy[:, None] * rewards, axis=(-2, -1))
    others = affine_welfare[:, :1] - weights * values
    return Settlement(policy, occupancy, affine_welfare, values, (affine_welfare[:, 1:] - others) / weights)


def _check_shape(name: str, given: Array, told: str, *allowed: tuple[int, ...]) -> None:
    """Raise ParameterError if an argument has none of these shapes, described by ``told``."""
    if tuple(given.shape) not in [tuple(shape) for shape in allowed]:
        raise ParameterError(f"{name} has the shape {tuple(given.shape)}, allowed: {told}")
