"""Figures of sharing without payments: welfare against exploitability, rule by rule.

Every function draws one figure, in the manner of :mod:`lawgiver.trainers.plots.style`, whose ``save`` writes it.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawgiver.trainers.plots.style import CYCLE, free_colours, legend_beside, new_figure
from lawgiver.trainers.statistics.estimate import confidence

# isort: split
from matplotlib.figure import Figure

GREYS = ("#000000", "#666666", "#8A6D3B")
"""Of families that are known before any training."""
SHAPES = ("s", "^", "D", "v", "P", "X")
DASHES = ("--", ":", "-.")


@dataclass(frozen=True)
class Mark:
    """A rule in the plane of exploitability and welfare.

    Attributes:
        label: that stands beside it; empty for none.
        x: exploitability.
        y: Nash welfare by that of proportional fairness.
        x_half: half the width of the interval of ``x``, ``y_half`` of ``y``.
        seeds: where each seed lies, (S, 2); None where nothing is learned.
    """

    label: str
    x: float
    y: float
    x_half: float = 0.0
    y_half: float = 0.0
    seeds: np.ndarray | None = None


@dataclass(frozen=True)
class Panel:
    """One measure of exploitability.

    Attributes:
        title: of the panel.
        measure: label of the horizontal axis.
        single: rules that stand alone, by name.
        curves: families of rules, from one end to the other, by name.
        learned: rules by what has learned them, in the order of what was asked of each.
    """

    title: str
    measure: str
    single: Mapping[str, Mark]
    curves: Mapping[str, Sequence[Mark]]
    learned: Mapping[str, Sequence[Mark]]


def frontier(panels: Sequence[Panel], title: str) -> Figure:
    """Draw welfare against exploitability, a column for each measure of it; up and left is better.

    The upper row shows everything, the lower one what lies around the learned rules and the first of the curves.
    """
    figure = new_figure(5.2 * len(panels) + 2.8, 9.0)
    rows = figure.subplots(2, len(panels), squeeze=False)
    for whole, close, panel in zip(*rows, panels, strict=True):
        _draw(whole, panel, labelled=panel.curves)
        whole.margins(x=0.14)
        _draw(close, panel, labelled={**dict(list(panel.curves.items())[:1]), **panel.learned})
        _approach(
            close, [mark for marks in (*list(panel.curves.values())[:1], *panel.learned.values()) for mark in marks]
        )
        whole.set_title(panel.title, fontsize=10, loc="left")
        close.set_title("the same, closer", fontsize=10, loc="left")
        close.set_xlabel(panel.measure)
    for row in rows:
        row[0].set_ylabel("Nash welfare ratio, to proportional fairness")
    handles, labels = rows[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=9, loc="outside right center")
    figure.suptitle(f"{title}; bars are {confidence()} intervals, pale dots seeds", fontsize=11)
    return figure


def _draw(axis: Any, panel: Panel, labelled: Container[str]) -> None:
    """Draw all of a panel; only marks of families in ``labelled`` carry their labels."""
    families = dict(zip(panel.curves, itertools.chain(GREYS, free_colours([*GREYS, *CYCLE])), strict=False))
    networks = dict(zip(panel.learned, free_colours(families.values()), strict=False))
    for dashes, (name, marks) in zip(itertools.cycle(DASHES), panel.curves.items()):
        colour = families[name]
        _cross(axis, marks, ".", colour, name, 5, dashes)
        if name in labelled:
            _tell(axis, marks, colour, (6, -11))
    free = free_colours([*families.values(), *networks.values()])
    for colour, shape, (name, mark) in zip(free, itertools.cycle(SHAPES), panel.single.items()):
        _cross(axis, [mark], shape, colour, name, 8)
    for place, (name, marks) in enumerate(panel.learned.items()):
        colour = networks[name]
        for mark in marks:
            if mark.seeds is not None:
                axis.plot(*mark.seeds.T, "o", color=colour, markersize=4, alpha=0.35, markeredgewidth=0, zorder=3)
        _cross(axis, marks, "o", colour, name, 6)
        if name in labelled:
            _tell(axis, marks, colour, (-5, 5) if place % 2 else (6, -11))
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)


def _approach(axis: Any, marks: Sequence[Mark]) -> None:
    """Set an axis to what lies around some marks."""
    for set_limits, key, half in ((axis.set_xlim, "x", "x_half"), (axis.set_ylim, "y", "y_half")):
        low = min(getattr(mark, key) - getattr(mark, half) for mark in marks)
        high = max(getattr(mark, key) + getattr(mark, half) for mark in marks)
        room = 0.06 * max(high - low, 1e-3)
        set_limits(low - room, high + room)


def _cross(axis: Any, marks: Sequence[Mark], shape: str, colour: str, name: str, size: int, dashes: str = "") -> None:
    """Draw marks with their intervals, and the line through them if ``dashes`` say how."""
    x, y, x_half, y_half = (np.array([getattr(m, key) for m in marks]) for key in ("x", "y", "x_half", "y_half"))
    look = {"markersize": size, "linewidth": 1.2, "elinewidth": 0.9, "zorder": 4}
    axis.errorbar(x, y, y_half, x_half, fmt=shape + dashes, color=colour, label=name, **look)


def _tell(axis: Any, marks: Sequence[Mark], colour: str, offset: tuple[int, int]) -> None:
    """Write the labels of marks beside them, right of them or left by the sign of the offset (points)."""
    for mark in marks:
        axis.annotate(
            mark.label,
            (mark.x, mark.y),
            offset,
            textcoords="offset points",
            ha="left" if offset[0] > 0 else "right",
            color=colour,
            fontsize=8,
            clip_on=True,
            zorder=5,
        )


def gaps(found: Mapping[str, Mapping[str, np.ndarray]], sizes: Sequence[int]) -> Figure:
    """Draw the generalisation gap by the number of profiles trained on, a panel for each measure.

    Args:
        found: gaps by measure and by network, (L, S) for the sizes and the seeds.
        sizes: numbers of profiles trained on, (L,).
    """
    figure = new_figure(6.6 * len(found), 4.0)
    for axis, (measure, curves) in zip(figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True):
        for colour, (name, values) in zip(free_colours(["#BBBBBB"]), curves.items(), strict=False):
            axis.plot(sizes, values, "o", color=colour, markersize=4, alpha=0.4, markeredgewidth=0)
            axis.plot(sizes, values.mean(1), "-", color=colour, linewidth=1.5, label=name)
            rate = values[0].mean() * np.sqrt(sizes[0] / np.asarray(sizes))
            axis.plot(sizes, rate, ":", color=colour, linewidth=1.2)
        axis.plot([], [], ":", color="#BBBBBB", linewidth=1.2, label="$L^{-1/2}$ from the first on")
        axis.axhline(0.0, color="#000000", linewidth=0.8)
        axis.set_xscale("log", base=2)
        axis.set_xlabel("profiles trained on, L")
        axis.set_ylabel(measure)
        axis.grid(alpha=0.3)
        legend_beside(axis)
    figure.suptitle("How much worse fresh profiles fare than those trained on; pale dots seeds", fontsize=11)
    return figure
