"""What the command line prints of votes and of payoffs in general: tournaments, meta-games, loops of elections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lawgiver.trainers.cli.printing import laid_out, new_table, say, show, show_cells
from lawgiver.trainers.statistics.estimate import Estimate, mean_of
from lawgiver.trainers.tables.cells import cell

if TYPE_CHECKING:
    from lawgiver.trainers.elections.tournament import Tournament
    from lawgiver.trainers.evaluation.solve import Solution


def show_tournament(held: Tournament, solved: Mapping[str, Any]) -> None:
    """Print who takes which share of the votes from whom, and what that amounts to."""
    table = new_table("% of the votes of", f"{held.games:,} elections a pair; ± standard error over groups")
    for column in range(len(held.names)):
        table.add_column(f"against {column + 1}", justify="right")
    table.add_column("Nash % [95 %]", justify="right", no_wrap=True)
    for row, name in enumerate(held.names):
        cells = [
            "" if row == column else f"{100 * held.shares[row, column]:.1f} ±{100 * held.errors[row, column]:.1f}"
            for column in range(len(held.names))
        ]
        table.add_row(f"{row + 1} {name}", *cells, _nash(solved["nash"][name]))
    show(table)
    for line in _verdicts(solved):
        say(line)


def _nash(weight: Estimate) -> str:
    """Write a weight in the equilibrium with its interval; in words where it is anything from nothing to all."""
    if weight.low is None:
        return _percent(weight)
    mean, low, high = (100 * each for each in (weight.mean, *weight.ends))
    return "tied [0, 100]" if high - low > 99.9 else f"{mean:.0f} [{low:.0f}, {high:.0f}]"


def _verdicts(solved: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a meta-game amounts to, a line each."""
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
                ", ".join(_percent(found[one][name]) for one in both)
                for found in (*solved["equilibria"], solved["fictitious_play"])
            ]
            table.add_row(name, kind, *cells)
        show(table)
    lines = [
        f"Nash {number}: payoffs {found['row_payoff']:.4g}, {found['column_payoff']:.4g}; regret {found['regret']:.1g}"
        for number, found in enumerate(solved["equilibria"], 1)
    ]
    play = solved["fictitious_play"]
    lines.append(f"fictitious play: {play['rounds']:,} rounds, regret {play['regret']:.1g}; all mixtures in %")
    for line in lines:
        say(line)


def show_solutions(solutions: Sequence[Solution]) -> None:
    """Print what is known of a game, and where from."""
    if not solutions:
        say("nothing is known exactly of this game")
        return
    table = new_table("quantity")
    for heading in ("value", "residual"):
        table.add_column(heading, justify="right")
    table.add_column("source")
    for known in solutions:
        table.add_row(known.quantity, cell(known.value), f"{known.residual:.1g}", known.source)
    table.columns[0].no_wrap = False
    show(table)


def show_vote_share(shares: Mapping[str, Mapping[str, Any]]) -> None:
    """Print shares of the votes: a table a rival if they are by rival, population and condition, else one for all."""
    if not all(isinstance(share, Estimate) for by in shares.values() for share in by.values()):
        for rival, by_population in shares.items():
            _show_shares(by_population, f"% of the votes against {rival} [95 %]")
    elif shares:
        _show_shares(shares, "% of the votes against [95 %]")


def _show_shares(shares: Mapping[str, Mapping[str, Any]], title: str) -> None:
    """Print shares by row and condition; not every row need have every condition."""
    conditions = list(dict.fromkeys(condition for by in shares.values() for condition in by))
    cells = {
        row: {condition: _percent(by[condition]) if condition in by else "-" for condition in conditions}
        for row, by in shares.items()
    }
    show_cells(cells, title)


def show_meta_game(game: Mapping[str, Any]) -> None:
    """Print which share of the votes the mechanisms of a run take from each other, numbered."""
    if not {"names", "shares", "errors"} <= game.keys():  # over seeds that had others, or another number of them
        return
    error = 100 * max(max(row) for row in game["errors"])
    numbered = [f"{place} {name}" for place, name in enumerate(game["names"], 1)]
    cells = {
        name: {str(other + 1): "" if row == other else f"{100 * share:.1f}" for other, share in enumerate(shares)}
        | {"Nash [95 %]": _nash(game["nash"][game["names"][row]])}
        for row, (name, shares) in enumerate(zip(numbered, game["shares"], strict=True))
    }
    show(laid_out(cells, f"meta_game: % of the votes of row against column; standard errors up to {error:.1f}"))


def show_convergence(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Print whether each iteration was the last that was needed; seeds that do not agree are shown as -."""
    words = {True: "yes", False: "no"}
    rows = {
        iteration: {
            "converged": told.get("verdict") or words.get(told.get("converged"), "-"),  # type: ignore[arg-type]
            "edge (% of the votes) [95 %]": _percent(told.get("edge")),
            "reason": told.get("reason", "-"),
        }
        for iteration, told in found.items()
    }
    _show_iterations(rows, "convergence")


def show_virtual_participants(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Print the sizes and penalties that were chosen in each iteration."""
    rows = {
        iteration: {
            kind: ", ".join(
                f"{key} {_chosen(value)}" for key, value in told.items() if key not in ("held_out", "fitted")
            )
            for kind, told in kinds.items()
        }
        for iteration, kinds in found.items()
    }
    _show_iterations(rows, "virtual_participants")


def _show_iterations(rows: Mapping[str, Mapping[str, str]], title: str) -> None:
    table = new_table("iteration", title)
    for column in next(iter(rows.values()), ()):
        table.add_column(column)
    for iteration, cells in rows.items():
        table.add_row(iteration, *cells.values())
    show(table)


def _percent(value: Estimate | float | None) -> str:
    """Write a share as a percentage, with its interval if it has one: ``54.2 [52.9, 55.4]``."""
    if value is None:
        return "-"
    ends = value.ends if isinstance(value, Estimate) and value.low is not None else ()
    interval = f" [{', '.join(f'{100 * end:.1f}' for end in ends)}]" if ends else ""
    return f"{100 * mean_of(value):.1f}{interval}"


def _chosen(value: Any) -> str:
    """Write what was chosen; by several seeds, the choices of each unless they are all the same."""
    values = value.values or () if isinstance(value, Estimate) else [value]
    return "|".join(map(cell, values[:1] if all(item == values[0] for item in values) else values))
