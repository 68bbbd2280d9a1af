"""Searches over a config's values: trials are drawn, trained by Ray Tune as ordinary runs, and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from lawgiver.envs.core.errors import choice, integer
from lawgiver.envs.core.registry import require_extras
from lawgiver.trainers.runs.atomic_files import made_folder
from lawgiver.trainers.runs.config import config_name
from lawgiver.trainers.runs.launch import Interrupted, is_finished
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.tuning.plan import Plan, lengths, locked, make_plan, states, store_plan
from lawgiver.trainers.tuning.report import write_report
from lawgiver.trainers.tuning.results import Trial, Tuning, measured


def tune(
    config: str | Path,
    space: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    *,
    metric: str,
    mode: Literal["max", "min"] = "max",
    samples: int | None = None,
    scheduler: Literal["none", "asha"] = "none",
    jobs: int = 1,
    folder: str | Path | None = None,
) -> Tuning:
    """Search for the best values of some keys of a config.

    Every trial is a run in ``folder/trials``. The same call continues an interrupted search: finished trials are kept,
    interrupted ones continue from their checkpoints. More ``samples`` prolong it; metric, mode, scheduler and jobs may
    be others.

    Args:
        config: the name of a packaged config, or the path of a YAML file.
        space: by full path of a key, ``"loguniform(1e-4, 1e-1)"``, ``"uniform(0, 1)"``, ``"randint(1, 9)"`` (9
            excluded), ``"choice(a, b)"`` or ``"grid(a, b)"``, of which every combination is tried.
        overrides: changes to the config that all trials share.
        metric: a column of metrics.jsonl, whose last value counts, or else a number of the summary; parts of a name
            are joined by slashes.
        mode: ``max`` or ``min``, what is better.
        samples: draws for each combination of the grids, >= 1; None for 10, or 1 where there are only grids.
        scheduler: ``none`` trains all trials to the end; ``asha`` stops those that are behind after a sixteenth and a
            quarter of the training, three of four each time, and needs a column as metric.
        jobs: trials at once, >= 1.
        folder: of the search; None for ``runs/tune/<config>``.

    Returns:
        the search: ``.best`` is its best trial, ``.trials`` are all, ``.files`` were written.

    Raises:
        LawgiverError: if a key, a range, the metric or a number is wrong, before anything is trained where it can be
            known; or if the folder holds another search.
        Interrupted: if the user stops it.

    Example:
        >>> import lawgiver
        >>> space = {"trainer.learning_rate": "loguniform(1e-3, 1e-1)"}
        >>> lawgiver.tune("exact_designer", space, metric="score", samples=12).best  # doctest: +SKIP
    """
    require_extras("tune", "rllib")
    choice("mode", mode, ("max", "min"))
    choice("scheduler", scheduler, ("none", "asha"))
    jobs = integer("jobs", jobs, 1)
    plan = make_plan(config, space, overrides or {}, samples, Path(folder or Path("runs/tune") / config_name(config)))
    if scheduler == "asha":
        lengths(plan)  # raises
    from lawgiver.trainers.tuning.execution import execute  # it imports Ray

    made_folder(plan.folder / "trials")
    with locked(plan.folder):
        store_plan(plan)
        for number in range(len(plan.trials)):
            if is_finished(plan.run(number)):
                measured(Run.open(plan.run(number)), metric)  # an unknown metric is refused
        try:
            execute(plan, metric, mode, scheduler, jobs)
        except KeyboardInterrupt as stop:
            raise Interrupted(plan.folder) from stop
        found = Tuning(plan.folder, metric, mode, plan.space, tuple(_trials(plan, metric)))
        best = found.best
        best_config = None if best is None else plan.configs[best.number].model_dump(mode="json", exclude={"run_dir"})
        return replace(found, files=tuple(write_report(found, best_config)))


def _trials(plan: Plan, metric: str) -> Iterator[Trial]:
    """Read what all trials come to."""
    stored = states(plan)
    for number, values in enumerate(plan.trials):
        path, known = plan.run(number), stored.get(str(number), {})
        state, error = known.get("state", "waiting"), known.get("reason", "")
        if not (path / "config.yaml").exists():
            yield Trial(number, values, state, 0, None, path, error)
            continue
        run = Run.open(path)
        lines = run.lines()
        if run.finished:
            state, error = "finished", ""
        yield Trial(number, values, state, lines[-1]["iteration"] if lines else 0, measured(run, metric), path, error)
