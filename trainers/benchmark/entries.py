"""Entries of the benchmark: an algorithm on a task, as a config that any trainer may refuse."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lawgiver.envs.core.errors import ParameterError, UnknownNameError, allowed
from lawgiver.envs.core.registry import TRAINERS, names
from lawgiver.envs.files.json_text import plain, to_json
from lawgiver.trainers.benchmark.metrics import SECTIONS
from lawgiver.trainers.benchmark.task import VERSION, Task
from lawgiver.trainers.runs.config import load_config, validate
from lawgiver.trainers.runs.provenance import commit, versions
from lawgiver.trainers.runs.trainer import find_trainer
from lawgiver.trainers.settings.base import AnyConfig, anchor_of
from lawgiver.trainers.settings.learners import Learners, StepsTrainer

OWN = "own"
"""The algorithm that the library has for each task, by the task's ``own``."""


@dataclass(frozen=True)
class Entry:
    """An algorithm on a task, at one size.

    Attributes:
        task: it learns.
        algorithm: a trainer's name, or :data:`OWN`.
        size: ``small`` or ``full``.
        config: of the training, but for seed and folder.
        digest: of whatever the numbers depend on: config, task, version of the benchmark and commit of the source.
    """

    task: Task
    algorithm: str
    size: str
    config: AnyConfig
    digest: str

    def folder(self, out: Path, seed: int) -> Path:
        """Return the run's folder below that of the benchmark."""
        return out / "runs" / self.task.name / f"{self.algorithm}-{self.size}-{self.digest}" / f"s{seed}"


def make_entry(task: Task, algorithm: str, size: str) -> Entry:
    """Make the config by which an algorithm learns a task.

    Raises:
        UnknownNameError: if there is no such trainer.
        ParameterError: if the trainer takes no part in the benchmark.
        LawgiverError: if the task does not fit it; the message says why.
    """
    config = _own(task, size) if algorithm == OWN else _config(task, algorithm, size)
    return Entry(task, algorithm, size, config, _digest(task, config))


def check_algorithm(algorithm: str) -> None:
    """Raise a LawgiverError unless a trainer takes part in the benchmark: there is one, and it takes ``Learners``."""
    if algorithm == OWN:
        return
    if algorithm not in names(TRAINERS):
        raise UnknownNameError(f"unknown algorithm {algorithm!r}: {allowed(algorithm, algorithms())}")
    if not _takes_part(algorithm):
        raise ParameterError(
            f"trainer {algorithm!r} takes no part in the benchmark, as its config is no Config[Learners, StepsTrainer]:"
            f" allowed: {', '.join(algorithms())}"
        )


def algorithms() -> list[str]:
    """List the algorithms that take part: :data:`OWN`, and trainers that take any task and a budget of steps."""
    return [OWN, *(name for name in names(TRAINERS) if _takes_part(name))]


def _takes_part(trainer: str) -> bool:
    try:
        fields: Mapping[str, Any] = find_trainer(trainer).config.model_fields
    except ImportError:  # a package that it needs is missing: it is named when somebody asks for it
        return False
    agents, settings = (fields[key].annotation for key in ("agents", "trainer"))
    return all(
        isinstance(found, type) and issubclass(found, wanted)
        for found, wanted in ((agents, Learners), (settings, StepsTrainer))
    )


def _own(task: Task, size: str) -> AnyConfig:
    return load_config(task.own.config, list(getattr(task.own, size)))


def _config(task: Task, algorithm: str, size: str) -> AnyConfig:
    agents: dict[str, Any] = {}
    people = task.training
    for role, section in SECTIONS.items():
        given = getattr(people, section)
        if role not in task.learns and given is not None:
            agents[section] = {"given": given.model_dump()}
    if "participant" in task.learns and people.inverse_temperature is not None:
        agents["participants"] = {"inverse_temperature": people.inverse_temperature, "anchor": anchor_of(people)}
    return validate(
        {
            "game": {"name": task.game.name, **task.game.parameters, **people.game},
            "agents": agents,
            "trainer": {"name": algorithm, "steps": task.budget(size).steps},
        }
    )


def _digest(task: Task, config: AnyConfig) -> str:
    facts = {
        "benchmark": VERSION,
        "task": task.model_dump(mode="json"),
        "config": config.model_dump(mode="json"),
        "lawgiver": versions()["lawgiver"],
        "commit": commit(),
    }
    return hashlib.sha256(to_json(plain(facts)).encode()).hexdigest()[:12]
