"""The figure of learning dynamics: two simplexes of strategies, and the payoffs of correlated equilibria."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lawgiver.envs.solvers.normal_form.correlated import correlated_payoffs
from lawgiver.envs.solvers.normal_form.fictitious_play import FictitiousPlay
from lawgiver.envs.solvers.normal_form.hedge import hedge, optimistic_hedge
from lawgiver.envs.solvers.normal_form.nash import equilibria
from lawgiver.envs.solvers.normal_form.replicator import replicator
from lawgiver.trainers.plots.style import CYCLE, new_figure
from lawgiver.trainers.reproduce.dynamics_known import form_of, polygon, uneven

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]])
"""Of the triangle in which mixtures of three strategies are drawn."""
DRAWN = 4_000
"""Points of a course, spread evenly over the logarithm of rounds."""


def panels(course: FictitiousPlay) -> Figure:
    """Draw fictitious play of Shapley's game, dynamics of rock-paper-scissors, and payoffs of chicken."""
    figure = new_figure(12.0, 4.4)
    left, middle, right = figure.subplots(1, 3)
    _shapley(left, course)
    _rock_paper_scissors(middle)
    _chicken(right)
    for axis in (left, middle):
        axis.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2)
    right.legend(frameon=False, fontsize=8, loc="lower right", ncols=2)
    return figure


def _simplex(axis: Any, names: tuple[str, ...]) -> None:
    axis.plot(*np.vstack([CORNERS, CORNERS[:1]]).T, color="black", linewidth=0.8)
    for (x, y), name, (dx, dy) in zip(CORNERS, names, ((0, -0.06), (0, -0.06), (0, 0.03)), strict=True):
        axis.text(x + dx, y + dy, name, ha="center", fontsize=9)
    axis.set_aspect("equal")
    axis.axis("off")


def _shapley(axis: Any, course: FictitiousPlay) -> None:
    form = form_of("shapley")
    _simplex(axis, form.names[0])
    played = np.cumsum(np.eye(3)[course.choices[:, 0]], axis=0)
    rounds = np.unique(np.geomspace(10, len(played), DRAWN).astype(int))
    path = played[rounds - 1] / rounds[:, None] @ CORNERS
    axis.plot(*path.T, color=CYCLE[0], linewidth=0.9, label=f"fictitious play, {len(played):,} rounds")
    limit, _ = polygon(course, form)
    corners = np.vstack([limit, limit[:1]]) @ CORNERS
    axis.plot(*corners.T, "--", color=CYCLE[1], linewidth=1.6, label="Shapley's polygon")
    axis.plot(*(np.full(3, 1 / 3) @ CORNERS), "*", color="black", markersize=9, label="Nash equilibrium")
    axis.set_title("Shapley's game: frequencies of the row player", fontsize=9)


def _rock_paper_scissors(axis: Any) -> None:
    _simplex(axis, form_of("rock_paper_scissors").names[0])
    pool = uneven(1.0, 1.0, 1.0)
    first = np.array([0.7, 0.2, 0.1])
    orbit = replicator(pool, 20.0, start=[first.tolist()]).shares[0] @ CORNERS
    axis.plot(*orbit.T, color=CYCLE[2], linewidth=1.2, label="replicator: goes round")
    head = first ** (1 / RATE)  # of which either hedge makes the same beginning
    for colour, label, play in (
        (CYCLE[1], "hedge: drifts outwards", hedge),
        (CYCLE[0], "optimistic hedge: converges", optimistic_hedge),
    ):
        mixtures = [play(pool, rounds, RATE, [(head / head.sum()).tolist()]).last[0] for rounds in range(1, STEPS)]
        axis.plot(*(np.array(mixtures) @ CORNERS).T, ".-", color=colour, linewidth=0.7, markersize=3, label=label)
    axis.plot(*(np.full(3, 1 / 3) @ CORNERS), "*", color="black", markersize=9, label="Nash equilibrium")
    axis.set_title("Rock-paper-scissors: one population against itself", fontsize=9)


RATE, STEPS = 0.25, 120
"""Learning rate of either hedge in the figure, and its rounds."""


def _chicken(axis: Any) -> None:
    form = form_of("chicken")
    payoffs = form.payoffs.reshape(2, -1).T
    order = np.argsort(np.arctan2(*(payoffs - payoffs.mean(axis=0)).T[::-1]))
    axis.fill(*payoffs[order].T, color="0.92", label="all joint choices")
    angles = np.linspace(0, 2 * np.pi, 73)
    corners = correlated_payoffs(form, np.stack([np.cos(angles), np.sin(angles)], axis=1))
    axis.fill(*corners.T, facecolor=CYCLE[5], edgecolor=CYCLE[0], alpha=0.6, label="correlated equilibria")
    found = np.array([form.values(pair) for pair in equilibria(form)])
    axis.plot(*found.T, "*", color="black", markersize=9, linestyle="none", label="Nash equilibria")
    axis.plot(5.25, 5.25, "o", color=CYCLE[1], label="best for both: 5.25")
    axis.set_xlabel("payoff of the row player [points]")
    axis.set_ylabel("payoff of the column player [points]")
    axis.set_ylim(-1.4, 7.4)
    axis.grid(alpha=0.3)
    axis.set_title("Chicken", fontsize=9)
