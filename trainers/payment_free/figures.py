"""Figures of a training: learning curves, and the result between water filling and proportional fairness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lawgiver.trainers.plots.curves import curves
from lawgiver.trainers.plots.history import flat
from lawgiver.trainers.plots.style import CYCLE, free_colours, legend_beside, new_figure
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import mean_of
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.figure import Figure

WELFARE, GAIN = "nash_welfare_ratio_to_pf", "relative_gain"
"""The metrics of both sides of the objective."""
FOUND = "by the search in training"


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the learning curves of a network that shares without payments, and its result beside the baselines."""
    history, baselines = flat(run), summary.get("baselines")
    figure = learning(history, baselines or {})
    if figure.axes:
        yield "curves.png", figure
    if history and baselines:
        yield "standing.png", standing(summary, history)


def learning(history: Sequence[Mapping[str, Any]], baselines: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw learning curves with both baselines; gains are those that the search in training finds.

    Args:
        history: one mapping for each line of metrics.
        baselines: ``proportional_fairness`` and ``water_filling``, see :func:`~.train.baselines`; empty if not known.
    """
    panels = [
        (
            "Nash welfare ratio of the exact rule, the same fresh profiles throughout",
            "to proportional fairness",
            [WELFARE],
        ),
        (f"Mean gain {FOUND}", "share of the truth's", [GAIN]),
        ("Gradient, before it is clipped", "norm", ["gradient_norm"]),
        ("What a unit of gain beyond the target costs", "log welfare", ["multiplier"]),
    ]
    figure = curves(panels, history, {})
    for axis, metric in zip(figure.axes, (WELFARE, GAIN), strict=False):
        free = free_colours(line.get_color() for line in axis.get_lines())
        for (name, measured), dashes, colour in zip(baselines.items(), ("--", ":"), free, strict=False):
            label = words(name) + ("\n(by a longer search)" if metric == GAIN and measured[GAIN] else "")
            axis.axhline(mean_of(measured[metric]), color=colour, linestyle=dashes, linewidth=1, label=label)
        legend_beside(axis)
    return figure


def standing(summary: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw Nash welfare over relative gains: the path of the training, the audited result, and the baselines.

    Args:
        summary: of the run, with ``baselines``.
        history: one mapping for each line of metrics.
    """
    figure = new_figure(8.4, 4.4)
    axis = figure.subplots()
    way = [(row[GAIN], row[WELFARE]) for row in history if WELFARE in row]
    axis.plot(*zip(*way, strict=True), color=CYCLE[5], linewidth=1, marker=".", label=f"training, {FOUND}")
    ends = [(measured[GAIN], measured[WELFARE].mean) for measured in summary["baselines"].values()]
    axis.plot(*zip(*ends, strict=True), color="#000000", linestyle="--", linewidth=1, label="between the baselines")
    for end, name, shape, colour in zip(ends, summary["baselines"], "sD", (CYCLE[0], CYCLE[2]), strict=True):
        axis.plot(*end, shape, color=colour, label=words(name))
    gain, welfare = summary["exploitability"]["joint"]["relative"]["mean"], summary[WELFARE]
    bars = {"xerr": gain.half, "yerr": welfare.half, "capsize": 3}
    axis.errorbar(gain.mean, welfare.mean, fmt="o", color=CYCLE[1], label="result, by the audit", **bars)
    axis.set_xlabel("mean gain of misreports, as a share of the truth's utility")
    axis.set_ylabel("Nash welfare ratio, to proportional fairness")
    axis.grid(alpha=0.3)
    legend_beside(axis)
    return figure
