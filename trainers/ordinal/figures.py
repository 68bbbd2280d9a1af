"""Figures of a learned voting rule: learning curves, and welfare against regret beside known rules and the frontier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lawgiver.envs.solvers.social_choice.frontier import Frontier
from lawgiver.trainers.ordinal.evaluation import LEARNED
from lawgiver.trainers.ordinal.frontier_figure import Mark, standing
from lawgiver.trainers.plots.curves import curves
from lawgiver.trainers.plots.history import flat
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import mean_of
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.figure import Figure


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the learning curves of a voting rule, and its result beside the known rules."""
    history, found = flat(run), summary["rules"]
    panels = [
        ("Mean utility of the voters, in training", "utility", ["welfare"]),
        ("Regret of the true ballot, in training", "probability", ["regret"]),
        ("Gradient, before it is clipped", "norm", ["gradient_norm"]),
        ("What a unit of regret beyond the target costs", "utility", ["multiplier"]),
    ]
    figure = curves(panels, history, {name: summary.get(name) for name in ("truthful", "greatest")})
    if figure.axes:
        yield "curves.png", figure
    marks = {name: Mark.of(each["regret"], each["welfare"]) for name, each in found.items()}
    known = {words(name): mark for name, mark in marks.items() if name != LEARNED}
    game: Any = run.game()
    curve = None
    if summary.get("truthful") is not None:
        corners = [(corner.regret, corner.objective) for corner in Frontier(game.n, game.m).corners()]
        most = max(mean_of(each["regret"]) for each in found.values())
        curve = np.array([*corners, (most, corners[-1][1])])
    title = f"{game.n} voters, {game.m} alternatives"
    yield "standing.png", standing(known, {"learned": [marks[LEARNED]]}, curve, title)
