"""Figures of a training: revenue and regret over updates, and the result beside auctions that are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lawgiver.trainers.plots.curves import curves, scale_late
from lawgiver.trainers.plots.history import flat
from lawgiver.trainers.plots.style import legend_beside, named_colours, new_figure
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import mean_of
from lawgiver.trainers.tables.glossary import mechanism_words

# isort: split
from matplotlib.figure import Figure

WIDEST = 6
"""Regrets on the way that are drawn, at most, in units of the audited one."""


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the learning curves of an auction, and claimed revenue, regret and revenue when gamed beside baselines."""
    history = flat(run)
    figure = learning(history, summary)
    if figure.axes:
        yield "curves.png", figure
    if "regret" in summary:
        yield "standing.png", standing(history, summary)


def learning(history: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> Figure:
    """Draw revenue, with the baselines, regret, with its budget, and the multiplier over updates.

    Args:
        history: one mapping for each line of metrics.
        summary: of the run, by measure and auction.
    """
    panels = [
        ("Revenue of truthful bidders, the same fresh profiles throughout", "money", ["revenue"]),
        ("Mean gain of a bidder by the misreport that the training finds", "money", ["regret", "budget"]),
        ("Price of regret, in units of revenue", "money / money", ["multiplier"]),
    ]
    revenue = summary.get("revenue", {})
    limit = revenue.get("limit")
    known = {name: mean_of(each) for name, each in revenue.items() if name not in ("learned", "limit")}
    figure = curves(panels, history, {**known, "limit": limit})
    if len(figure.axes) > 1:
        figure.axes[1].set_yscale("log")
        # At first regret has no price yet: revenue is far from what it comes to.
        scale_late(figure.axes[0], history, "revenue", [*known.values(), *([limit] if limit else [])])
    return figure


def standing(history: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> Figure:
    """Draw revenue over regret: the way of the training, the audited result, its revenue when gamed, and baselines.

    Args:
        history: one mapping for each line of metrics.
        summary: of the run, by measure and auction.
    """
    figure = new_figure(8.4, 4.4)
    axis, limit = figure.subplots(), summary["revenue"]["limit"]
    colours = named_colours([*summary["regret"], "limit"])
    end = summary["regret"]["learned"].mean
    way = [(row["regret"], row["revenue"]) for row in history if row["regret"] <= WIDEST * end]
    if way:
        label = "training, regret by its own search"
        axis.plot(*zip(*way, strict=True), color="#999999", linewidth=1, marker=".", markersize=3, label=label)
    for name, regret in summary["regret"].items():
        revenue, gamed = summary["revenue"][name], summary["revenue_gamed"][name]
        colour, words = colours[name], mechanism_words(name)
        bars = {"color": colour, "capsize": 3, "xerr": regret.half}
        axis.errorbar(regret.mean, revenue.mean, yerr=revenue.half, fmt="o", label=words, **bars)
        if name == "learned":
            axis.errorbar(regret.mean, gamed.mean, yerr=gamed.half, fmt="v", label=f"{words}, when gamed", **bars)
    if limit is not None:
        label = mechanism_words("limit")
        axis.axhline(limit, color=colours["limit"], linestyle="--", linewidth=1, label=label)
    axis.set_xlabel("mean gain of a bidder by the best misreport found, money")
    axis.set_ylabel("revenue, money")
    axis.grid(alpha=0.3)
    legend_beside(axis)
    return figure
