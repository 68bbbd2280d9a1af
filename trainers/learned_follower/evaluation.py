"""Evaluation of a learned follower: its walks beside exact ones and heuristics, payments, and gains of misreports."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from lawgiver.agents.follower import GoalWalker, LargestWorth, NearestGoal
from lawgiver.envs.goal_collection import solutions
from lawgiver.envs.goal_collection.game import GoalCollection
from lawgiver.trainers.audit import audit
from lawgiver.trainers.learned_follower.settings import Evaluation
from lawgiver.trainers.learned_follower.walks import Outcomes, response, settle, walk
from lawgiver.trainers.runs.config import validate
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.streams import FOLLOWER

EXACT = (
    *(f"{who}_ratio" for who in ("follower", "settled", NearestGoal.who, LargestWorth.who)),
    "revenue_beside_exact",
    "regret_limit",
)
"""Measures of profiles that are solved exactly."""
AUDITED = ("individual_rationality", "budget", "misreports_tried")
"""Measures that are taken from an audit unchanged, beside ``regret``."""


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Evaluate a run's follower on fresh profiles, as many as its config asks for; see :func:`evaluate`."""
    config = validate(run.settings)
    game: Any = config.game.make()
    return evaluate(game, load(run.path, role="mechanism"), config.trainer.evaluation, seed)


def evaluate(game: GoalCollection, follower: GoalWalker, settings: Evaluation, seeds: Sequence[int]) -> dict[str, Any]:
    """Measure a follower on fresh profiles of truthful participants, drawn from ``seeds``.

    Returns:
        ``affine_welfare``: means of the follower's walk, of the walk that the mechanism ``settled`` on (the best of
        those with all and without each), and of heuristics. ``revenue``: sum of the payments, estimated.
        Of the first ``exact`` profiles (``exact_profiles``), null if there are none: the ratios to the best walk of the
        affine welfare of follower, mechanism and heuristics (mean, minimum, and share of ``best`` walks);
        ``revenue_beside_exact``, of the ``learned`` walks and of the ``exact`` affine maximiser; ``regret_limit``, the
        bound (asw* - asw) / w_i of the gain of any misreport, mean and max. Of the first ``audited`` profiles, null if
        there are none, the results of :meth:`lawgiver.trainers.audit.Audit.data`: ``regret`` by group of fields
        (absolute, and relative to the truthful payoff), ``individual_rationality``, ``budget``, ``misreports_tried``.
        ``timing``: seconds a profile of the follower's walks with all and without each, of the exact solution, and of
        the audit; null where no profile is solved or audited.
    """
    types = game.types_of(np.random.default_rng([FOLLOWER, *seeds]).random((settings.profiles, game.n, 2)))
    started = time.monotonic()
    found = settle(game, follower, types, types)
    walked = time.monotonic()
    best = game.best_walks(types[: settings.exact]) if settings.exact else None
    solved = time.monotonic()
    rules = {rule.who: _welfare(game, rule, types) for rule in (NearestGoal(game), LargestWorth(game))}
    exact = dict.fromkeys(EXACT) if best is None else _beside_exact(game, best, types, found, rules)
    audited, auditing = types[: settings.audited], time.monotonic()
    incentives: dict[str, Any] = dict.fromkeys(("regret", *AUDITED))
    if len(audited):
        rule, layout = response(game, follower), game.type_layout()
        data = audit(rule, layout, audited, effort=settings.effort, seed=seeds[-1], gradient=False).data()
        regret = {group: _regret(gains) for group, gains in data["groups"].items()}
        incentives = {name: data[name] for name in AUDITED} | {"regret": regret}
    timing = {
        "settle_s": (walked - started) / len(types),
        "exact_s": (solved - walked) / settings.exact if settings.exact else None,
        "audit_s": (time.monotonic() - auditing) / len(audited) if len(audited) else None,
    }
    return {
        "affine_welfare": {
            "follower": found.greedy.mean(),
            "settled": found.affine_welfare[:, 0].mean(),
            **{name: welfare.mean() for name, welfare in rules.items()},
        },
        "revenue": Estimate.of_samples(found.payments.sum(-1)),
        "exact_profiles": settings.exact,
        **exact,
        "audited_profiles": settings.audited,
        **incentives,
        "timing": timing,
    }


def _welfare(game: GoalCollection, rule: GoalWalker, types: np.ndarray) -> np.ndarray:
    """Compute the affine welfare of a heuristic's walks, (B,)."""
    welfare: np.ndarray = (walk(game, rule, types, types).collected * game.worth(types)).sum(-1)
    return welfare


def _beside_exact(
    game: GoalCollection,
    best: solutions.BestWalks,
    types: np.ndarray,
    found: Outcomes,
    rules: dict[str, np.ndarray],
) -> dict[str, Any]:
    """Compare the first profiles with their exact solutions."""
    optimum = best.affine_welfare[:, 0]
    count = len(optimum)
    settled = found.affine_welfare[:count, 0]
    limits = (optimum - settled)[:, None] / game.weight_vector
    charged = solutions.payments(best, game.worth(types[:count]), game.weight_vector)
    return {
        "follower_ratio": _ratio(found.greedy[:count], optimum),
        "settled_ratio": _ratio(settled, optimum),
        **{f"{name}_ratio": _ratio(welfare[:count], optimum) for name, welfare in rules.items()},
        "revenue_beside_exact": {
            "learned": found.payments[:count].sum(-1).mean(),
            "exact": charged.sum(-1).mean(),
        },
        "regret_limit": {"mean": limits.mean(), "max": limits.max()},
    }


def _regret(group: dict[str, Any]) -> dict[str, Any]:
    absolute, relative = group["absolute"], group["relative"]
    shares = {f"{name}_relative": relative[name] for name in ("mean", "max")}
    return {"mean": absolute["mean"], "max": absolute["max"], **shares, "tried": group["tried"]}


def _ratio(welfare: np.ndarray, optimum: np.ndarray) -> dict[str, float]:
    """Compute mean and minimum of the ratios, and the share that is 1 up to the truncation at the horizon."""
    ratios = welfare / optimum
    return {"mean": ratios.mean(), "min": ratios.min(), "best": (ratios > 1 - 1e-4).mean()}
