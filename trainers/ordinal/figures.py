"""Figures of a learned rule: learning curves, and what it is to be good at against regret, beside known rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lawgiver.envs.matching import Matching
from lawgiver.envs.solvers.social_choice.frontier import Frontier
from lawgiver.trainers.ordinal.frontier_figure import Labels, Mark, standing
from lawgiver.trainers.ordinal.hull import hull
from lawgiver.trainers.ordinal.voting import LEARNED
from lawgiver.trainers.plots.curves import curves
from lawgiver.trainers.plots.history import flat
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import mean_of
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.figure import Figure

MEASURED = {
    False: ("Mean utility of the voters, in training", "utility"),
    True: ("Violation of stability, in training", "utility squared"),
}
"""Title and unit of the first panel, by whether there are matchings."""
MATCHED = Labels(
    x="violation of strategyproofness: mean over participants, stochastic dominance",
    y="violation of stability",
    curve="lines between known rules",
)


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the learning curves of a rule, and its result beside the known rules."""
    history, game = flat(run), run.game()
    matched = isinstance(game, Matching)
    title, unit = MEASURED[matched]
    panels = [
        (title, unit, ["stability" if matched else "welfare"]),
        ("Regret of the true report, in training", "probability", ["regret"]),
        ("Gradient, before it is clipped", "norm", ["gradient_norm"]),
        ("What a unit of regret beyond the target costs", "of the other measure", ["multiplier"]),
    ]
    figure = curves(panels, history, {name: summary.get(name) for name in ("truthful", "greatest")})
    if figure.axes:
        yield "curves.png", figure
    yield "standing.png", (of_matching if matched else of_voting)(game, summary)


def of_voting(game: Any, summary: Mapping[str, Any]) -> Figure:
    """Draw welfare against regret, beside the frontier where it is known."""
    found = summary["rules"]
    known, learned = marks(found, "welfare")
    curve = None
    if summary.get("truthful") is not None:
        corners = [(corner.regret, corner.objective) for corner in Frontier(game.n, game.m).corners()]
        most = max(mean_of(each["regret"]) for each in found.values())
        curve = np.array([*corners, (most, corners[-1][1])])
    return standing(known, learned, curve, f"{game.n} voters, {game.m} alternatives")


def of_matching(game: Any, summary: Mapping[str, Any]) -> Figure:
    """Draw the violation of stability against that of strategyproofness, beside the lines between known rules."""
    known, learned = marks(summary["rules"], "stability")
    points = [(mark.x, mark.y) for mark in known.values()]
    curve = np.array([points[i] for i in hull(points)])
    title = f"{game.rows} rows, {game.columns} columns, correlation {game.correlation:g}; down and left is better"
    return standing(known, learned, curve, title, labels=MATCHED)


def marks(found: Mapping[str, Any], measure: str) -> tuple[dict[str, Mark], dict[str, list[Mark]]]:
    """Place known rules, and the learned one, in the plane of regret and a measure."""
    placed = {name: Mark.of(each["regret"], each[measure]) for name, each in found.items()}
    return {words(name): mark for name, mark in placed.items() if name != LEARNED}, {LEARNED: [placed[LEARNED]]}
