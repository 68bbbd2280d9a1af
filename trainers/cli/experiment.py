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


@app.command()
def links(
    study: Annotated[Path, STUDY],
    count: Annotated[int, typer.Option(metavar="N", help="How many.", show_default=False)],
    address: Annotated[
        str, typer.Option(metavar="URL", help="The server as people reach it.")
    ] = "http://127.0.0.1:8000",
) -> None:
    """Print links, each of which lets one person in once, as CSV; only hashes are kept of them."""
    from lawgiver.trainers.people.links import new_links
    from lawgiver.trainers.people.study import read_study

    made = new_links(read_study(study), count, address)
    typer.echo("outside_id,link")
    for each in made:
        typer.echo(f"{each.outside_id},{each.link}")


@app.command()
def status(study: Annotated[Path, STUDY]) -> None:
    """Print how far the people and groups of a study are; it may be served meanwhile."""
    from lawgiver.trainers.cli.printing import new_table, say, show
    from lawgiver.trainers.people.status import status_of
    from lawgiver.trainers.people.study import read_study

    read = read_study(study)
    found = status_of(read)
    for title, counted in found.tables.items():
        table = new_table(title)
        table.add_column("count", justify="right")
        for name, count in counted.items():
            table.add_row(name, str(count))
        show(table)
        say("")
    say(f"{found.valid} of {found.wanted} groups are valid; intake is {found.intake}")
    say(f"owed so far: {found.owed} {read.config.pay.currency}")


@app.command()
def forget(
    study: Annotated[Path, STUDY],
    outside_id: Annotated[
        str, typer.Argument(metavar="OUTSIDE_ID", help="Their id on Prolific, in the list of links, or their code.")
    ],
) -> None:
    """Delete who somebody is, who withdraws; their group is left out of all tables from then on."""
    from lawgiver.trainers.people.privacy import forget as delete
    from lawgiver.trainers.people.study import read_study

    delete(read_study(study), outside_id)
    typer.echo("forgotten; their group is left out of what is exported")


@app.command()
def anonymise(
    study: Annotated[Path, STUDY],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete who everybody is, what lets them in, and when anything happened; export payments before."""
    from lawgiver.trainers.people.privacy import anonymise as delete
    from lawgiver.trainers.people.study import read_study

    read = read_study(study)
    if not yes:
        typer.confirm("This cannot be undone, and payments cannot be exported any more. Go on?", abort=True)
    typer.echo(f"anonymised: {delete(read)} people")


@app.command()
def serve(
    study: Annotated[
        Path, typer.Argument(metavar="STUDY|RUN", help="The file of a study, or a run that waits.", show_default=False)
    ],
    host: Annotated[str, typer.Option(help="The address of this machine to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its number; 0 for a free one.")] = 8000,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="People come through a proxy on this machine, which encrypts.")
    ] = False,
    until_complete: Annotated[
        bool, typer.Option("--until-complete", help="End once enough groups are valid and everybody has ended.")
    ] = False,
    monitor_port: Annotated[
        int | None,
        typer.Option(
            metavar="P", help="Port of this machine for a page that shows how far everybody is; 0: a free one."
        ),
    ] = None,
) -> None:
    """Serve a study to people until interrupted."""
    from lawgiver.trainers.hcmd_zero.people import waiting_study
    from lawgiver.trainers.people.serve_study import serve_study

    file = waiting_study(study) if study.is_dir() else study
    serve_study(file, host, port, behind_proxy, until_complete, monitor_port)


@app.command()
def bots(
    study: Annotated[Path, STUDY],
    groups: Annotated[int, typer.Option(metavar="N", help="How many.")] = 100,
    think: Annotated[float, typer.Option(metavar="SECONDS", help="Mean time to think before each answer.")] = 0.0,
    people: Annotated[
        str | None, typer.Option(metavar="POLICY", help="What they do; the study's `autoplay` by default.")
    ] = None,
    vanish: Annotated[float, typer.Option(metavar="SHARE", help="Share of them who close the page in a game.")] = 0.0,
    at: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A server of this machine that serves the study; by default one is started."),
    ] = None,
) -> None:
    """Let programs take part in a study, and print how fast its server answers; no data of the study are touched."""
    from lawgiver.trainers.cli.study_tables import show_load_test
    from lawgiver.trainers.people.load_test import load_test

    show_load_test(load_test(study, groups, think, people, vanish, at))
