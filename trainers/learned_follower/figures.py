"""Figures of a learned follower: learning curves, and its affine welfare relative to the best walks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.plots.curves import curves
from lawgiver.trainers.plots.history import flat
from lawgiver.trainers.plots.style import legend_beside, new_figure
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.figure import Figure


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the learning curves of a follower, and its walks beside those of heuristics."""
    panels = [
        ("What arriving at goals is worth: error in Bellman's equation", "share, rms", ["bellman_error"]),
        ("Gradient, before it is clipped", "norm", ["gradient_norm"]),
    ]
    figure = curves(panels, flat(run), {})
    for axis in figure.axes:
        axis.set_yscale("log")
    if figure.axes:
        yield "curves.png", figure
    found = {name.removesuffix("_ratio"): ratio for name, ratio in summary.items() if name.endswith("_ratio")}
    known = {name: (ratio["min"], ratio["mean"]) for name, ratio in found.items() if ratio is not None}
    if known:
        yield "ratios.png", ratios(known, "affine welfare of the walk, as a share of the best walk's")


def ratios(found: Mapping[str, tuple[float, float]], share: str) -> Figure:
    """Draw the least and the mean ratio to the optimum of several policies, a line each.

    Args:
        found: least and mean ratio to the optimum, <= 1, by policy.
        share: label of the horizontal axis.
    """
    figure = new_figure(8.0, 1.2 + 0.42 * len(found))
    axis = figure.subplots()
    least, mean = zip(*found.values(), strict=True)
    heights = range(len(found))
    axis.hlines(heights, least, mean, color="#999999", linewidth=1)
    axis.plot(least, heights, "o", color="#D55E00", label="least")
    axis.plot(mean, heights, "o", color="#0072B2", label="mean")
    axis.axvline(1, color="#000000", linewidth=1, linestyle="--", label="best")
    axis.set_yticks(heights, [words(name) for name in found])
    axis.set_ylim(len(found) - 0.5, -0.5)
    axis.set_xlabel(share)
    axis.grid(alpha=0.3, axis="x")
    legend_beside(axis)
    return figure
