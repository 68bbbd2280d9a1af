"""Plan of a search and what its folder keeps, from which it continues."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lawgiver.envs.core.errors import ParameterError, integer
from lawgiver.envs.files.json_text import plain
from lawgiver.trainers.runs.atomic_files import RunError, read_stored, write_json, writing
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.overrides import read_overrides, require_given_once
from lawgiver.trainers.settings.base import AnyConfig
from lawgiver.trainers.tuning.space import FORMS, Range, draw_trials, read_range

DRAWN = 10
"""Trials of a search that draws values, by default."""
STATES = "states.json"
"""File of the trials that were stopped or have failed, by number, with the reason."""


@dataclass(frozen=True)
class Plan:
    """Everything that is fixed before a search begins.

    Attributes:
        source: name or path of the config.
        overrides: of every trial, by full path.
        space: ranges by key.
        trials: values of the searched keys, trial by trial.
        configs: the validated config of each trial.
        folder: of the search.
    """

    source: str
    overrides: Mapping[str, Any]
    space: Mapping[str, Range]
    trials: list[dict[str, Any]]
    configs: list[AnyConfig]
    folder: Path

    def run(self, number: int) -> Path:
        """Name the folder of a trial's run."""
        return self.folder / "trials" / f"{number:03d}"


def make_plan(
    config: str | Path, space: Mapping[str, str], overrides: Mapping[str, Any], samples: int | None, folder: Path
) -> Plan:
    """Draw all trials of a search, and validate their configs.

    Raises:
        LawgiverError: naming the first wrong key, range or value.
    """
    require_given_once([f"{key}=" for key in (*overrides, *space)])
    if not space:
        raise ParameterError(f"no key is searched, allowed: KEY=RANGE, a range of {'; '.join(FORMS.values())}")
    for key in ("run_dir", "seeds"):
        if key in overrides or key in space:
            instead = "the folder of the search (--dir)" if key == "run_dir" else "seed, which may be a grid"
            raise ParameterError(f"{key} is given, allowed in a search: {instead}")
    ranges = {key: read_range(key, text) for key, text in space.items()}
    drawn = any(each.kind != "grid" for each in ranges.values())
    samples = (DRAWN if drawn else 1) if samples is None else integer("samples", samples, 1)
    if samples > 1 and not drawn:
        raise ParameterError(f"samples is {samples}, allowed where there are only grids: 1")
    fixed = read_overrides(overrides)
    seed = 0 if "seed" in ranges else _seed(config, fixed, ranges)
    trials = draw_trials(ranges, samples, seed)
    configs = [load_config(config, {**fixed, **values}) for values in trials]
    if configs[0].seeds is not None:
        raise ParameterError("seeds is given in the config, allowed in a search: seed, which may be a grid")
    return Plan(str(config), fixed, ranges, trials, configs, folder)


def _seed(config: str | Path, fixed: Mapping[str, Any], ranges: Mapping[str, Range]) -> int:
    """Read the seed of a config, from which the trials are drawn."""
    first = draw_trials(ranges, 1, 0)[0]
    return load_config(config, {**fixed, **first}).seed


def lengths(plan: Plan) -> int:
    """Find how many iterations the longest trial has, for a scheduler that stops them.

    Raises:
        ParameterError: if the trainer's length is not known.
    """
    found = 0
    for config in plan.configs:
        key = config.trainer.length
        length = None if key is None else getattr(config.trainer, key, None)
        if not isinstance(length, int):
            raise ParameterError(
                f"scheduler is 'asha', but the trainer {config.trainer.name!r} does not say how long it trains:"
                " allowed: none"
            )
        found = max(found, length)
    return found


def store_plan(plan: Plan) -> None:
    """Write search.json, or check that the folder holds the same search, or the beginning of it.

    Raises:
        RunError: if it holds another one.
    """
    file = plan.folder / "search.json"
    space = {key: each.text for key, each in plan.space.items()}
    ours = plain({"config": plan.configs[0].model_dump(mode="json"), "space": space, "trials": plan.trials})
    if file.exists():
        theirs = read_stored(file)
        for key in ("space", "config"):
            if theirs.get(key) != ours[key]:
                raise RunError(f"{plan.folder} holds a search with another {key}: choose another folder (--dir)")
        done = len(theirs["trials"])
        if theirs["trials"] != ours["trials"][:done]:
            raise RunError(f"{plan.folder} holds a search of {done} trials, allowed: as many or more (samples)")
    write_json(file, ours)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from searching in a folder; the system releases the lock when this process ends.

    Raises:
        RunError: if one does.
    """
    with writing(folder):
        lock = (folder / ".lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f"{folder} is being searched by another process") from error
        yield


def states(plan: Plan) -> dict[str, Any]:
    """Read which trials were stopped or have failed.

    Raises:
        RunError: if the file is damaged.
    """
    file = plan.folder / STATES
    return read_stored(file) if file.exists() else {}


def write_state(plan: Plan, number: int, state: Literal["stopped", "failed"], reason: str) -> None:
    """Store that a trial was stopped or has failed."""
    write_json(plan.folder / STATES, {**states(plan), str(number): {"state": state, "reason": reason}})
