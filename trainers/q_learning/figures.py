"""Figures of Q-learners: the objective as they learn, the answer to a deviation, and what a regulator has learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lawgiver.envs.core.objectives import objective_of
from lawgiver.trainers.plots.curves import curves
from lawgiver.trainers.plots.history import column, flat
from lawgiver.trainers.plots.style import COLOURS, CYCLE, legend_beside, new_figure
from lawgiver.trainers.q_learning.tables import NAMES
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import mean_of
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.figure import Figure

SHOWN = 16
"""Periods of a deviation that are drawn."""


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the learning curves, the answer to a forced deviation, and the objective on the grid of mechanisms."""
    game: Any = run.game()
    objective = objective_of(game)
    lines = flat(run)
    panels = [(f"{words(objective)}, a period", words(objective), [objective])]
    panels += [("What is announced", key, [f"parameters/{key}"]) for key in summary.get("parameters", {})]
    panels += [("Sessions that still learn", "sessions", ["active"])]
    known = column(summary, objective)
    figure = curves(panels, lines, {NAMES[name]: known.get(name) for name in ("nash", "monopoly", "ceiling")})
    _mark_announcement(figure, run.settings["agents"]["mechanism"].get("iterations", 0))
    yield "curves.png", figure
    moves: Mapping[str, Mapping[str, Sequence[float]]] = summary["deviation"]
    acted = game.observation_layout("participant")[0].name.removeprefix("own_")
    paths = {NAMES[name]: path for name, path in moves.items()}
    yield "deviation.png", deviations(paths, column(summary, acted), acted if acted in summary else "action")
    grid = summary.get("grid")
    if grid and len(grid["parameters"][0]) == 1:
        yield "grid.png", over_grid(summary, objective)


def _mark_announcement(figure: Figure, iterations: int) -> None:
    """Mark, in learning curves, from where on a mechanism that has learned is announced; 0 for one that is given."""
    label = "thousand periods"
    if iterations:
        label = f"iteration of the mechanism; from the dotted line on, {label} under what it has learned"
        for axis in figure.axes:
            axis.axvline(iterations, color="#999999", linewidth=1, linestyle=":")
    figure.axes[-1].set_xlabel(label)


def deviations(
    paths: Mapping[str, Mapping[str, Sequence[float]]], references: Mapping[str, float | None], label: str = "price"
) -> Figure:
    """Draw paths around a forced deviation, a panel each.

    Args:
        paths: by name, each as :func:`lawgiver.trainers.q_learning.evaluation.deviation_paths` has it, the mean over
            sessions.
        references: of ``nash`` and ``monopoly``, where known.
        label: what is drawn.
    """
    figure = new_figure(3.6 * len(paths) + 1.8, 3.8)
    axes = figure.subplots(1, len(paths), squeeze=False, sharey=True)[0]
    for axis, (name, path) in zip(axes, paths.items(), strict=True):
        periods = np.arange(-1, SHOWN - 1)
        own, others, kept = (np.asarray(path[key])[:SHOWN] for key in ("own", "others", "own_kept"))
        axis.plot(periods, kept, color="#999999", linewidth=1, linestyle=":", label="without a deviation")
        axis.plot(periods, own, color=CYCLE[1], marker="o", markersize=3.5, label="who deviates, in period 0")
        axis.plot(periods, others, color=CYCLE[0], marker="s", markersize=3.5, label="the others")
        for key, style in (("nash", "--"), ("monopoly", "-.")):
            if references.get(key) is not None:
                axis.axhline(references[key], color="#555555", linewidth=1, linestyle=style, label=NAMES[key])
        axis.set_title(name, fontsize=10, loc="left")
        axis.set_xlabel("period")
        axis.locator_params(axis="x", integer=True)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(label)
    legend_beside(axes[-1])
    return figure


def over_grid(summary: Mapping[str, Any], objective: str) -> Figure:
    """Draw the objective after participants have learned, by the single parameter that is announced."""
    figure = new_figure(7.2, 3.8)
    axis, grid, name = figure.subplots(), summary["grid"], next(iter(summary["parameters"]))
    places = [w[0] for w in grid["parameters"]]
    reached = grid[objective]
    axis.errorbar(
        places,
        [mean_of(each) for each in reached],
        [each.half for each in reached],
        color=CYCLE[0],
        marker="s",
        markersize=4,
        capsize=2,
        label="Q-learners, by a grid",
    )
    for key in ("no_mechanism", "start", "learned"):
        if key not in summary[objective]:
            continue
        found = summary[objective][key]
        axis.plot(
            summary["parameters"][name][key],
            mean_of(found),
            color=COLOURS.get(key, COLOURS["start"]),
            marker="o",
            markersize=8,
            linestyle="",
            label=NAMES[key],
        )
    for key, style in (("nash", "--"), ("monopoly", "-."), ("ceiling", "-")):
        if summary[objective].get(key) is not None:
            value = mean_of(summary[objective][key])
            axis.axhline(value, color="#555555", linewidth=1, linestyle=style, label=NAMES[key])
    axis.set(xlabel=words(name), ylabel=f"{words(objective)}, a period")
    axis.grid(alpha=0.3)
    legend_beside(axis)
    return figure
