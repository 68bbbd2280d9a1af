"""Figures of a training: learning curves, and the result among known rules, truthful ones and payments."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lawgiver.trainers.aggregation.evaluation import LEARNED, REFERENCE
from lawgiver.trainers.plots.curves import curves
from lawgiver.trainers.plots.history import flat
from lawgiver.trainers.plots.style import CYCLE, free_colours, legend_beside, new_figure
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import confidence
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.figure import Figure

SHAPES = ("s", "^", "D", "v", "P", "X", "<", ">", "p")


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the learning curves of a network that aggregates without payments, and its result beside other rules."""
    history, objective = flat(run), words(str(run.settings["game"].get("objective", "regularised")))
    figure = learning(history, objective)
    if figure.axes:
        yield "curves.png", figure
    if summary.get("rules"):
        yield "frontier.png", frontier({LEARNED: [summary["rules"][LEARNED]]}, summary, history, objective)


def learning(history: Sequence[Mapping[str, Any]], objective: str) -> Figure:
    """Draw learning curves, a panel for each metric; gains are those that the search in training finds."""
    panels = [
        (
            "Given up for truthfulness, the same fresh profiles throughout",
            f"{objective} below the mean's",
            ["given_up"],
        ),
        ("Mean gain by the search in training", "units of reward", ["gain"]),
        ("Gradient, before it is clipped", "norm", ["gradient_norm"]),
        ("What a unit of gain beyond the target costs", objective, ["multiplier"]),
    ]
    return curves(panels, history, {})


def frontier(
    learned: Mapping[str, Sequence[Mapping[str, Any]]],
    summary: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    objective: str,
) -> Figure:
    """Draw what rules give up for truthfulness over the mean gain of misreports; up and left is better.

    Args:
        learned: results of learned rules, each with ``given_up`` and ``gain``, by what has learned them, in order.
        summary: ``rules`` and ``charged`` of :func:`~.evaluation.judge`; the reference is left out.
        history: one mapping for each line of metrics of the training that is to be seen on its way; or none.
        objective: its name.
    """
    figure = new_figure(9.0, 4.8)
    axis = figure.subplots()
    way = [(row["gain"], row["given_up"]) for row in history]
    if way:
        axis.plot(*zip(*way, strict=True), color=CYCLE[5], linewidth=0.8, marker=".", markersize=3, label="training")
    paid = summary["charged"]
    _cross(axis, list(paid.values()), "o", "#000000", "mean, with a share of\nMOSAIC's payments", "--")
    for place, (share, each) in enumerate(paid.items()):
        at, up = (each["gain"].mean, each["given_up"].mean), -14 if place % 2 else 6  # those near 1 lie side by side
        axis.annotate(share, at, (0, up), textcoords="offset points", ha="center", fontsize=8)
    others = {name: each for name, each in summary["rules"].items() if name not in (LEARNED, REFERENCE)}
    colours = free_colours(["#000000", CYCLE[1], CYCLE[5]])
    for shape, (name, each), colour in zip(itertools.cycle(SHAPES), others.items(), colours, strict=False):
        _cross(axis, [each], shape, colour, words(name))
    for colour, (name, results) in zip((CYCLE[1], CYCLE[5]), learned.items(), strict=False):
        _cross(axis, results, "o", colour, words(name), "-" if len(results) > 1 else "")
    axis.invert_yaxis()
    axis.set_xlabel("mean gain of an annotator by the best misreport found, in units of reward")
    axis.set_ylabel(f"{objective} given up, if all tell the truth")
    axis.set_title(f"Bars are {confidence()} intervals", fontsize=10, loc="left")
    axis.grid(alpha=0.3)
    legend_beside(axis)
    return figure


def _cross(axis: Any, marks: Sequence[Mapping[str, Any]], shape: str, colour: str, name: str, dashes: str = "") -> None:
    """Draw results with their intervals, and the line through them if ``dashes`` say how."""
    x, y, x_half, y_half = (
        [getattr(each[key], part) or 0.0 for each in marks]
        for key, part in (("gain", "mean"), ("given_up", "mean"), ("gain", "half"), ("given_up", "half"))
    )
    look = {"markersize": 6, "linewidth": 1.2, "elinewidth": 0.9, "zorder": 4}
    axis.errorbar(x, y, y_half, x_half, fmt=shape + dashes, color=colour, label=name, **look)
