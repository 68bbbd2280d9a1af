"""Revenue and regret of auctions of several items, on fresh profiles."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot
from typing import Any

import numpy as np

from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.multi_item_auction.game import MultiItemAuction
from lawgiver.trainers.audit import audit_game
from lawgiver.trainers.audit.result import mean_over_profiles
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import REGRET_NET

MEASURED = 200_000
"""Profiles on which revenue is measured, at least: they are cheap beside an audit."""
PART = 2**16
"""Auctions that are played at once."""
BASELINES = ("vcg", "item_myerson", "bundle_myerson")
"""Truthful auctions that a learned one is compared with, where the game knows them."""


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
        ``mechanisms``: by name what :func:`judge` measures; ``limit``: the greatest revenue of any truthful auction
        that nobody loses by, None where it is not known; ``profiles`` that were audited.
    """
    known = {name: make_policy(game, "mechanism", name) for name in BASELINES if name in game.direct_rules}
    rules = {"learned": learned, **known}
    judged = {name: judge(game, mechanism, instances, effort, seed) for name, mechanism in rules.items()}
    return {"mechanisms": judged, "limit": game.limit(), "profiles": instances}


def judge(
    game: MultiItemAuction, mechanism: Policy, instances: int, effort: int, seed: Sequence[int]
) -> dict[str, Any]:
    """Measure revenue, regret and revenue when gamed.

    Args:
        game: in allocate mode, paid revenue.
        mechanism: of the game.
        instances: number of profiles that are audited, >= 2.
        effort: of the audit, >= 1.
        seed: entropy of the profiles and, by its last number, of the search.

    Returns:
        ``revenue``: an estimate over :data:`MEASURED` profiles of truthful bidders; ``regret``: an estimate of the
        mean over audited profiles and bidders of what the best misreport found gains, ex post; ``regret_added``: how
        much of it the second half of the search has found, which is what doubling its effort adds; ``largest_gain``;
        ``revenue_gamed``: an estimate of the revenue when everybody reports its best misreport. The last is the
        revenue plus the mean change on the audited profiles, which varies less than revenue does.
    """
    types = game.initial_state(max(instances, MEASURED), np.random.default_rng([REGRET_NET, *seed])).types
    revenue = Estimate.of_samples(revenues(game, mechanism, types))
    found = audit_game(game, mechanism, types[:instances], effort=effort, seed=list(seed)[-1])
    assert found.gamed is not None
    change = Estimate.of_samples((found.gamed - found.payments).sum(1))
    assert revenue.standard_error is not None and change.standard_error is not None
    error = hypot(revenue.standard_error, change.standard_error)
    return {
        "revenue": revenue,
        "regret": mean_over_profiles(found.joint.gains),
        "regret_added": float(found.joint.added.mean()),
        "largest_gain": found.largest_gain,
        "revenue_gamed": Estimate.normal(revenue.mean + change.mean, error, instances),
    }


def revenues(game: MultiItemAuction, mechanism: Policy, types: np.ndarray) -> np.ndarray:
    """Compute the revenue of truthful bidders, (P,), for types (P, n, m)."""
    parts = (types[start : start + PART] for start in range(0, len(types), PART))
    return np.concatenate([np.asarray(play_out(game, mechanism, part, part).payments).sum(1) for part in parts])
