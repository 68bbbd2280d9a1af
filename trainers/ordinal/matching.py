"""Stability and truthfulness of a learned rule of matching, beside those of known rules on the same markets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from lawgiver.agents.matching_net import LearnedMatching, two_sided
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.matching import Matching
from lawgiver.envs.matching.game import RULES
from lawgiver.envs.solvers.matching.measures import truthfulness_violation
from lawgiver.envs.solvers.matching.preferences import LARGEST_LIST, all_reports
from lawgiver.trainers.ordinal.hull import Violations, below
from lawgiver.trainers.ordinal.markets import Markets
from lawgiver.trainers.ordinal.settings import OrdinalTrainer
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import ORDINAL

Rule: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Shares (B, r, c) for values and priorities (B, r, c)."""
LEARNED = "learned"
KNOWN = ("deferred_acceptance", "top_trading_cycles", "random_priority", "immediate_acceptance")
"""Rules that a learned one stands beside."""
LARGEST_SIDE = 7
"""Participants of a side up to which the truthfulness of the learned rule is measured."""
TRIED = 400_000
"""Lists that are tried at most, in all markets together, where a side is larger than it is in training."""
CHUNK = 2_048
"""Markets that the network decides at once: few enough for a processor's cache."""
PROFILES = 0
"""Stream of random numbers."""


def checked(game: Game[Any], settings: OrdinalTrainer) -> Matching:
    """Return the game as one whose rule the trainer learns.

    Raises:
        UnsupportedGameError: if it has one side, another objective than stability, or too many lists.
        ParameterError: if all profiles are to be listed, or the evaluation has sides that are too large.
    """
    matching = two_sided(game, "trainer 'ordinal'")
    if matching.objective != "stability":
        raise UnsupportedGameError(
            f"trainer 'ordinal' learns stable matchings: game.objective is {matching.objective!r}, allowed: stability"
        )
    if matching.market is not None:
        raise UnsupportedGameError(
            f"trainer 'ordinal' learns from lists that are drawn: game.market is {matching.market!r}, allowed: None"
        )
    if matching.menu() is None:
        raise UnsupportedGameError(
            f"trainer 'ordinal' tries all lists: game.n is {matching.n}, allowed: {2 * LARGEST_LIST} at most"
        )
    if settings.profiles == "all":
        raise ParameterError("trainer.profiles is 'all', allowed with matching: sampled")
    if settings.evaluation.voters:
        raise ParameterError("trainer.evaluation.voters is given, allowed with matching: trainer.evaluation.sides")
    for side in settings.evaluation.sides:
        if side > LARGEST_SIDE:
            raise ParameterError(
                f"trainer.evaluation.sides has {side}, allowed: {LARGEST_SIDE} at most, as all lists are tried"
            )
    return matching


def profiles(game: Matching, settings: OrdinalTrainer, seed: int, device: str) -> Markets:
    """Return the markets that a rule is trained on."""
    return Markets(game, settings.batch, settings.deviators, seed, device)


def judge(game: Matching, learned: LearnedMatching, settings: OrdinalTrainer, seed: Sequence[int]) -> dict[str, Any]:
    """Estimate the violations of a learned rule beside those of known ones.

    Args:
        game: in ``allocate`` mode.
        learned: rule of the game.
        settings: of the trainer.
        seed: of the markets, from a stream that no training draws from.

    Returns:
        ``rules``: by name, ``learned`` first, ``stability``, the violation of stability and participation, ``regret``,
        that of strategyproofness, by all lists of all participants, and ``welfare``. Known rules have
        ``more_stable`` and ``less_regret``, how much less the learned rule violates on the same markets; the learned
        one has ``below_lines``, see :func:`lawgiver.trainers.ordinal.hull.below`. ``sides``: the same of the learned
        rule by number of participants of a side, and how many of each side were ``audited``; ``profiles``: markets.
    """
    rules: dict[str, Rule] = {
        LEARNED: rule_by_parts(learned),
        **{name: partial(known, name, game.seats.tolist()) for name in KNOWN if name in game.direct_rules},
    }
    count = settings.evaluation.profiles
    values = {name: measured(game, rule, count, seed) for name, rule in rules.items()}
    own = values[LEARNED]
    found: dict[str, dict[str, Estimate]] = {}
    for name, by_measure in values.items():
        found[name] = estimates(by_measure)
        if name != LEARNED:
            found[name]["more_stable"] = Estimate.of_samples(by_measure["stability"] - own["stability"])
            found[name]["less_regret"] = Estimate.of_samples(by_measure["regret"] - own["regret"])
    violations = {name: Violations(each["regret"], each["stability"]) for name, each in values.items()}
    found[LEARNED]["below_lines"] = below(violations.pop(LEARNED), list(violations.values()))
    others = {
        str(side): of_side(replace(game, n=2 * side, m=None), rule_by_parts(learned), count, seed)
        for side in settings.evaluation.sides
    }
    return {"rules": found, "sides": others, "profiles": count}


def of_side(game: Matching, rule: Rule, count: int, seed: Sequence[int]) -> dict[str, Any]:
    """Estimate the violations of a rule in a game; with many lists in fewer markets, by one row and one column."""
    lists = all_reports(game.columns, LARGEST_SIDE)
    agents = game.rows if game.menu() is not None else 1
    fewer = max(2, min(count, TRIED // (2 * agents * len(lists))))
    return {**estimates(measured(game, rule, fewer, seed, lists, agents)), "audited": agents}


def measured(
    game: Matching,
    rule: Rule,
    count: int,
    seed: Sequence[int],
    lists: np.ndarray | None = None,
    agents: int | None = None,
) -> dict[str, np.ndarray]:
    """Measure a rule in fresh markets.

    Args:
        game: the game.
        rule: of matching.
        count: markets.
        seed: of the markets.
        lists: that are tried, (A, m); None for all.
        agents: rows, and columns, that try them; None for all. They are drawn alike, so that some stand for all.

    Returns:
        ``stability``, ``regret`` and ``welfare``, (count,) each.
    """
    types = game.initial_state(count, np.random.default_rng([ORDINAL, *seed, PROFILES])).types
    sides = game.both_sides(types)
    done = game.settle(game.initial_state_from(types), game.joined(rule(*sides)))
    tried = truthfulness_violation(rule, *sides, reports=lists, agents=agents)
    measures = game.measures()
    return {
        "stability": np.asarray(measures["stability"](done)),
        "regret": np.concatenate(tried, axis=1).mean(1),
        "welfare": np.asarray(measures["welfare"](done)),
    }


def estimates(values: Mapping[str, np.ndarray]) -> dict[str, Estimate]:
    """Estimate the means of measures by market."""
    return {measure: Estimate.of_samples(each) for measure, each in values.items()}


def rule_by_parts(learned: LearnedMatching) -> Rule:
    """Make a function of both sides, some markets after others, out of a learned rule."""

    def rule(values: np.ndarray, priorities: np.ndarray) -> np.ndarray:
        parts = [slice(start, start + CHUNK) for start in range(0, len(values), CHUNK)]
        return np.concatenate([np.asarray(learned.shares(values[part], priorities[part])) for part in parts])

    return rule


def known(name: str, seats: list[int], values: np.ndarray, priorities: np.ndarray) -> np.ndarray:
    """Decide by a known rule: shares (B, r, c) for values and priorities (B, r, c) and seats of columns."""
    return np.asarray(RULES[name](values, priorities, seats))
