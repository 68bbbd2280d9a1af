"""Figures that any run may have: learning curves, and welfare against equality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lawgiver.trainers.plots.style import MARKERS, free_colours, legend_beside, named_colours, new_figure
from lawgiver.trainers.tables.glossary import mechanism_words
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.figure import Figure

EARLY = 10
"""The first of so many parts of a training is left out of a scale where it would hide what comes after."""


def curves(
    panels: Sequence[tuple[str, str, Sequence[str]]],
    history: Sequence[Mapping[str, Any]],
    references: Mapping[str, float | None],
) -> Figure:
    """Draw learning curves over iterations, one panel below the other. Panels without data are left out.

    Args:
        panels: title, label of the vertical axis, and the metrics drawn in it.
        history: one mapping an iteration, with ``iteration`` and the metrics.
        references: horizontal lines of the first panel by name; None is left out.
    """
    panels = [panel for panel in panels if any(row.get(metric) is not None for row in history for metric in panel[2])]
    figure = new_figure(8.0, 0.6 + 2.4 * len(panels))
    if not panels:
        return figure
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    known = named_colours([name for name, value in references.items() if value is not None])
    for axis, (title, unit, metrics) in zip(axes, panels, strict=True):
        for colour, metric in zip(free_colours(known.values() if axis is axes[0] else ()), metrics, strict=False):
            points = [(row["iteration"], row[metric]) for row in history if row.get(metric) is not None]
            if points:
                alone = "o" if len(points) == 1 else None  # a line through one point is not seen
                axis.plot(*zip(*points, strict=True), color=colour, label=_label(metric), linewidth=1.3, marker=alone)
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_ylabel(unit)
        axis.grid(alpha=0.3)
    for name, value in references.items():
        if value is not None:
            axes[0].axhline(value, color=known[name], linestyle="--", linewidth=1, label=mechanism_words(name))
    for axis in axes:
        if axis.get_legend_handles_labels()[0]:
            legend_beside(axis)
    axes[-1].set_xlabel("iteration")
    return figure


def scale_late(axis: Any, history: Sequence[Mapping[str, Any]], metric: str, references: Iterable[float]) -> None:
    """Fit the vertical axis to references and to a metric, but for the first :data:`EARLY`-th of the iterations.

    Args:
        axis: a panel of :func:`curves`.
        history: one mapping an iteration, with ``iteration`` and the metric; not empty.
        metric: that is drawn in the panel.
        references: heights of its horizontal lines.
    """
    late = [row[metric] for row in history if row["iteration"] * EARLY > history[-1]["iteration"]]
    shown = [*late, *references]
    low, high = min(shown), max(shown)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    axis.set_ylim(low - margin, high + margin)


def _label(metric: str) -> str:
    """Write a metric's name as words, with a mark if it is solved for and not learned."""
    what, _, name = metric.rpartition("/")
    return f"{words(name)}, exact" if what == "closed_form" else words(name)


def welfare_equality(scores: Mapping[str, Mapping[str, float | None]], objective: str) -> Figure:
    """Draw the scatter of each mechanism's objective against its inequality.

    Args:
        scores: by measure (``objective`` and ``gini``), by mechanism's name; None where it is not known.
        objective: the measure on the vertical axis.
    """
    figure = new_figure(6.2, 4.6)
    axis, colours = figure.subplots(), named_colours(scores[objective])
    for name, value in scores[objective].items():
        gini, shown = scores["gini"].get(name), mechanism_words(name)
        if value is None:
            continue
        colour, marker = colours[name], MARKERS.get(name, "v")
        if gini is None:
            axis.axhline(value, color=colour, linestyle="--", linewidth=1.2, label=shown)
        else:
            axis.scatter(gini, value, s=110, color=colour, marker=marker, label=shown, zorder=3)
    axis.set_xlabel("inequality: expected Gini of payoffs (0 = equal)")
    axis.set_ylabel(f"{words(objective)} a round")
    axis.set_title("Welfare and equality at the exact equilibrium")
    axis.locator_params(axis="x", nbins=6)
    axis.grid(alpha=0.3)
    legend_beside(axis, fontsize=9)
    return figure
