"""Training runs from configs: one or several seeds, new or resumed, in this process or in Ray tasks."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.trainers.plots import drawing
from lawgiver.trainers.runs.atomic_files import LockedError, RunError
from lawgiver.trainers.runs.config import config_name, load_config, validate
from lawgiver.trainers.runs.config_errors import one_line
from lawgiver.trainers.runs.overrides import Overrides, apply_overrides, read_overrides
from lawgiver.trainers.runs.ray_cluster import start_ray
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.trainer import find_trainer
from lawgiver.trainers.runs.training_run import TrainingRun, Watch
from lawgiver.trainers.settings.base import AnyConfig, Resources
from lawgiver.trainers.statistics.seeds import over_seeds

RESUMABLE_PARTS = ("trainer.evaluation.", "resources.")
"""Prefixes of keys that may change when a run is resumed, besides the length of the training and of its annealing."""

FIXED = ("resources.runner", "resources.num_envs_per_env_runner")
"""Exceptions: a checkpoint depends on the runner and its number of parallel games."""

STARTS = 10
"""Number of times that a call in a Ray task is started, as long as its process or its machine is lost."""
RELEASE_S = 120
"""Seconds in which the system releases the lock of a run whose process, or whose machine, was lost."""

TRUSTED = (None, "auto", "local")
"""Addresses of Ray clusters that are accepted from a run's folder: those on this machine."""

_LOGGER = logging.getLogger("lawgiver")


class Interrupted(KeyboardInterrupt):
    """Interruption of a training by the user; ``path`` is the run, which can be resumed."""

    def __init__(self, path: Path) -> None:
        """Store the run's folder."""
        super().__init__(str(path))
        self.path = path


def train(source: str | Path, overrides: Overrides = (), watch: Watch | None = None) -> tuple[Path, dict[str, Any]]:
    """Train a config; return the run's folder and its summary.

    Args:
        source: the name of a packaged config, or the path of a YAML file.
        overrides: values by the full paths of their keys.
        watch: called with each line of metrics of a single seed once it is written.

    Raises:
        LawgiverError: if the config is wrong, or the run's folder cannot be written.
        Interrupted: if the user stops it.
    """
    config = load_config(source, overrides)
    return _carry_out(TrainingRun.create(config_name(source), config), config, watch)


def ensure(folder: Path, source: str | Path, *overrides: str, watch: Watch | None = None) -> dict[str, Any]:
    """Read the summary of the run in a folder, which is trained or continued first if it is not finished.

    Raises:
        LawgiverError: as :func:`train` and :func:`resume` do.
    """
    if not (folder / "config.yaml").exists():
        return train(source, [*overrides, f"run_dir={folder}"], watch)[1]
    where = [override for override in overrides if override.startswith("resources.address=")]
    run = Run.open(folder)
    return dict(run.summary) if run.finished else resume(folder, where, watch)[1]


def ensure_all(wanted: Sequence[tuple[Path, str | Path, Sequence[str]]], jobs: int = 1) -> list[dict[str, Any]]:
    """Read the summaries of several runs as :func:`ensure` does, with up to ``jobs`` trainings in parallel.

    Args:
        wanted: folder, config and overrides of each.
        jobs: maximum number of parallel trainings, >= 1. More than one run as Ray tasks of one core each: on the
            cluster that ``RAY_ADDRESS`` names or Ray is connected to, which must share the folders; else locally.

    Raises:
        LawgiverError: as :func:`ensure` does; MissingExtraError if Ray is needed and not installed.
        Interrupted: if the user stops it; ``path`` is the first run that is not finished.
    """
    if jobs > 1:
        waiting = [each for each in wanted if not is_finished(each[0])]
        try:
            in_parallel(ensure, [(folder.absolute(), source, *more) for folder, source, more in waiting], jobs)
        except KeyboardInterrupt as stop:
            raise Interrupted(next((each[0] for each in waiting if not is_finished(each[0])), wanted[0][0])) from stop
    return [ensure(folder, source, *overrides) for folder, source, overrides in wanted]


def is_finished(folder: Path) -> bool:
    """Check whether a folder holds a finished run; False where it holds none."""
    return (folder / "config.yaml").exists() and Run.open(folder).finished


def resume(
    path: str | os.PathLike[str], overrides: Overrides = (), watch: Watch | None = None
) -> tuple[Path, dict[str, Any]]:
    """Continue an interrupted training, or prolong a finished one; take ``watch`` and return as :func:`train` does.

    Raises:
        LawgiverError: if the folder is not a run or damaged, an override is not among those allowed, the training
            would be shorter than what is stored of it, or the folder names a remote Ray cluster that no override
            confirms. Nothing is written then.
        Interrupted: if the user stops it.
    """
    changes = read_overrides(overrides)
    run = Run.open(path)
    own = _changeable_keys(run)
    for key in changes:
        if key in FIXED or (key not in own and not key.startswith(RESUMABLE_PARTS)):
            parts = (f"{part}*" for part in RESUMABLE_PARTS)
            choices = f"{', '.join((*own, *parts))} but {' and '.join(FIXED)}"
            raise ParameterError(f"{key!r} cannot be changed when a run is continued; allowed: {choices}")
    settings = {**run.settings, "run_dir": str(run.path)}  # the folder may have been moved
    config = validate(apply_overrides(settings, changes))
    address = config.resources.address
    if address not in TRUSTED and "resources.address" not in changes:
        raise RunError(
            f"{run.path} was trained on the Ray cluster at {address!r}, which can run code here: say"
            " resources.address=ADDRESS again if it is yours, resources.address=null for this machine"
        )
    _require_not_shorter(run, config)
    return _carry_out(TrainingRun.resume(path, config), config, watch)


def _changeable_keys(run: Run) -> list[str]:
    """List the full paths of the keys of the training's length and annealing, and others that its trainer names."""
    settings: Any = find_trainer(run.settings["trainer"]["name"]).config.model_fields["trainer"].annotation
    keys = [key for key in (settings.length, "anneal_over") if key in settings.model_fields]
    return [f"trainer.{key}" for key in (*keys, *settings.changeable)]


def _require_not_shorter(run: Run, config: AnyConfig) -> None:
    """Check that a config does not say less of a run, or of one of its seeds, than what is stored of it.

    Raises:
        ParameterError: naming the key, the length asked for and the least that is allowed.
        RunError: if the newest checkpoint is damaged.
    """
    key = config.trainer.length
    folders = [run.path] if config.seeds is None else [run.path / f"s{seed}" for seed in config.seeds]
    for member in (Run.open(folder) for folder in folders if (folder / "config.yaml").exists()):
        if key not in type(config.trainer).model_fields:
            continue
        checkpoint = None if member.finished else member.latest_checkpoint()
        done = member.settings["trainer"][key] if member.finished else checkpoint[0] if checkpoint else 0
        if getattr(config.trainer, key) < done:
            raise ParameterError(
                f"trainer.{key} is {getattr(config.trainer, key)}, {member.path} has {done}: allowed: {done} or more"
            )


def _carry_out(run: TrainingRun, config: AnyConfig, watch: Watch | None = None) -> tuple[Path, dict[str, Any]]:
    run.watch = watch
    try:
        if config.seeds is not None:
            return run.path, run.finish(_train_seeds(run, config))
        summary = run.finish(named(run, find_trainer(config.trainer.name).train(config, run)))
        _draw(run, summary)
        return run.path, summary
    except KeyboardInterrupt as stop:
        raise Interrupted(run.path) from stop
    except LawgiverError:
        run.discard()  # where a mistake shows before the first line of metrics, the same run_dir can be used again
        raise
    finally:
        run.close()


def _draw(run: Run, summary: dict[str, Any]) -> None:
    """Draw the figures of a finished run, if matplotlib is installed.

    Raises:
        RunError: if drawing fails; the message says that the run itself is complete.
    """
    if not drawing.can_draw():
        return
    try:
        drawing.draw(run, summary)
    except Exception as error:
        raise RunError(
            f"{run.path} is complete, its summary.json is written; only the figures in {run.figures_folder} could not"
            f" all be drawn: {one_line(error) or repr(error)}"
        ) from error


def named(run: Run, summary: dict[str, Any]) -> dict[str, Any]:
    """Add the name of the learned rule, and of the participants of exact scores, to a summary."""
    from lawgiver.trainers.runs.headings import equilibrium_people, learned_rule  # policies may bring torch along

    rule, people = learned_rule(run), equilibrium_people(run.settings, summary.get("inverse_temperature"))
    named_rule: dict[str, Any] = {"rule": rule} if rule is not None else {}
    return summary | named_rule | ({"populations": {"exact": people}} if people is not None else {})


def _train_seeds(group: Run, config: AnyConfig) -> dict[str, Any]:
    members = [
        config.model_copy(update={"seed": seed, "seeds": None, "run_dir": group.path / f"s{seed}"})
        for seed in config.seeds or ()
    ]
    use = config.resources
    if use.concurrent_seeds == 1:
        summaries = [_train_member(group.name, member) for member in members]
    else:  # a task reserves no core: its own runners and learners do, and must not wait for it
        gpus = use.num_gpus_per_learner if use.num_learners == 0 else 0
        calls = [(group.name, member.model_dump(mode="json")) for member in members]
        summaries = in_ray(_train_data, calls, use, num_cpus=0, num_gpus=gpus)
    folders = [str(member.run_dir) for member in members]
    by_seed = {member.seed: summary for member, summary in zip(members, summaries, strict=True)}
    return {"runs": folders, **over_seeds(by_seed)}


def _train_member(name: str, config: AnyConfig) -> dict[str, Any]:
    """Train or resume one of several seeds, unless it is finished."""
    path = config.run_dir
    assert path is not None
    if not (path / "config.yaml").exists():
        return _carry_out(TrainingRun.create(name, config), config)[1]
    run = Run.open(path)
    if run.finished and run.settings["trainer"] == config.model_dump(mode="json")["trainer"]:
        return dict(run.summary)
    return _carry_out(TrainingRun.resume(path, config), config)[1]


def in_parallel(
    function: Callable[..., dict[str, Any]], calls: Sequence[tuple[Any, ...]], jobs: int
) -> list[dict[str, Any]]:
    """Call a function as :func:`in_ray` does, ``jobs`` calls at once with a core each.

    They run on the cluster that ``RAY_ADDRESS`` names or Ray is connected to, else locally.
    """
    use = Resources(address=os.environ.get("RAY_ADDRESS"), concurrent_seeds=jobs)
    return in_ray(function, calls, use, num_cpus=1)


def in_ray(
    function: Callable[..., dict[str, Any]], calls: Sequence[tuple[Any, ...]], use: Resources, **reserved: float
) -> list[dict[str, Any]]:
    """Call a function in Ray tasks, spread over the machines of a cluster, and collect the results.

    A call whose process or machine is lost is started again elsewhere, up to ``STARTS`` times; one that raises is not.

    Args:
        function: a module-level function that continues where a lost call of the same arguments has stopped.
        calls: arguments of each call, plain data.
        use: address of the cluster, and maximum number of parallel tasks (``concurrent_seeds``).
        reserved: Ray's resources for each task, such as ``num_cpus``.

    Raises:
        RunError: if a call is lost that often.
    """
    if not calls:
        return []
    start_ray(use)
    import ray  # start_ray has seen to it that it is installed
    from ray.exceptions import NodeDiedError, ObjectLostError, OutOfMemoryError, WorkerCrashedError
    from rich.console import Console
    from rich.progress import Progress

    # Not by Ray's own max_retries: a call that is started again has to know that, and Ray does not tell it.
    task = ray.remote(max_retries=0, scheduling_strategy="SPREAD", **reserved)(_in_folder)
    waiting, running = list(range(len(calls))), dict[Any, int]()
    starts, results = [0] * len(calls), dict[int, dict[str, Any]]()
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        shown = bar.add_task("trainings", total=len(calls))
        while waiting or running:
            if waiting and len(running) < use.concurrent_seeds:
                index = waiting.pop(0)
                again = starts[index] > 0
                running[task.remote(str(Path.cwd()), function, calls[index], again)] = index
                starts[index] += 1
                continue
            (finished, *_), _ = ray.wait(list(running))
            index = running.pop(finished)
            try:
                results[index] = ray.get(finished)  # what is raised here stops the rest at once
            except (NodeDiedError, ObjectLostError, OutOfMemoryError, WorkerCrashedError) as error:
                reason = type(error).__name__
                if starts[index] == STARTS:
                    raise RunError(
                        f"a Ray task was lost {STARTS} times, at last by {reason}: {calls[index]}"
                    ) from error
                _LOGGER.warning("a Ray task was lost (%s) and is started again: %s", reason, calls[index])
                waiting.insert(0, index)
                continue
            bar.advance(shown)
    return [results[index] for index in range(len(calls))]


def _in_folder(
    folder: str, function: Callable[..., dict[str, Any]], arguments: tuple[Any, ...], again: bool
) -> dict[str, Any]:
    """Call a function in another process, in the working directory of the user's command.

    Args:
        folder: the working directory.
        function: to be called.
        arguments: of the function.
        again: whether a former call was lost, whose process may hold the lock of its run for a moment yet.

    Raises:
        LockedError: if a run is locked, and stays locked for ``RELEASE_S`` seconds where the call is repeated.
    """
    os.chdir(folder)
    patience = time.monotonic() + (RELEASE_S if again else 0)
    while True:
        try:
            return function(*arguments)
        except LockedError:
            if time.monotonic() >= patience:
                raise
            time.sleep(1)


def _train_data(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Train one of several seeds whose config is given as plain data."""
    return _train_member(name, validate(data))
