"""What the command line prints: tables of summaries and rates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Column, Table

if TYPE_CHECKING:
    from lawgiver.trainers.evaluation import Evaluation


def show(table: Table) -> None:
    """Print a table."""
    Console().print(table)


def show_markdown(text: str) -> None:
    """Print Markdown: laid out on a terminal, as it is into a file."""
    console = Console()
    console.print(Markdown(text) if console.is_terminal else text, markup=False, highlight=False, soft_wrap=True)


def show_rates(rates: Mapping[str, float], machine: Mapping[str, Any]) -> None:
    """Print throughputs, and the machine they were measured on."""
    table = Table("measured", caption=", ".join(f"{key} {value}" for key, value in machine.items()), box=SIMPLE_HEAD)
    table.add_column("value", justify="right")
    for key, rate in rates.items():
        table.add_row(key, f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}")
    show(table)


def show_summary(summary: Mapping[str, Any]) -> None:
    """Print a summary: what is told for the same things (mechanisms, say) as one table, single numbers as another."""
    numbers = summary.get("aggregate", summary)
    columns = {key: value for key, value in numbers.items() if key != "timing" and _is_column(value)}
    show_columns(columns, summary.get("interval"))
    singles = Table("result", "value", box=SIMPLE_HEAD)
    for key, value in _singles(numbers, columns):
        singles.add_row(key, _cell(value))
    if singles.row_count:
        show(singles)


def show_columns(columns: Mapping[str, Mapping[str, Any]], caption: str | None = None) -> None:
    """Print columns of named values, those with the same names side by side."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for key, column in columns.items():
        groups.setdefault(tuple(column), []).append(key)
    for rows, keys in groups.items():
        table = Table(Column("", no_wrap=True), caption=caption, box=SIMPLE_HEAD)
        for key in keys:
            table.add_column(key, justify="right")
        for row in rows:
            table.add_row(row, *(_cell(columns[key][row]) for key in keys))
        show(table)


def show_evaluation(evaluation: Evaluation) -> None:
    """Print what a run's policies are worth."""
    show_columns(evaluation.simulated, "with the learned participants, a round: mean ± half the 95 % interval")
    if evaluation.reason:
        Console().print(f"no exact equilibrium: {evaluation.reason}", markup=False)
    else:
        show_columns(evaluation.exact, "in the exact equilibrium, a round")


def _singles(numbers: Mapping[str, Any], columns: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in numbers.items():
        if key == "timing" and isinstance(value, Mapping):
            yield from ((f"timing.{name}", item) for name, item in value.items() if _is_value(item))
        elif key not in columns and (_is_value(value) or isinstance(value, str)):
            yield key, value


def _is_column(value: Any) -> bool:
    return isinstance(value, Mapping) and not _is_value(value) and bool(value) and all(map(_is_value, value.values()))


def _is_value(value: Any) -> bool:
    """Return whether ``value`` is a number, unknown, or an aggregated number."""
    if isinstance(value, Mapping):
        return {"mean", "low", "high"} <= value.keys()
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        if value["low"] is None:
            return _cell(value["mean"])
        return f"{_cell(value['mean'])} ±{(value['high'] - value['low']) / 2:.1g}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
