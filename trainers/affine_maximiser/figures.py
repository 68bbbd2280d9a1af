"""Figures of dynamic affine maximisers: objective beside bounds and baselines, searches over time, implied prices.

Every function draws one figure, in the manner of :mod:`lawgiver.trainers.plots.style`, whose ``save`` writes it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawgiver.agents.reporting import AffineMaximiser
from lawgiver.envs.core.game import Game
from lawgiver.envs.families.torus import MOVES
from lawgiver.envs.gridworld.game import Gridworld
from lawgiver.envs.sequential_sales.game import SequentialSales
from lawgiver.trainers.affine_maximiser.reserve_prices import (
    Reserve,
    entry_prices,
    myerson_reserve,
    reserves,
    reserves_by_round,
)
from lawgiver.trainers.plots.curves import curves
from lawgiver.trainers.plots.history import flat
from lawgiver.trainers.plots.style import COLOURS, free_colours, legend_beside, named_colours, new_figure
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import Estimate, confidence
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the learning curves of an affine maximiser, and the prices or maps that its boosts imply."""
    game: Any = run.game()
    objective = words(game.objective)
    panels = [
        (f"The exact mechanism: expected {objective}, on the same profiles", objective, ["objective"]),
        ("Gradient", "norm", ["gradient_norm"]),
    ]
    figure = curves(panels, flat(run), {"VCG": summary["vcg"].mean, "limit": summary.get("limit")})
    if figure.axes:
        yield "curves.png", figure
    mechanism = load(run.path).get("mechanism")
    boosts = meaning(game, mechanism) if isinstance(mechanism, AffineMaximiser) else None
    if boosts is not None:
        yield "boosts.png", boosts


@dataclass(frozen=True)
class Standing:
    """Expected objectives of one size of a game.

    Attributes:
        name: of the size, as its tick is labelled.
        paper: the best of the paper.
        vcg: of dynamic VCG.
        learned: of the mechanism that was found here.
        limit: known bound, None if there is none.
    """

    name: str
    paper: float
    vcg: float
    learned: Estimate
    limit: float | None


@dataclass(frozen=True)
class Board:
    """The sizes of one game: a panel.

    Attributes:
        title: of the panel.
        measure: label of the vertical axis.
        limit: what the limit is.
        sizes: label of the horizontal axis.
        standings: from left to right.
    """

    title: str
    measure: str
    limit: str
    sizes: str
    standings: Sequence[Standing]


def boards(panels: Sequence[Board]) -> Figure:
    """Draw VCG, the paper's best, ours and the limit by size of the game, three panels a row."""
    rows = -(-(len(panels) + 1) // 3)
    figure = new_figure(13.0, 0.6 + 3.4 * rows)
    axes = figure.subplots(rows, 3, squeeze=False).ravel()
    for axis, panel in zip(axes[: len(panels)], panels, strict=True):
        places = np.arange(len(panel.standings))
        column = {
            key: np.array([getattr(each, key) for each in panel.standings], float) for key in ("paper", "vcg", "limit")
        }
        ours = np.array([each.learned.mean for each in panel.standings])
        half = np.array([each.learned.half for each in panel.standings])
        axis.bar(places, ours, 0.62, color=COLOURS["learned"], alpha=0.2)
        axis.plot(places, column["vcg"], "s", color=COLOURS["VCG"], markersize=5, label="VCG")
        axis.plot(places, column["paper"], "D", color="#0072B2", markersize=6, fillstyle="none", label="paper's best")
        axis.errorbar(places, ours, half, fmt="o", color=COLOURS["learned"], capsize=2, markersize=5, label="ours")
        axis.plot(places, column["limit"], "_", color="#000000", markersize=22, markeredgewidth=1.6, label="limit")
        axis.set_xticks(places, [each.name for each in panel.standings])
        axis.set_xlabel(panel.sizes)
        axis.set_ylim(bottom=0)
        axis.set_title(f"{panel.title}\nlimit: {panel.limit}", fontsize=9, loc="left")
        axis.set_ylabel(panel.measure)
        axis.grid(alpha=0.3, axis="y")
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    level = confidence(each.learned for panel in panels for each in panel.standings)
    longer = {"ours": f"ours, {level} interval", "limit": "known limit"}
    axes[len(panels)].legend(handles, [longer.get(each, each) for each in labels], frameon=False, loc="center")
    return figure


@dataclass(frozen=True)
class Search:
    """The objective of one search over time.

    Attributes:
        seconds: since it began, (T,).
        objective: of the exact mechanism, on the same profiles every time, (T,).
        final: of the exact mechanism at the end, on fresh profiles.
    """

    seconds: np.ndarray
    objective: np.ndarray
    final: float


def searches(found: Mapping[str, Search], references: Mapping[str, float | None], measure: str, title: str) -> Figure:
    """Draw the objective over time, search by search, with references as horizontal lines."""
    figure = new_figure(8.4, 4.2)
    axis = figure.subplots()
    known = named_colours([name for name, value in references.items() if value is not None])
    for colour, (name, search) in zip(free_colours(known.values()), found.items(), strict=False):
        label = f"{words(name)}: {search.final:.4f}"
        axis.plot(search.seconds, search.objective, color=colour, linewidth=1.5, label=label)
    for dashes, (name, value) in zip(itertools.cycle(("--", ":")), references.items()):
        if value is not None:
            axis.axhline(value, color=known[name], linewidth=1, linestyle=dashes, label=f"{words(name)}: {value:.4f}")
    axis.set_xscale("log")
    axis.set_xlabel("time (seconds on one core)")
    axis.set_ylabel(f"{words(measure)} of the exact mechanism")
    axis.set_title(title, fontsize=10, loc="left")
    axis.grid(alpha=0.3)
    legend_beside(axis, fontsize=9)
    return figure


def meaning(game: Game[Any], mechanism: AffineMaximiser) -> Figure | None:
    """Draw the reserve prices or the map that boosts imply; None for games that have neither."""
    if isinstance(game, SequentialSales):
        return reserve_prices(game, mechanism.log_weights, mechanism.boosts)
    if isinstance(game, Gridworld):
        return torus(game, mechanism.boosts)
    return None


def torus(game: Gridworld, boosts: np.ndarray) -> Figure:
    """Draw the boosts of a gridworld as two maps of its cells: added for entering, and implied prices of an entry.

    Args:
        game: whose mechanism it is.
        boosts: b, (S, A).
    """
    entered = np.zeros(game.m**2)
    np.add.at(entered, game.successors, boosts / game.mdp.n_actions)
    entered -= entered.mean()  # a constant added to every move changes nothing
    figure = new_figure(10.4, 5.2)
    left, right = figure.subplots(1, 2)
    widest = max(float(np.abs(entered).max()), 1e-3)
    drawn = _map(left, entered.reshape(game.m, game.m), "PuOr_r", "{:+.2f}", Normalize(-widest, widest))
    figure.colorbar(drawn, ax=left, label="boost of entering, less the mean (units of value)")
    _arrows(left, game, boosts)
    left.set_title("What the mechanism adds for entering a cell\n(arrows: where boosts alone lead)", fontsize=10)
    prices = entry_prices(game, boosts).reshape(game.m, game.m)
    shown = np.where(np.isinf(prices), np.nan, prices)
    words_for = {"start": np.isnan(prices), "never": np.isinf(prices)}
    scale = Normalize(0.0, max(float(np.nanmax(shown)), 1e-3))
    drawn = _map(right, shown, "cividis", "{:.2f}", scale, words_for)
    figure.colorbar(drawn, ax=right, label="value of an entry (units of value)")
    right.set_title("Least value for which the walk comes by\nfor one participant alone", fontsize=10)
    figure.suptitle(f"Gridworld of {game.m} x {game.m} cells on a {game.edges}, {game.n} participants", fontsize=11)
    return figure


def _map(
    axis: Any,
    cells: np.ndarray,
    colours: str,
    number: str,
    scale: Normalize,
    instead: Mapping[str, np.ndarray] | None = None,
) -> Any:
    """Draw a map of cells with their numbers, or the words that masks (m, m) put ``instead``; the start is framed."""
    drawn = axis.imshow(cells, cmap=colours, norm=scale)
    axis.set_facecolor("#eeeeee")
    for (row, column), value in np.ndenumerate(cells):
        word = next((word for word, where in (instead or {}).items() if where[row, column]), None)
        red, green, blue, _ = drawn.to_rgba(value)
        ink = "black" if np.isnan(value) or 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
        axis.text(column, row - 0.3, word or number.format(value), ha="center", va="center", color=ink, fontsize=9)
    axis.add_patch(Rectangle((-0.46, -0.46), 0.92, 0.92, fill=False, edgecolor="#009E73", linewidth=2.5))
    axis.set_xticks(range(cells.shape[1]))
    axis.set_yticks(range(cells.shape[0]))
    axis.set_xlabel("column (the start, framed, is at 0, 0)")
    axis.set_ylabel("row")
    return drawn


def _arrows(axis: Any, game: Gridworld, boosts: np.ndarray) -> None:
    """Draw the moves of the walk from each cell when all values are 0."""
    _, policy = game.mdp.optimal(np.asarray(boosts, float))
    for cell, action in enumerate(np.argmax(policy, axis=-1)):
        row, column = divmod(cell, game.m)
        down, across = MOVES[action]
        axis.annotate(
            "",
            (column + 0.27 * across, row + 0.12 + 0.27 * down),
            (column - 0.13 * across, row + 0.12 - 0.13 * down),
            arrowprops={"arrowstyle": "-|>", "color": "#009E73", "linewidth": 1.8},
        )


def reserve_prices(game: SequentialSales, log_weights: np.ndarray, boosts: np.ndarray) -> Figure:
    """Draw the reserve prices that boosts imply, bidder by bidder, beside Myerson's.

    Args:
        game: whose mechanism it is.
        log_weights: log w, (n,).
        boosts: b, (S, A).
    """
    figure = new_figure(13.0, 4.4)
    left, right = figure.subplots(1, 2, sharey=True)
    by_set = reserves(game, log_weights, boosts)
    by_round = tuple(reserves_by_round(game, log_weights, boosts))
    _dots(left, game, by_set, [each.served for each in by_set], "{} others served")
    left.set_title("By who else is served: all that matters for what is sold", fontsize=10, loc="left")
    _dots(right, game, by_round, [int(each.round or 0) + 1 for each in by_round], "sold in round {}")
    right.set_title("By round, a dot a history: of many orders only the best counts", fontsize=10, loc="left")
    prices, highest = [each.price for each in by_set], game.type_range[1]
    left.set_ylim(min(-0.1 * highest, *prices) - 0.05 * highest, max(1.1 * highest, *prices) + 0.05 * highest)
    left.set_ylabel("effective reserve price (units of value)")
    figure.suptitle(f"Sequential sales, {game.n} bidders, {game.m} items", fontsize=11)
    return figure


def _dots(axis: Any, game: SequentialSales, prices: Sequence[Reserve], kinds: Sequence[int], label: str) -> None:
    names = sorted(set(kinds))
    value, bidder, kind = (np.array(part) for part in ([p.price for p in prices], [p.bidder for p in prices], kinds))
    for colour, name in zip(free_colours(["#000000"]), names, strict=False):
        mine = kind == name
        offset = 0.6 * ((names.index(name) + 0.5) / len(names) - 0.5)
        axis.plot(
            bidder[mine] + 1 + offset, value[mine], "o", color=colour, markersize=4, alpha=0.6, label=label.format(name)
        )
    for i, distribution in enumerate(game.distributions if game.profiles is None else ()):
        label_once = "Myerson's reserve" if i == 0 else None
        axis.hlines(myerson_reserve(distribution), i + 0.6, i + 1.4, color="#000000", linewidth=1.6, label=label_once)
    axis.set_xticks(range(1, game.n + 1))
    axis.set_xlabel("bidder")
    axis.grid(alpha=0.3, axis="y")
    legend_beside(axis)
