"""Audits of allocation rules on common instances, cached in files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lawgiver.envs.core.make import make_policy
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.files.json_text import plain
from lawgiver.envs.files.reading import read_json
from lawgiver.envs.payment_free_allocation.game import PaymentFreeAllocation
from lawgiver.trainers.audit import audit_game
from lawgiver.trainers.payment_free.evaluation import of_truth
from lawgiver.trainers.reproduce.payment_free_points import Point
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.atomic_files import RunError, write_json

SEED = 20_231_118
"""Of the instances and of the audit: a stream that no training draws from."""
INSTANCES = 1_000
"""On which welfare and efficiency are measured, for every rule of a size the same."""
EFFORT = 1
"""Of the audit."""
TIMED, WARM = 4_096, 64
"""Games that a rule is timed on, and as many as it is warmed up on before."""
SEARCH = 2
"""Counts how the audit has searched: what an earlier search has judged is judged anew."""
GROUPS = ("value", "demand", "joint")
"""What is misreported, in the audit's words."""


@dataclass(frozen=True)
class Task:
    """Rule, size of the game, and thoroughness of a judgement.

    Attributes:
        n: participants.
        m: resources.
        rule: a mechanism's name, ``{policy: NAME, ...}``, or None for what the run learned in whose folder it is kept.
        audited: the first instances, so many, on which misreports are searched.
        instances: on which it is measured; ``effort``, ``seed`` and ``search`` of the audit, see the constants here.
    """

    n: int
    m: int
    rule: Any
    audited: int
    instances: int
    effort: int
    seed: int
    search: int = SEARCH


@dataclass(frozen=True)
class Judgement:
    """Results of a rule on the instances.

    Attributes:
        welfare: geometric mean of utilities where all tell the truth, (N,); ``ratios``, that by the one of proportional
            fairness, (N,).
        efficiency: mean share of what could be used that is.
        gains: by group, the mean over participants of relative gains, (M,).
        greatest: by group, the greatest relative gain of anybody; ``added``, how much of the mean the second half of
            the search has found.
        seconds: that the rule took for 4,096 games.
    """

    welfare: np.ndarray
    ratios: np.ndarray
    efficiency: float
    gains: dict[str, np.ndarray]
    greatest: dict[str, float]
    added: dict[str, float]
    seconds: float


def judge(task: Task, folder: Path) -> Judgement:
    """Judge a rule, or what the run in ``folder`` learned."""
    game = PaymentFreeAllocation(n=task.n, m=task.m)
    mechanism = make_policy(game, "mechanism", task.rule or folder)
    types = game.initial_state(task.instances, np.random.default_rng(task.seed)).types
    logs, most, used = of_truth(game, mechanism, types)
    found = audit_game(game, mechanism, types[: task.audited], effort=task.effort, seed=task.seed)
    relative = {group: found.relative(found.regrets[group]) for group in GROUPS}
    many = game.initial_state(TIMED, np.random.default_rng(task.seed)).types
    play_out(game, mechanism, many[:WARM], many[:WARM])
    started = time.perf_counter()
    play_out(game, mechanism, many, many)
    seconds = time.perf_counter() - started
    return Judgement(
        welfare=np.exp(logs),
        ratios=np.exp(logs - most),
        efficiency=float(used.mean()),
        gains={group: gains.mean(1) for group, gains in relative.items()},
        greatest={group: float(gains.max()) for group, gains in relative.items()},
        added={group: float(found.relative_added(found.regrets[group]).mean()) for group in GROUPS},
        seconds=seconds,
    )


def judged_all(wanted: Sequence[tuple[Path, Task]], jobs: int) -> list[Judgement]:
    """Read judgements from files, up to ``jobs`` of the missing or outdated ones computed in parallel.

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
            launch.in_parallel(_keep, waiting, jobs)
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
    """Read a judgement from a file, None if there is none or it is of another task."""
    try:
        data = read_json(file)
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
    """Locate a rule by one group of misreports, given one judgement a seed."""
    ratios, gains = (
        np.stack(parts) for parts in ([j.ratios for j in judgements], [j.gains[group] for j in judgements])
    )
    return Point(name, ratios, gains)
