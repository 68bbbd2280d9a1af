"""Training from Python: ``lawgiver.train`` and ``lawgiver.resume``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.overrides import require_given_once
from lawgiver.trainers.runs.run import Run


def train(
    config: str | Path,
    overrides: Mapping[str, Any] | None = None,
    *,
    run_dir: str | Path | None = None,
    seed: int | None = None,
) -> Run:
    """Train a config.

    The numbers are those of ``lawgiver train`` to the last digit where the environment is as that sets it, before torch
    is imported: ``OMP_NUM_THREADS=1`` and ``PYTHONHASHSEED=0``.

    Args:
        config: the name of a packaged config (:func:`lawgiver.list_configs`), or the path of a YAML file.
        overrides: changes to the config: values by the full paths of their keys, such as ``"trainer.iterations"`` or
            ``"agents.participants.inverse_temperature"``. ``{"a.b": 1}`` is ``a.b=1`` on the command line.
        run_dir: the run's folder, which must not hold a run; None for a new one under ``runs/``.
        seed: >= 0; None for the config's own. Several are trained by the override ``"seeds"``.

    Returns:
        the finished run.

    Raises:
        LawgiverError: one line that names the wrong key or value, what is allowed, and the nearest match; or the file
            that cannot be written; or the people who are waited for.
        Interrupted: (a KeyboardInterrupt) if the user stops it; its ``path`` is the run that can be resumed.

    Example:
        >>> import lawgiver
        >>> run = lawgiver.train("exact_designer", {"trainer.updates": 20}, run_dir="out", seed=3)  # doctest: +SKIP
    """
    given = _changes(overrides)
    for key, value in {"run_dir": run_dir, "seed": seed}.items():
        if value is not None:
            if key in given:
                raise ParameterError(f"{key} is given twice, as {given[key]!r} and {value!r}: allowed: once")
            given[key] = value
    require_given_once(given)
    return Run.open(launch.train(config, given)[0])


def resume(run: str | Path | Run, overrides: Mapping[str, Any] | None = None) -> Run:
    """Continue an interrupted training, or prolong a finished one.

    Args:
        run: the run, or its folder.
        overrides: the length of the training (``"trainer.iterations"`` or ``"trainer.updates"``, never below what is
            stored) and of its annealing (``"trainer.anneal_over"``), its evaluation (``"trainer.evaluation.*"``) and
            ``"resources.*"`` but for ``runner`` and ``num_envs_per_env_runner``; of ``hcmd_zero`` also
            ``"trainer.acquire.enough"`` and ``"trainer.acquire.wait"``. Nothing else may be changed.

    Returns:
        the finished run.

    Raises:
        LawgiverError: if it is no run or damaged, or a key is not among those.
        Interrupted: as :func:`train` does.

    Example:
        >>> import lawgiver
        >>> run = lawgiver.resume("out", {"trainer.updates": 40})  # doctest: +SKIP
    """
    given = _changes(overrides)
    require_given_once(given)
    return Run.open(launch.resume(run, given)[0])


def _changes(overrides: Mapping[str, Any] | None) -> dict[str, Any]:
    """Copy overrides; raise ParameterError if they are no mapping, but texts as on the command line, say."""
    if overrides is not None and not isinstance(overrides, Mapping):
        raise ParameterError(f"overrides are {brief(overrides)}, allowed: a mapping, such as {{'trainer.updates': 20}}")
    return dict(overrides or {})
