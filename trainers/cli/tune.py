"""The command ``lawgiver tune``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import lawgiver

RANGES = """A range stands in place of a value, in quotes:

\b
  'KEY=loguniform(a, b)'   a number whose logarithm is uniform between those of a and b
  'KEY=uniform(a, b)'      a number between a and b
  'KEY=randint(a, b)'      an integer from a to b - 1
  'KEY=choice(a, b, ...)'  one of these
  'KEY=grid(a, b, ...)'    each of these, with every value of other grids

Examples:

\b
  lawgiver tune exact_designer 'trainer.learning_rate=loguniform(0.001,0.1)' --metric score
  lawgiver tune public_investment 'seed=grid(0,1,2)' 'agents.mechanism.lr=grid(0.01,0.03,0.1)'
      --metric score --scheduler asha --jobs 2

The same command continues an interrupted search."""


def tune(
    config: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG [KEY=RANGE|KEY=VALUE]...",
            help="A packaged config or a YAML file, then ranges of what is searched, and changes that all trials share,"
            " each key with its full path.",
            show_default=False,
        ),
    ],
    metric: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="A column of metrics.jsonl, whose last value counts, or else a number of summary.json; parts of a name"
            " are joined by slashes.",
            show_default=False,
        ),
    ],
    mode: Annotated[Literal["max", "min"], typer.Option(help="What is better.")] = "max",
    samples: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Draws for each combination of the grids; by default 10, or 1 where there are only grids. More than"
            " before prolong a search.",
        ),
    ] = None,
    scheduler: Annotated[
        Literal["none", "asha"],
        typer.Option(help="asha stops three of four trials after a sixteenth, and again a quarter, of the training."),
    ] = "none",
    jobs: Annotated[int, typer.Option(metavar="J", help="Maximum number of parallel trials.")] = 1,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Folder of the search, runs/tune/CONFIG by default."),
    ] = None,
) -> None:
    """Search for the best values of some keys of a config; every trial is a run."""
    from lawgiver.trainers.runs.launch import Interrupted
    from lawgiver.trainers.runs.overrides import read_overrides, require_given_once
    from lawgiver.trainers.tuning.space import is_range

    source, *arguments = config
    require_given_once(arguments)
    parts = [argument.partition("=") for argument in arguments]
    space = {key: text for key, _, text in parts if is_range(text)}
    shared = read_overrides([argument for argument, part in zip(arguments, parts, strict=True) if part[0] not in space])
    how: dict[str, Any] = {"metric": metric, "mode": mode, "samples": samples, "scheduler": scheduler, "jobs": jobs}
    try:
        found = lawgiver.tune(source, space, shared, folder=folder, **how)
    except Interrupted as stop:
        options = [f"--{key}={value}" for key, value in how.items() if value is not None]
        again = shlex.join(["lawgiver", "tune", *config, *options, f"--dir={stop.path}"])
        typer.echo(f"interrupted; continue with: {again}", err=True)
        raise typer.Exit(130) from None
    show_trials(found)
    for file in found.files:
        typer.echo(f"written: {file}")
    best = found.best
    if best is None:
        raise typer.Exit(2)
    typer.echo(f"best: {best.run}")
    typer.echo(f"next: lawgiver train {found.folder / 'best.yaml'}")


def show_trials(found: Any) -> None:
    """Print the trials of a search, the best first, and why some have failed."""
    from lawgiver.trainers.cli.printing import new_table, say, show
    from lawgiver.trainers.tables.cells import cell

    sign, far = (-1.0 if found.mode == "max" else 1.0), float("inf")
    table = new_table("trial", f"{len(found.trials)} trials, {found.metric} ({found.mode})")
    for column in (found.metric, "state", "iteration", *found.space):
        table.add_column(column, justify="right")
    for trial in sorted(found.trials, key=lambda trial: far if trial.value is None else sign * trial.value):
        values = [cell(trial.values[key]) for key in found.space]
        value = "-" if trial.value is None else f"{trial.value:.6g}"
        table.add_row(str(trial.number), value, trial.state, str(trial.iteration), *values)
    show(table)
    for trial in found.trials:
        if trial.error:
            say(f"trial {trial.number} has failed: {trial.error}")
    if found.best is None:
        say("no trial is finished")
