"""The figures of a run: labelled, with units, in colours that the colour-blind can tell apart (Okabe and Ito).

Each function draws one figure and returns it; :func:`save` writes it.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lawgiver.envs.core.errors import MissingExtraError
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.policy_check import check_policy
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.envs.public_investment.one_round import after_round, sends
from lawgiver.trainers.plots.wording import words
from lawgiver.trainers.runs.atomic_files import replacing

try:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import hsv_to_rgb, to_hex
    from matplotlib.figure import Figure
    from matplotlib.ticker import SymmetricalLogLocator
except ImportError as error:
    raise MissingExtraError("matplotlib", "plot", "drawing figures") from error

COLOURS = {
    "strict_egalitarian": "#E69F00",
    "libertarian": "#0072B2",
    "liberal_egalitarian": "#009E73",
    "learned": "#D55E00",
    "reachable": "#CC79A7",
    "ceiling": "#000000",
    "nobody_moves": "#999999",
    "start": "#56B4E9",
    "best_in_box": "#CC79A7",
    "optimum": "#000000",
    "first_best": "#E69F00",
    "VCG": "#777777",
}
MARKERS = {
    "strict_egalitarian": "s",
    "libertarian": "^",
    "liberal_egalitarian": "D",
    "learned": "o",
    "reachable": "P",
    "ceiling": "*",
}
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MORE = ("#999999", "#882255", "#332288", "#44AA99", "#661100", "#999933", "#000000")
"""Colours of series beyond the first six."""
GOLDEN = 0.618034
"""How far apart on the circle of hues are those of series beyond these: the golden section fills it evenly."""
ENTRIES = 13
"""Entries of a legend that stand below each other beside the lowest of panels."""

SHOWN = {"reachable": "best found", "ceiling": "ceiling, rational people"}
"""Names in legends that say more than their keys."""

Weights = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A memoryless mechanism: endowments and contributions (..., n) to weights (..., n)."""


def free_colours(taken: Iterable[str]) -> Iterator[str]:
    """Yield colours that are not taken, each once: the best to tell apart first, and then hues without end."""
    used = {colour.upper() for colour in taken}
    hues = (to_hex(hsv_to_rgb((k * GOLDEN % 1, 0.55, 0.75))) for k in itertools.count(1))
    yield from (colour for colour in itertools.chain(CYCLE, MORE, hues) if colour.upper() not in used)


def named_colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each name, no two the same: the one that it has in every figure, else the next free one."""
    found: dict[str, str] = {}
    for name in names:
        if COLOURS.get(name, "") not in {"", *found.values()}:
            found[name] = COLOURS[name]
    free = free_colours(found.values())
    return {name: found[name] if name in found else next(free) for name in names}


def legend_beside(axis: Any, **how: Any) -> None:
    """Put the legend of a panel to its right, off the data, in columns of up to :data:`ENTRIES`."""
    columns = -(-len(axis.get_legend_handles_labels()[0]) // ENTRIES)
    how = {"fontsize": 8, "ncols": max(columns, 1), **how}
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), **how)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches."""
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


LETTERS_AN_INCH = 13
"""Of a heading: as many of its size as stand side by side for certain."""


def save(figure: Figure, path: Path, heading: str | None = None) -> None:
    """Write a figure as PNG, whole or not at all.

    Args:
        figure: that is written.
        path: where to.
        heading: what stands above it all, a title that the figure has included: the mechanism and the game.

    Raises:
        RunError: if it cannot be written.
    """
    if heading is not None:
        room, own = int(LETTERS_AN_INCH * figure.get_figwidth()), figure.get_suptitle()
        lines = [part for line in [*heading.split("\n"), own] for part in textwrap.wrap(line, room)]
        figure.suptitle("\n".join(lines), fontsize=9, x=0.01, ha="left")
        figure.set_figheight(figure.get_figheight() + 0.2 * (1 + len(lines)))
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def welfare_equality(scores: Mapping[str, Mapping[str, float | None]], objective: str) -> Figure:
    """Return the scatter of what each mechanism achieves against how unequal it is.

    Args:
        scores: by measure (``objective`` and ``gini``), by mechanism's name; None where it is not known.
        objective: the measure on the vertical axis.
    """
    figure = new_figure(6.2, 4.6)
    axis, colours = figure.subplots(), named_colours(scores[objective])
    for name, value in scores[objective].items():
        gini, shown = scores["gini"].get(name), SHOWN.get(name, words(name))
        if value is None:
            continue
        colour, marker = colours[name], MARKERS.get(name, "v")
        if gini is None:
            axis.axhline(value, color=colour, linestyle="--", linewidth=1.2, label=shown)
        else:
            axis.scatter(gini, value, s=110, color=colour, marker=marker, label=shown, zorder=3)
    axis.set_xlabel("inequality: expected Gini of payoffs (0 = equal)")
    axis.set_ylabel(f"{words(objective)} a round")
    axis.set_title("Welfare and equality at the exact equilibrium")
    axis.locator_params(axis="x", nbins=6)
    axis.grid(alpha=0.3)
    legend_beside(axis, fontsize=9)
    return figure


def contributions(
    endowments: Sequence[int], learned: np.ndarray, exact: np.ndarray, *, learned_label: str = "trained participants"
) -> Figure:
    """Return the distribution of contributions of each kind of participant beside the equilibrium's.

    Args:
        endowments: of each participant, (n,).
        learned: probabilities of each contribution by the trained participants, (n, n_actions).
        exact: the same at the exact equilibrium, (n, n_actions).
        learned_label: what the trained participants are called.
    """
    kinds = [list(endowments).index(e) for e in sorted(set(endowments), reverse=True)]
    figure = new_figure(1.2 + 3.6 * len(kinds), 3.6)
    axes = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axis, seat in zip(axes, kinds, strict=True):
        points = np.arange(endowments[seat] + 1)
        axis.bar(points, learned[seat, : points.size], color="#56B4E9", label=learned_label)
        axis.plot(points, exact[seat, : points.size], "o-", color="#D55E00", label="exact equilibrium")
        means = f"mean {learned[seat, : points.size] @ points:.2f}, exact {exact[seat, : points.size] @ points:.2f}"
        axis.set_title(f"endowment {endowments[seat]} points\n({means})", fontsize=10)
        axis.set_xlabel("contribution (points)")
        axis.set_xticks(points if points.size <= 11 else points[:: points.size // 10])
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("probability")
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, fontsize=8, loc="outside lower center", ncols=2)
    return figure


def beach_plot(conditions: Sequence[Sequence[int]], weights: Weights) -> Figure:
    """Return the head's share over its contribution and the sum of the tails', a panel for each condition.

    The head is participant 0. A cell is the mean share over all ways in which the tails can give that sum (Koster et
    al. 2022, the released plotting code): bright = to the head, dark = to the tails.
    """
    figure = new_figure(1.4 + 2.7 * len(conditions), 3.3)
    axes = figure.subplots(1, len(conditions), squeeze=False)[0]
    for axis, condition in zip(axes, conditions, strict=True):
        filled = beach_panel(axis, head_shares(condition, weights))
        axis.set_title(f"endowments {', '.join(map(str, condition))}", fontsize=9)
        axis.set_xlabel("sum of the tails' contributions")
    axes[0].set_ylabel("head's contribution (points)")
    figure.colorbar(filled, ax=axes, label="share of the fund to the head")
    return figure


def weights_of(game: PublicInvestment, mechanism: Policy) -> Weights:
    """Return a memoryless mechanism as the weights behind the payouts of a round, by the rules."""
    check_policy(game, "mechanism", mechanism, distribution=True)
    sent = sends(game, mechanism)
    return lambda e, c: np.asarray(after_round(game, sent(e, c), e, c).weights)


def beach_panel(axis: Any, shares: np.ndarray) -> Any:
    """Draw the head's shares (heads, sums) as one panel of a beach plot; return its filled contours."""
    sums, heads, levels = np.arange(shares.shape[1]), np.arange(shares.shape[0]), np.linspace(0, 1, 11)
    filled = axis.contourf(sums, heads, shares, levels=levels, cmap="viridis")
    if ((np.nanmin(shares) < levels) & (levels < np.nanmax(shares))).any():  # else there is no line to draw
        axis.contour(sums, heads, shares, levels=levels, colors="black", linewidths=0.5)
    return filled


def head_shares(condition: Sequence[int], weights: Weights) -> np.ndarray:
    """Return participant 0's mean share, (e_0 + 1, sum of the others' endowments + 1)."""
    head, *tails = condition
    combinations = np.array(list(itertools.product(*(range(tail + 1) for tail in tails))))
    joint = np.concatenate(
        [
            np.repeat(np.arange(head + 1), len(combinations))[:, None],
            np.tile(combinations, (head + 1, 1)),
        ],
        axis=1,
    ).astype(float)
    shares = weights(np.broadcast_to(np.asarray(condition, float), joint.shape), joint)[:, 0]
    sums = joint[:, 1:].sum(axis=1).astype(int)
    columns = sum(tails) + 1
    cell = joint[:, 0].astype(int) * columns + sums
    total = np.bincount(cell, weights=shares, minlength=(head + 1) * columns)
    return (total / np.bincount(cell, minlength=(head + 1) * columns)).reshape(head + 1, columns)


def _label(metric: str) -> str:
    """Return a metric's name as words, and whether it is what is known of it."""
    what, _, name = metric.rpartition("/")
    return f"{words(name)}, closed form" if what == "closed_form" else words(name)


def curves(
    panels: Sequence[tuple[str, str, Sequence[str]]],
    history: Sequence[Mapping[str, Any]],
    references: Mapping[str, float | None],
) -> Figure:
    """Return learning curves, one panel below the other over iterations. Panels without data are left out.

    Args:
        panels: title, label of the vertical axis, and the metrics drawn in it.
        history: one mapping an iteration, with ``iteration`` and the metrics.
        references: horizontal lines of the first panel by name; None is left out.
    """
    panels = [panel for panel in panels if any(row.get(metric) is not None for row in history for metric in panel[2])]
    figure = new_figure(8.0, 0.6 + 2.4 * len(panels))
    if not panels:
        return figure
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    known = named_colours([name for name, value in references.items() if value is not None])
    for axis, (title, unit, metrics) in zip(axes, panels, strict=True):
        for colour, metric in zip(free_colours(known.values() if axis is axes[0] else ()), metrics, strict=False):
            points = [(row["iteration"], row[metric]) for row in history if row.get(metric) is not None]
            if points:
                alone = "o" if len(points) == 1 else None  # a line through one point is not seen
                axis.plot(*zip(*points, strict=True), color=colour, label=_label(metric), linewidth=1.3, marker=alone)
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_ylabel(unit)
        axis.grid(alpha=0.3)
    for name, value in references.items():
        if value is not None:
            axes[0].axhline(value, color=known[name], linestyle="--", linewidth=1, label=SHOWN.get(name, words(name)))
    for axis in axes:
        if axis.get_legend_handles_labels()[0]:
            legend_beside(axis)
    axes[-1].set_xlabel("iteration")
    return figure


@dataclass(frozen=True)
class Band:
    """A noisy quantity over time.

    Attributes:
        time: (T,).
        mean: (T,).
        sd: standard deviation around the mean, (T,); None where it is not to be drawn.
    """

    time: np.ndarray
    mean: np.ndarray
    sd: np.ndarray | None = None


@dataclass(frozen=True)
class Panel:
    """One of several panels below each other.

    Attributes:
        title: of the panel.
        bands: by the name under which the legend has them.
        references: horizontal lines by name, < 0.
    """

    title: str
    bands: Mapping[str, Band]
    references: Mapping[str, float]


DASHES = ((0, (6, 2)), (0, (3, 2)), (0, (1, 1)), (0, (6, 2, 1, 2)), (0, (6, 2, 1, 2, 1, 2)))
EDGE = "one standard deviation on either side"
"""What a legend calls the dashed edges of bands."""


def losses(panels: Sequence[Panel], time: str, welfare: str) -> Figure:
    """Return panels of welfare over time, mean solid and one standard deviation on either side dashed.

    Welfare is a loss here, and what is compared differs by orders of magnitude: both axes are logarithmic, and what
    reaches half the smallest loss among the references, or 0, is cut off.

    Args:
        panels: from top to bottom; the times of bands are > 0, references < 0.
        time: label of the horizontal axis.
        welfare: label of the vertical axes.
    """
    figure = new_figure(10.0, 0.5 + 2.9 * len(panels))
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axis, panel in zip(axes, panels, strict=True):
        known = named_colours(panel.references)
        for colour, (name, band) in zip(free_colours(known.values()), panel.bands.items(), strict=False):
            axis.plot(band.time, band.mean, color=colour, linewidth=1.8, label=words(name))
            for edge in _edges(band):
                axis.plot(band.time, edge, color=colour, linewidth=0.9, linestyle="--")
        if any(_edges(band) for band in panel.bands.values()):
            axis.plot([], [], color="#BBBBBB", linewidth=0.9, linestyle="--", label=EDGE)
        for dashes, (name, value) in zip(itertools.cycle(DASHES), panel.references.items()):
            colour, label = known[name], f"{words(name)}: {value:.3g}"
            axis.axhline(value, color=colour, linewidth=1.2, linestyle=dashes, label=label, zorder=1)
        worst = min(float(edge.min()) for band in panel.bands.values() for edge in (band.mean, *_edges(band)))
        axis.set_xscale("log")
        _loss_scale(axis, "y", min(worst, *panel.references.values()), max(panel.references.values()))
        axis.set_title(panel.title, fontsize=10, loc="left")
        axis.set_ylabel(welfare)
        axis.grid(alpha=0.3)
        legend_beside(axis)
    axes[-1].set_xlabel(time)
    axes[-1].xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    return figure


def _edges(band: Band) -> tuple[np.ndarray, ...]:
    return () if band.sd is None else (band.mean - band.sd, band.mean + band.sd)


def _loss_scale(axis: Any, which: Literal["x", "y"], worst: float, least: float) -> None:
    """Make an axis of losses logarithmic, from a little below the worst to half the least, both < 0."""
    getattr(axis, f"set_{which}scale")("symlog", linthresh=-least / 2)
    getattr(axis, f"set_{which}lim")(1.1 * worst, least / 2)
    ticks = getattr(axis, f"{which}axis")
    ticks.set_major_locator(SymmetricalLogLocator(base=10, linthresh=-least / 2, subs=(1, 2, 5)))
    ticks.set_major_formatter(lambda value, _: f"{value:g}")


def dots(
    found: Mapping[str, Sequence[float]], best: Mapping[str, float], references: Mapping[str, float], welfare: str
) -> Figure:
    """Return what each of several seeds reached, one dot each, a line for each kind of training.

    Args:
        found: losses by kind, < 0.
        best: the best that each kind could have reached, by kind, where that is known.
        references: vertical lines by name, < 0.
        welfare: label of the horizontal axis, logarithmic as in :func:`losses`.
    """
    figure = new_figure(9.0, 1.3 + 0.42 * len(found))
    axis = figure.subplots()
    one, median, ideal, told = "#0072B2", "#D55E00", "#CC79A7", True
    for height, (name, values) in enumerate(found.items()):
        label = {"one": "a seed", "median": "median of the seeds"} if not height else {}
        axis.plot(values, [height] * len(values), "o", color=one, alpha=0.6, label=label.get("one"))
        axis.plot(np.median(values), height, "|", color=median, ms=18, mew=2, label=label.get("median"))
        if name in best:
            axis.plot(
                best[name], height, "D", color=ideal, ms=6, label="best that there is" if told else None, zorder=1
            )
            told = False
    known, free = named_colours(references), free_colours({one, median, ideal, *COLOURS.values()})
    for dashes, (name, value) in zip(itertools.cycle(DASHES), references.items()):
        colour = known[name] if known[name] not in (one, median, ideal) else next(free)
        axis.axvline(value, color=colour, linewidth=1.2, linestyle=dashes, label=f"{words(name)}: {value:.3g}")
    all_values = [value for values in found.values() for value in values] + list(references.values())
    _loss_scale(axis, "x", min(all_values), max(all_values))
    axis.set_yticks(range(len(found)), list(found))
    axis.set_ylim(len(found) - 0.5, -0.5)
    axis.set_xlabel(welfare)
    axis.grid(alpha=0.3, axis="x")
    legend_beside(axis)
    return figure


def menu(found: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Return how probable each choice of a menu is, a bar for each who chooses.

    Args:
        found: probability of each choice, by who chooses and by choice.
        title: of the figure.
    """
    choices = list(next(iter(found.values())))
    figure = new_figure(8.0, 1.2 + 0.34 * len(choices))
    axis, height = figure.subplots(), 0.8 / len(found)
    for place, (colour, (who, by)) in enumerate(zip(free_colours(()), found.items(), strict=False)):
        places = np.arange(len(choices)) + (place - (len(found) - 1) / 2) * height
        axis.barh(places, [by[choice] for choice in choices], height, color=colour, label=words(who))
    axis.set_yticks(range(len(choices)), choices)
    axis.invert_yaxis()
    axis.set_xlabel("probability")
    axis.set_title(title, fontsize=10, loc="left")
    axis.grid(alpha=0.3, axis="x")
    legend_beside(axis)
    return figure


def ratios(found: Mapping[str, tuple[float, float]], share: str) -> Figure:
    """Return how near to the best several ways of playing come: the least and the mean of each, a line a way.

    Args:
        found: least and mean ratio to the best, <= 1, by name.
        share: label of the horizontal axis.
    """
    figure = new_figure(8.0, 1.2 + 0.42 * len(found))
    axis = figure.subplots()
    least, mean = zip(*found.values(), strict=True)
    heights = range(len(found))
    axis.hlines(heights, least, mean, color="#999999", linewidth=1)
    axis.plot(least, heights, "o", color="#D55E00", label="least")
    axis.plot(mean, heights, "o", color="#0072B2", label="mean")
    axis.axvline(1, color="#000000", linewidth=1, linestyle="--", label="best")
    axis.set_yticks(heights, [words(name) for name in found])
    axis.set_ylim(len(found) - 0.5, -0.5)
    axis.set_xlabel(share)
    axis.grid(alpha=0.3, axis="x")
    legend_beside(axis)
    return figure


def payments(
    places: np.ndarray, curves: Mapping[str, np.ndarray], thresholds: Mapping[str, float], unit: str
) -> Figure:
    """Return payment functions, each shifted so that its highest payment is 0: constants move nobody.

    Args:
        places: what is paid for, (K,).
        curves: payments (K,) by mechanism.
        thresholds: vertical lines by name.
        unit: label of the horizontal axis.
    """
    figure = new_figure(8.0, 4.0)
    axis = figure.subplots()
    known = named_colours(curves)
    free = free_colours(known.values())
    for name, paid in curves.items():
        axis.plot(places, paid - paid.max(), color=known[name], linewidth=1.6, label=words(name))
    for dashes, (name, value) in zip(itertools.cycle(DASHES[1:]), thresholds.items()):
        axis.axvline(value, color=next(free), linewidth=1.2, linestyle=dashes, label=f"{name}: {value:.3f}")
    axis.set_title("The payment, and where those who start at 0 end on average", fontsize=10, loc="left")
    axis.set_xlabel(unit)
    axis.set_ylabel("payment below the highest (utility)")
    axis.grid(alpha=0.3)
    legend_beside(axis)
    return figure
