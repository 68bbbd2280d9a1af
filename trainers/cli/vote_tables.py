"""Printed tables of tournaments, bimatrix games and exact solutions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lawgiver.trainers.cli.printing import new_table, say, show
from lawgiver.trainers.statistics.estimate import confidence
from lawgiver.trainers.tables.cells import cell, percent
from lawgiver.trainers.tables.votes import nash_weight

if TYPE_CHECKING:
    from lawgiver.trainers.elections.tournament import Tournament
    from lawgiver.trainers.evaluation.solve import Solution


def show_tournament(held: Tournament, solved: Mapping[str, Any]) -> None:
    """Print the matrix of vote shares, the Nash equilibrium, and the verdicts."""
    table = new_table("% of the votes of", f"{held.games:,} elections a pair; ± standard error over groups")
    for column in range(len(held.names)):
        table.add_column(f"against {column + 1}", justify="right")
    table.add_column(f"Nash % [{confidence(solved['nash'].values())}]", justify="right", no_wrap=True)
    for row, name in enumerate(held.names):
        cells = [
            "" if row == column else f"{100 * held.shares[row, column]:.1f} ±{100 * held.errors[row, column]:.1f}"
            for column in range(len(held.names))
        ]
        table.add_row(f"{row + 1} {name}", *cells, nash_weight(solved["nash"][name]))
    show(table)
    for line in _verdicts(solved):
        say(line)


def _verdicts(solved: Mapping[str, Any]) -> Iterator[str]:
    """Yield the verdicts on a meta-game, a line each."""
    kinds = solved["dominance"]
    shown = [f"{name} ({kind}ly)" for name, kind in kinds.items() if kind in ("strict", "weak")]
    open_ = [name for name, kind in kinds.items() if kind == "open"]
    yield f"dominant: {', '.join(shown) or 'none'}" + (f"; not told: {', '.join(open_)}" if open_ else "")
    yield f"beats every other by more than chance: {solved['condorcet_winner'] or 'none'}"
    if solved["cycle"]:
        yield f"cycle: {' beats '.join([*solved['cycle'], solved['cycle'][0]])}"
    if solved["ties"]:
        yield f"not told apart: {'; '.join(' and '.join(pair) for pair in solved['ties'])}"


def show_payoffs(solved: Mapping[str, Any]) -> None:
    """Print dominance, equilibria and fictitious play of a table of payoffs."""
    for player, kinds in solved["dominance"].items():
        if player == "column" and solved["symmetric"]:
            continue
        table = new_table("strategy", "either player's" if solved["symmetric"] else f"the {player} player's")
        table.add_column("dominance")
        for number in range(1, len(solved["equilibria"]) + 1):
            table.add_column(f"Nash {number}" + (" row, column" if solved["symmetric"] else ""), justify="right")
        table.add_column("fictitious play", justify="right")
        for name, kind in kinds.items():
            both = ("row", "column") if solved["symmetric"] else (player,)
            cells = [
                ", ".join(percent(found[one][name]) for one in both)
                for found in (*solved["equilibria"], solved["fictitious_play"])
            ]
            table.add_row(name, kind, *cells)
        show(table)
    for number, found in enumerate(solved["equilibria"], 1):
        payoffs = f"{found['row_payoff']:.4g}, {found['column_payoff']:.4g}"
        say(f"Nash {number}: payoffs {payoffs}; regret {found['regret']:.1g}")
    play = solved["fictitious_play"]
    say(f"fictitious play: {play['rounds']:,} rounds, regret {play['regret']:.1g}; all mixtures in %")


def show_solutions(solutions: Sequence[Solution]) -> None:
    """Print the reasons why some solutions are not known, then the known ones with their sources."""
    known = [each for each in solutions if each.value is not None]
    unknown: dict[str | None, list[str]] = {}
    for each in solutions:
        if each.value is None:
            unknown.setdefault(each.reason, []).append(each.quantity)
    for reason, quantities in unknown.items():
        say(f"not known: {'; '.join(quantities)}: {reason}")
    if not solutions:
        say("nothing is known exactly of this game")
    if not known:
        return
    table = new_table("quantity")
    for heading in ("value", "residual"):
        table.add_column(heading, justify="right")
    table.add_column("source")
    for each in known:
        table.add_row(each.quantity, cell(each.value), f"{each.residual:.1g}", each.source)
    table.columns[0].no_wrap = False
    show(table)
