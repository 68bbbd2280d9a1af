"""Games of online allocation from their first round to their last, and what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lawgiver.agents.policies import RulePolicy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.rollout import choose
from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.trainers.statistics.streams import ONLINE


@dataclass(frozen=True)
class Totals:
    """Sums over the rounds of G games.

    Attributes:
        payoffs: of each participant, (G, P).
        regret: (G,), or up to each of the rounds that were asked for, (G, M).
        burnt: of all agents' values, (G,).
    """

    payoffs: np.ndarray
    regret: np.ndarray
    burnt: np.ndarray


def totals(
    game: OnlineAllocation,
    mechanism: Policy,
    people: RulePolicy,
    games: int,
    seed: Sequence[int],
    marks: Sequence[int] = (),
) -> Totals:
    """Play games whose true values and noise are the same with the same seed, whatever is answered and decided.

    Args:
        game: the rules.
        mechanism: that assigns and asks.
        people: who answer.
        games: how many, G.
        seed: of values and noise; what the mechanism draws has a stream of its own.
        marks: numbers of rounds, in order, up to which regret is summed; none for all rounds.
    """
    nature, own = np.random.default_rng([ONLINE, *seed]).spawn(2)
    state, memory = game.initial_state(games, nature), mechanism.initial_state(games, own)
    payoffs, regret, burnt = np.zeros((games, game.participants)), np.zeros(games), np.zeros(games)
    kept = []
    for done in range(1, game.rounds + 1):
        obs = game.observe(state, "mechanism")
        _, outcome, memory = choose(game, mechanism, state, obs, None, memory, own)
        state, *_ = game.advance(state, outcome, game.draw(games, nature))
        state, *_ = game.step(state, people.action(game.observe(state, "participant")), {})
        payoffs, regret, burnt = payoffs + state.payoffs, regret + state.regret, burnt + state.burnt.sum(-1)
        if done in marks:
            kept.append(regret)
    return Totals(payoffs, np.stack(kept, -1) if kept else regret, burnt)
