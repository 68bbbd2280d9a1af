"""Printed tables of exact solutions, of bimatrix games, and of games solved by a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lawgiver.trainers.cli.printing import new_table, say, show
from lawgiver.trainers.statistics.estimate import Estimate, confidence
from lawgiver.trainers.tables.cells import cell, percent, rounded

if TYPE_CHECKING:
    from lawgiver.trainers.empirical.solutions import Solved, TableSolutions
    from lawgiver.trainers.empirical.solve import Solution

LIKELIEST = 12
"""Joint choices of a distribution that are printed."""
CONCEPTS = {
    "nash": "gain from the best reply to the others' mixtures",
    "correlated": "gain from the best reply to each recommendation",
    "coarse": "gain from the best strategy in place of all recommendations",
}
"""Definition of a solution's regret."""


def show_table_solutions(found: TableSolutions) -> None:
    """Print the mixtures of every solution, or its likeliest joint choices, then payoffs and regrets."""
    labels = [found.method if len(found.solutions) == 1 else f"{found.method} {i}" for i in _numbers(found.solutions)]
    if not found.solutions:
        say(f"{found.method} finds no solution that is one to within rounding")
        return
    if found.solutions[0].joint is not None:
        for label, solved in zip(labels, found.solutions, strict=True):
            _show_joint(label, solved)
    else:
        _show_mixtures(labels, found.solutions)
    played = (
        "payoffs as given" if found.games is None else f"{found.games:,} games a cell; payoffs a game in {found.unit}"
    )
    say(f"{played}; regret: {CONCEPTS[found.solutions[0].concept]}")
    for label, solved in zip(labels, found.solutions, strict=True):
        payoffs = "; ".join(f"{player} {cell(paid)}" for player, paid in solved.payoffs.items())
        say(f"{label}: payoffs {payoffs}")
        say(f"{label}: regret {_regret(solved)}")


def _numbers(solutions: Sequence[Any]) -> range:
    return range(1, len(solutions) + 1)


def _regret(solved: Solved) -> str:
    in_table = f"{rounded(solved.regret):.2g}"
    if isinstance(solved.regret_in_game, Estimate):
        low, high = solved.regret_in_game.ends
        told = f"{confidence([solved.regret_in_game])} [{rounded(low):.2g}, {rounded(high):.2g}]"
        return f"{in_table} in the table, {rounded(solved.regret_in_game.mean):.2g} {told} in the game"
    return f"{in_table}, exactly" if solved.regret_in_game is not None else f"{in_table}; its error is not known"


def _show_mixtures(labels: Sequence[str], solutions: Sequence[Solved]) -> None:
    first = solutions[0].mixtures
    players = list(first)
    alike = len({tuple(weights) for weights in first.values()}) == 1
    if alike:  # a row a strategy, a column a player
        table = new_table("strategy")
        for label in labels:
            for player in players:
                table.add_column(f"{label}: {player} %", justify="right")
        for name in first[players[0]]:
            table.add_row(name, *(percent(one.mixtures[player][name]) for one in solutions for player in players))
        show(table)
        return
    for player in players:
        table = new_table(f"strategy of {player}")
        for label in labels:
            table.add_column(f"{label} %", justify="right")
        for name in first[player]:
            table.add_row(name, *(percent(one.mixtures[player][name]) for one in solutions))
        show(table)


def _show_joint(label: str, solved: Solved) -> None:
    joint = solved.joint or ()
    players = [key for key in joint[0] if key != "probability"]
    table = new_table(players[0])
    for player in players[1:]:
        table.add_column(player)
    table.add_column(f"{label} %", justify="right")
    for choices in joint[:LIKELIEST]:
        table.add_row(*(choices[player] for player in players), percent(choices["probability"]))
    show(table)
    rest = joint[LIKELIEST:]
    if rest:
        say(f"{len(rest):,} more joint choices, {percent(sum(each['probability'] for each in rest))} % together")


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
