"""What the command line prints: tables of summaries and rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Column, Table

if TYPE_CHECKING:
    from lawgiver.trainers.tournament import Tournament

Columns = Mapping[str, Mapping[str, Any]]


def show(table: Table) -> None:
    """Print a table."""
    Console().print(table)


def show_markdown(text: str) -> None:
    """Print Markdown: laid out on a terminal, as it is into a file."""
    console = Console()
    console.print(Markdown(text) if console.is_terminal else text, markup=False, highlight=False, soft_wrap=True)


def show_rates(rates: Mapping[str, float], machine: Mapping[str, Any]) -> None:
    """Print throughputs, and the machine they were measured on."""
    table = _table("measured", ", ".join(f"{key} {value}" for key, value in machine.items()))
    table.add_column("value", justify="right")
    for key, rate in rates.items():
        table.add_row(key, f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}")
    show(table)


def show_tournament(held: Tournament, solved: Mapping[str, Any]) -> None:
    """Print who takes which share of the votes from whom, and what that amounts to."""
    table = _table("% of the votes of", f"{held.games:,} elections a pair; ± standard error over groups")
    for column in range(len(held.names)):
        table.add_column(f"against {column + 1}", justify="right")
    table.add_column("Nash", justify="right")
    for row, name in enumerate(held.names):
        cells = [
            "" if row == column else f"{100 * held.shares[row, column]:.1f} ±{100 * held.errors[row, column]:.1f}"
            for column in range(len(held.names))
        ]
        table.add_row(f"{row + 1} {name}", *cells, f"{solved['nash'][name]:.0%}")
    show(table)
    cycle = solved["cycle"]
    told = [
        f"dominant, as far as the errors tell: {', '.join(solved['dominant']) or 'none'}",
        f"beats every other by more than chance: {solved['condorcet_winner'] or 'none'}",
    ]
    if cycle:
        told.append(f"cycle: {' beats '.join([*cycle, cycle[0]])}")
    for line in told:
        Console().print(line, markup=False, highlight=False, soft_wrap=True)


def show_audit(found: Mapping[str, Any]) -> None:
    """Print what an audit has found, as :meth:`lawgiver.trainers.audit.Audit.data` tells it."""
    games = f"{found['profiles']:,} profiles of {found['participants']} participants, effort {found['effort']}"
    table = _table("misreporting", f"{games}; ± standard error")
    for column in ("mean gain", "largest", "relative", "largest", "tried"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, group in found["groups"].items():
        cells = [
            cell
            for gains in (group["absolute"], group["relative"])
            for cell in (f"{gains['mean']:.3g} ±{gains['se']:.1g}", f"{gains['max']:.3g}")
        ]
        table.add_row(name, *cells, f"{group['tried']:,}")
    show(table)
    payoff, rational = found["truthful_payoff"], found["individual_rationality"]
    budget, payments = found["budget"], found["payments"]
    told = _table("if all tell the truth")
    told.add_column("")
    told.add_row("payoff", f"{payoff['mean']:.4g} ±{payoff['se']:.1g}, from {payoff['min']:.4g} to {payoff['max']:.4g}")
    told.add_row("payoffs below 0", f"{rational['share']:.1%}, mean violation {rational['mean_violation']:.4g}")
    told.add_row("taken by the mechanism a game", f"{budget['mean']:.4g}, standard deviation {budget['sd']:.4g}")
    told.add_row("games with a deficit", f"{budget['deficit_share']:.1%}")
    told.add_row("payment", f"{payments['mean']:.4g}, from {payments['min']:.4g} to {payments['max']:.4g}")
    told.add_row("payment by participant", ", ".join(f"{paid:.4g}" for paid in payments["by_participant"]))
    if found["envy"] is not None:
        envy = found["envy"]
        told.add_row("envy", f"{envy['mean']:.4g} ±{envy['se']:.1g}, up to {envy['max']:.4g}; {envy['share']:.1%} envy")
    show(told)
    Console().print(_verdict(found), markup=False, highlight=False, soft_wrap=True)


def _verdict(found: Mapping[str, Any]) -> str:
    """Return whether any misreport that was tried pays, and the one that pays most."""
    worst = max((group["worst"] for group in found["groups"].values()), key=lambda example: float(example["gain"]))
    if worst["gain"] <= found["profitable_above"]:
        none = f"{found['profitable_above']:.2g} (1e-6 of the scale of payoffs)"
        return f"no profitable misreport above {none} among {found['misreports_tried']:,} tried"
    seat = worst["participant"]

    def fields(numbers: Mapping[str, list[Any]]) -> str:
        return ", ".join(f"{name} {' '.join(f'{x:.4g}' for x in values)}" for name, values in numbers.items())

    others = [
        fields({name: values[other] for name, values in worst["types"].items()})
        for other in range(found["participants"])
        if other != seat
    ]
    own = fields({name: values[seat] for name, values in worst["types"].items()})
    return (
        f"worst example: participant_{seat} of {own} gains {worst['gain']:.4g} on {worst['truthful_payoff']:.4g} by"
        f" reporting {fields(worst['report'])}; the others are of {'; '.join(others) or 'none'}"
        f" ({found['misreports_tried']:,} misreports tried)"
    )


def show_summary(summary: Mapping[str, Any]) -> None:
    """Print a summary, also one over seeds.

    What is told by mechanism as tables, by condition too, and what has a table of its own; then single numbers and
    alarms.
    """
    numbers = summary.get("aggregate", summary)
    _show_columns({key: value for key, value in numbers.items() if key != "timing" and _is_column(value)})
    for name, value in numbers.items():
        if name in OWN_TABLES and isinstance(value, Mapping):
            OWN_TABLES[name](value)
        elif _is_table(value):
            _show_columns(value, name)
    for name in ("by_condition", "all_conditions"):
        conditions = numbers.get(name) or []
        for condition in conditions if len(conditions) > 1 else ():
            _show_condition(condition)
    singles = _table("result")
    singles.add_column("value")
    for key, value in _singles(numbers):
        singles.add_row(key, _cell(value))
    if singles.row_count:
        show(singles)
    for line in _alarms(summary.get("alarms")):
        Console().print(line, markup=False, highlight=False, soft_wrap=True)


def _alarms(alarms: Any) -> Iterator[str]:
    """Yield a line an alarm, of one run (a list) or of several seeds (lists by seed)."""
    by_seed = alarms if isinstance(alarms, Mapping) else {None: alarms or []}
    for seed, found in by_seed.items():
        of = "" if seed is None else f" (seed {seed})"
        yield from (f"alarm{of}: {alarm}" for alarm in found)


def _show_condition(condition: Mapping[str, Any]) -> None:
    """Print one condition's columns, titled by its endowments and the shares of the gap that are closed."""
    shares = [
        f"{key.replace('_', ' ')} {_cell(condition[key])}"
        for key in ("gap_closed", "reachable_gap_closed")
        if key in condition
    ]
    columns = {key: value for key, value in condition.items() if _is_column(value)}
    _show_columns(columns, ", ".join([f"endowments {tuple(condition.get('endowments', ()))}", *shares]))


def _table(first: str, title: str | None = None) -> Table:
    column = Column(first, no_wrap=True)
    return Table(column, title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)


def _show_columns(columns: Columns, title: str = "") -> None:
    """Print columns of named values, those with the same names side by side."""
    if any(isinstance(value, Mapping) for column in columns.values() for value in column.values()):
        title = f"{title} (mean ± half its 95 % interval)".strip()
    groups: dict[tuple[str, ...], list[str]] = {}
    for key, column in columns.items():
        groups.setdefault(tuple(column), []).append(key)
    for rows, keys in groups.items():
        _show_cells({row: {key: _cell(columns[key][row]) for key in keys} for row in rows}, title)


def _show_cells(cells: Mapping[str, Mapping[str, str]], title: str) -> None:
    """Print cells by row and column, turned where they are too wide otherwise."""
    across = {column: {row: line[column] for row, line in cells.items()} for column in next(iter(cells.values()))}
    console = Console()
    unbounded = console.options.update(max_width=10_000)
    upright, turned = _laid_out(cells, title), _laid_out(across, title)
    width, other = (console.measure(table, options=unbounded).maximum for table in (upright, turned))
    console.print(turned if other < width > console.width else upright)


def _laid_out(cells: Mapping[str, Mapping[str, str]], title: str) -> Table:
    """Return a table of cells by row and column."""
    table = _table("", title or None)
    for column in next(iter(cells.values())):
        table.add_column(column, justify="right")
    for name, row in cells.items():
        table.add_row(name, *row.values())
    return table


def _show_vote_share(shares: Mapping[str, Mapping[str, Any]]) -> None:
    """Print shares of the votes: a table a rival if they are by rival, population and condition, else one for all."""
    if not all(_is_share(share) for by in shares.values() for share in by.values()):
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
    _show_cells(cells, title)


def _show_meta_game(game: Mapping[str, Any]) -> None:
    """Print which share of the votes the mechanisms of a run take from each other, numbered."""
    if not {"names", "shares", "errors"} <= game.keys():  # over seeds that had others, or another number of them
        return
    error = 100 * max(max(row) for row in game["errors"])
    numbered = [f"{place} {name}" for place, name in enumerate(game["names"], 1)]
    cells = {
        name: {str(other + 1): "" if row == other else f"{100 * share:.1f}" for other, share in enumerate(shares)}
        | {"Nash": _percent(game["nash"][game["names"][row]])}
        for row, (name, shares) in enumerate(zip(numbered, game["shares"], strict=True))
    }
    show(_laid_out(cells, f"meta_game: % of the votes of row against column; standard errors up to {error:.1f}"))


def _show_convergence(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Print whether each iteration was the last that was needed; seeds that do not agree are shown as -."""
    words = {True: "yes", False: "no"}
    rows = {
        iteration: {
            "converged": words.get(told.get("converged"), "-"),  # type: ignore[arg-type]
            "edge (% of the votes)": _percent(told.get("edge")),
            "reason": told.get("reason", "-"),
        }
        for iteration, told in found.items()
    }
    _show_iterations(rows, "convergence")


def _show_virtual_participants(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
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
    table = _table("iteration", title)
    for column in next(iter(rows.values()), ()):
        table.add_column(column)
    for iteration, cells in rows.items():
        table.add_row(iteration, *cells.values())
    show(table)


def _show_exploitability(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Print what the best misreports found gain, a row for each group of fields that is misreported."""
    rows = {
        group: {f"{kind}, {key}": _cell(value) for kind, told in kinds.items() for key, value in told.items()}
        for group, kinds in found.items()
    }
    _show_cells(rows, "exploitability: gains of the best misreport found")


OWN_TABLES: dict[str, Callable[[Any], None]] = {
    "exploitability": _show_exploitability,
    "vote_share": _show_vote_share,
    "meta_game": _show_meta_game,
    "convergence": _show_convergence,
    "virtual_participants": _show_virtual_participants,
}
"""How that is printed which is no table of numbers by mechanism."""


def _singles(numbers: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in numbers.items():
        if key in ("timing", "reasons"):
            yield from ((f"{key}.{name}", item) for name, item in value.items())
        elif _is_value(value) or isinstance(value, str):
            yield key, value


def _is_table(value: Any) -> TypeGuard[Columns]:
    return isinstance(value, Mapping) and bool(value) and all(map(_is_column, value.values()))


def _is_column(value: Any) -> bool:
    return isinstance(value, Mapping) and not _is_value(value) and bool(value) and all(map(_is_value, value.values()))


def _is_value(value: Any) -> bool:
    """Return whether ``value`` is a number, unknown, or a number with an interval."""
    if isinstance(value, Mapping):
        return {"mean", "low", "high"} <= value.keys()
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _is_share(value: Any) -> bool:
    """Return whether ``value`` is [share, low, high], or that of several seeds."""
    return isinstance(value, list) or _is_value(value)


def _percent(value: Any) -> str:
    """Return a share as a percentage, with its interval if it has one: ``54.2 [52.9, 55.4]``."""
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        value = [value["mean"], value["low"], value["high"]]
    share, *bounds = value if isinstance(value, list) else [value]
    interval = f" [{', '.join(f'{100 * bound:.1f}' for bound in bounds)}]" if bounds and None not in bounds else ""
    return f"{100 * share:.1f}{interval}"


def _chosen(value: Any) -> str:
    """Return what was chosen; by several seeds, the choices of each unless they are all the same."""
    values = value["values"] if isinstance(value, Mapping) else [value]
    return "|".join(map(_cell, values[:1] if all(item == values[0] for item in values) else values))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        if value["low"] is None:
            return _cell(value["mean"])
        return f"{_cell(value['mean'])} ±{(value['high'] - value['low']) / 2:.1g}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
