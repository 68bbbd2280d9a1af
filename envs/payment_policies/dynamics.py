"""Two agents who learn against each other from full information, in expectation.

In each of T rounds agent i plays a mixed action x_i over A actions, the other one x_j, and sees what every action of
its own would have paid on average,

    u_i(a) = sum_b U_i(a, b) x_j(b) + received_i [a = 0] - made_i x_j(0),

where U_i is the stage game, and payments go with the *trigger*, action 0: ``received_i`` is paid to i when it plays it,
``made_i`` is paid by i when the other does. It keeps a score of each action, s_i(a) = 0 at first:

- ``hedge``: x_i(a) ~ exp(s_i(a)), and s_i(a) grows by eta u_i(a);
- ``multiplicative_weights``: the same with log(1 + eta u_i(a)), the linear update of the weights;
- ``regret_matching`` (Hart and Mas-Colell 2000): x_i(a) ~ max(s_i(a), 0), uniform where none is above 0, and s_i(a)
  grows by u_i(a) - x_i u_i.

Nothing is drawn at random, so that the same rules have the same outcome. Actions that are not legal are never played.

    >>> dilemma = np.array([[3.0, 0.0], [5.0, 1.0]])  # cooperate or defect, own action first
    >>> outcomes = np.stack([dilemma, 0 * dilemma])[None, None].repeat(2, axis=1)
    >>> agents = Agents("hedge", 0.5, 400, np.ones((2, 2)))
    >>> offers = np.array([[0.0, 0.0], [2.1, 0.0], [2.1, 2.1]])  # of nobody, the first, and both
    >>> averages(agents, outcomes, offers[None], np.zeros((1, 1, 1)))[0, :, :, 2].round(3).tolist()  # cooperation
    [[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from lawgiver.envs.core.arrays import Array, constant, namespace

LearnerName: TypeAlias = Literal["hedge", "multiplicative_weights", "regret_matching"]
LEARNERS: tuple[LearnerName, ...] = ("hedge", "multiplicative_weights", "regret_matching")
TAIL = 4
"""The last of so many parts of the rounds is averaged."""
FAINT = -80.0
"""Logarithm of the least weight beside the largest: smaller ones are denormal in float32, with which sums are slow."""


@dataclass(frozen=True, eq=False)
class Agents:
    """Two agents who learn alike.

    Attributes:
        learner: one of ``LEARNERS``.
        rate: eta, per unit of payoff; not used by ``regret_matching``.
        rounds: T, >= 4.
        legal: 1 where an agent may play an action, else 0, (2, A).
    """

    learner: LearnerName
    rate: float
    rounds: int
    legal: np.ndarray


def averages(agents: Agents, outcomes: Array, made: Array, levy: Array) -> Array:
    """Compute what learning leads to, averaged over the last quarter of the rounds.

    Args:
        agents: who learn.
        outcomes: worth and price of each joint action in each of W stage games, to each agent, by its own action and
            by the other's, (W, 2, 2, A, A).
        made: what each principal offers to the other's agent for its trigger, (W, P, 2), or with axes of size 1.
        levy: share of what is paid that does not arrive, (W, 1, 1), in [0, 1].

    Returns:
        worth, price and frequency of the trigger, of each agent, (W, P, 2, 3).
    """
    xp = namespace(outcomes)
    by_other = xp.matrix_transpose(outcomes)  # (W, 2, 2, A, A): times the other's mixed action, by the own action
    stage = by_other[:, :, 0] - by_other[:, :, 1]
    paid = xp.matrix_transpose(made)[..., None]  # (W, 2, P, 1)
    received = xp.flip(paid * (1 - levy[..., None]), axis=1)
    size = outcomes.shape[-1]
    trigger = constant(np.eye(size)[0], outcomes)
    legal = constant(agents.legal[:, None, :], outcomes)
    bonus = received * trigger
    scores = xp.zeros_like(stage[:, :, :1, :] + bonus)
    sums: Array = 0.0
    first = agents.rounds - agents.rounds // TAIL
    for t in range(agents.rounds):
        play = _play(agents.learner, scores, legal)
        other = xp.flip(play, axis=1)
        values = other @ stage + bonus - paid * other[..., :1]
        if t >= first:
            expected = xp.sum(play[:, :, None] * (other[:, :, None] @ by_other), axis=-1)
            sums = sums + xp.concat([expected, play[:, :, None, :, 0]], axis=2)
        scores = scores + _lesson(agents, play, values)
    return xp.permute_dims(sums / (agents.rounds - first), (0, 3, 1, 2))


def _play(learner: LearnerName, scores: Array, legal: Array) -> Array:
    """Compute the mixed actions (..., A) that scores lead to."""
    xp = namespace(scores)
    if learner == "regret_matching":
        weights = xp.clip(scores, 0.0, None) * legal
        sums = xp.sum(weights, axis=-1, keepdims=True)
        none = sums <= 0
        weights = xp.where(none, xp.zeros_like(weights) + legal, weights)
        return weights / xp.where(none, xp.sum(legal, axis=-1, keepdims=True), sums)
    best = xp.max(xp.where(legal > 0, scores, scores - np.inf), axis=-1, keepdims=True)
    weights = xp.exp(xp.clip(scores - best, FAINT, 0.0)) * legal
    return weights / xp.sum(weights, axis=-1, keepdims=True)


def _lesson(agents: Agents, play: Array, values: Array) -> Array:
    """Compute by how much scores (..., A) grow after a round."""
    xp = namespace(values)
    if agents.learner == "hedge":
        return agents.rate * values
    if agents.learner == "multiplicative_weights":
        return xp.log1p(agents.rate * values)
    return values - xp.sum(play * values, axis=-1, keepdims=True)
