"""Figures of a benchmark's report: scores by task, and performance profiles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lawgiver.trainers.benchmark.task import POPULATIONS
from lawgiver.trainers.plots.style import legend_beside, named_colours, new_figure, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lawgiver.trainers.benchmark.report import Report


LOWEST = -0.5
"""Lower end of the axis of scores."""


def draw(report: Report, folder: Path) -> list[Path]:
    """Draw both figures into a folder; list the files."""
    files = []
    for name, figure in (("scores.png", by_task(report)), ("profiles.png", profiles(report))):
        save(figure, folder / name)
        files.append(folder / name)
    return files


def by_task(report: Report) -> Figure:
    """Draw each run's score before the training population, by task; what is below the axis stands at its end, as <."""
    figure = new_figure(7.0, 1.2 + 0.34 * len(report.tasks))
    axis = figure.subplots()
    colours = named_colours(report.algorithms)
    offsets = np.linspace(0.3, -0.3, len(report.algorithms)) if len(report.algorithms) > 1 else [0.0]
    for algorithm, offset in zip(report.algorithms, offsets, strict=True):
        scores = report.scores(algorithm, "training")
        points = [
            (value, -row + offset) for row, task in enumerate(report.tasks) for value in scores.get(task.name, ())
        ]
        if points:
            across, down = np.array(points).T
            below = across < LOWEST
            style: dict[str, Any] = {"color": colours[algorithm], "alpha": 0.8}
            axis.scatter(across[~below], down[~below], s=14, label=algorithm, **style)
            axis.scatter(np.full(below.sum(), LOWEST), down[below], s=18, marker="<", clip_on=False, **style)
    for end in (0, 1):
        axis.axvline(end, color="0.6", linewidth=0.8, zorder=0)
    axis.set_yticks([-row for row in range(len(report.tasks))], [task.name for task in report.tasks])
    axis.set_xlim(LOWEST, 1.25)
    axis.set_xlabel("score: 0 baseline, 1 optimum")
    legend_beside(axis)
    return figure


def profiles(report: Report) -> Figure:
    """Draw the share of runs whose score is at least tau, over tau, before either population."""
    figure = new_figure(8.0, 3.2)
    axes = figure.subplots(1, 2, sharey=True)
    colours = named_colours(report.algorithms)
    for axis, population in zip(axes, POPULATIONS, strict=True):
        for algorithm, steps, shares in _curves(report, population):
            axis.plot(steps, shares, color=colours[algorithm], label=algorithm)
        axis.set_xlabel(f"tau, {population.replace('_', '-')} population")
    axes[0].set_ylabel("share of runs at tau or more")
    legend_beside(axes[1])
    return figure


def _curves(report: Report, population: str) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield each algorithm's performance profile, every task weighing alike."""
    steps = np.linspace(-0.25, 1.05, 261)
    for algorithm in report.algorithms:
        scores = report.scores(algorithm, population)
        if scores:
            above = [(values[:, None] >= steps).mean(axis=0) for values in scores.values()]
            yield algorithm, steps, np.mean(above, axis=0)
