"""The figure of rules in the plane of regret and of what else they are to be good at, beside a frontier."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from lawgiver.trainers.plots.style import COLOURS, CYCLE, free_colours, legend_beside, new_figure
from lawgiver.trainers.statistics.estimate import Estimate, mean_of

# isort: split
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SHAPES = "s^Dvp<>PhdX*8"
"""Of the known rules."""
Box: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
"""A part of the plane: limits of the horizontal axis, and of the vertical one."""


@dataclass(frozen=True)
class Mark:
    """A rule in the plane of regret and welfare, or whatever else it is to be good at.

    Attributes:
        x: regret.
        y: welfare, or the other measure.
        x_half: half the width of the interval of ``x``, ``y_half`` of ``y``; 0 where they are exact.
    """

    x: float
    y: float
    x_half: float = 0.0
    y_half: float = 0.0

    @classmethod
    def of(cls, regret: Estimate | float, welfare: Estimate | float) -> Mark:
        """Make it from estimates, or from numbers that are exact."""
        halves = (each.half if isinstance(each, Estimate) else 0.0 for each in (regret, welfare))
        return cls(mean_of(regret), mean_of(welfare), *halves)


@dataclass(frozen=True)
class Labels:
    """Labels of the axes and the curve.

    Attributes:
        x: of the horizontal axis.
        y: of the vertical one.
        curve: of the line.
    """

    x: str = "regret of the true ballot: mean over voters, stochastic dominance"
    y: str = "welfare: mean utility of the voters"
    curve: str = "frontier of all rules, exact"


def standing(
    known: Mapping[str, Mark],
    learned: Mapping[str, Sequence[Mark]],
    curve: np.ndarray | None,
    title: str,
    close: Box | None = None,
    labels: Labels = Labels(),
) -> Figure:
    """Draw welfare, or another measure, over regret.

    Args:
        known: rules by name.
        learned: rules by what has learned them.
        curve: points of the frontier, regret and welfare, (P, 2); None where it is not known.
        title: of the figure.
        close: part of the plane that a second panel shows, where marks lie too close together in the first.
        labels: of the axes and the curve.
    """
    panels = 1 if close is None else 2
    figure = new_figure(8.6, 1.0 + 4.0 * panels)
    axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
    places: dict[tuple[float, float], list[str]] = {}
    for name, mark in known.items():
        places.setdefault((round(mark.x, 6), round(mark.y, 6)), []).append(name)
    others = [colour for colour in CYCLE if colour != COLOURS["learned"]]
    own = dict(zip(learned, (COLOURS["learned"], *others), strict=False))
    for axis in axes:
        if curve is not None:
            axis.plot(*curve.T, color="#000000", linewidth=1.2, label=labels.curve)
        free = free_colours(own.values())
        for shape, colour, names in zip(itertools.cycle(SHAPES), free, places.values()):
            _draw(axis, [known[names[0]]], shape, colour, _listed(names))
        for name, marks in learned.items():
            _draw(axis, marks, "o", own[name], name)
        axis.set_ylabel(labels.y)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel(labels.x)
    axes[0].set_title(title, fontsize=10, loc="left")
    legend_beside(axes[0])
    if close is not None:
        axes[1].set_xlim(close[0])
        axes[1].set_ylim(close[1])
        axes[1].set_title("the same, closer", fontsize=10, loc="left")
    return figure


def _draw(axis: Axes, marks: Sequence[Mark], shape: str, colour: str, name: str) -> None:
    x, y, x_half, y_half = (np.array([getattr(mark, key) for mark in marks]) for key in ("x", "y", "x_half", "y_half"))
    barred = bool(x_half.any() or y_half.any())
    across, along = (y_half, x_half) if barred else (None, None)
    axis.errorbar(x, y, across, along, shape, color=colour, label=name, markersize=6, elinewidth=0.9, zorder=4)


def _listed(names: Sequence[str]) -> str:
    """Write names in lines of two."""
    return ",\n".join(", ".join(names[start : start + 2]) for start in range(0, len(names), 2))
