"""Figures of announced mechanisms: learning curves, results of several seeds, and payment functions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lawgiver.envs.families.mechanism_game import MechanismGame, PaymentCurve
from lawgiver.trainers.plots.curves import curves
from lawgiver.trainers.plots.history import column, flat
from lawgiver.trainers.plots.style import COLOURS, free_colours, legend_beside, named_colours, new_figure
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.statistics.estimate import is_number
from lawgiver.trainers.tables.wording import words

# isort: split
from matplotlib.figure import Figure
from matplotlib.ticker import SymmetricalLogLocator


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


def figures_of(run: Run, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Draw the learning curves of a mechanism that announces its parameters, and its payment function."""
    game: Any = run.game()
    history, paid_by = flat(run), game.subgame.objective_name
    values = column(summary, paid_by)
    last = history[-1] if history else {}
    behaviour = [key for key in last if key.startswith(("behaviour/", "closed_form/"))]
    gap = summary.get("reply_gap")
    settled = f", in training; {gap:.2g} once they have settled" if is_number(gap) else ""
    panels = [
        (
            f"{words(paid_by).capitalize()}, as participants play and in their equilibrium",
            f"{words(paid_by)} a round",
            ["score", "exact_score"],
        ),
        ("Mechanism: what it announces", _units(game), [key for key in last if key.startswith("coefficients/")]),
        ("Participants: what they do", "units of the game", behaviour),
        (f"Participants: distance from the exact reply to current play{settled}", "reply gap", ["reply_gap"]),
    ]
    references = {name: values.get(name) for name in ("start", "best_in_box", "optimum", "first_best")}
    figure = curves(panels, history, references)
    if figure.axes:
        figure.axes[-1].set_xscale("log")  # shared by all: most is learned in the first iterations
        yield "curves.png", figure
    paid = game.payment_curve()
    if paid is not None:
        yield from _payments(game, paid, summary)


def _units(game: MechanismGame) -> str:
    """Return the units of the announced parameters, each once."""
    return ", ".join(dict.fromkeys(field.unit for field in game.parameter_layout()))


def _payments(game: MechanismGame, paid: PaymentCurve, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    columns = [column(summary.get("parameters"), name) for name in game.rule_names]
    announced = {name: [each.get(name) for each in columns] for name in ("start", "learned", "best_in_box")}
    complete = {name: np.array(w, float) for name, w in announced.items() if None not in w}
    if "learned" not in complete:
        return
    places = column(summary, paid.behaviour) if paid.behaviour else {}
    if places:
        places |= {"optimum of rational participants": paid.best}
    shown = {f"{paid.behaviour}, {words(name)}": place for name, place in places.items() if place is not None}
    yield "payments.png", payments(paid.places, {n: paid.payment(w) for n, w in complete.items()}, shown, paid.label)


def losses(panels: Sequence[Panel], time: str, welfare: str) -> Figure:
    """Draw panels of welfare over time, mean solid and one standard deviation on either side dashed.

    Welfare is a loss here, and losses differ by orders of magnitude: both axes are logarithmic, and cut off at half the
    smallest loss among the references.

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
    """Draw the welfare that each seed reached, one dot each, a line for each kind of training.

    Args:
        found: losses of the seeds by kind, < 0.
        best: the reachable optimum by kind, where known, < 0.
        references: vertical lines by name, < 0.
        welfare: label of the horizontal axis, logarithmic as in :func:`losses`.
    """
    figure = new_figure(9.0, 1.3 + 0.42 * len(found))
    axis = figure.subplots()
    one, median, ideal = "#0072B2", "#D55E00", "#CC79A7"
    first_known = next((name for name in found if name in best), None)
    for height, (name, values) in enumerate(found.items()):
        label = {"one": "a seed", "median": "median of the seeds"} if not height else {}
        axis.plot(values, [height] * len(values), "o", color=one, alpha=0.6, label=label.get("one"))
        axis.plot(np.median(values), height, "|", color=median, ms=18, mew=2, label=label.get("median"))
        if name in best:
            label_best = "best that there is" if name == first_known else None
            axis.plot(best[name], height, "D", color=ideal, ms=6, label=label_best, zorder=1)
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


def payments(
    places: np.ndarray, curves: Mapping[str, np.ndarray], thresholds: Mapping[str, float], unit: str
) -> Figure:
    """Draw payment functions, each shifted to a maximum of 0: a constant changes no incentive.

    Args:
        places: arguments of the payment function, (K,).
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
