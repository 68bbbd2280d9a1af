"""Figures of learned bidders: learning curves, and bid functions beside those of the equilibrium."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lawgiver.agents.auctions import truth_columns
from lawgiver.agents.bidders import LearnedBidders
from lawgiver.envs.core.errors import NoSolution
from lawgiver.envs.families.mechanism_game import MechanismGame
from lawgiver.trainers.bidding.evaluation import announced_rule, equilibrium_bids
from lawgiver.trainers.bidding.seats import announced
from lawgiver.trainers.plots.curves import curves
from lawgiver.trainers.plots.history import flat
from lawgiver.trainers.plots.style import COLOURS, legend_beside, new_figure
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run

# isort: split
from matplotlib.figure import Figure

SHOWN = 1_000
"""Types of which bids are drawn."""


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the learning curves of bidders, and their bid functions."""
    panels = [
        ("What a best reply would gain, the group that loses most", "payoff", ["loss"]),
        ("Distance from the equilibrium's bids", "L2, money", ["l2"]),
    ]
    figure = curves(panels, flat(run), {})
    for axis in figure.axes:
        axis.set_yscale("log")
    if figure.axes:
        yield "curves.png", figure
    game: Any = run.game()
    yield "bids.png", bid_functions(game, announced_rule(run, game), load(run.path, role="participant"))


def bid_functions(game: MechanismGame, parameters: np.ndarray, bidders: LearnedBidders) -> Figure:
    """Draw bids by the truth, a panel for each group of seats: as learned, in equilibrium if known, and truthful.

    Args:
        game: the auction.
        parameters: the announced w, (D,).
        bidders: learned on it.
    """
    state = announced(game, parameters, SHOWN, np.random.default_rng(0))
    obs = game.observe(state, "participant")
    bids, _ = bidders.act(obs, None, None, None)
    groups = bidders.settings["groups"]
    figure = new_figure(4.6 * max(groups) + 6.2, 4.2)
    axes = figure.subplots(1, max(groups) + 1, squeeze=False)[0]
    for group, axis in enumerate(axes):
        seat = groups.index(group)
        seen = obs[:, seat, : bidders.seen]
        truth = seen[:, truth_columns(game.type_layout())[0]]
        order = truth.argsort()
        axis.plot(truth[order], truth[order], color="#999999", linewidth=1, linestyle=":", label="truthful")
        best = equilibrium_bids(game, parameters)(seat)
        if not isinstance(best, NoSolution):
            shown = {"color": COLOURS["optimum"], "linestyle": "--", "label": "equilibrium"}
            axis.plot(truth[order], best(seen[order]).reshape(-1), **shown)
        axis.plot(truth[order], bids[order, seat, 0], ".", markersize=3, color=COLOURS["learned"], label="learned")
        members = ", ".join(str(place) for place, other in enumerate(groups) if other == group)
        axis.set_title(f"participants {members}", fontsize=10, loc="left")
        axis.set_xlabel("value or signal, money")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("bid, money")
    legend_beside(axes[-1])
    return figure
