"""Figures of an allocator's training: its learning curve, and cumulative regret beside known mechanisms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.online_allocation.tables import NAMES
from lawgiver.trainers.plots.curves import curves
from lawgiver.trainers.plots.history import flat
from lawgiver.trainers.plots.style import CYCLE, new_figure
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate, confidence
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.figure import Figure


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the figures of a run."""
    figure = curves(
        [
            ("Cumulative regret while learning, decisions drawn at random", "regret", ["regret"]),
            ("Gradient, before it is clipped", "norm", ["gradient_norm"]),
        ],
        flat(run),
        {},
    )
    if figure.axes:
        yield "curves.png", figure
    if summary.get("regret"):
        yield "regret.png", beside(summary["regret"])


def beside(regret: Mapping[str, Estimate]) -> Figure:
    """Draw cumulative regret by mechanism as dots with intervals, from the least to the greatest."""
    ordered = sorted(regret.items(), key=lambda each: -each[1].mean)
    figure = new_figure(8.0, 0.8 + 0.32 * len(ordered))
    axis = figure.subplots()
    for row, (name, value) in enumerate(ordered):
        colour = CYCLE[1] if name == "learned" else "#000000"
        axis.errorbar([value.mean], [row], xerr=[value.half], fmt="o", color=colour, markersize=5, elinewidth=1.2)
    axis.set_yticks(range(len(ordered)), [words(NAMES.get(name, name)) for name, _ in ordered])
    axis.set_xlim(left=0)
    axis.set_xlabel("cumulative regret over a game")
    axis.set_title(f"Bars are {confidence(regret.values())} intervals", fontsize=10, loc="left")
    axis.grid(alpha=0.3, axis="x")
    return figure
