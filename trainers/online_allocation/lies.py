"""Gains of an agent that lies to a mechanism of online allocation, in the same games with the same experiences.

An agent that knows no more than what it experiences can answer one number for a bad experience and another for a good
one: :data:`LIES` are some of these. One that knows its true values can do more: claim to like its best item alone
(``best_only``). Answering true values (``own_values``) is no lie, but tells the mechanism more than experiences do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lawgiver.agents.policies import RulePolicy
from lawgiver.envs.core.arrays import Array
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.trainers.online_allocation.plays import totals

LIES: Mapping[str, Mapping[str, float]] = {
    "always_0": {"bad": 0.0, "good": 0.0},
    "always_1": {"bad": 1.0, "good": 1.0},
    "overstate": {"bad": 0.25, "good": 1.0},
    "understate": {"bad": 0.0, "good": 0.75},
    "invert": {"bad": 1.0, "good": 0.0},
}
"""Answers to a bad and to a good experience, by name."""
KNOWING = ("own_values", "best_only")
"""Participants who answer by their true values."""


class Mixed(RulePolicy):
    """Participants of whom some answer as one policy does, the others as another.

    Args:
        honest: the others' policy.
        lying: the policy of some.
        liars: who they are, bool (G, P).
    """

    def __init__(self, honest: RulePolicy, lying: RulePolicy, liars: np.ndarray) -> None:
        """See the class."""
        self.honest, self.lying, self.liars = honest, lying, liars

    def action(self, obs: Array) -> Array:
        """Return the answers, (G, P, 1)."""
        return np.where(self.liars[..., None], self.lying.action(obs), self.honest.action(obs))


def answering(game: OnlineAllocation, name: str) -> RulePolicy:
    """Make participants by name: ``truthful``, a lie of :data:`LIES`, or one of :data:`KNOWING`."""
    policy = make_policy(game, "participant", {"policy": "answers", **LIES[name]} if name in LIES else name)
    assert isinstance(policy, RulePolicy)
    return policy


def gains(
    game: OnlineAllocation, rule: str, games: int, seed: Sequence[int], *, truth: str = "truthful"
) -> dict[str, np.ndarray]:
    """Compute what an agent gains a round by each way to answer rather than by the truth, (G,).

    In game g agent g modulo n lies, and all others answer what they experience.

    Args:
        game: the rules.
        rule: mechanism by name.
        games: how many, G.
        seed: of values and noise.
        truth: how the agent answers otherwise: ``truthful``, or ``own_values`` if it knows them.
    """
    mechanism, honest = make_policy(game, "mechanism", rule), answering(game, "truthful")
    liars = np.arange(games)[:, None] % game.n == np.arange(game.participants)
    earned = {
        name: totals(game, mechanism, Mixed(honest, answering(game, name), liars), games, seed).payoffs[liars]
        for name in (*LIES, *KNOWING, "truthful")
    }
    own = earned.pop(truth)
    return {name: (each - own) / game.rounds for name, each in earned.items()}
