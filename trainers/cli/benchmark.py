"""Commands of ``lawgiver benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lawgiver.trainers.cli.options import Jobs

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def benchmark(
    context: typer.Context,
    algorithm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A trainer that takes part, or `own`, the library's algorithm for each task; may be given several"
            " times. By default own.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A task, or a YAML file of one; may be given several times. By default all.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[str, typer.Option(metavar="SIZE", help="small or full.")] = "small",
    seeds: Annotated[int, typer.Option(metavar="K", help="Trainings of each algorithm on each task.")] = 3,
    jobs: Jobs = 1,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the runs and the report. What is finished is kept.")
    ] = Path("runs/benchmark"),
) -> None:
    """Score learning algorithms on a fixed set of tasks, from 0, a named baseline, to 1, the known optimum."""
    if context.invoked_subcommand is not None:
        return
    from lawgiver.trainers.benchmark.campaign import benchmark as run
    from lawgiver.trainers.benchmark.entries import OWN
    from lawgiver.trainers.cli.printing import show_markdown

    report = run(algorithm or [OWN], task or (), size, seeds, jobs, out)
    show_markdown(report.markdown())
    typer.echo(f"report: {out / 'report.json'}")


@app.command()
def compare(
    one: Annotated[Path, typer.Argument(metavar="A", help="A benchmark's folder, or its report.json.")],
    other: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
) -> None:
    """Compare two reports by algorithm."""
    from lawgiver.trainers.benchmark.report import compare as compared
    from lawgiver.trainers.cli.printing import show_markdown

    show_markdown(compared(one, other))
