"""Revenue and regret of auctions of several items, on fresh profiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.multi_item_auction.game import MultiItemAuction
from lawgiver.trainers.audit import audit_game
from lawgiver.trainers.audit.result import mean_over_profiles
from lawgiver.trainers.evaluation.item_auctions import BASELINES, judged_profiles, measured
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import REGRET_NET

MEASURED = 200_000
"""Profiles on which revenue is measured, at least: they are cheap beside an audit."""


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Judge a run's auction and its baselines on fresh profiles, as its config says; see :func:`beside_baselines`."""
    config = validate(run.settings)
    game: Any = config.game.make()
    evaluation = config.trainer.evaluation
    learned = load(run.path, role="mechanism")
    return beside_baselines(game, learned, evaluation.instances, evaluation.effort, seed)


def beside_baselines(
    game: MultiItemAuction, learned: Policy, instances: int, effort: int, seed: Sequence[int]
) -> dict[str, Any]:
    """Judge a learned auction, and all baselines that the game knows, on the same profiles.

    Returns:
        by measure of :func:`judge` and by the auction's name what is found; ``revenue`` also has ``limit``, that of
        the best truthful auction that nobody loses by, None where it is not known; ``profiles`` that were audited.
    """
    known = {name: make_policy(game, "mechanism", name) for name in BASELINES if name in game.direct_rules}
    rules = {"learned": learned, **known}
    judged = {name: judge(game, mechanism, instances, effort, seed) for name, mechanism in rules.items()}
    found = {measure: {name: each[measure] for name, each in judged.items()} for measure in judged["learned"]}
    found["revenue"]["limit"] = game.limit()
    return {**found, "profiles": found["revenue_gamed"]["learned"].n}


def judge(
    game: MultiItemAuction, mechanism: Policy, instances: int, effort: int, seed: Sequence[int]
) -> dict[str, Any]:
    """Measure revenue, regret and revenue when gamed.

    Args:
        game: in allocate mode, paid revenue.
        mechanism: of the game.
        instances: number of profiles that are audited, >= 2, or all of a file with fewer.
        effort: of the audit, >= 1.
        seed: entropy of the profiles and, by its last number, of the search.

    Returns:
        ``revenue``: an estimate over :data:`MEASURED` profiles of truthful bidders, or over each of a file's own;
        ``regret``: an estimate of the mean over audited profiles and bidders of what the best misreport found gains,
        ex post; ``regret_added``: how much of it the second half of the search has found, which is what doubling its
        effort adds; ``largest_gain``; ``revenue_gamed``: an estimate of the revenue when everybody reports its best
        misreport. The last is the revenue plus the mean change on the audited profiles, which varies less than revenue
        does.
    """
    types = judged_profiles(game, max(instances, MEASURED), np.random.default_rng([REGRET_NET, *seed]))
    audited = types[:instances]
    revenues = measured(game, mechanism, types)
    found = audit_game(game, mechanism, audited, effort=effort, seed=list(seed)[-1])
    assert found.gamed is not None
    changes = (found.gamed - found.payments).sum(1)
    # The audited profiles are some of the others, so that both parts of the sum vary together there.
    gamed = revenues + changes.mean()
    weight = len(types) / np.sqrt(len(audited) * max(1, len(audited) - 1))
    gamed[: len(audited)] += weight * (changes - changes.mean())
    return {
        "revenue": Estimate.of_samples(revenues),
        "regret": mean_over_profiles(found.joint.gains),
        "regret_added": float(found.joint.added.mean()),
        "largest_gain": found.largest_gain,
        "revenue_gamed": replace(Estimate.of_samples(gamed), n=len(audited)),
    }
