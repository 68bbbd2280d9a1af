"""Trials of a search in Ray Tune: each trains an ordinary run, and reports its lines of metrics as they are written."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler

from lawgiver.envs.core.errors import LawgiverError, UnknownNameError
from lawgiver.envs.files.json_text import to_json
from lawgiver.trainers.runs.config_errors import one_line
from lawgiver.trainers.runs.launch import ensure, is_finished
from lawgiver.trainers.runs.ray_cluster import start_ray
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.settings.base import Resources
from lawgiver.trainers.tuning.plan import Plan, lengths, states, write_state
from lawgiver.trainers.tuning.results import measured, numbers, unknown_metric

_LOGGER = logging.getLogger("lawgiver")
RUNGS, KEPT = 16, 4
"""First decision of ASHA after this part of the training, and one trial of how many goes on after each."""
QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # a run logs its metrics itself
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is a KeyboardInterrupt, as in every other command
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a summary is no report
}
"""Environment variables of Ray Tune."""


@dataclass(frozen=True)
class Work:
    """One trial as it goes to a worker, plain data.

    Attributes:
        cwd: the working directory of the user's command.
        folder: of the run, absolute.
        source: of the config.
        overrides: of this trial, as on the command line.
        metric: that is reported.
        first: iteration by which a line of metrics must have it; None if it may be of the summary alone.
        last: iteration from which nothing is reported, so that no trial is stopped before its summary.
        over: whether only what is stored is to be reported, since the trial was stopped earlier.
    """

    cwd: str
    folder: Path
    source: str
    overrides: tuple[str, ...]
    metric: str
    first: int | None
    last: int | None
    over: bool


def execute(plan: Plan, metric: str, mode: str, scheduler: str, jobs: int) -> None:
    """Train the trials of a search that are not finished.

    ASHA is told again of those that are, so that it decides as if the search had not been interrupted.

    Raises:
        LawgiverError: if the first finished trial shows that there is no such metric.
    """
    asha, over = scheduler == "asha", states(plan)
    ended = {n for n in range(len(plan.trials)) if is_finished(plan.run(n)) or (asha and _stopped(over, n))}
    waiting = [n for n in range(len(plan.trials)) if n not in ended]
    if not waiting:
        return
    length = lengths(plan) if asha else None
    grace = None if length is None else -(-length // RUNGS)
    work = {n: _work(plan, n, metric, grace, _stopped(over, n) and asha) for n in (*(ended if asha else ()), *waiting)}
    os.environ.update({key: os.environ.get(key, value) for key, value in QUIET.items()})
    use = plan.configs[0].resources
    start_ray(use.model_copy(update={"address": os.environ.get("RAY_ADDRESS", use.address), "concurrent_seeds": jobs}))
    decider = (
        FIFOScheduler()
        if length is None or grace is None
        else AsyncHyperBandScheduler("iteration", "value", mode, length, grace, KEPT)
    )
    watch, scratch = _Watch(plan, metric), plan.folder.absolute() / ".ray"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        tune.Tuner(
            tune.with_resources(_trial, _bundles(use)),
            param_space={"work": tune.grid_search(list(work.values()))},
            tune_config=tune.TuneConfig(scheduler=decider, max_concurrent_trials=jobs, reuse_actors=False),
            run_config=tune.RunConfig(
                name="search", storage_path=str(scratch), verbose=0, callbacks=[watch], stop=_Stop(watch)
            ),
        ).fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if watch.refusal is not None:
        raise watch.refusal


def _stopped(over: Mapping[str, Any], number: int) -> bool:
    return bool(over.get(str(number), {}).get("state") == "stopped")


def _work(plan: Plan, number: int, metric: str, grace: int | None, over: bool) -> Work:
    config = plan.configs[number]
    texts = tuple(f"{key}={to_json(value)}" for key, value in {**plan.overrides, **plan.trials[number]}.items())
    last = None if grace is None else getattr(config.trainer, config.trainer.length or "")
    folder = plan.run(number).absolute()
    return Work(str(Path.cwd()), folder, plan.source, texts, metric, grace, last, over)


def _bundles(use: Resources) -> tune.PlacementGroupFactory:
    """List what a trial takes: its own process, then RLlib's runners and learners."""
    gpus = use.num_gpus_per_learner
    own = {"CPU": 1.0, **({"GPU": gpus} if gpus and use.num_learners == 0 else {})}
    learner = {"CPU": 1.0, **({"GPU": gpus} if gpus else {})}
    return tune.PlacementGroupFactory([own, *[{"CPU": 1.0}] * use.num_env_runners, *[learner] * use.num_learners])


def _trial(settings: Mapping[str, Any]) -> None:
    """Report what a run has logged, then train it to the end; called by Ray Tune in a worker."""
    work: Work = settings["work"]
    os.chdir(work.cwd)
    _wait_until_free(work.folder)
    try:
        _report_and_train(work)
    except Exception as error:  # one trial that fails, by a loss that is not finite say, leaves the others alone
        reason = one_line(error) or repr(error)
        tune.report({"failed": reason, "refused": isinstance(error, UnknownNameError)})


def _report_and_train(work: Work) -> None:
    report = _reporter(work)
    if (work.folder / "config.yaml").exists():
        for line in Run.open(work.folder).lines():
            report(line)
    if not work.over:
        ensure(work.folder, work.source, *work.overrides, watch=report)


def _reporter(work: Work) -> Callable[[Mapping[str, Any]], None]:
    """Make the function that reports a line of metrics to Ray Tune, which may end the process then."""
    told = 0

    def report(line: Mapping[str, Any]) -> None:
        nonlocal told
        found, iteration = numbers(line), line["iteration"]
        if work.metric in found and iteration > told and (work.last is None or iteration < work.last):
            told = iteration  # lines after the checkpoint of an interrupted run are written again
            tune.report({"iteration": iteration, "value": found[work.metric]})
        elif work.first is not None and not told and iteration >= work.first and work.metric not in found:
            raise unknown_metric(work.metric, list(found))

    return report


def _wait_until_free(folder: Path) -> None:
    """Wait for the worker of a killed search to end, which Ray sees to, if it still holds the run's lock."""
    if (folder / ".lock").exists():
        with (folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)


class _Watch(tune.Callback):  # type: ignore[misc]
    """Stores what becomes of the trials, and finds out whether there is such a metric."""

    def __init__(self, plan: Plan, metric: str) -> None:
        self.plan, self.metric = plan, metric
        self.refusal: LawgiverError | None = None

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note that a trial is finished, has failed, or was stopped."""
        number, result = self._number(trial), trial.last_result or {}
        run = self.plan.run(number)
        if is_finished(run):
            try:
                value = measured(Run.open(run), self.metric)
            except UnknownNameError as error:
                self.refusal = error
                return
            self._tell(number, f"finished, {self.metric} {value:.6g}")
        elif result.get("refused"):
            self.refusal = UnknownNameError(result["failed"])
        elif "failed" in result:
            self._fail(number, result["failed"])
        elif self.refusal is None:
            write_state(self.plan, number, "stopped", "")
            self._tell(number, "stopped, as others are ahead")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note that the process of a trial has ended, for lack of memory say."""
        self._fail(self._number(trial), "its process has ended")

    def _number(self, trial: Any) -> int:
        return int(trial.config["work"].folder.name)

    def _fail(self, number: int, reason: str) -> None:
        write_state(self.plan, number, "failed", reason)
        self._tell(number, f"failed: {reason}")

    def _tell(self, number: int, what: str) -> None:
        _LOGGER.info("trial %s: %s", number, what)


class _Stop(tune.Stopper):  # type: ignore[misc]
    """Stops the search where the metric is refused."""

    def __init__(self, watch: _Watch) -> None:
        self.watch = watch

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no single trial."""
        return False

    def stop_all(self) -> bool:
        """Stop all of them once the metric is known to be wrong."""
        return self.watch.refusal is not None
