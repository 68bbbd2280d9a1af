"""Figures of the loop: surplus by iteration, clones beside people, and what the last planner does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lawgiver.trainers.commons.figures import figures_of_planner
from lawgiver.trainers.plots.style import legend_beside, named_colours, new_figure
from lawgiver.trainers.runs.run import Run

# isort: split
from matplotlib.figure import Figure

RULES = {"proportional": "--", "interpolating": ":"}
COLOURS = {"clones": "#D55E00", "people": "#0072B2"}


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the figures of a run."""
    yield "iterations.png", iterations(summary)
    if any(summary["closed_loop"].values()):
        yield "clones.png", clones_beside_people(summary["closed_loop"])
    yield from figures_of_planner(run, summary)


def iterations(summary: Mapping[str, Any]) -> Figure:
    """Draw the surplus of every iteration's planner among the clones before whom it learned, and among people."""
    figure = new_figure(7.0, 3.8)
    axis = figure.subplots()
    found = summary["planners"]
    numbers = [int(s) for s in found]
    for who, colour in COLOURS.items():
        surplus = [found[s][who]["surplus"] for s in found]
        axis.errorbar(
            numbers, [e.mean for e in surplus], yerr=[e.half for e in surplus], fmt="o-", color=colour, capsize=3,
            label=f"planner among {who}",
        )  # fmt: skip
    for name, style in RULES.items():
        height = summary["surplus"][name].mean
        axis.axhline(height, color="#000000", linestyle=style, linewidth=1, label=f"{name} among people")
    axis.set_xticks(numbers)
    axis.set_xlabel("iteration")
    axis.set_ylabel("surplus, points a participant and round")
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    legend_beside(axis)
    return figure


def clones_beside_people(closed_loop: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the surplus of clones against that of people under each mechanism, one panel an iteration."""
    figure = new_figure(3.6 * len(closed_loop) + 1.8, 3.6)
    axes = figure.subplots(1, len(closed_loop), sharex=True, sharey=True, squeeze=False)[0]
    names = dict.fromkeys(name for by in closed_loop.values() for name in by)
    colours = named_colours(names)
    for axis, (s, by) in zip(axes, closed_loop.items(), strict=True):
        top = 0.0
        for name, found in by.items():
            people, clones = found["people"]["surplus"], found["clones"]["surplus"]
            axis.errorbar(
                people.mean, clones.mean, xerr=people.half, yerr=clones.half, fmt="o", color=colours[name],
                fillstyle="full" if found["fitted"] else "none", capsize=2,
                label=name if found["fitted"] else f"{name}, not fitted to",
            )  # fmt: skip
            top = max(top, people.mean, clones.mean)
        axis.plot([0, top], [0, top], color="#000000", linewidth=1, linestyle="--")
        axis.set_title(f"iteration {s}", fontsize=10, loc="left")
        axis.set_xlabel("surplus of people")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("surplus of clones")
    legend_beside(axes[-1])
    return figure
