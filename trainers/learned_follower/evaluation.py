"""What a learned follower is worth: its walks beside exact ones and rules of thumb, payments, and incentive error."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from lawgiver.agents.follower import GoalWalker, LargestWorth, NearestGoal
from lawgiver.envs.goal_collection import solutions
from lawgiver.envs.goal_collection.game import GoalCollection
from lawgiver.trainers.audit import audit
from lawgiver.trainers.learned_follower.settings import Evaluation
from lawgiver.trainers.learned_follower.walks import Outcomes, response, settle, walk

STREAM = 0x666F6C6C
"""Sets the evaluation's random numbers apart from those of a training with the same seed."""


def evaluate(game: GoalCollection, follower: GoalWalker, settings: Evaluation, seed: int) -> dict[str, Any]:
    """Return the figures of a follower on fresh profiles of truthful participants.

    Returns:
        ``affine_welfare``: means of the follower's walk, of the walk that the mechanism ``settled`` on (the best of
        those with all and without each), and of rules of thumb. ``revenue``: what the mechanism takes, and its standard
        error. ``exact``: of the profiles that were solved exactly, ratios to the best walk of what the follower, the
        mechanism and the rules reach (their mean, the least, and the share of ``best`` walks), revenue beside that of
        the exact affine maximiser, and the ``regret_limit``, (asw* - asw) / w_i, which no misreport can bring more
        than. ``audit``: what :meth:`lawgiver.trainers.audit.Audit.data` tells of the misreports found. Both are null
        where not asked for. ``timing``: seconds a profile.
    """
    types = game.types_of(np.random.default_rng([STREAM, seed]).random((settings.profiles, game.n, 2)))
    started = time.monotonic()
    found = settle(game, follower, types, types)
    walked = time.monotonic()
    rules = {rule.who: _welfare(game, rule, types) for rule in (NearestGoal(game), LargestWorth(game))}
    settled = found.affine_welfare[:, 0]
    told: dict[str, Any] = {
        "affine_welfare": {
            "follower": found.greedy.mean(),
            "settled": settled.mean(),
            **{name: welfare.mean() for name, welfare in rules.items()},
        },
        "revenue": found.payments.sum(-1).mean(),
        "revenue_se": found.payments.sum(-1).std(ddof=1) / len(types) ** 0.5,
        "exact": None,
        "audit": None,
        "timing": {"settle_s_per_profile": (walked - started) / len(types)},
    }
    if settings.exact:
        started = time.monotonic()
        told["exact"] = _beside_exact(game, types[: settings.exact], found, rules)
        told["timing"]["exact_s_per_profile"] = (time.monotonic() - started) / len(types[: settings.exact])
    if settings.audited:
        layout, rule = game.type_layout(), response(game, follower)
        audited = types[: settings.audited]
        told["audit"] = audit(rule, layout, audited, effort=settings.effort, seed=seed, gradient=False).data()
    return told


def _welfare(game: GoalCollection, rule: GoalWalker, types: np.ndarray) -> np.ndarray:
    """Return the affine welfare of the walks for all, (B,)."""
    welfare: np.ndarray = (walk(game, rule, types, types).collected * game.worth(types)).sum(-1)
    return welfare


def _beside_exact(
    game: GoalCollection, types: np.ndarray, found: Outcomes, rules: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Return figures of the first profiles, those that are solved exactly."""
    count = len(types)
    best = game.best_walks(types)
    optimum = best.affine_welfare[:, 0]
    settled = found.affine_welfare[:count, 0]
    limits = (optimum - settled)[:, None] / game.weight_vector
    charged = solutions.payments(best, game.worth(types), game.weight_vector)
    return {
        "profiles": count,
        "affine_welfare": optimum.mean(),
        "follower_ratio": _ratio(found.greedy[:count], optimum),
        "settled_ratio": _ratio(settled, optimum),
        **{f"{name}_ratio": _ratio(welfare[:count], optimum) for name, welfare in rules.items()},
        "revenue": charged.sum(-1).mean(),
        "learned_revenue": found.payments[:count].sum(-1).mean(),
        "regret_limit": {"mean": limits.mean(), "max": limits.max()},
    }


def _ratio(welfare: np.ndarray, optimum: np.ndarray) -> dict[str, float]:
    """Return the mean and the least of the ratios, and the share that is 1 but for the end of the horizon."""
    ratios = welfare / optimum
    return {"mean": ratios.mean(), "min": ratios.min(), "best": (ratios > 1 - 1e-4).mean()}
