"""What is told of a paper that was made again: its number, ours, what is known of either, and how near ours comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

NOT_GIVEN = "not given"
"""Stands for a number of which the paper tells no more than that a curve exists."""


@dataclass(frozen=True)
class Row:
    """One quantity.

    Attributes:
        quantity: what it is, with its unit where it has one.
        ours: the mean over seeds, or what was computed.
        standard_error: of that mean; None for one seed, and for what is exact.
        limit: what is known of it exactly, None if nothing is.
        paper: what the paper prints.
    """

    quantity: str
    ours: float
    standard_error: float | None = None
    limit: float | None = None
    paper: str = NOT_GIVEN

    @property
    def ratio(self) -> float | None:
        """Ours by what is known; of two losses, how many times as large ours is."""
        return self.ours / self.limit if self.limit else None


def over_seeds(quantity: str, values: Sequence[float], limit: float | None = None, paper: str = NOT_GIVEN) -> Row:
    """Return the row of a quantity that every seed gives a value of."""
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return Row(quantity, float(np.mean(values)), error, limit, paper)


@dataclass(frozen=True)
class Reproduction:
    """A paper made again.

    Attributes:
        title: of the paper.
        sections: rows by heading, in order.
        notes: what has to be known to read them, a sentence or two each.
        figures: files.
    """

    title: str
    sections: dict[str, tuple[Row, ...]]
    notes: tuple[str, ...]
    figures: tuple[Path, ...] = field(default=())

    def data(self) -> dict[str, Any]:
        """Return everything as plain data: each row with ``quantity``, ``paper``, ``ours`` and so on."""
        rows = {
            heading: [{**vars(row), "ratio": row.ratio} for row in section]
            for heading, section in self.sections.items()
        }
        return {"title": self.title, "rows": rows, "notes": self.notes, "figures": [f.name for f in self.figures]}

    def markdown(self) -> str:
        """Return the tables and notes as Markdown."""
        lines = [f"# {self.title}", ""]
        for heading, section in self.sections.items():
            lines += [
                f"## {heading}",
                "",
                "| quantity | paper | ours ± standard error | known limit | ours / limit |",
                "|---|---|---:|---:|---:|",
                *(_line(row) for row in section),
                "",
            ]
        return "\n".join([*lines, *(f"- {note}" for note in self.notes)])


def _line(row: Row) -> str:
    error = "" if row.standard_error is None else f" ± {row.standard_error:.1g}"
    cells = (row.quantity, row.paper, f"{row.ours:,.4g}{error}", _cell(row.limit), _cell(row.ratio))
    return f"| {' | '.join(cells)} |"


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}"
