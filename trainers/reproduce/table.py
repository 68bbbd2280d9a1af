"""Tables of a reproduction: the paper's numbers, ours, known limits, and ratios."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from lawgiver.envs.files.json_text import plain
from lawgiver.trainers.statistics.estimate import Estimate, mean_of
from lawgiver.trainers.tables.cells import rounded

NOT_GIVEN = "not given"
"""Entry for a number that the paper does not print."""

OURS, ALONE = "ours ± standard error", "ours"
"""Heading of the column with errors, and of one without any, as of a single seed."""


@dataclass(frozen=True)
class Row:
    """One quantity.

    Attributes:
        quantity: what it is, with its unit where it has one.
        ours: estimated, over seeds for instance, or a number that is exact.
        limit: what is known of it exactly, None if nothing is.
        paper: what the paper prints.
        baseline: what something that is known before any training makes of it, likewise; None where there is none.
    """

    quantity: str
    ours: Estimate | float
    limit: float | None = None
    paper: str = NOT_GIVEN
    baseline: Estimate | float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours by what is known; of two losses, how many times as large ours is."""
        return mean_of(self.ours) / self.limit if self.limit else None


def over_seeds(quantity: str, values: Sequence[float], limit: float | None = None, paper: str = NOT_GIVEN) -> Row:
    """Make the row of a quantity that every seed gives a value of."""
    return Row(quantity, Estimate.of_seeds(values), limit, paper)


Cell: TypeAlias = str | float | Estimate | None
"""Text, a number, or an estimate, written with its interval; None for a missing value."""


@dataclass(frozen=True)
class Reproduction:
    """Reproduction of a paper.

    Attributes:
        title: of the paper.
        sections: rows by heading, in order.
        notes: what has to be known to read them, a sentence or two each.
        figures: files.
        baseline: what the rows' baselines are called.
        comparisons: tables by heading of things that are compared in many ways: a row each, all with the same columns
            by name, before the sections.
    """

    title: str
    sections: dict[str, tuple[Row, ...]]
    notes: tuple[str, ...]
    figures: tuple[Path, ...] = field(default=())
    baseline: str = "baseline"
    comparisons: Mapping[str, Sequence[Mapping[str, Cell]]] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """Write everything as plain data: each row with ``quantity``, ``paper``, ``ours`` and so on."""
        rows = {
            heading: [{**vars(row), "ratio": row.ratio} for row in section]
            for heading, section in self.sections.items()
        }
        parts = {"title": self.title, "rows": rows, "notes": self.notes, "figures": [f.name for f in self.figures]}
        data: dict[str, Any] = plain({**parts, **({"comparisons": self.comparisons} if self.comparisons else {})})
        return data

    def markdown(self) -> str:
        """Write the tables and notes as Markdown."""
        lines = [f"# {self.title}", ""]
        for heading, compared in self.comparisons.items():
            lines += [f"## {heading}", "", *_compared(compared), ""]
        for heading, section in self.sections.items():
            known = any(row.baseline is not None for row in section)
            ours = OURS if any(map(_has_error, section)) else ALONE
            lines += [
                f"## {heading}",
                "",
                f"| quantity | paper |{f' {self.baseline} |' if known else ''} {ours} | known limit | ours / limit |",
                f"|---|---|{'---:|' if known else ''}---:|---:|---:|",
                *(_line(row, known) for row in section),
                "",
            ]
        return "\n".join([*lines, *(f"- {note}" for note in self.notes)])


def _compared(rows: Sequence[Mapping[str, Cell]]) -> Iterator[str]:
    names = list(rows[0])
    yield f"| {' | '.join(names)} |"
    yield "|---" + "|---:" * (len(names) - 1) + "|"
    for row in rows:
        yield f"| {' | '.join(_comparison_cell(row[name]) for name in names)} |"


def _comparison_cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Estimate):
        return _cell(cell.mean) + ("" if cell.low is None else f" [{', '.join(map(_cell, cell.ends))}]")
    return _cell(cell)


def _line(row: Row, with_baseline: bool) -> str:
    baseline = (_value(row.baseline),) if with_baseline else ()
    cells = (row.quantity, row.paper, *baseline, _value(row.ours), _cell(row.limit), _cell(row.ratio))
    return f"| {' | '.join(cells)} |"


def _has_error(row: Row) -> bool:
    return isinstance(row.ours, Estimate) and row.ours.standard_error is not None


def _value(value: Estimate | float | None) -> str:
    return _with(value.mean, value.standard_error) if isinstance(value, Estimate) else _cell(value)


def _with(value: float, error: float | None) -> str:
    return _cell(value) + ("" if error is None else f" ± {rounded(error):.1g}")


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{rounded(value):,.4g}"
