"""Welfare of an aggregator and the gains of misreports under it, beside known rules, truthful ones, and payments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lawgiver.agents.mechanisms import Announcement
from lawgiver.agents.reporting import DirectMechanism, named_rule
from lawgiver.envs.core.arrays import Array, constant, evolve
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.preference_aggregation.game import PreferenceAggregation
from lawgiver.envs.solvers.preference_aggregation.strategyproof import dictators, random_pairs
from lawgiver.trainers.aggregation.settings import Evaluation
from lawgiver.trainers.audit import audit_game
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import AGGREGATION

LEARNED, TRUTHFUL, REFERENCE = "learned", "truthful_mixture", "reference"
BALLS = np.linspace(0.1, 1.0, 10)
"""Divergences that dictators may spend, as shares of what the favourite alone costs of replies that are all alike."""
PAIRS = np.linspace(0.0, 1.0, 11)
"""Shares of majorities between pairs."""
TRIED = 2_000
"""Profiles on which the best truthful mixture is chosen."""
JUDGED, CHOSEN = range(2)
"""Streams of random numbers."""


class TruthfulMixture(DirectMechanism):
    """Dictators in a ball of divergence, and majorities between pairs; see :mod:`.strategyproof`.

    Args:
        game: in allocate mode.
        spent: what a dictator may spend, in nats.
        pairs: share of the pairs, in [0, 1].
    """

    def __init__(self, game: PreferenceAggregation, spent: float, pairs: float) -> None:
        """See the class."""
        super().__init__(game)
        self.aggregation, self.spent, self.pairs = game, spent, pairs

    def decision(self, reports: Array) -> Array:
        """Return the policy, and no payments."""
        log_reference = constant(self.aggregation.log_reference, reports)
        policy = (1 - self.pairs) * dictators(reports, log_reference, self.spent) + self.pairs * random_pairs(reports)
        return self.aggregation.joined(policy)


def best_truthful(game: PreferenceAggregation, seed: Sequence[int]) -> TruthfulMixture:
    """Choose the mixture with the best objective, on profiles that nothing else is measured on."""
    types = game.initial_state(TRIED, np.random.default_rng([AGGREGATION, *seed, CHOSEN])).types
    decided, found = random_pairs(types), []
    for spent in np.log(game.m) * BALLS:
        dictated = dictators(types, game.log_reference, spent)
        for share in PAIRS:
            last = game.settle(game.initial_state_from(types), game.joined((1 - share) * dictated + share * decided))
            found.append((float(np.mean(game.measure(evolve(last, payoffs=last.utilities)))), spent, share))
    _, spent, share = max(found)
    return TruthfulMixture(game, spent, share)


def values(game: PreferenceAggregation, mechanism: Policy, types: np.ndarray) -> np.ndarray:
    """Compute the objective (P,) of truthful reports, for types (P, n, K)."""
    return np.asarray(game.measure(play_out(game, mechanism, types, types)))


@dataclass(frozen=True)
class Judged:
    """Results of a rule.

    Attributes:
        value: objective of truthful reports, (P,).
        gains: mean over annotators of the gain of the best misreport found, (A,).
        greatest: of anybody.
        revenue: sum of payments of truthful reports, (P,).
    """

    value: np.ndarray
    gains: np.ndarray
    greatest: float
    revenue: np.ndarray

    def data(self, best: np.ndarray) -> dict[str, Any]:
        """Estimate all of them, and by how much the objective is below ``best``, (P,), profile by profile."""
        return {
            "value": Estimate.of_samples(self.value),
            "given_up": Estimate.of_samples(best - self.value),
            "gain": Estimate.of_samples(self.gains),
            "greatest_gain": self.greatest,
            **({"revenue": Estimate.of_samples(self.revenue)} if self.revenue.any() else {}),
        }


def judged(
    game: PreferenceAggregation, mechanism: Policy, types: np.ndarray, audited: int, effort: int, seed: int
) -> Judged:
    """Measure a rule on profiles (P, n, K), and search misreports on the first ``audited`` of them."""
    last = play_out(game, mechanism, types, types)
    gradient = not isinstance(mechanism, TruthfulMixture)  # of whose bisection there is none
    found = audit_game(game, mechanism, types[:audited], effort=effort, seed=seed, gradient=gradient).joint.gains
    value, paid = np.asarray(game.measure(last)), np.asarray(last.payments)
    return Judged(value, found.mean(1), float(found.max()), paid.sum(1))


def charged(game: PreferenceAggregation, share: float) -> tuple[PreferenceAggregation, Announcement]:
    """Make the game in which a share of MOSAIC's payments is announced, and the mechanism that announces it."""
    paying = replace(game, payments=True, mechanism_mode="announce", announced=("trim", "temperature", "charge"))
    return paying, Announcement((0.0, 1.0, share))


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Evaluate a run's rule as its config says; see :func:`judge`."""
    config = validate(run.settings)
    game: Any = config.game.make()
    return judge(game, load(run.path, role="mechanism", game=game), config.trainer.evaluation, seed)


def judge(game: PreferenceAggregation, learned: Policy, evaluation: Evaluation, seed: Sequence[int]) -> dict[str, Any]:
    """Measure a learned rule beside others, on fresh profiles, the same for all.

    Args:
        game: in allocate mode, without payments.
        learned: mechanism of the game.
        evaluation: profiles, and what the rule stands beside.
        seed: of the profiles and of the search, from a stream that no training draws from.

    Returns:
        ``rules``: by name, ``learned`` first, then those asked for, the best ``truthful_mixture``, and the
        ``reference`` whatever is reported: ``value``, the game's objective where everybody tells the truth;
        ``given_up``, by how much it is below that of the rule ``mean``; ``gain``, the mean over annotators of what the
        best misreport brings, and the ``greatest_gain`` of anybody, in units of reward; ``charged``: the same of MOSAIC
        by the share of its payments that is charged, with its ``revenue``; ``mixture``: ``spent`` and ``pairs`` of the
        truthful one.
    """
    types = game.initial_state(evaluation.profiles, np.random.default_rng([AGGREGATION, *seed, JUDGED])).types
    mixture = best_truthful(game, seed)
    known = {name: named_rule(game, name) for name in dict.fromkeys(("mean", *evaluation.rules))}
    size = (min(evaluation.audited, evaluation.profiles), evaluation.effort, seed[-1])
    ends = {TRUTHFUL: mixture, REFERENCE: TruthfulMixture(game, 0.0, 0.0)}
    found = {name: judged(game, rule, types, *size) for name, rule in {LEARNED: learned, **known, **ends}.items()}
    best = found["mean"].value
    paid = {f"{share:g}": judged(*charged(game, share), types, *size) for share in evaluation.charges}
    return {
        "rules": {name: each.data(best) for name, each in found.items()},
        "charged": {name: each.data(best) for name, each in paid.items()},
        "mixture": {"spent": mixture.spent, "pairs": mixture.pairs},
    }
