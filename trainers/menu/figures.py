"""Figures of a learned menu: learning curves, and who buys what where one bidder chooses among two items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lawgiver.agents.direct_auctions import LearnedMenu
from lawgiver.envs.multi_item_auction.game import MultiItemAuction
from lawgiver.trainers.evaluation.item_auctions import BASELINES
from lawgiver.trainers.menu.evaluation import best_auction
from lawgiver.trainers.plots.curves import curves, scale_late
from lawgiver.trainers.plots.history import flat
from lawgiver.trainers.plots.style import new_figure
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import mean_of
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.figure import Figure

CELLS = 201
"""Values of each item in a map."""


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the learning curves of a menu, and with one bidder and two items its map."""
    game: Any = run.game()
    objective, probe = words(game.objective), run.settings["trainer"]["evaluation"]["probe"]
    panels = [
        (
            f"The exact menu: mean {objective} of the same {probe:,} profiles throughout",
            f"{objective}, money",
            ["objective"],
        ),
        ("Gradient of the smoothed objective, in units of the greatest welfare", "norm", ["gradient_norm"]),
    ]
    found = summary[game.objective]
    known = {name: mean_of(found[name]) for name in BASELINES if name in found}
    # VCG takes nothing of one bidder: from 0 on the scale would show nothing of what is learned.
    shown = {words(name): value for name, value in known.items() if value != 0}
    history, limit = flat(run), found["limit"]
    figure = curves(panels, history, {**shown, "limit": limit})
    if figure.axes:
        scale_late(figure.axes[0], history, "objective", [*shown.values(), *([] if limit is None else [limit])])
        yield "curves.png", figure
    if (game.n, game.m) == (1, 2):
        menus = {"learned": load(run.path, role="mechanism", game=game)}
        best = best_auction(game)
        yield "menu.png", maps(game, menus | ({"optimum": best} if isinstance(best, LearnedMenu) else {}))


def maps(game: MultiItemAuction, menus: Mapping[str, LearnedMenu]) -> Figure:
    """Draw the share of each item that one bidder is sold, by its values of both: a row of panels for each menu.

    Args:
        game: with one bidder and two items, in ``allocate`` mode.
        menus: by name.
    """
    (left, low), (right, high) = ([getattr(each, end) for each in game.distributions[0]] for end in ("low", "high"))
    grid = np.meshgrid(np.linspace(left, right, CELLS), np.linspace(low, high, CELLS))
    values = np.stack(grid, -1).reshape(-1, 1, 2)
    figure = new_figure(7.6, 0.6 + 3.2 * len(menus))
    axes = figure.subplots(len(menus), 2, squeeze=False, sharex=True, sharey=True)
    for row, (name, menu) in zip(axes, menus.items(), strict=True):
        shares = menu.sell(values)[0].reshape(CELLS, CELLS, 2)
        for j, axis in enumerate(row):
            if game.distribution == "triangle":
                shares[values.sum((1, 2)).reshape(CELLS, CELLS) > right] = np.nan
            drawn = axis.imshow(
                shares[..., j], origin="lower", extent=(left, right, low, high), vmin=0, vmax=1, aspect="auto",
                cmap="viridis",
            )  # fmt: skip
            axis.set_title(f"{name}: share of item {j + 1}", fontsize=10, loc="left")
        row[0].set_ylabel("value of item 2, money")
    for axis in axes[-1]:
        axis.set_xlabel("value of item 1, money")
    figure.colorbar(drawn, ax=axes, label="share, or probability")
    return figure
