"""Outcome of sessions: the cycle that greedy play ends in, best replies to it, and a forced deviation.

High prices alone prove no collusion: learners may ask them because they have not learned better. What tells the two
apart is whether a deviation is answered. So three things are told of each session:

- the *cycle* of joint actions that greedy play ends in, and what it is worth;
- a *forced deviation*: one agent plays its best reply of a single round once, and everybody, it included, goes on by
  strategy. If the others punish it, it would rather not have deviated;
- what a *best reply* to the others' strategies would gain, by dynamic programming over the states that they react to:
  0 in an equilibrium, which learners do not quite reach.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawgiver.trainers.q_learning.sessions import Sessions

EXACT = 1e-12
"""Weight of what a sum of discounted payoffs leaves out."""
SHOWN = 25
"""Periods of a deviation that are told, the first of them the last before it."""
NOTHING = 1e-9
"""Gains below it, as a share of the payoff, are none."""


@dataclass(frozen=True)
class Deviation:
    """A forced deviation of each agent in turn, in each of S sessions.

    Attributes:
        actions: actions (S, n, T, n) of everybody, by session, who deviates, and period: one before, the deviation, and
            those after it.
        kept: the same without a deviation.
        gain: sum of the discounted payoffs that the deviator gains from the deviation on, times 1 - delta, (S, n).
    """

    actions: np.ndarray
    kept: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """Outcome of S sessions.

    Attributes:
        occupation: share of a cycle's periods in which a joint action is played, (S, A^n).
        payoffs: mean payoff of each agent in the cycle, (S, n).
        best_reply_gain: what a best reply to the others' strategies would gain over the own one, discounted, times
            1 - delta, the mean over the cycle's states, (S, n).
        deviation: forced on each agent.
    """

    occupation: np.ndarray
    payoffs: np.ndarray
    best_reply_gain: np.ndarray
    deviation: Deviation


def objective_reached(sessions: Sessions) -> np.ndarray:
    """Compute the mean objective of the cycle that greedy play ends in, (S,)."""
    follow = following(sessions)
    occupation = _occupation(follow, _on_cycle(follow, sessions.states))
    return np.asarray((occupation * sessions.stage.objective[sessions.mechanisms]).sum(axis=1))


def outcome_of(sessions: Sessions) -> Outcome:
    """Evaluate the greedy strategies of all sessions."""
    follow = following(sessions)
    entered = _on_cycle(follow, sessions.states)
    occupation = _occupation(follow, entered)
    paid = sessions.stage.payoffs[sessions.mechanisms]
    payoffs = np.einsum("sj,sji->si", occupation, paid)
    gain = np.stack([_best_reply_gain(sessions, follow, occupation, i) for i in range(sessions.stage.n)], axis=-1)
    return Outcome(occupation, payoffs, gain, _deviation(sessions, follow, entered))


def following(sessions: Sessions) -> np.ndarray:
    """Compute the joint action that follows each in greedy play, (S, A^n)."""
    joint = np.einsum("six,i->sx", sessions.greedy, sessions.stage.places)
    return np.broadcast_to(joint, (len(joint), sessions.stage.joint)) if not sessions.rule.memory else joint


def _on_cycle(follow: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Go on for at least as many periods as there are states, (S,): from there on play is periodic."""
    many = follow
    for _ in range(int(np.ceil(np.log2(follow.shape[1])))):
        many = np.take_along_axis(many, many, axis=1)
    return np.asarray(many[np.arange(len(states)), states])


def _occupation(follow: np.ndarray, entered: np.ndarray) -> np.ndarray:
    """Compute the share of each joint action in the cycle through ``entered`` (S,), (S, A^n)."""
    each, found = np.arange(len(entered)), np.zeros(follow.shape)
    at, open_ = entered, np.ones(len(entered), bool)
    while open_.any():
        found[each[open_], at[open_]] = 1
        at = follow[each, at]
        open_ &= at != entered
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _periods(discount: float) -> int:
    """Count the periods after which discounted payoffs weigh next to nothing."""
    return 1 if discount == 0 else int(np.ceil(np.log(EXACT) / np.log(discount)))


def _best_reply_gain(sessions: Sessions, follow: np.ndarray, occupation: np.ndarray, agent: int) -> np.ndarray:
    """Compute what a best reply of an agent to the others' strategies gains over its own one, (S,).

    What a joint action is worth, its payoff and what follows, depends on the state it leads to alone, which is the
    joint action itself. So the best in a state is the largest of these worths over own actions, given the others' one.
    """
    stage, delta, count = sessions.stage, sessions.rule.discount, len(follow)
    shape = (count, *(stage.actions,) * stage.n)
    paid = sessions.stage.payoffs[sessions.mechanisms, :, agent]
    others = np.arange(stage.joint).reshape(shape[1:]).take(0, axis=agent).ravel()  # with the own action 0
    place = np.empty(stage.joint, np.int64)
    place[others] = np.arange(len(others))
    own = follow // stage.places[agent] % stage.actions
    rivals = place[follow - own * stage.places[agent]]  # the others' joint action, by state
    best = kept = np.zeros_like(paid)
    for _ in range(_periods(delta)):
        worth = (paid + delta * best).reshape(shape).max(axis=1 + agent).reshape(count, -1)
        best = np.take_along_axis(worth, rivals, axis=1)
        kept = np.take_along_axis(paid + delta * kept, follow, axis=1)
    return np.asarray((1 - delta) * (occupation * (best - kept)).sum(axis=1))


def _deviation(sessions: Sessions, follow: np.ndarray, entered: np.ndarray) -> Deviation:
    """Force each agent in turn to its best reply of a round, one period after the joint action ``entered`` (S,)."""
    stage, delta, n = sessions.stage, sessions.rule.discount, sessions.stage.n
    each = np.arange(len(entered))
    usual = follow[each, entered]
    paths, gains = [], []
    for agent in range(n):
        own = usual // stage.places[agent] % stage.actions
        replies = (usual - own * stage.places[agent])[:, None] + stage.places[agent] * np.arange(stage.actions)
        paid = stage.payoffs[sessions.mechanisms[:, None], replies, agent]
        forced = replies[each, paid.argmax(axis=1)]
        paths.append([_path(follow, at, max(SHOWN, _periods(delta))) for at in (forced, usual)])
        worth = stage.payoffs[sessions.mechanisms, :, agent]
        gain = np.take_along_axis(worth, paths[-1][0], axis=1) - np.take_along_axis(worth, paths[-1][1], axis=1)
        gains.append((1 - delta) * gain @ delta ** np.arange(gain.shape[1]))
    shown = np.array(paths)[..., : SHOWN - 1]  # (n, 2, S, T - 1)
    before = np.broadcast_to(entered[:, None], (*shown.shape[:-1], 1))
    joint = np.moveaxis(np.concatenate([before, shown], axis=-1), 2, 0)  # (S, n, 2, T)
    actions = joint[..., None] // stage.places % stage.actions
    return Deviation(actions[:, :, 0], actions[:, :, 1], np.stack(gains, axis=-1))


def _path(follow: np.ndarray, first: np.ndarray, periods: int) -> np.ndarray:
    """Play greedily after a joint action (S,), which is the first of the path (S, T)."""
    each, at, path = np.arange(len(first)), first, []
    for _ in range(periods):
        path.append(at)
        at = follow[each, at]
    return np.stack(path, axis=1)
