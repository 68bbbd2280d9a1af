"""Commands of ``lawgiver``. Each command imports its dependencies when it runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

import lawgiver
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.files.json_text import to_json
from lawgiver.trainers.cli import benchmark as benchmark_app
from lawgiver.trainers.cli import experiment
from lawgiver.trainers.cli.options import Jobs
from lawgiver.trainers.cli.tune import RANGES, tune
from lawgiver.trainers.reproduce import PAPERS
from lawgiver.trainers.runs.packaged_configs import config_names

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(experiment.app, name="experiment")
app.add_typer(benchmark_app.app, name="benchmark")


def also_in(written: str) -> Any:
    """Make the option of a folder for the results."""
    return typer.Option(metavar="DIR", help=f"Also write {written} there.")


def prepare(out: Path | None) -> None:
    """Make the folder of the results, so that an error is raised before anything is computed."""
    from lawgiver.trainers.runs.atomic_files import made_folder

    if out is not None:
        made_folder(out)


def keyed(arguments: Sequence[str], **elsewhere: str) -> dict[str, Any]:
    """Parse KEY=VALUE arguments, each key once, into changes to a config or to a function's defaults.

    Args:
        arguments: the words of the command line.
        elsewhere: by key, how the command takes what is not given as KEY=VALUE.
    """
    from lawgiver.trainers.runs.overrides import read_overrides, require_given_once

    require_given_once(arguments)
    found = read_overrides(arguments)
    for key, place in elsewhere.items():
        if key in found:
            raise ParameterError(f"{key} is given as {key}=..., allowed: {place}")
    return found


class Saveable(Protocol):
    """Results that can be written into a folder."""

    def save(self, folder: Path) -> list[Path]:
        """Write files and list them."""


def written(found: Saveable, out: Path | None) -> None:
    """Write results into a folder, if one is given, and print the names of the files."""
    for file in found.save(out) if out is not None else ():
        typer.echo(f"written: {file}")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lawgiver {lawgiver.__version__}")
        raise typer.Exit


@app.callback()
def command(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Learn the rules of a game together with the people who live under them."""


@app.command()
def games(name: Annotated[str | None, typer.Argument(help="A game, with or without its version.")] = None) -> None:
    """List the installed games, or show the page of one game."""
    from lawgiver.trainers.cli.lists import listed
    from lawgiver.trainers.cli.pages import game_page
    from lawgiver.trainers.cli.printing import show_markdown

    if name is None:
        typer.echo("\n".join(listed("games")))
    else:
        show_markdown(game_page(name))


@app.command("list")
def list_installed(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="mechanisms|participants|voters|policies|objectives|configs|trainers|games|language_models",
            show_default=False,
        ),
    ],
) -> None:
    """List the installed plug-ins of a kind, one line each, and what they work with."""
    from lawgiver.trainers.cli.lists import listed

    typer.echo("\n".join(listed(kind)))


EXIT_CODES = (
    "Exit codes: 0 done, 2 wrong input or a failed training (with an error message of one line), 130 interrupted."
)


@app.command(epilog=f"Packaged configs: {', '.join(config_names())}. {EXIT_CODES} Waiting for people: 3.")
def train(
    config: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CONFIG [KEY=VALUE]...",
            help="A packaged config or a YAML file, then changes to it, each key with its full path:"
            " game.n_rounds=5 'game.endowments=[10,2,2,2]' trainer.iterations=20 seed=3 seeds=[0,1,2] run_dir=out.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Continue this run instead of starting one. Only trainer.iterations (or trainer.updates),"
            " trainer.anneal_over, trainer.evaluation.* and resources.* may be changed, except resources.runner and"
            " resources.num_envs_per_env_runner; of hcmd_zero also trainer.acquire.enough and trainer.acquire.wait.",
        ),
    ] = None,
) -> None:
    """Train a config; print a table of the results and the run's folder."""
    from lawgiver.trainers.cli.ending import ending
    from lawgiver.trainers.cli.printed_tables import show_summary
    from lawgiver.trainers.runs.launch import Interrupted
    from lawgiver.trainers.runs.trainer import trainer_of

    arguments = config or []
    if resume is None and (not arguments or "=" in arguments[0]):
        raise ParameterError(f"CONFIG is missing: allowed: {', '.join(config_names())}, or a YAML file")
    try:
        if resume is None:
            run = lawgiver.train(arguments[0], keyed(arguments[1:]))
        else:
            run = lawgiver.resume(resume, keyed(arguments))
    except Interrupted as stop:
        typer.echo(f"interrupted; continue with: lawgiver train --resume {stop.path}", err=True)
        raise typer.Exit(130) from None
    show_summary(run.summary, trainer_of(run), run.game())
    for line in ending(run):
        typer.echo(line)
    typer.echo(f"run: {run.path}")


app.command(epilog=f"{RANGES}\n\n{EXIT_CODES}")(tune)


@app.command(epilog=EXIT_CODES)
def evaluate(
    run: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN [KEY=VALUE]...",
            help="The folder of a finished run; then games=4096 (number of games or elections) and seed=0 (of the"
            " games; by default that of the run, with random numbers that the training has not used).",
            show_default=False,
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    out: Annotated[Path | None, also_in("evaluation.json")] = None,
) -> None:
    """Evaluate the learned policies of a run with fresh random numbers."""
    from lawgiver.trainers.cli.printed_tables import show_summary
    from lawgiver.trainers.evaluation.evaluate import EvaluationSettings
    from lawgiver.trainers.runs.atomic_files import write_json
    from lawgiver.trainers.runs.config import checked
    from lawgiver.trainers.runs.run import Run
    from lawgiver.trainers.runs.trainer import trainer_of

    folder, *overrides = run
    settings = checked(EvaluationSettings, keyed(overrides))
    prepare(out)
    with redirect_stdout(sys.stderr):
        found = lawgiver.evaluate(folder, settings.games, settings.seed)
    whole = {"run": folder, **settings.model_dump(), **found}
    if as_json:
        typer.echo(to_json(whole, indent=2))
    else:
        opened = Run.open(folder)
        show_summary(found, trainer_of(opened), opened.game())
    if out is not None:
        write_json(out / "evaluation.json", whole)
        typer.echo(f"written: {out / 'evaluation.json'}", err=as_json)


@app.command(epilog=EXIT_CODES)
def tournament(
    contestants: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|MECHANISM... [KEY=VALUE]...",
            help="Registered mechanisms, run folders, or '{policy: manifold, w: 1, v: 0}', then changes to the runs'"
            " own game and to the defaults: game.name=public_investment 'game.endowments=[10,2,2,2]'"
            " participants=simulated_people voters=experience games=1000 seed=0.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path | None, also_in("tournament.json and a figure")] = None,
) -> None:
    """Hold elections between all pairs of mechanisms: payoff matrix, Nash equilibrium and dominance."""
    from lawgiver.trainers.cli.vote_tables import show_tournament

    given = contestants or []
    overrides = [argument for argument in given if "=" in argument and not Path(argument).is_dir()]
    settings = keyed(overrides, mechanisms="their names, before the first KEY=VALUE")
    prepare(out)
    held = lawgiver.tournament([name for name in given if name not in overrides], **settings)
    show_tournament(held, held.solved())
    written(held, out)


SOLVED = """KEY=VALUE, with a method:

\b
  method=        alpha_rank, cce, ce, double_oracle, fictitious_play, hedge,
                 internal_regret_matching, minimax, nash, optimistic_hedge, psro,
                 regret_matching or replicator
  strategies=    of participants: '[NAME, RUN, {policy: NAME, ...}, 3, menu]', in
                 which a number is an action or a row of a menu of reports; or
                 '{participant: [...], mechanism: [...]}'
  mechanism=     of a game that has one, where it is no player: NAME or a run
  games=1000     in each cell, the same for all of them
  symmetric=     true where participants are exchangeable: fewer cells
  seed=0         of the games
  options.KEY=   of the method, such as options.objective=least of ce
  game.KEY=...   parameters of the game, as on its page, or KEY=...

Examples:

\b
  lawgiver solve matrix preset=chicken method=ce
  lawgiver solve taxed_dilemma method=nash mechanism=libertarian game.continuation=0
  lawgiver solve repeated method=replicator mechanism=borda rounds=1 symmetric=true
  lawgiver solve payoffs.csv method=fictitious_play options.rounds=1000"""


@app.command(epilog=f"{SOLVED}\n\n{EXIT_CODES}")
def solve(
    game: Annotated[
        list[str],
        typer.Argument(
            metavar="GAME|TABLE [KEY=VALUE]...",
            help="A game and its parameters, n=3 or game.n=3; or a CSV file with the names of strategies in the first"
            " row and column, and in each cell the row player's payoff (of a symmetric game) or both payoffs, '3 2'; or"
            " the table.json of a table that was played.",
            show_default=False,
        ),
    ],
    out: Annotated[Path | None, also_in("solutions.json and, of a game that was played, its table")] = None,
) -> None:
    """Compute the known exact solutions of a game, or the equilibria of a table; or solve either by a method."""
    from lawgiver.trainers.cli.solution_tables import show_payoffs, show_solutions, show_table_solutions
    from lawgiver.trainers.empirical.solve import SolveOptions
    from lawgiver.trainers.runs.atomic_files import write_json
    from lawgiver.trainers.runs.overrides import apply_overrides

    name, *overrides = game
    methods = (
        {"method", *SolveOptions.__annotations__} if any(each.startswith("method=") for each in overrides) else set()
    )
    own = [each for each in overrides if re.split("[.=]", each)[0] in methods]
    settings = apply_overrides({}, keyed(own))
    parameters = keyed([each.removeprefix("game.") for each in overrides if each not in own])
    prepare(out)
    subject: Any = {"name": name, **parameters}
    if Path(name).is_file() or Path(name).suffix or (Path(name) / "table.json").is_file():
        if parameters:
            raise ParameterError(
                f"{next(iter(parameters))!r} is given with a table, allowed: the table alone, or method="
            )
        subject = Path(name)
    if settings:
        solved = lawgiver.solve(subject, **settings)
        show_table_solutions(solved)
        written(solved, out)
        return
    found = lawgiver.solve(subject)
    if isinstance(found, tuple):
        show_solutions(found)
        found = {"solutions": [asdict(each) for each in found]}
    else:
        show_payoffs(found)
    if out is not None:
        write_json(out / "solutions.json", found)
        typer.echo(f"written: {out / 'solutions.json'}")


AUDITED = """KEY=VALUE, by default:

\b
  profiles=200   number of games, each with its own types
  effort=2       length of the search
  seed=0         seed of types and search
  chunk=4096     games played in parallel, which bounds memory
  gradient=true  use gradients; false for rules that do not run on torch
  rivals=256     draws of the others' types in each of two samples, for ex interim
                 gains in auctions; 0 for ex post gains alone
  participants=  bidders of an auction, whose bids are audited in place of the
                 truth: a name, a run's folder, or '{policy: NAME, ...}'
  game.KEY=...   parameters of the game, as on its page
  preset=        published settings of the game by name

Where reports count as one of a few, as ballots do, all are tried, and effort and
gradient do not matter.

Examples:

\b
  lawgiver audit vcg --game sequential_sales game.n=5 game.m=3
  lawgiver audit pay_as_bid --game task_scheduling game.mechanism_mode=allocate
  lawgiver audit '{policy: affine_maximiser, log_weights: 0.5}' --game gridworld
  lawgiver audit no_reserve --game sealed_bid game.pricing=next
  lawgiver audit no_reserve --game sealed_bid participants=RUN
  lawgiver audit RUN profiles=1000 --out audited"""


@app.command(epilog=f"{AUDITED}\n\n{EXIT_CODES}")
def audit(
    mechanism: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|MECHANISM [KEY=VALUE]...",
            help="A registered mechanism, a run's folder, or '{policy: NAME, ...}'; then changes to the defaults.",
            show_default=False,
        ),
    ],
    game: Annotated[
        str | None,
        typer.Option(metavar="G", help="A reporting game or auction; by default, the one that a run was trained on."),
    ] = None,
    out: Annotated[Path | None, also_in("audit.json and a figure of the gains")] = None,
) -> None:
    """Search for profitable misreports; print gains ex post (of auctions also ex interim), IR, budget and payments."""
    from lawgiver.trainers.cli.printed_tables import show_audit

    subject, *overrides = mechanism
    settings = keyed(overrides, mechanism="its name as the first word", game="--game G, and game.KEY=... to change it")
    prepare(out)
    found = lawgiver.audit(subject, game, **settings)
    show_audit(found.data())
    written(found, out)


@app.command(epilog=f"Papers: {', '.join(PAPERS)}. {EXIT_CODES}")
def reproduce(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A paper.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the runs, the figures and table.json, runs/reproduce/NAME by default. Finished runs are"
            " reused, interrupted ones resumed.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(metavar="K", help="Trainings of each kind, over which standard errors are computed.")
    ] = 3,
    jobs: Jobs = 1,
) -> None:
    """Reproduce a paper's tables and figures: its numbers, ours with standard errors, and known limits."""
    from lawgiver.trainers.cli.printing import show_markdown
    from lawgiver.trainers.runs.launch import Interrupted

    folder = out or Path("runs/reproduce") / name
    try:
        made = lawgiver.reproduce(name, folder, seeds, jobs)
    except Interrupted:
        again = f"lawgiver reproduce {name} --out {folder} --seeds {seeds} --jobs {jobs}"
        typer.echo(f"interrupted; continue with: {again}", err=True)
        raise typer.Exit(130) from None
    show_markdown(made.markdown())
    for figure in made.figures:
        typer.echo(f"figure: {figure}")
    typer.echo(f"table: {folder / 'table.json'}")


@app.command(
    epilog="Keys are WHAT.VIEW.UNIT. A step of GAME.parallel is a phase in PettingZoo's parallel view of one game; a"
    " round of GAME.vector (the Gymnasium vector env of 4,096 games, participants fixed or conditional cooperators) and"
    " of GAME.torch (65,536 games) is one action of the mechanism in one game; in an election its own people play."
    " rllib.batched and rllib.stock are phases"
    " sampled by lawgiver's runner and by RLlib's own; iteration_env_steps_per_s are those of whole PPO iterations,"
    " with learning."
)
def bench(
    parts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PART]...", help="views, torch or rllib; by default, all that are installed."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Measure each once, with few games, and RLlib only if named.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File of the rates, updated after each measurement; runs/bench.json by default."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Measure the throughput of every view and trainer on this machine."""
    from lawgiver.trainers.cli.printed_tables import show_rates
    from lawgiver.trainers.cli.throughput import FULL, QUICK, chosen_parts, machine, pieces
    from lawgiver.trainers.runs.atomic_files import write_json, writing

    file, rates, about = out or Path("runs/bench.json"), dict[str, float](), {**machine(), "quick": quick}
    work = pieces(chosen_parts(parts or [], quick), QUICK if quick else FULL)
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    with redirect_stdout(sys.stderr):  # libraries must not write into the results on stdout
        for place, (name, measure) in enumerate(work.items(), 1):
            typer.echo(f"{place}/{len(work)} {name}", err=True)
            rates |= measure()
            write_json(file, {**rates, "machine": about})
    if as_json:
        typer.echo(to_json({**rates, "machine": about}, indent=2))
    else:
        show_rates(rates, about)
        typer.echo(f"written: {file}")


PLAYED = """KEY=VALUE, by default:

\b
  mechanism=     a mechanism's name, a run's folder, or '{policy: NAME, ...}'; one
                 that plays the game
  mechanisms=    '[A, B]': a game under each, in an order that is drawn, then a
                 vote and one more game; which was which is told at the end
  others=        policy of the other seats; simulated_people, truthful or random
  seed=          of the games; another one each time
  game.KEY=...   parameters of the game, as on its page

Examples:

\b
  lawgiver play public_investment 'mechanisms=[libertarian, liberal_egalitarian]'
  lawgiver play public_investment mechanism=RUN 'game.endowments=[10,4,4,4]' --open
  lawgiver play voting mechanism=borda others=random"""


@app.command(
    epilog=f"{PLAYED}\n\nExit codes: 1 what is played could not be stored, 2 wrong input (with an error message of one"
    " line), 130 interrupted."
)
def play(
    game: Annotated[
        list[str],
        typer.Argument(metavar="GAME [KEY=VALUE]...", help="A game, then changes to the defaults.", show_default=False),
    ],
    port: Annotated[int, typer.Option(metavar="P", help="Port on 127.0.0.1; 0 for a free one.")] = 8000,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep what is played in this SQLite file, and go on with what it holds."),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Play a game in the browser, with policies in the other seats."""
    name, *overrides = game
    settings = keyed(overrides, name="the first word")
    lawgiver.play(name, port=port, keep=keep, open_page=open_page, **settings)
