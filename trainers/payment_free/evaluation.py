"""Nash welfare of an allocation rule relative to the maximum, and the gains of misreports under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.payment_free_allocation.game import PaymentFreeAllocation, allocated_amounts
from lawgiver.envs.payment_free_allocation.measures import efficiency, mean_log_utility
from lawgiver.trainers.audit import audit_game
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import PAYMENT_FREE

MEASURED = 1_000
"""Instances on which welfare and efficiency are measured, at least: they are cheap beside an audit."""


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Audit a run's mechanism on fresh profiles, as its config says; see :func:`judge`."""
    config = validate(run.settings)
    game: Any = config.game.make()
    evaluation = config.trainer.evaluation
    return judge(game, load(run.path, role="mechanism"), evaluation.instances, evaluation.effort, seed)


def judge(
    game: PaymentFreeAllocation, mechanism: Policy, instances: int, effort: int, seed: int | Sequence[int]
) -> dict[str, Any]:
    """Measure welfare, efficiency and exploitability of a mechanism on fresh truthful instances.

    Args:
        game: in allocate mode.
        mechanism: allocation rule of the game.
        instances: number that is audited, >= 2; welfare and efficiency are measured on these and, up to 1,000, more.
        effort: of the audit, >= 1.
        seed: of the instances and of the search, a stream from which no training draws; a game that takes its types
            from a file may repeat profiles of the training.

    Returns:
        ``nash_welfare_ratio_to_pf``: the geometric mean (weighted, where weights differ) of utilities as a share of
        that under proportional fairness, above 0 and, but for what the solver leaves open, at most 1, estimated
        over instances; ``efficiency``: the mean share of what could be used that is; ``exploitability``: by what is
        misreported, ``value``, ``demand`` or both (``joint``), what the best misreport found gains, ``absolute`` (in
        the unit of utilities) and ``relative`` (to what the truth brings), an estimate of the ``mean`` over instances
        and participants and the ``max``; ``profiles`` and ``misreports_tried``: how many were audited.
    """
    seeds = [seed] if isinstance(seed, int) else list(seed)
    types = game.initial_state(max(instances, MEASURED), np.random.default_rng([PAYMENT_FREE, *seeds])).types
    found = audit_game(game, mechanism, types[:instances], effort=effort, seed=seeds[-1]).data()
    return {
        **welfare(game, mechanism, types),
        "exploitability": {
            group: {kind: {key: regret[kind][key] for key in ("mean", "max")} for kind in ("absolute", "relative")}
            for group, regret in found["groups"].items()
        },
        "profiles": instances,
        "misreports_tried": found["misreports_tried"],
    }


def welfare(game: PaymentFreeAllocation, mechanism: Policy, types: np.ndarray) -> dict[str, Any]:
    """Estimate welfare and efficiency of truthful reports, for types (P, n, 2m); see :func:`judge`."""
    logs, most, used = of_truth(game, mechanism, types)
    ratios = np.exp((logs - most) / game.weighting.mean())
    return {"nash_welfare_ratio_to_pf": Estimate.of_samples(ratios), "efficiency": float(used.mean())}


def of_truth(
    game: PaymentFreeAllocation, mechanism: Policy, types: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute mean log utility, that under proportional fairness, and efficiency, (P,) each, of truthful reports."""
    fair = make_policy(game, "mechanism", "proportional_fairness")
    ours, best = (play_out(game, policy, types, types) for policy in (mechanism, fair))
    logs, most = (mean_log_utility(played.utilities, game.weighting) for played in (ours, best))
    return logs, most, efficiency(allocated_amounts(ours), game.split(types)[1], game.supplies)
