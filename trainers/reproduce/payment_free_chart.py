"""The figure of payment-free allocation: every rule of a size, welfare against what misreports bring."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lawgiver.trainers.payment_free.frontier_figure import Mark, Panel, frontier
from lawgiver.trainers.reproduce.payment_free_points import Point
from lawgiver.trainers.reproduce.payment_free_tables import CURVES, FILL, PA, PF, SPLIT, Board


def chart(board: Board) -> Figure:
    """Draw the frontier of a size, welfare against exploitability: all numbers misreported, and values alone."""
    panels = [
        _panel(board, "joint", "Values and demands misreported"),
        _panel(board, "value", "Values alone misreported"),
    ]
    return frontier(panels, board.size.name)


def _panel(board: Board, group: str, title: str) -> Panel:
    def known(name: str, label: str = "") -> Mark:
        return _mark(board.baseline(name, group), label)

    learned: dict[str, list[Mark]] = {}
    for each in board.learned:
        mark = _mark(each.point(group), each.asked.removeprefix("weight "))
        learned.setdefault(f"{each.network.title}, weight beside", []).append(mark)
    return Panel(
        title,
        "mean relative gain by the best misreport found",
        {name: known(name) for name in (PF, PA, FILL, SPLIT)},
        {title: [known(name, name.partition(", ")[2]) for name in names] for title, names in CURVES.items()},
        learned,
    )


def _mark(of: Point, label: str) -> Mark:
    seeds = np.array([seed.at for seed in of.seeds]) if len(of.ratios) > 1 else None
    return Mark(label, of.x.mean, of.y.mean, of.x.half, of.y.half, seeds)
