"""Rules of sharing judged instance by instance, all on the same ones, and kept so that none is judged twice."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.agents.allocation import FamilyRule
from lawgiver.envs.core.arrays import Array, constant, namespace, total
from lawgiver.envs.core.registry import make_policy
from lawgiver.envs.core.reporting import play_out
from lawgiver.envs.payment_free_allocation.game import PaymentFreeAllocation, allotted
from lawgiver.envs.payment_free_allocation.measures import efficiency, log_nash_welfare, utilities
from lawgiver.envs.payment_free_allocation.partial_allocation import kept_shares
from lawgiver.envs.payment_free_allocation.proportional_fairness import solve
from lawgiver.envs.payment_free_allocation.sharing import water_filling
from lawgiver.trainers import launch
from lawgiver.trainers.audit import Response, audit, response_of
from lawgiver.trainers.config import Resources
from lawgiver.trainers.files import RunError, plain, write_json
from lawgiver.trainers.reproduce.payment_free_points import Point

SEED = 20_231_118
"""Of the instances and of the audit: a stream that no training draws from."""
INSTANCES = 1_000
"""On which welfare and efficiency are measured, for every rule of a size the same."""
EFFORT = 1
"""Rounds of the audit's search."""
TIMED, WARM = 4_096, 64
"""Games that a rule is timed on, and as many as it is warmed up on before."""
GROUPS = ("value", "demand", "joint")
"""What is misreported, in the audit's words."""


@dataclass(frozen=True)
class Task:
    """What is judged, and how thoroughly.

    Attributes:
        n: participants.
        m: resources.
        rule: a mechanism's name, ``{policy: NAME, ...}``, or None for what the run learned in whose folder it is kept.
        audited: the first instances, so many, on which misreports are searched.
        instances: on which it is measured; ``effort`` and ``seed`` of the audit, see the constants here.
    """

    n: int
    m: int
    rule: Any
    audited: int
    instances: int
    effort: int
    seed: int


@dataclass(frozen=True)
class Judgement:
    """What a rule is found to do.

    Attributes:
        welfare: geometric mean of utilities where all tell the truth, (N,); ``ratios``, that by the one of proportional
            fairness, (N,).
        efficiency: mean share of what could be used that is.
        gains: by group, the mean over participants of relative gains, (M,).
        greatest: by group, the greatest relative gain of anybody.
        seconds: that the rule took for 4,096 games.
    """

    welfare: np.ndarray
    ratios: np.ndarray
    efficiency: float
    gains: dict[str, np.ndarray]
    greatest: dict[str, float]
    seconds: float


def judge(task: Task, folder: Path) -> Judgement:
    """Judge a rule, or what the run in ``folder`` learned."""
    game = PaymentFreeAllocation(n=task.n, m=task.m)
    mechanism = make_policy(game, "mechanism", task.rule or folder)
    fair = make_policy(game, "mechanism", "proportional_fairness")
    types = game.initial_state(task.instances, np.random.default_rng(task.seed)).types
    ours, best = (play_out(game, policy, types, types) for policy in (mechanism, fair))
    logs, most = (log_nash_welfare(played.utilities, game.weighting) for played in (ours, best))
    audited = types[: task.audited]
    rule = alone(game, mechanism, audited) if isinstance(mechanism, FamilyRule) else response_of(game, mechanism)
    floor = game.relative_floor
    found = audit(rule, game.type_layout(), audited, effort=task.effort, seed=task.seed, floor=floor)
    relative = {group: found.relative(found.regrets[group]) for group in GROUPS}
    many = game.initial_state(TIMED, np.random.default_rng(task.seed)).types
    play_out(game, mechanism, many[:WARM], many[:WARM])
    started = time.perf_counter()
    play_out(game, mechanism, many, many)
    return Judgement(
        welfare=np.exp(logs),
        ratios=np.exp(logs - most),
        efficiency=float(efficiency(allotted(ours), game.split(types)[1], game.supplies).mean()),
        gains={group: gains.mean(1) for group, gains in relative.items()},
        greatest={group: float(gains.max()) for group, gains in relative.items()},
        seconds=time.perf_counter() - started,
    )


def alone(game: PaymentFreeAllocation, rule: FamilyRule, types: np.ndarray) -> Response:
    """Return a rule of the family as whoever alone misreports meets it: one problem a game, where there are n + 1.

    What the others would have without participant i does not depend on what i says, and is found once for a profile. So
    a game that is played holds for whoever misreports in it, and for all where nobody does: what an audit looks at.

    Args:
        game: that is played.
        rule: of which only what it makes use of is solved.
        types: true ones of all profiles that will be played, (P, n, 2m).
    """
    (burning, sharing), weights = rule.parameters.tolist(), game.weighting
    others, place = 1 - np.eye(game.n), {profile.tobytes(): row for row, profile in enumerate(types)}

    def logs(values: Array, amounts: Array) -> Array:
        """Return w_k log u_k summed over the others than i, (B, n)."""
        xp, worth = namespace(values), total(values * amounts)
        there = worth > 0
        each = xp.where(there, xp.log(xp.where(there, worth, 1 + 0 * worth)), 0 * worth) * constant(weights, worth)
        return each @ constant(others, worth)

    def fair(values: Array, demands: Array) -> Array:
        return solve(values, demands, constant(game.supplies, values), constant(weights, values))

    values, demands = game.split(types)
    kept = kept_shares(values, demands, game.supplies, weights) if burning else np.ones(types.shape[:2])
    best = logs(values, fair(values, demands)) - weights * np.log(kept)

    def response(types: Array, reports: Array) -> tuple[Array, Array]:
        values, demands = game.split(reports)
        xp, amounts = namespace(values), 0 * values
        if sharing < 1:
            amounts = fair(values, demands)
        if burning:
            known = constant(best[[place[profile.tobytes()] for profile in np.asarray(types)]], values)
            lost = (logs(values, amounts) - known) / constant(weights, values)
            amounts = amounts * xp.exp(burning * xp.clip(lost, None, 0.0))[..., None]
        if sharing:
            amounts = (1 - sharing) * amounts + sharing * water_filling(demands, game.supplies, weights)
        found = utilities(amounts, *game.split(types))
        return found, 0 * found

    return response


def judged_all(wanted: Sequence[tuple[Path, Task]], jobs: int) -> list[Judgement]:
    """Return what is kept in files, judged where it is not or where another task was, so many at once.

    Args:
        wanted: file and task of each; what a run has learned is judged beside the run, in its folder.
        jobs: at once, >= 1; more than one are Ray tasks, as trainings are.

    Raises:
        RunError: if a file cannot be read or written.
        Interrupted: if the user stops it.
    """
    waiting = [(file.absolute(), asdict(task)) for file, task in wanted if _kept(file, task) is None]
    try:
        if jobs > 1:
            use = Resources(address=os.environ.get("RAY_ADDRESS"), concurrent_seeds=jobs)
            launch.in_ray(_keep, waiting, use, num_cpus=1)
        else:
            for call in waiting:
                _keep(*call)
    except KeyboardInterrupt as stop:
        raise launch.Interrupted(wanted[0][0].parent) from stop
    found = [_kept(file, task) for file, task in wanted]
    return [each for each in found if each is not None]


def _keep(file: Path, task: dict[str, Any]) -> dict[str, Any]:
    """Judge, and write the file at once."""
    found = judge(Task(**task), file.parent)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, {"task": task, "found": vars(found)})
    return {}


def _kept(file: Path, task: Task) -> Judgement | None:
    """Return what a file keeps, None if there is none or it is of another task."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        if data["task"] != plain(asdict(task)):
            return None
        found = data["found"]
        arrays = {key: np.array(found[key], float) for key in ("welfare", "ratios")}
        gains = {group: np.array(found["gains"][group], float) for group in GROUPS}
        return Judgement(**{**found, **arrays, "gains": gains})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} is damaged, remove it to have it judged again: {error}") from error


def point(name: str, judgements: Sequence[Judgement], group: str) -> Point:
    """Return where a rule lies by one group of misreports; several judgements are of as many seeds."""
    ratios, gains = (
        np.stack(parts) for parts in ([j.ratios for j in judgements], [j.gains[group] for j in judgements])
    )
    return Point(name, ratios, gains)
