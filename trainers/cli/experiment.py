"""Commands of ``lawgiver experiment``: studies with real people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
STUDY = typer.Argument(metavar="STUDY", help="The YAML file of a study.", show_default=False)


@app.callback()
def experiment() -> None:
    """Prepare and serve a study with real people."""
    from lawgiver.envs.core.registry import require_extras

    require_extras("lawgiver experiment", "people")


@app.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The YAML file to be written.", show_default=False)],
) -> None:
    """Write a commented study, and its texts beside it; no file is overwritten."""
    from lawgiver.trainers.people.new import write_new

    for each in write_new(file):
        typer.echo(f"written: {each}")


@app.command()
def check(study: Annotated[Path, STUDY]) -> None:
    """Check a study, play it with programs, and print what it costs and how long it takes."""
    from lawgiver.trainers.cli.study_tables import show_forecast
    from lawgiver.trainers.people.forecast import forecast, play_through, warnings
    from lawgiver.trainers.people.study import read_study

    read = read_study(study)
    play_through(read)
    found = forecast(read)
    show_forecast(read, found)
    for warning in warnings(read, found):
        typer.echo(f"warning: {warning}")


@app.command()
def export(
    study: Annotated[Path, STUDY],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder to write into; by default NAME_export beside NAME.yaml."),
    ] = None,
) -> None:
    """Write the tables of a study, for its analysis and for payments; it may be served meanwhile."""
    from lawgiver.trainers.people.export import export as write

    found = write(study, out)
    for file in found.files:
        typer.echo(f"written: {file}")
    if found.anonymised:
        typer.echo("no payments were written, as nobody is known any more")
