"""Printed tables of tournaments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lawgiver.trainers.cli.printing import new_table, say, show
from lawgiver.trainers.statistics.estimate import confidence
from lawgiver.trainers.tables.votes import nash_weight

if TYPE_CHECKING:
    from lawgiver.trainers.elections.tournament import Tournament


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
