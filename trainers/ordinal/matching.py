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
TRUTHFUL = "random_priority"
"""Of these, the one under which no other list brings anything: rows choose in turn, and columns are not asked."""
LARGEST_SIDE = 7
"""Participants of a side up to which the truthfulness of the learned rule is measured."""
TRIED = 400_000
"""Lists that a rule tries at most, in all markets together, with other numbers of participants than in training."""
TRIED_IN_GAME = 1_100_000
"""The same in the game that the rule is learned in: minutes of a processor."""
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
        one has ``below_lines``, see :func:`lawgiver.trainers.ordinal.hull.below`. ``sides``: by number of participants
        of a side, see :func:`of_side`. ``profiles``: markets, fewer than asked for where there are many lists.
    """
    rule = rule_by_parts(learned)
    rules = {LEARNED: rule, **known_rules(game)}
    count = markets_that_try(TRIED_IN_GAME, settings.evaluation.profiles, game.n * len(all_reports(game.columns)))
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
        str(side): of_side(replace(game, n=2 * side, m=None), rule, settings.evaluation.profiles, seed)
        for side in settings.evaluation.sides
    }
    return {"rules": found, "sides": others, "profiles": count}


def of_side(game: Matching, rule: Rule, count: int, seed: Sequence[int]) -> dict[str, Any]:
    """Estimate the violations of a rule, and of known ones, in a game.

    Args:
        game: of any number of participants.
        rule: the learned one.
        count: markets; fewer where there are many lists, and then one row and one column try them.
        seed: of the markets.

    Returns:
        ``stability``, ``regret`` and ``welfare`` of the rule, how many of each side were ``audited``, and ``known``:
        the same of known rules in the same markets, by name. With many lists nobody tries any under random priority.
    """
    lists = all_reports(game.columns, LARGEST_SIDE)
    few = game.menu() is not None
    agents = game.rows if few else 1
    fewer = markets_that_try(TRIED, count, 2 * agents * len(lists))

    def of_rule(each: Rule, audited: int) -> dict[str, Any]:
        return {**estimates(measured(game, each, fewer, seed, lists, audited)), "audited": audited}

    beside = {
        name: of_rule(each, 0 if name == TRUTHFUL and not few else agents) for name, each in known_rules(game).items()
    }
    return {**of_rule(rule, agents), "known": beside}


def markets_that_try(most: int, count: int, lists: int) -> int:
    """Compute in how many of ``count`` markets, two at least, ``lists`` can be tried that come to ``most`` together."""
    return max(2, min(count, most // lists))


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
        agents: rows, and columns, that try them; None for all. They are drawn alike, so that some stand for all. 0 for
            a rule that is known to have no regret.

    Returns:
        ``stability``, ``regret`` and ``welfare``, (count,) each.
    """
    types = game.initial_state(count, np.random.default_rng([ORDINAL, *seed, PROFILES])).types
    sides = game.both_sides(types)
    done = game.settle(game.initial_state_from(types), game.joined(rule(*sides)))
    regret = np.zeros(count)
    if agents != 0:
        tried = truthfulness_violation(rule, *sides, reports=lists, agents=agents)
        regret = np.concatenate(tried, axis=1).mean(1)
    measures = game.measures()
    return {
        "stability": np.asarray(measures["stability"](done)),
        "regret": regret,
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


def known_rules(game: Matching) -> dict[str, Rule]:
    """Make the known rules that decide in a game, by name."""
    return {name: partial(known, name, game.seats.tolist()) for name in KNOWN if name in game.direct_rules}


def known(name: str, seats: list[int], values: np.ndarray, priorities: np.ndarray) -> np.ndarray:
    """Decide by a known rule: shares (B, r, c) for values and priorities (B, r, c) and seats of columns."""
    return np.asarray(RULES[name](values, priorities, seats))
