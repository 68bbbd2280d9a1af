"""Walks by the rules of the game, and the outcome and payments that an affine maximiser derives from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.goal_collection.game import GoalCollection, GoalCollectionState
from lawgiver.trainers.audit import Response

CHUNK = 4_096
"""Walks that are taken at once, at most."""


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of B profiles of n participants.

    Attributes:
        greedy: affine welfare, by the reports, of the walk that the follower takes for all, (B,).
        affine_welfare: of the chosen walk, then that of the others in the walks without each participant, (B, n + 1).
        utilities: without payments, by the true types, (B, n).
        payments: to the mechanism, (B, n).
    """

    greedy: np.ndarray
    affine_welfare: np.ndarray
    utilities: np.ndarray
    payments: np.ndarray


def walk(game: GoalCollection, follower: Policy, types: np.ndarray, reports: np.ndarray) -> GoalCollectionState:
    """Play games with given types and reports (B, n, 2), on NumPy, float64; return their last state."""
    rng = np.random.default_rng(0)  # walkers draw nothing
    state = game.initial_state_from(types, np.zeros(len(types)))
    state, *_ = game.step(state, reports, {})
    memory = follower.initial_state(len(types), rng)
    for _ in range(game.horizon):
        action, memory = follower.act(game.observe(state, "mechanism"), None, memory, rng)
        state, *_ = game.step(state, action, {})
    return state


def settle(game: GoalCollection, follower: Policy, types: np.ndarray, reports: np.ndarray) -> Outcomes:
    """Compute outcomes and payments by the follower's own walks, for all and without each participant.

    Without participant i the follower walks as if i's value were 0. The walk that is best for all by the reports is
    chosen among the n + 1, so that nobody who tells the truth is worse off than without taking part:

        p_i = (asw_-i - (asw - w_i v_i x_i)) / w_i,

    x_i the discount at which i's goal is entered. As asw_-i does not depend on i's report, no misreport gains more than
    the shortfall of the chosen walk from the best one, (asw* - asw) / w_i.

    Args:
        game: the torus and its goals.
        follower: mechanism of the game.
        types: true goals and values, (B, n, 2).
        reports: actions of the participants, (B, n, 2).
    """
    n = game.n
    step = max(1, CHUNK // (n + 1))
    if len(types) > step:
        parts = [
            settle(game, follower, types[at : at + step], reports[at : at + step]) for at in range(0, len(types), step)
        ]
        return Outcomes(*(np.concatenate(x) for x in zip(*(vars(part).values() for part in parts), strict=True)))
    reported = np.repeat(reports[:, None], n + 1, axis=1)
    reported[:, np.arange(1, n + 1), np.arange(n), 1] = 0
    true = np.repeat(types[:, None], n + 1, axis=1)
    end = walk(game, follower, true.reshape(-1, n, 2), reported.reshape(-1, n, 2))
    collected, enjoyed = (x.reshape(-1, n + 1, n) for x in (end.collected, end.enjoyed))
    brought = collected * game.worth(reports)[:, None]
    chosen = brought.sum(-1).argmax(-1)
    rows, seats = np.arange(len(types)), np.arange(n)
    served = brought[rows, chosen]
    welfare = served.sum(-1)
    without = brought[:, 1:].sum(-1) - brought[:, seats + 1, seats]
    payments = (without - (welfare[:, None] - served)) / game.weight_vector
    utilities = enjoyed[rows, chosen] * types[..., 1]
    return Outcomes(brought[:, 0].sum(-1), np.concatenate([welfare[:, None], without], axis=-1), utilities, payments)


def response(game: GoalCollection, follower: Policy) -> Response:
    """Make the function from types and reports to utilities and payments that an audit takes."""

    def answer(types: Array, reports: Array) -> tuple[Array, Array]:
        found = settle(game, follower, types, reports)
        return found.utilities, found.payments

    return answer
