"""Cumulative regret of an allocator, beside mechanisms by name, in the same games."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lawgiver.agents.allocator_net import LearnedAllocator
from lawgiver.agents.online_allocation import Dueling, Experienced, Questions
from lawgiver.envs.core.arrays import Array, Rng
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Memory, Policy
from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.trainers.online_allocation.plays import totals
from lawgiver.trainers.online_allocation.settings import Evaluation
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate

LEARNED, UNTRAINED, TUNED, FULL = "learned", "untrained", "tuned_dueling", "full_feedback"
NAMED = ("dueling", "widest", "random_questions", "round_robin", "explore_then_commit")
"""Mechanisms by name that a learned one stands beside; those that ask everybody have a game of their own."""
CONFIDENCES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0)
"""Factors on the width of dueling's intervals among which the best is chosen."""
JUDGED, CHOSEN = range(2)
"""Streams of random numbers."""


class NarrowerDueling(Dueling):
    """Dueling bounds whose intervals are ``confidence`` times as wide, as if every answer were more than one.

    The proof of its regret bound asks for a confidence of 1, for all pairs and rounds at once; what costs least on
    average is less.
    """

    def __init__(self, game: OnlineAllocation, confidence: float) -> None:
        """Keep the factor."""
        super().__init__(game)
        self.confidence = confidence

    def decide(
        self, estimates: Array, counts: Array, now: Array, state: Memory, rng: Rng
    ) -> tuple[Array, Questions, Memory]:
        """Return the item of each agent, integers (B, n), the questions, and the memory."""
        return super().decide(estimates, counts / self.confidence**2, now, state, rng)


def cumulative_regret(
    game: OnlineAllocation, mechanism: Policy, games: int, seed: Sequence[int], marks: Sequence[int] = ()
) -> np.ndarray:
    """Sum the regret of games of truthful participants, (G,), or (G, M) up to M rounds; see :func:`~.plays.totals`."""
    return totals(game, mechanism, Experienced(game), games, seed, marks).regret


def tuned_confidence(game: OnlineAllocation, games: int, seed: Sequence[int]) -> float:
    """Choose the factor on the width of dueling's intervals, among :data:`CONFIDENCES`, with the least mean regret."""
    found = {
        confidence: cumulative_regret(game, NarrowerDueling(game, confidence), games, [*seed, CHOSEN]).mean()
        for confidence in CONFIDENCES
    }
    return min(found, key=lambda confidence: found[confidence])


def opponents(game: OnlineAllocation, confidence: float) -> dict[str, tuple[OnlineAllocation, Policy]]:
    """Make the mechanisms beside which learned ones stand, each with the game that it plays.

    Args:
        game: the rules.
        confidence: factor on the width of the intervals of ``tuned_dueling``.
    """
    everybody = replace(game, questions=game.participants)
    return {
        TUNED: (game, NarrowerDueling(game, confidence)),
        **{name: (game, make_policy(game, "mechanism", name)) for name in NAMED},
        FULL: (everybody, make_policy(everybody, "mechanism", FULL)),
    }


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Judge a run's allocator anew, in as many games with each mechanism; see :func:`judged`."""
    config = validate(run.settings)
    game: Any = config.game.make()
    evaluation = config.trainer.evaluation.model_copy(update={"games": games})
    return judged(game, load(run.path, role="mechanism", game=game), evaluation, seed)


def judged(
    game: OnlineAllocation, learned: LearnedAllocator, evaluation: Evaluation, seed: Sequence[int]
) -> dict[str, Any]:
    """Compare an allocator with mechanisms by name, with the same values and noise for all.

    Args:
        game: the rules.
        learned: to be judged.
        evaluation: how much is played.
        seed: of streams from which no training draws.

    Returns:
        ``regret``: cumulative regret by mechanism, ``learned`` first, its network ``untrained``, those by name, dueling
        bounds with intervals as narrow as is best (``tuned_dueling``), and ``full_feedback``, which asks everybody;
        ``beside_learned``, the difference of each from the learned one, game by game; ``confidence``, the factor on the
        width of the tuned intervals.
    """
    confidence = tuned_confidence(game, evaluation.tuning, seed)
    playing: Mapping[str, tuple[OnlineAllocation, Policy]] = {
        LEARNED: (game, learned),
        UNTRAINED: (game, LearnedAllocator(game, **learned.settings)),
        **opponents(game, confidence),
    }
    found = {name: cumulative_regret(*played, evaluation.games, [*seed, JUDGED]) for name, played in playing.items()}
    own = found[LEARNED]
    return {
        "regret": {name: Estimate.of_samples(each) for name, each in found.items()},
        "beside_learned": {name: Estimate.of_samples(each - own) for name, each in found.items() if name != LEARNED},
        "confidence": confidence,
    }
